"""Models of transformers: pairs of image and text, classifiers, encoders, and chat models that see."""
