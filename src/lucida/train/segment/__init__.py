"""Train a segmenter: a class for every pixel. Needs PyTorch."""
