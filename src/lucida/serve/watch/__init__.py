"""Watching over a server: metrics, logs, traces, drift and accuracy."""
