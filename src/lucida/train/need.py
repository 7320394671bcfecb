"""Say early, and in one way, that training needs packages."""

from __future__ import annotations

from importlib.util import find_spec

from lucida.errors import MissingExtra

NEEDED = ("torch", "torchvision", "accelerate", "onnx", "onnxscript", "safetensors")


def need_torch(purpose: str = "Training") -> None:
    """Make sure that what training cannot do without is installed; nothing is imported.

    Raises:
        MissingExtra: A package is missing.
    """
    for package in NEEDED:
        if find_spec(package) is None:
            raise MissingExtra(package, "train", purpose)
