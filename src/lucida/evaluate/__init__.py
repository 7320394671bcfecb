"""Say how good a model is, with intervals."""
