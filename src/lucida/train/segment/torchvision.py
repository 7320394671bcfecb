"""Segmenters of torchvision: FCN, DeepLabV3, LR-ASPP."""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn
from torchvision.models import segmentation

from lucida.errors import InputError, MissingExtra
from lucida.models.quiet import quiet
from lucida.train.beginning import Built
from lucida.train.detect.torchvision import copy_in_order

# Networks of timm whose published weights are safetensors, and the same tensors in the same order. torchvision's own
# are pickled.
BACKBONES: Final = {
    "fcn_resnet50": "resnet50.tv_in1k",
    "deeplabv3_resnet50": "resnet50.tv_in1k",
    "deeplabv3_mobilenet_v3_large": "mobilenetv3_large_100.ra_in1k",
    "lraspp_mobilenet_v3_large": "mobilenetv3_large_100.ra_in1k",
}


def build(name: str, classes: int, start: str) -> Built:
    """Build a segmenter.

    Args:
        name: Of a function of `torchvision.models.segmentation`.
        classes: How many.
        start: "nothing", "hub" for a backbone with published weights, "auto" for those where they are to be had.

    Raises:
        InputError: The published weights are asked for and are not to be had.
    """
    with quiet():
        model = getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=classes)
    network = Plain(model)
    if start == "nothing":
        return Built(network, "nothing")
    try:
        licence = _load_backbone(model.backbone, BACKBONES[name])
    except Exception as error:  # every back end of the hub has errors of its own
        if start == "auto":
            note = f"Published weights for {name} are not to be had here, so it begins from nothing."
            return Built(network, "nothing", note=note)
        raise InputError(
            f"Published weights for {name} are not to be had.",
            expected=f"a network, or {BACKBONES[name]} in the hub's cache",
            got=" ".join(str(error).split())[:160],
            hint="--start nothing trains from random weights; --model embedded has weights offline",
        ) from error
    return Built(network, "hub", licence, ("model.backbone",))


def _load_backbone(body: nn.Module, name: str) -> str:
    """Put published weights into a backbone; return their licence."""
    try:
        import timm
    except ImportError as error:
        raise MissingExtra("timm", "train", "Published weights of a backbone") from error
    with quiet():
        published = timm.create_model(name, pretrained=True)
    copy_in_order(published, body)
    return str(timm.get_pretrained_cfg(name).license or "")


class Plain(nn.Module):
    """A segmenter of torchvision that gives its logits, and nothing else."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, classes, h, w)."""
        if self.training and len(images) == 1:
            # Their norms see one pixel an image where they pool: no spread in one image.
            return self.forward(torch.cat([images, images]))[:1]
        logits: Tensor = self.model(images)["out"]
        return logits
