"""Text in images, read offline."""
