"""Family `onnx`: any exported classifier, encoder or CLIP-like pair with a small TOML beside it."""
