"""The images and objects that a detector is trained on, and those that it is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lucida.data.files import Omitted, whole_boxes
from lucida.data.sample import Boxes
from lucida.errors import InputError, UnknownName
from lucida.train.augmentation import as_tensor, fitted
from lucida.train.detect.views import View
from lucida.train.pictures import Pictures

if TYPE_CHECKING:
    from lucida.data import Samples
    from lucida.models.needs import Frame, ImageNeeds
    from lucida.train.channels import Channels

STEP = 32  # sides of views are multiples of the coarsest stride


class Training:
    """Decoded training images with their objects.

    Args:
        samples: Whose targets are boxes, none, or unknown. Images without objects stay: they teach what is none.
        size: Shorter side that images are made smaller to, in pixels.
        channels: What is looked at of images.

    Raises:
        InputError: No image has a box.
        UnknownName: A box is of a class that is not among the classes.

    Attributes:
        shapes: Heights and widths of the whole images, in pixels.
        notes: What was left out or changed, a sentence each.
        moments: Of all values, where all channels are looked at.
        needs: What the network needs; to be set before views are asked for, where all channels are looked at.
    """

    def __init__(self, samples: Samples, size: int, channels: Channels | None = None) -> None:
        samples, self.notes = labelled(samples)
        omitted = Omitted()
        self._pictures = Pictures(samples, size, what="Reading training images", channels=channels)
        self.moments = self._pictures.moments
        self.needs: ImageNeeds | None = None
        self.skipped = self._pictures.skipped
        self._objects: dict[int, tuple[Tensor, Tensor]] = {}
        self.shapes: list[tuple[int, int]] = []
        for row in self._pictures.readable():
            picture = self._pictures[row]
            if picture is None:
                continue
            boxes, labels = objects(samples, row, (picture.width, picture.height), omitted)
            height, width = picture.pixels.shape[:2]
            scale = torch.tensor([width / picture.width, height / picture.height])
            self._objects[row] = boxes * scale.repeat(2), labels
            self.shapes.append((picture.height, picture.width))
        self._rows = list(self._objects)
        self.notes += omitted.notes()
        if not any(len(labels) for _, labels in self._objects.values()):
            raise InputError(
                "No image of the training part has a box.",
                expected="boxes around the objects that are to be found",
                got=f"{len(self._rows):,} images without",
                hint="lucida train classify learns what an image is of, without boxes",
            )

    def __len__(self) -> int:
        return len(self._rows)

    def view(self, row: int) -> View | None:
        """Return an image and its objects; None where it cannot be read."""
        place = self._rows[row]
        picture = self._pictures[place]
        if picture is None:
            return None
        return View(as_tensor(picture.pixels, self.needs), *self._objects[place])

    def another(self) -> View | None:
        """Return one at random."""
        return self.view(int(torch.randint(len(self._rows), ())))


class Validation:
    """Validation images as they will be prepared when the model is used.

    Attributes:
        images: uint8 (n, 3, size, size); or float32 (n, c, size, size), normalised, where all channels are looked at.
        frames: Where each lies in what was prepared of it.
        truth: Of each, "boxes" float32 (k, 4) in pixels of the whole image, and "labels" int64 (k,).
    """

    def __init__(self, samples: Samples, needs: ImageNeeds, channels: Channels | None = None) -> None:
        samples, _ = labelled(samples)
        pictures = Pictures(samples, what="Reading validation images", channels=channels)
        self.skipped = pictures.skipped
        self.frames: list[Frame] = []
        self.truth: list[dict[str, Tensor]] = []
        images = []
        for row in pictures.readable():
            picture = pictures[row]
            if picture is None:
                continue
            images.append(fitted(picture.pixels, needs))
            self.frames.append(needs.frame(picture.width, picture.height))
            boxes, labels = objects(samples, row, (picture.width, picture.height), Omitted())
            self.truth.append({"boxes": boxes, "labels": labels})
        if not any(len(one["labels"]) for one in self.truth):
            raise InputError(
                "No image of the validation part has a box.",
                expected="images with objects to judge the detector by",
                got=f"{len(images):,} images without",
                hint="leave the splits out, and a part is set aside",
            )
        self.images = torch.stack(images)


def labelled(samples: Samples) -> tuple[Samples, list[str]]:
    """Return those whose objects are known, and a sentence on the others."""
    known = tuple(sample for sample in samples if isinstance(sample.target, Boxes))
    if len(known) == len(samples):
        return samples, []
    left = f"Images left out, because nobody has said what objects are in them: {len(samples) - len(known):,}."
    return replace(samples, items=known), [left]


def objects(samples: Samples, row: int, size: tuple[int, int], omitted: Omitted) -> tuple[Tensor, Tensor]:
    """Return boxes float32 (k, 4), cut to the image, and the numbers of their classes int64 (k,).

    Args:
        samples: Whose targets are boxes.
        row: Which.
        size: Width and height of the whole image in pixels.
        omitted: Counts boxes outside the image or of zero size.

    Raises:
        UnknownName: A box is of a class that is not among the classes.
    """
    target = samples[row].target
    assert isinstance(target, Boxes), "others were left out"
    whole = whole_boxes(target.xyxy, target.labels, size, omitted, samples[row].name)
    number = {name: k for k, name in enumerate(samples.classes)}
    unknown = [label for label in whole.labels if label not in number]
    if unknown:
        raise UnknownName("class", unknown[0], samples.classes, hint="the labels and the list of classes must agree")
    return torch.from_numpy(whole.xyxy), torch.tensor([number[label] for label in whole.labels], dtype=torch.int64)


def canvas(shapes: Sequence[tuple[int, int]], size: int) -> tuple[int, int]:
    """Return height and width of the views for images of such shapes: the usual ratio, the longer side as asked."""
    ratios = sorted(height / width for height, width in shapes)
    ratio = ratios[len(ratios) // 2]
    return tuple(-(-round(size * min(1.0, part)) // STEP) * STEP for part in (ratio, 1 / ratio))  # type: ignore[return-value]
