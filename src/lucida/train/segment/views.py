"""Training views of an image and its mask, by torchvision's transforms for both at once.

All chance comes from PyTorch's global generator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from lucida.train.augmentation import GREY

UNKNOWN = 255  # in masks: pixels that count nowhere
TURN = 5.0  # degrees that views are turned by, at most
TURNED = 0.3  # share of views that are turned: it takes longer than all the rest


@dataclass(frozen=True)
class Amount:
    """How much images are changed.

    Attributes:
        scales: Smallest and largest factor on the size.
        stretch: Largest factor between width and height.
        colour: Strength of the changes of whole batches; see `lucida.tuning.augment.jitter_colour`.
        upside: Whether images are turned upside down and a little askew: for those that have no up.
        aimed: Share of views that are cut out around an object.
    """

    scales: tuple[float, float]
    stretch: float
    colour: float
    upside: bool
    aimed: float


AMOUNTS: dict[str, Amount] = {
    "none": Amount((1.0, 1.0), 1.0, 0.0, False, 0.0),
    "light": Amount((0.8, 1.25), 1.1, 0.2, False, 0.5),
    "medium": Amount((0.7, 1.4), 1.2, 0.3, False, 0.6),
    "strong": Amount((0.7, 1.4), 1.3, 0.3, True, 0.6),
}


class Views:
    """Makes square views: a part of an image at some scale, with grey around it where the image ends.

    Args:
        side: Of a view in pixels.
        size: Longer side of an image at scale 1.
        strength: How much images are changed.
        background: Number of the class that views are not aimed at; None if there is none.
        border: What lies around images.
    """

    def __init__(
        self, side: int, size: int, strength: str, background: int | None = None, border: float = GREY
    ) -> None:
        self.side, self.size, self.amount, self.background = side, size, AMOUNTS[strength], background
        self.border = border
        flips = [] if strength == "none" else [v2.RandomHorizontalFlip()]
        if self.amount.upside:
            fill = {tv_tensors.Image: border, tv_tensors.Mask: UNKNOWN, "others": None}
            flips += [v2.RandomVerticalFlip(), v2.RandomApply([v2.RandomRotation(TURN, fill=fill)], TURNED)]
        self._after = v2.Compose(flips) if flips else v2.Identity()

    def __call__(self, image: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return a training view.

        Args:
            image: uint8 (3, height, width); or float32 (c, height, width), normalised.
            mask: Numbers of classes, uint8 (height, width); 255 counts nowhere.

        Returns:
            An image of the same kind (c, side, side), and uint8 (side, side).
        """
        height, width = mask.shape
        down, across = self._scales(height, width)
        aim = self._aim(mask)
        top, rows, above = self._span(height, down, aim[0] if aim else None)
        left, columns, before = self._span(width, across, aim[1] if aim else None)
        seen = [max(1, min(self.side, round(rows * down))), max(1, min(self.side, round(columns * across)))]
        below, after = self.side - above - seen[0], self.side - before - seen[1]
        cut = (top, left, rows, columns, seen)
        picture = functional.resized_crop(tv_tensors.Image(image), *cut, antialias=True)
        labels = functional.resized_crop(tv_tensors.Mask(mask), *cut)
        around = [before, above, after, below]
        picture = functional.pad(picture, around, fill=self.border)
        labels = functional.pad(labels, around, fill=UNKNOWN)
        picture, labels = self._after(picture, labels)
        return picture.as_subclass(Tensor), labels.as_subclass(Tensor)

    def _scales(self, height: int, width: int) -> tuple[float, float]:
        """Return the pixels of a view that one of the image becomes, down and across."""
        low, high = (math.log(scale) for scale in self.amount.scales)
        scale = self.size / max(height, width) * math.exp(_between(low, high))
        stretch = math.exp(_between(-1, 1) * math.log(self.amount.stretch) / 2)
        return scale * stretch, scale / stretch

    def _aim(self, mask: Tensor) -> tuple[int, int] | None:
        """Return row and column of a pixel of an object, now and then."""
        if float(torch.rand(())) >= self.amount.aimed:
            return None
        places = ((mask != UNKNOWN) & (mask != (-1 if self.background is None else self.background))).nonzero()
        if not len(places):
            return None
        row, column = places[int(torch.randint(len(places), ()))].tolist()
        return row, column

    def _span(self, length: int, scale: float, aim: int | None) -> tuple[int, int, int]:
        """Return where a view begins along one side of the image, how much of it is seen, and the border before it."""
        seen = min(length, max(1, round(self.side / scale)))
        free = max(0, self.side - round(seen * scale))
        if aim is None:
            start = round(_between(0, length - seen))
        else:
            # Anywhere but at the very edge of the view.
            start = min(max(0, round(aim - seen * _between(0.15, 0.85))), length - seen)
        return start, seen, round(_between(0, free))


def _between(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))
