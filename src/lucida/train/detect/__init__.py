"""Train a detector: boxes around objects. Needs PyTorch."""
