"""Detectors and segmenters of torchvision, with weights in safetensors."""
