"""Models that `lucida train` made."""
