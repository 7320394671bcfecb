"""Tune the encoder without labels, and what all training shares: checkpoints, averages, batches of views."""
