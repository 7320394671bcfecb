"""A model that draws without a network: noise by seed, with marks of all that it was asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image as Pillow

from lucida.catalog import Catalog
from lucida.models import registry
from lucida.models.generator import GenerateNeeds, Picture, finite
from lucida.models.needs import ImageNeeds
from lucida.models.spec import Gives, Model, Spec

NEEDS = GenerateNeeds(
    size=(64, 48), multiple=8, least=16, most=128, steps=4, most_steps=50, controls=("scribble", "canny"),
    samplers=("euler", "heun"), together=4, terms="For tests only.",
)  # fmt: skip


class Toy(Model):
    """Draws noise of the seed; what it was asked is kept, to be looked at."""

    asked: ClassVar[list] = []
    fails_above = 100
    broken = False

    @property
    def engine(self) -> str:
        return "toy"

    def generate(self, request, seeds, step=None):
        if len(seeds) > self.fails_above:
            raise MemoryError("too many")
        Toy.asked.append((request, list(seeds)))
        width, height = request.size
        found = []
        for number, seed in enumerate(seeds):
            noise = np.random.default_rng([seed, len(request.prompt)]).random((height, width, 3), np.float32)
            if request.image is not None:
                kept = request.image.pixels.astype(np.float32) / 255
                noise = kept + (noise - kept) * request.strength
            if Toy.broken:
                noise[0, 0, 0] = np.nan
            found.append(Picture(finite(noise, self.spec, "another seed"), seed, {"steps": request.steps or 4}))
            if step:
                step((number + 1) / len(seeds))
        return found

    def remarks(self, request):
        return ("Only the first ten letters are read.",) if len(request.prompt) > 10 else ()


class Family:
    name = "toys"
    needs = NEEDS

    def names(self):
        return ["toy"]

    def suggestions(self):
        return []

    def claims(self, name):
        return name in ("toy", "embedded-generator")

    def spec(self, name, home=None):
        return Spec(
            name=name, family=self.name, tasks=("generate",), needs=ImageNeeds(64), gives=Gives(), licence="none",
            source="tests", revision="1", generates=Family.needs, build=lambda spec, precision, trial: Toy(spec),
        )  # fmt: skip

    def licence(self, name, home=None):
        return "none"


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> type[Toy]:
    """The toy, found as "toy" and as the model that comes with the package."""
    monkeypatch.setattr(registry, "FAMILIES", (Family(), *registry.FAMILIES))
    monkeypatch.setattr(Toy, "asked", [])
    monkeypatch.setattr(Toy, "fails_above", 100)
    monkeypatch.setattr(Toy, "broken", False)
    return Toy


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch):
    """A function that changes what the toy can do."""

    def change(**changes) -> None:
        monkeypatch.setattr(Family, "needs", replace(NEEDS, **changes))

    return change


@pytest.fixture
def catalog(tmp_path: Path):
    with Catalog.open(tmp_path / "catalog", create=True) as opened:
        yield opened


@pytest.fixture
def picture(tmp_path: Path):
    """A function that writes an image and returns its path."""

    def write(name: str, width: int, height: int, colour=None, seed: int = 0) -> Path:
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
        if colour is not None:
            pixels[:] = colour
        path = tmp_path / name
        Pillow.fromarray(pixels).save(path)
        return path

    return write
