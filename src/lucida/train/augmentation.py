"""Augmentation by torchvision's transforms, which change boxes and masks along with their image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torchvision.transforms import v2

if TYPE_CHECKING:
    from torch import Tensor

Strength = Literal["none", "light", "medium", "strong"]

# Smallest share of the image that is cut out; strength of colours; transforms of RandAugment; share of batches mixed.
STRENGTHS: dict[str, tuple[float, float, int, float]] = {
    "none": (1.0, 0.0, 0, 0.0),
    "light": (0.6, 0.2, 0, 0.0),
    "medium": (0.35, 0.3, 0, 0.5),
    "strong": (0.2, 0.3, 2, 0.8),
}


def whole_images(size: int, strength: Strength = "medium", *, flip: bool = True) -> v2.Transform:
    """Return what makes training views of whole images: uint8 (c, h, w) of any size to uint8 (c, size, size).

    Args:
        size: Side of a view in pixels.
        strength: How much is changed.
        flip: Whether an image and its mirror image mean the same.

    Source: Szegedy et al. 2015 for the crop; Cubuk et al. 2020, RandAugment.
    """
    share, colour, operations, _ = STRENGTHS[strength]
    steps: list[Any] = [
        v2.RandomResizedCrop(size, scale=(share, 1.0), ratio=(3 / 4, 4 / 3), antialias=True)
        if share < 1
        else v2.Resize((size, size), antialias=True)
    ]
    steps += [v2.RandomHorizontalFlip()] if flip else []
    steps += [v2.RandAugment(operations, 9)] if operations else []
    # Turning hues takes four times as long as all the rest of the colours.
    steps += [v2.RandomApply([v2.ColorJitter(colour, colour, colour)], 0.8)] if colour else []
    return v2.Compose(steps)


def mix(images: Tensor, targets: Tensor, strength: Strength) -> tuple[Tensor, Tensor]:
    """Mix some batches with themselves, by blending or by pasting.

    Args:
        images: float32 (n, c, h, w).
        targets: Shares of the classes, float32 (n, classes).
        strength: How often.

    Source: Zhang et al. 2018, mixup; Yun et al. 2019, CutMix.
    """
    share = STRENGTHS[strength][3]
    if len(images) < 2 or float(torch.rand(())) >= share:
        return images, targets
    kind = v2.CutMix if float(torch.rand(())) < 0.5 else v2.MixUp
    alpha = 1.0 if kind is v2.CutMix else 0.2
    mixed: Sequence[Tensor] = kind(alpha=alpha, num_classes=targets.shape[1])(images, targets)
    return mixed[0], mixed[1]
