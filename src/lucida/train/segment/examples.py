"""The images and masks that a segmenter is trained on, and those that it is judged by."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

from lucida.data.sample import Mask
from lucida.errors import ImageError, InputError
from lucida.evaluate.tasks.masks import truth_of
from lucida.train.augmentation import as_tensor, fitted
from lucida.train.pictures import Pictures
from lucida.train.segment.views import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lucida.data import Samples
    from lucida.models.needs import Frame, ImageNeeds
    from lucida.train.channels import Channels

MOST_CLASSES: Final = UNKNOWN
BALANCE = 0.5  # 0 draws images as they come, 1 every class as often; between, rare ones more often


class Training:
    """Decoded training images with their masks.

    Args:
        samples: Whose targets are masks. Masks without any object stay: they teach what the background is.
        size: Longer side that images are used at, in pixels.
        background: Number of the class that is no object; None if there is none.
        channels: What is looked at of images.

    Raises:
        InputError: A mask is of another size than its image, or holds a value that stands for nothing; or no mask
            holds an object.

    Attributes:
        notes: What was left out, a sentence each.
        there: The classes that each image holds.
        moments: Of all values, where all channels are looked at.
        needs: What the network needs; to be set before images are asked for, where all channels are looked at.
    """

    def __init__(self, samples: Samples, size: int, background: int | None, channels: Channels | None = None) -> None:
        samples, self.notes = labelled(samples)
        self._pictures = Pictures(samples, size, what="Reading training images", channels=channels)
        self.moments = self._pictures.moments
        self.needs: ImageNeeds | None = None
        self.skipped = self._pictures.skipped
        self._masks: dict[int, Tensor] = {}
        self.there: list[frozenset[int]] = []
        for row in self._pictures.readable():
            picture = self._pictures[row]
            if picture is None:
                continue
            mask = torch.from_numpy(class_numbers(samples, row, (picture.height, picture.width)))
            self.there.append(frozenset(mask.unique().tolist()) - {UNKNOWN})
            shape = picture.pixels.shape[:2]
            self._masks[row] = mask if mask.shape == shape else _smaller(mask, shape)
        self._rows = list(self._masks)
        self._background = background
        empty = sum(1 for classes in self.there if not classes - {background})
        if empty == len(self._rows):
            raise InputError(
                "No mask of the training part holds anything but background.",
                expected="masks in which objects are marked",
                got=f"{empty:,} empty masks",
                hint="lucida train anomaly learns from images of one kind, without masks",
            )
        if empty:
            self.notes.append(f"{empty:,} training images have an empty mask: they are learned from as background.")

    def __len__(self) -> int:
        return len(self._rows)

    def pair(self, row: int) -> tuple[Tensor, Tensor] | None:
        """Return an image, as `as_tensor` gives it, and its mask uint8 (h, w); None where it cannot be read."""
        place = self._rows[row]
        picture = self._pictures[place]
        if picture is None:
            return None
        return as_tensor(picture.pixels, self.needs), self._masks[place]

    def weights(self) -> Sequence[float] | None:
        """Return how often each image is to be drawn: more often for the rarest class that it holds."""
        objects = [classes - {self._background} for classes in self.there]
        counts = Counter(number for classes in objects for number in classes)
        if len(counts) < 2:
            return None
        usual = max(counts.values()) ** -BALANCE
        return [max((counts[number] ** -BALANCE for number in classes), default=usual) for classes in objects]


class Validation:
    """Validation images as they will be prepared when the model is used.

    Attributes:
        images: uint8 (n, 3, size, size); or float32 (n, c, size, size), normalised, where all channels are looked at.
        frames: Where each lies in what was prepared of it.
        truth: Numbers of classes at the size of the whole image, uint8 (height, width); 255 counts nowhere.
    """

    def __init__(
        self, samples: Samples, needs: ImageNeeds, background: int | None, channels: Channels | None = None
    ) -> None:
        samples, _ = labelled(samples)
        pictures = Pictures(samples, what="Reading validation images", channels=channels)
        self.skipped = pictures.skipped
        self.frames: list[Frame] = []
        self.truth: list[NDArray[np.uint8]] = []
        images = []
        for row in pictures.readable():
            picture = pictures[row]
            if picture is None:
                continue
            images.append(fitted(picture.pixels, needs))
            self.frames.append(needs.frame(picture.width, picture.height))
            self.truth.append(class_numbers(samples, row, (picture.height, picture.width)))
        if not any(set(np.unique(truth).tolist()) - {background, UNKNOWN} for truth in self.truth):
            raise InputError(
                "No mask of the validation part holds anything but background.",
                expected="images with objects to judge the segmenter by",
                got=f"{len(images):,} empty masks",
                hint="leave the splits out, and a part is set aside",
            )
        self.images = torch.stack(images)


def labelled(samples: Samples) -> tuple[Samples, list[str]]:
    """Return those that have a mask, and a sentence on the others."""
    known = tuple(sample for sample in samples if isinstance(sample.target, Mask))
    if len(known) == len(samples):
        return samples, []
    left = f"{len(samples) - len(known):,} images are left out: they have no mask."
    return replace(samples, items=known), [left]


def class_numbers(samples: Samples, row: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the number of the class of each pixel, uint8 of a shape (height, width); 255 counts nowhere.

    Raises:
        InputError: The mask cannot be read, is of another size than its image, or holds a value that stands for
            nothing.
    """
    sample = samples[row]
    try:
        found = truth_of(sample, samples.classes, shape)
    except ImageError as error:
        raise InputError(
            f"The mask of {sample.name} does not fit its image. {error.what}",
            expected=f"a mask of {shape[1]} x {shape[0]} pixels, as its image",
            got=error.got or error.what,
            hint="write it again at the size of the image, nearest neighbour, as PNG; or leave both out",
        ) from error
    return np.where(found < 0, UNKNOWN, found).astype(np.uint8)


def check_classes(classes: Sequence[str]) -> None:
    """Refuse what cannot be told apart.

    Raises:
        InputError: Fewer than two classes, or more than a mask can number.
    """
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise InputError(
            "These classes cannot be told apart pixel by pixel." if len(classes) < 2 else "There are too many classes.",
            expected=f"2 to {MOST_CLASSES} classes, the background among them",
            got=", ".join(classes[:8]) or "none",
            hint="name the values of the masks in classes.txt, a line each, from 0",
        )


def _smaller(mask: Tensor, shape: Any) -> Tensor:
    resized = functional.resize(tv_tensors.Mask(mask), list(shape))
    return resized.as_subclass(Tensor)
