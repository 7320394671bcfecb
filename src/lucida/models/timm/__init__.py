"""Models of timm: any classifier or encoder."""
