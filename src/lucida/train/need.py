"""Say early, and in one way, that training needs packages."""

from __future__ import annotations

from importlib.util import find_spec

from lucida.errors import InputError, MissingExtra

NEEDED = ("torch", "torchvision", "accelerate", "onnx", "onnxscript", "safetensors")


def need_torch(purpose: str = "Training") -> None:
    """Make sure that what training cannot do without is installed; nothing is imported.

    Raises:
        MissingExtra: A package is missing.
    """
    for package in NEEDED:
        if find_spec(package) is None:
            raise MissingExtra(package, "train", purpose)


def need_wandb() -> None:
    """Make sure that Weights & Biases can be reported to: accelerate passes silently over what is not there.

    Raises:
        InputError: Its package is missing.
    """
    if find_spec("wandb") is None:
        raise InputError(
            "--wandb needs the package 'wandb', which is not installed.",
            expected="the package of Weights & Biases",
            got="an install without it",
            hint="pip install wandb; without it metrics.jsonl and TensorBoard hold the same",
        )
