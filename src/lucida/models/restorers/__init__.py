"""Models that restore, which come with the package: a folder each."""
