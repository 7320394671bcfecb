"""What is compared of an image: a few numbers that a person understands, what the model said, and a vector.

Images of the reference and live ones go through the very same function: a difference in decoding would be a drift.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.evidence.drift import VECTORS, Signal
from lucida.images import decode, probe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.images import Limits
    from lucida.models.spec import Model

SIDE: Final = 256  # images are looked at no larger: blur and noise of what a model sees, not of the file
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Words:
    """What is said of a number that changed, in the catalog's languages' keys.

    Attributes:
        grew: Where it grew.
        fell: Where it fell.
        other: Where it changed otherwise.
    """

    grew: str
    fell: str
    other: str


# In this order they are stored: new ones go to the end.
NUMBERS: Final[dict[str, Words]] = {
    "brightness": Words("brighter", "darker", "lit differently"),
    "contrast": Words("more contrast", "less contrast", "other contrasts"),
    "saturation": Words("more colourful", "paler", "other colours"),
    "red": Words("redder", "less red", "another tint"),
    "blue": Words("bluer", "yellower", "another tint"),
    "sharpness": Words("sharper", "blurred", "focused differently"),
    "noise": Words("noisier", "smoother", "another noise"),
    "compression": Words("less compressed", "more compressed", "compressed differently"),
    "pixels": Words("larger", "smaller", "other sizes"),
    "shape": Words("wider", "taller", "other shapes"),
    "score": Words("the model is surer", "the model is less sure", "the model is sure otherwise"),
    "entropy": Words("answers are less clear", "answers are clearer", "answers are otherwise clear"),
    "objects": Words("more objects", "fewer objects", "other numbers of objects"),
    "class": Words("another mix of classes", "another mix of classes", "another mix of classes"),
}
_MADE: Final = {
    "distance": Words("unlike anything seen", "closer to what is known", "other things"),
    VECTORS: Words("another look", "another look", "another look"),
}
_LOOK: Final = Words("another look", "another look", "another look")
SCORES: Final = ("score", "entropy", "objects", "class")


@dataclass(frozen=True)
class Measured:
    """What was found of one image.

    Attributes:
        numbers: By `NUMBERS`, without the class; NaN where there is none.
        label: What the model called it; "" where it names no class.
        score: How sure it was; NaN where it does not say.
        vector: float32 (d,).
    """

    numbers: NDArray[np.float32]
    label: str
    score: float
    vector: NDArray[np.float32]


def measure(data: bytes, answer: bytes | None, encoder: Model, limits: Limits) -> Measured:
    """Look at an image and at what was said of it.

    Args:
        data: The encoded file.
        answer: JSON of the model's answer; None where it does not count.
        encoder: Gives vectors.
        limits: Bounds on the image.

    Raises:
        ImageError: It cannot be decoded.
        ModelError: The encoder cannot run.
    """
    needs = encoder.spec.needs
    image = decode(data, cover=max(SIDE, needs.cover or 0), fine=needs.fine, limits=limits)
    header = probe(data, limits)
    said: dict[str, Any] = json.loads(answer) if answer else {}
    looks = _looks(np.asarray(image.pixels))
    file = (
        math.log(8 * max(len(data), 1) / max(header.width * header.height, 1)),
        math.log(max(header.width * header.height, 1)),
        math.log(header.width / max(header.height, 1)),
    )
    numbers = np.array([*looks, *file, *scores_of(said), math.nan], np.float32)
    vector = np.asarray(encoder.embed(needs.prepare(image)[None])[0], np.float32)
    score = said.get("score")
    return Measured(numbers, str(said.get("label") or ""), math.nan if score is None else float(score), vector)


def _looks(pixels: NDArray[Any]) -> tuple[float, ...]:
    """Return brightness, contrast, saturation, tints, sharpness and noise of pixels (h, w) or (h, w, c)."""
    plain = pixels[..., None] if pixels.ndim == 2 else pixels
    top = 255.0 if plain.dtype == np.uint8 else float(np.iinfo(plain.dtype).max) if plain.dtype.kind == "u" else 1.0
    step = max(1, min(plain.shape[:2]) // SIDE)
    colours = plain[::step, ::step, :3].astype(np.float32) / top
    if colours.shape[2] < 3:
        colours = np.repeat(colours[..., :1], 3, axis=2)
    luma = colours @ _LUMA
    most, least = colours.max(axis=2), colours.min(axis=2)
    red, green, blue = (float(colours[..., one].mean()) for one in range(3))
    edges = luma
    if min(luma.shape) >= 3:
        # Laplacian of Immerkaer's mask: flat parts and straight edges give 0, noise does not.
        edges = (
            4 * luma[1:-1, 1:-1]
            - 2 * (luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:])
            + luma[:-2, :-2] + luma[:-2, 2:] + luma[2:, :-2] + luma[2:, 2:]
        )  # fmt: skip
    slopes = np.abs(np.diff(luma, axis=1)).mean() if luma.shape[1] > 1 else 0.0
    return (
        float(luma.mean()),
        float(luma.std()),
        float(((most - least) / np.maximum(most, 1e-3)).mean()),
        red - green,
        blue - green,
        # Against the mean slope, so that contrast is not sharpness.
        math.log((float(np.abs(edges).mean()) + 1e-5) / (float(slopes) + 1e-4)),
        math.log(float(np.median(np.abs(edges))) + 1e-4),
    )


def scores_of(said: dict[str, Any]) -> tuple[float, float, float]:
    """Return the logit of the score, the entropy of what is known of the probabilities, and the number of objects."""
    objects = said.get("objects")
    count = float(len(objects)) if isinstance(objects, list) else math.nan
    score = said.get("score")
    if score is None:
        return math.nan, math.nan, count
    clipped = min(max(float(score), 1e-6), 1 - 1e-6)
    others = [float(one[1]) for one in said.get("runner_up") or ()]
    shares = np.array([clipped, *others, max(1e-12, 1 - clipped - sum(others))])
    shares = np.maximum(shares, 1e-12)
    return math.log(clipped / (1 - clipped)), float(-(shares * np.log(shares)).sum()), count


def table(rows: Sequence[Measured], classes: Sequence[str]) -> NDArray[np.float64]:
    """Return the numbers of rows, (n, `NUMBERS`), with the place of each label among some classes."""
    place = {name: number for number, name in enumerate(classes)}
    found = np.array([row.numbers for row in rows], np.float64).reshape(-1, len(NUMBERS))
    # A label that the reference had not is a class of its own.
    found[:, -1] = [math.nan if not row.label else place.get(row.label, len(place)) for row in rows]
    return found


def words_of(signal: Signal) -> str:
    """Return what changed, in words."""
    words = NUMBERS.get(signal.name) or _MADE.get(signal.name) or _LOOK
    return words.grew if signal.direction > 0 else words.fell if signal.direction < 0 else words.other
