"""The normal images that are learned from, and the images that tell whether oddities are found."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from lucida.errors import InputError
from lucida.evaluate.tasks.anomaly import NORMAL, is_odd
from lucida.train.augmentation import fitted, on_unit

if TYPE_CHECKING:
    from lucida.data import Sample, Samples
    from lucida.models.needs import Frame, ImageNeeds
    from lucida.train.pictures import Pictures

FEWEST = 2  # normal images: what differs between them is how normal images differ


class Prepared:
    """Images as they will be prepared when the model is used.

    Attributes:
        images: uint8 (n, 3, size, size); or float32 (n, c, size, size), normalised, where all channels are looked at.
        frames: Where each lies in what was prepared of it.
        odd: Whether each is odd.
        skipped: Images that could not be read, and why.
    """

    def __init__(self, samples: Samples, pictures: Pictures, needs: ImageNeeds) -> None:
        kind = only_kind(samples)
        self.skipped = pictures.skipped
        self.frames: list[Frame] = []
        self.odd: list[bool] = []
        images = []
        for row in pictures.readable():
            picture = pictures[row]
            if picture is None:
                continue
            images.append(fitted(picture.pixels, needs))
            self.frames.append(needs.frame(picture.width, picture.height))
            self.odd.append(not kind and not _normal(samples[row]))
        self.images = torch.stack(images) if images else torch.zeros(0, 3, needs.size, needs.size, dtype=torch.uint8)

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, size: int = 8) -> list[tuple[Tensor, list[Frame]]]:
        """Return images float32 (n, c, size, size), of `on_unit`, with their frames, some at a time."""
        starts = range(0, len(self.images), size)
        return [(on_unit(self.images[start : start + size]), self.frames[start : start + size]) for start in starts]


def normal_images(samples: Samples) -> tuple[Samples, list[str]]:
    """Return the images of a training part that nobody calls odd, and what a person should know of the others.

    Raises:
        InputError: There are too few, or no class is called normal.
    """
    if only_kind(samples):
        return samples, []
    rows = [row for row, sample in enumerate(samples) if _normal(sample)]
    if len(rows) < FEWEST:
        counts = Counter(label for sample in samples for label in sample.labels)
        raise InputError(
            "No images are called normal." if not rows else "There are too few normal images to learn from.",
            expected=f"a class named {', '.join(NORMAL[:4])} or the like, of {FEWEST} images at least",
            got=", ".join(f"{label} ({count:,})" for label, count in counts.most_common(8)) or "no class",
            hint="rename the folder or class of what is normal to 'good'",
        )
    left = len(samples) - len(rows)
    note = f"{left:,} images of the training part are called something else than normal, and are left out."
    return samples.take(rows), [note] if left else []


def only_kind(samples: Samples) -> bool:
    """Tell whether nothing is known of the images but one class: then that is what is normal."""
    return len({label for sample in samples for label in sample.labels}) < 2 and not any(
        not isinstance(sample.target, str | None) for sample in samples
    )


def _normal(sample: Sample) -> bool:
    return sample.target is None or not is_odd(sample)


def auroc_of(scores: list[float], odd: list[bool]) -> float | None:
    """Return how often an odd image has the larger score than a normal one; None where one kind is missing."""
    from lucida.evaluate.metrics.ranking import auroc

    flags = np.array(odd, bool)
    if flags.all() or not flags.any():
        return None
    return float(auroc(np.array(scores, np.float64), flags)[0])
