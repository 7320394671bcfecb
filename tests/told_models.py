"""Models that say what a test tells them to, by the colour of the image."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image as Pillow

from lucida.data import Sample, Samples
from lucida.images import Image
from lucida.models.needs import ImageNeeds
from lucida.models.spec import Gives, Model, Spec
from lucida.results import Result


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    """Return pixels as a PNG file."""
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def sample(number: int, target: Any, *, side: int = 32, split: str = "", **slices: str) -> Sample:
    """Return an image whose red channel is a number, and what is known of it."""
    pixels = np.full((side, side, 3), number, np.uint8)
    return Sample(f"image {number:03d}.png", lambda: png(pixels), target, split, slices)


def broken(target: Any) -> Sample:
    """Return an image that cannot be read."""
    return Sample("broken.png", lambda: b"no image", target)


def samples(task: Any, classes: Sequence[str], items: Sequence[Sample]) -> Samples:
    """Return images of one question."""
    return Samples(task, tuple(classes), tuple(items), "made by the test")


class _Namer(Model):
    """Gives the logits that a function has for the number of an image."""

    def __init__(self, spec: Spec, answer: Callable[[int], Any]) -> None:
        super().__init__(spec)
        self._answer = answer

    def logits(self, batch: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        numbers = np.rint(batch[:, 0, 0, 0] * 255).astype(int).tolist()
        return np.array([self._answer(number) for number in numbers], np.float32)

    def predict(self, images: Sequence[Image]) -> list[Result]:
        return [self._answer(int(image.pixels.flat[0])) for image in images]


def model(task: Any, classes: Sequence[str], answer: Callable[[int], Any], name: str = "made") -> Spec:
    """Return a model of a task that answers by the number of an image."""
    return Spec(
        name, "test", (task,), ImageNeeds(8), Gives(classes=tuple(classes)), "MIT", "a test", "1",
        build=lambda spec, precision, trial: _Namer(spec, answer),
    )  # fmt: skip
