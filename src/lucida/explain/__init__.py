"""Show where a model looked, and which images of its training it was reminded of."""
