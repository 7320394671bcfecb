"""Pictures of discs and squares, with boxes around them."""

from __future__ import annotations

import io
from functools import partial

import numpy as np
from PIL import Image, ImageDraw

from lucida.data import Boxes, Sample, Samples

CLASSES = ("disc", "square")


def draw(seed: int, side: int = 96, most: int = 3) -> tuple[bytes, Boxes]:
    """Draw up to so many objects that do not touch each other on a noisy ground."""
    random = np.random.default_rng(seed)
    image = Image.fromarray(random.integers(60, 90, (side, side, 3), dtype=np.uint8))
    pen = ImageDraw.Draw(image)
    cells = random.permutation(4)[: random.integers(1, most + 1)]
    rows, labels = [], []
    for cell in cells:
        size = int(random.integers(side // 5, side // 3))
        left, top = (int(c) * side // 2 + int(random.integers(2, side // 2 - size - 2)) for c in divmod(cell, 2))
        kind = int(random.integers(2))
        box = (left, top, left + size, top + size)
        shape, colour = ((pen.ellipse, (230, 80, 80)), (pen.rectangle, (80, 90, 230)))[kind]
        shape((*box[:2], box[2] - 1, box[3] - 1), fill=colour)
        rows.append(box)
        labels.append(CLASSES[kind])
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue(), Boxes(np.array(rows, np.float32), tuple(labels))


def _give(data: bytes) -> bytes:
    return data


def sample(name: str, data: bytes, target: Boxes | None, split: str = "train") -> Sample:
    """Return a sample whose bytes are at hand."""
    return Sample(name, partial(_give, data), target, split)


def discs(train: int = 24, validation: int = 8, side: int = 96) -> Samples:
    """Return pictures of discs and squares."""
    items = [
        sample(f"{number}.png", *draw(number, side), split="train" if number < train else "validation")
        for number in range(train + validation)
    ]
    return Samples("detect", CLASSES, tuple(items), "drawn")
