"""The shipped example of a detector: red and white blood cells and platelets in microscope photos."""
