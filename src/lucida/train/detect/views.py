"""Training views of an image and its boxes, by torchvision's transforms for both at once.

All chance comes from PyTorch's global generator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from lucida.train.augmentation import GREY

if TYPE_CHECKING:
    from lucida.train.augmentation import Strength

LEAST_SHARE = 0.3  # of an object that must stay to be seen, for it to stay an object
LEAST_SIDE = 3.0  # pixels


@dataclass(frozen=True)
class Amount:
    """How much images are changed.

    Attributes:
        scales: Smallest and largest factor on the size.
        colour: Strength of the changes of whole batches; see `lucida.tuning.augment.jitter_colour`.
        turns: Whether images are turned by quarters and upside down: for those that have no up.
        joined: Share of views that are put together from four images.
    """

    scales: tuple[float, float]
    colour: float
    turns: bool
    joined: float


AMOUNTS: dict[str, Amount] = {
    "none": Amount((1.0, 1.0), 0.0, False, 0.0),
    "light": Amount((0.8, 1.25), 0.1, False, 0.0),
    "medium": Amount((0.7, 1.4), 0.1, False, 0.5),
    "strong": Amount((0.7, 1.4), 0.1, True, 0.5),
}


@dataclass(frozen=True)
class View:
    """An image and the objects in it.

    Attributes:
        image: uint8 (3, height, width); or float32 (c, height, width), normalised, where all channels are looked at.
        boxes: float32 (k, 4), left, top, right, bottom in pixels.
        labels: int64 (k,).
    """

    image: Tensor
    boxes: Tensor
    labels: Tensor


class QuarterTurns(v2.Transform):  # type: ignore[misc, unused-ignore]
    """Turn by 0, 90, 180 or 270 degrees."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Choose how often to turn."""
        return {"turns": int(torch.randint(4, ()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Turn an image or its boxes."""
        for _ in range(params["turns"]):
            inpt = _turned(inpt)
        return inpt


def _turned(value: Any) -> Any:
    """Turn counter-clockwise: mirrored at the diagonal, then upside down."""
    if isinstance(value, tv_tensors.BoundingBoxes):
        height, width = value.canvas_size
        swapped = value.as_subclass(Tensor)[:, [1, 0, 3, 2]]
        value = tv_tensors.BoundingBoxes(swapped, format="XYXY", canvas_size=(width, height))
    elif isinstance(value, tv_tensors.Image):
        value = tv_tensors.wrap(value.as_subclass(Tensor).transpose(-1, -2), like=value)
    else:
        return value
    return functional.vertical_flip(value)


class Views:
    """Makes views of one size.

    Args:
        height: Of a view in pixels.
        width: Likewise.
        size: Longer side of an image at scale 1.
        strength: How much images are changed.
        border: What lies around images.
    """

    def __init__(self, height: int, width: int, size: int, strength: Strength, border: float = GREY) -> None:
        self.height, self.width, self.amount = height, width, AMOUNTS[strength]
        flips = [] if strength == "none" else [v2.RandomHorizontalFlip()]
        turns = [QuarterTurns()] if self.amount.turns else []
        self._warp = v2.Compose([*flips, *turns, v2.ScaleJitter((size, size), self.amount.scales)])
        fill = {tv_tensors.Image: border, "others": None}
        self._cut = v2.RandomCrop((height, width), pad_if_needed=True, fill=fill)

    def __call__(self, view: View, other: Callable[[], View | None]) -> View:
        """Return a training view.

        Args:
            view: An image at any size, and its objects.
            other: Gives another image of the training part, to be put together with it.
        """
        if float(torch.rand(())) >= self.amount.joined:
            return self.one(view)
        four = [view, *(found or view for found in (other() for _ in range(3)))]
        return join([self.one(four[k]) for k in torch.randperm(4).tolist()])

    def one(self, view: View) -> View:
        """Return a view of one image."""
        image = tv_tensors.Image(view.image)
        boxes = tv_tensors.BoundingBoxes(view.boxes, format="XYXY", canvas_size=tuple(image.shape[-2:]))
        image, boxes = self._warp(image, boxes)
        areas = _areas(boxes.as_subclass(Tensor))
        image, boxes = self._cut(image, boxes)
        window = (0, 0, self.width, self.height)
        return _seen(image.as_subclass(Tensor), boxes.as_subclass(Tensor), areas, view.labels, window)


def join(views: Sequence[View]) -> View:
    """Put four views together at a random point: a corner of each.

    Source: Takahashi et al. 2018, RICAP: Random Image Cropping and Patching; Bochkovskiy et al. 2020 for boxes.
    """
    height, width = views[0].image.shape[-2:]
    x, y = (int(side * (0.25 + 0.5 * float(torch.rand(())))) for side in (width, height))
    corners = ((0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height))
    image = torch.empty_like(views[0].image)
    parts = []
    for view, window in zip(views, corners, strict=True):
        left, top, right, bottom = window
        image[:, top:bottom, left:right] = view.image[:, top:bottom, left:right]
        parts.append(_seen(image, view.boxes, _areas(view.boxes), view.labels, window))
    return View(image, torch.cat([p.boxes for p in parts]), torch.cat([p.labels for p in parts]))


def _seen(image: Tensor, boxes: Tensor, areas: Tensor, labels: Tensor, window: tuple[int, int, int, int]) -> View:
    """Cut boxes to a window, and leave out objects of which too little is left."""
    left, top, right, bottom = window
    cut = boxes.clone()
    cut[:, 0::2].clamp_(left, right)
    cut[:, 1::2].clamp_(top, bottom)
    sides = cut[:, 2:] - cut[:, :2]
    keep = (_areas(cut) > LEAST_SHARE * areas) & (sides > LEAST_SIDE).all(dim=1)
    return View(image, cut[keep], labels[keep])


def _areas(boxes: Tensor) -> Tensor:
    return (boxes[:, 2:] - boxes[:, :2]).prod(dim=1)
