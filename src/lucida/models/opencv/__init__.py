"""Classical inpainting by OpenCV."""
