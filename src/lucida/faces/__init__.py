"""Faces of one's own album: found, grouped by whose they are, named by a person, and erased with one command."""
