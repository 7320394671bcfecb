"""A model that draws at once: stripes in the colours of the seed, so that pictures differ and are seen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from lucida.models import registry
from lucida.models.generator import GenerateNeeds, GenerationRequest, Picture
from lucida.models.needs import ImageNeeds
from lucida.models.spec import Gives, Model, Spec
from lucida.notes import Note

ABLE = GenerateNeeds(
    size=(96, 64), multiple=8, least=16, most=256, steps=4, most_steps=50, controls=("scribble", "canny"),
    reference=True, samplers=("euler", "heun"), together=1, loras=True, terms="For tests; pictures are nobody's.",
)  # fmt: skip
PLAIN = GenerateNeeds(
    size=(32, 32), multiple=32, least=32, most=32, steps=1, most_steps=1, guidance=0, negative=False, image=False,
    mask=False,
)  # fmt: skip


class Toy(Model):
    """Draws; waits before each picture while `go` is not set."""

    go, began = threading.Event(), threading.Event()
    asked: ClassVar[list[GenerationRequest]] = []

    @property
    def engine(self) -> str:
        return "toy"

    def generate(
        self, request: GenerationRequest, seeds: Sequence[int], step: Callable[[float], None] | None = None
    ) -> list[Picture]:
        Toy.asked.append(request)
        Toy.began.set()
        for _ in range(3000):
            if step:
                step(0.5)
            if Toy.go.wait(0.01):
                break
        if "fail" in request.prompt:
            raise RuntimeError("no such kernel")
        return [Picture(self._pixels(request, seed), seed, {"class": "stripes"}) for seed in seeds]

    def _pixels(self, request: GenerationRequest, seed: int) -> np.ndarray:
        width, height = request.size or (32, 32)
        random = np.random.default_rng([seed, len(request.prompt)])
        down, across = np.mgrid[:height, :width] / height
        wave = np.sin(12 * (down * random.uniform(-1, 1) + across * random.uniform(-1, 1)))[..., None]
        pixels = 128 + 80 * wave * random.uniform(-1, 1, 3) + random.uniform(-40, 40, 3)
        if request.image is not None:
            pixels = request.strength * pixels + (1 - request.strength) * request.image.pixels
        if request.control_image is not None:
            pixels = np.maximum(pixels, request.control_image.pixels)
        return np.clip(pixels, 0, 255).astype(np.uint8)

    def remarks(self, request: GenerationRequest) -> tuple[Note, ...]:
        return (Note("class_drawn", "Drew {what}, the nearest to what was asked.", what="'stripes'"),)


class Toys:
    """The family: one that can do everything, and one that only draws."""

    name = "toys"

    def names(self) -> list[str]:
        return ["embedded-generator", "toy-plain"]

    def suggestions(self) -> list[str]:
        return []

    def claims(self, name: str) -> bool:
        return name in (*self.names(), "toy-named")

    def spec(self, name: str, home: Path | None = None) -> Spec:
        needs = PLAIN if name == "toy-plain" else ABLE if name == "embedded-generator" else replace(ABLE, terms="")
        return Spec(
            name=name, family=self.name, tasks=("generate",), needs=ImageNeeds(64), gives=Gives(), licence="CC0",
            source="tests", revision="1", note="Draws stripes.", generates=needs,
            build=lambda spec, precision, trial: Toy(spec),
        )  # fmt: skip

    def licence(self, name: str, home: Path | None = None) -> str:
        return "CC0"


@contextmanager
def toys() -> Iterator[None]:
    """Have the toys be found by their names, one of them as the model that comes with the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "FAMILIES", (Toys(), *registry.FAMILIES))
        yield


@contextmanager
def fresh() -> Iterator[type[Toy]]:
    """Give a toy that was asked nothing and draws at once."""
    Toy.asked.clear()
    Toy.began.clear()
    Toy.go.set()
    yield Toy
    Toy.go.set()
