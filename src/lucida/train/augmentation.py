"""Augmentation by torchvision's transforms, which change boxes and masks along with their image.

Images are uint8 RGB; or float32 of any number of channels, normalised: where all channels of the files are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torchvision.transforms import v2

from lucida.images import Image
from lucida.models.needs import RAW
from lucida.tuning.augment import jitter_colour, jitter_values

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from lucida.models.needs import ImageNeeds

Strength = Literal["none", "light", "medium", "strong"]

# Smallest share of the image that is cut out; strength of colours; transforms of RandAugment; share of batches mixed.
STRENGTHS: dict[str, tuple[float, float, int, float]] = {
    "none": (1.0, 0.0, 0, 0.0),
    "light": (0.6, 0.2, 0, 0.0),
    "medium": (0.35, 0.3, 0, 0.5),
    "strong": (0.2, 0.3, 2, 0.8),
}


GREY = 127  # around images, as `ImageNeeds` pads them


def border(needs: ImageNeeds) -> float:
    """Return what lies around the images of views: grey, or the mean of normalised values."""
    return 0.0 if needs.channels == RAW else GREY


def as_tensor(pixels: NDArray[Any], needs: ImageNeeds | None) -> Tensor:
    """Return a training image (height, width, c) of any size as views are made of it, (c, height, width).

    Returns:
        uint8 RGB as it is; all channels float32, normalised, 0 where nothing is known.
    """
    if needs is not None and needs.channels == RAW:
        return torch.from_numpy(needs.normalise(pixels))
    return torch.from_numpy(pixels).permute(2, 0, 1)


def fitted(pixels: NDArray[Any], needs: ImageNeeds) -> Tensor:
    """Return an image (height, width, c) as it will be prepared when the model is used, of the kind of `as_tensor`."""
    if needs.channels == RAW:
        return torch.from_numpy(needs.prepare(Image(pixels, "MULTI")))
    found: NDArray[np.uint8] = needs.fit(Image(pixels, "RGB"))
    return torch.tensor(found).permute(2, 0, 1)


def on_unit(images: Tensor) -> Tensor:
    """Return a batch as float32: colours on 0..1, normalised values as they are."""
    return images if images.is_floating_point() else images.float() / 255


def coloured(images: Tensor, strength: float, needs: ImageNeeds) -> Tensor:
    """Change the colours of a batch of `on_unit`, each image by itself; of many channels how strong they are."""
    if not strength:
        return images
    generator = torch.Generator(images.device).manual_seed(int(torch.randint(2**31, ())))
    return (jitter_values if needs.channels == RAW else jitter_colour)(images, generator, strength)


class JitterValues(v2.Transform):  # type: ignore[misc, unused-ignore]
    """Change how strong and how high the values of an image of many channels are, float32 (c, h, w), normalised."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def transform(self, inpt: Tensor, params: dict[str, Any]) -> Tensor:
        """Change an image."""
        generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
        return jitter_values(inpt[None], generator, self.strength)[0]


def whole_images(size: int, strength: Strength = "medium", *, flip: bool = True, raw: bool = False) -> v2.Transform:
    """Return what makes training views of whole images: (c, h, w) of any size to (c, size, size).

    Args:
        size: Side of a view in pixels.
        strength: How much is changed.
        flip: Whether an image and its mirror image mean the same.
        raw: Whether images are normalised values of any channels, which have no hues.

    Source: Szegedy et al. 2015 for the crop; Cubuk et al. 2020, RandAugment.
    """
    share, colour, operations, _ = STRENGTHS[strength]
    steps: list[Any] = [
        v2.RandomResizedCrop(size, scale=(share, 1.0), ratio=(3 / 4, 4 / 3), antialias=True)
        if share < 1
        else v2.Resize((size, size), antialias=True)
    ]
    steps += [v2.RandomHorizontalFlip()] if flip else []
    if raw:
        steps += [v2.RandomApply([JitterValues(colour)], 0.8)] if colour else []
        return v2.Compose(steps)
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
