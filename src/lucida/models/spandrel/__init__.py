"""Restorers of any architecture that spandrel knows, from safetensors."""
