"""U-Nets of segmentation-models-pytorch on any encoder of timm's."""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from typing import Final

from lucida.errors import InputError, MissingExtra, UnknownName
from lucida.models.quiet import quiet
from lucida.train.beginning import Built

try:
    import segmentation_models_pytorch as smp
    import timm
except ImportError as missing:
    raise MissingExtra("segmentation-models-pytorch", "train", "Training a U-Net") from missing

ENCODER: Final = "resnet18"


def build(name: str, classes: int, start: str) -> Built:
    """Build a U-Net.

    Args:
        name: "unet", or "unet:ENCODER" with a name of timm's.
        classes: How many.
        start: "nothing", "hub" for an encoder with published weights, "auto" for those where they are to be had.

    Raises:
        UnknownName: timm has no such encoder.
        InputError: The encoder gives no maps, or its published weights are not to be had.
    """
    encoder = name.partition(":")[2] or ENCODER
    if not timm.is_model(encoder):
        raise UnknownName("encoder", encoder, timm.list_models(), hint="any of timm's that gives maps, as unet:NAME")
    if start in ("auto", "hub"):
        try:
            published = timm.get_pretrained_cfg(encoder)
            return Built(
                _unet(encoder, classes, "imagenet"),
                "hub",
                str((published.license if published else "") or ""),
                ("encoder",),
            )
        except Exception as error:  # every back end of the hub has errors of its own
            if start == "hub":
                raise InputError(
                    f"The published weights of {encoder} are not to be had.",
                    expected="a network, or the weights in the hub's cache",
                    got=" ".join(str(error).split())[:160],
                    hint="--start nothing trains from random weights; --model embedded has weights offline",
                ) from error
    try:
        network = _unet(encoder, classes, None)
    except (RuntimeError, AttributeError, NotImplementedError, ValueError, AssertionError) as error:
        raise InputError(
            f"{encoder} cannot be the encoder of a U-Net.",
            expected="a network of timm's that gives maps of several sizes",
            got=" ".join(str(error).split())[:160],
            hint="unet:resnet18, unet:mobilenetv3_large_100, unet:efficientnet_b0 or unet:convnext_tiny",
        ) from error
    note = f"The published weights of {encoder} are not to be had here, so it begins from nothing."
    return Built(network, "nothing", note=note if start == "auto" else "")


def _unet(encoder: str, classes: int, weights: str | None) -> smp.Unet:
    with quiet():
        return smp.Unet(f"tu-{encoder}", encoder_weights=weights, classes=classes)
