"""The whole job in two minutes, on images that are at hand."""
