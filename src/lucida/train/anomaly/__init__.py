"""Learn what is normal, to find what is odd. Needs PyTorch."""
