"""A model that sees one thing, the mean colour, and reads three words for it; and a catalog of coloured pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lucida.errors import InputError
from lucida.models.needs import ImageNeeds
from lucida.models.spec import Gives, Matcher, Model, Spec

WORDS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "violet": (1, 0, 1)}


class Seer(Model):
    """Gives the mean colour, and counts how many images it has seen."""

    seen = 0

    def embed(self, batch: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        Seer.seen += len(batch)
        return np.asarray(batch.mean(axis=(2, 3)) + 1e-3, np.float32)

    def logits(self, batch: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.asarray(20 * self.embed(batch), np.float32)


class Reader(Matcher):
    """Matches the mean colour with a word for a colour."""

    notes = ("it sees colours only",)

    def __init__(self, descriptions: Sequence[Sequence[str]], none: bool, templates: Sequence[str]) -> None:
        words = [words[0].split() for words in descriptions]
        if any(len(said) > 6 for said in words):
            raise InputError("Too long.", expected="at most 6 words", got="more", hint="shorten it")
        said = np.array([np.sum([WORDS.get(word, (0, 0, 0)) for word in one], axis=0) for one in words], np.float32)
        self._colours = said / np.maximum(np.linalg.norm(said, axis=1, keepdims=True), 1e-9)

    @property
    def directions(self) -> np.ndarray[Any, Any]:
        return self._colours

    def logits(self, outputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.asarray(outputs @ self._colours.T, np.float32)


class Divider(Reader):
    """The same from logits, with "none of these" at the end."""

    @property
    def directions(self) -> None:
        return None

    def logits(self, outputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        unit = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
        return np.concatenate([9 * super().logits(unit), np.full((len(outputs), 1), 5.0, np.float32)], axis=1)


NEEDS = ImageNeeds(8, mean=(0, 0, 0), std=(1, 1, 1))
COLOURS = Spec(
    "colours", "test", ("encode", "words"), NEEDS, Gives(3), "MIT", "a test", "1",
    match=Reader, build=lambda spec, precision, trial: Seer(spec),
)  # fmt: skip
DIVIDER = replace(COLOURS, name="divider", gives=Gives(3, words="logits"), match=Divider)
MUTE = replace(COLOURS, name="mute", tasks=("encode",), match=None)


def write_colours(folder: Path, shades: int = 4) -> dict[str, tuple[int, int, int]]:
    """Write pictures of each colour from strong to pale and return their colours by file name."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for name, colour in WORDS.items():
        for shade in range(shades):
            pixels = np.clip(np.array(colour) * 230 + 20 * shade, 0, 255)
            noise = np.random.default_rng(len(written)).integers(0, 9, (16, 16, 3))
            Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)).save(folder / f"{name} {shade}.png")
            written[f"{name} {shade}.png"] = colour
    return written
