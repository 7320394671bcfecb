"""Models that draw, which come with the package: a folder each."""
