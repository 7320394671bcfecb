"""A catalog of small pictures, and a model of the tests' own that counts its calls."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lucida.catalog import Catalog, add
from lucida.models import Gives, ImageNeeds, Model, Spec
from pictures import write_pictures

SIDE = 8


class Counting(Model):
    """Gives each image's mean colour, and keeps how many images it was shown.

    Attributes:
        seen: How many images of each batch, in the order in which they came.
        before: Called with the number of the call, before anything is computed.
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.seen: list[int] = []
        self.before: Callable[[int], None] = lambda call: None
        self._lock = threading.Lock()

    @property
    def engine(self) -> str:
        return "counting"

    def embed(self, batch):
        with self._lock:
            call = len(self.seen)
            self.seen.append(len(batch))
        self.before(call)
        return batch.mean(axis=(2, 3))

    def logits(self, batch):
        return self.embed(batch)[:, :2] * 10


@pytest.fixture
def model() -> Counting:
    spec = Spec(
        "counting",
        "test",
        ("encode", "classify"),
        ImageNeeds(SIDE),
        Gives(3, classes=("a", "b")),
        "none",
        "a test",
        "1",
    )
    made = Counting(spec)
    made.spec = replace(spec, build=lambda spec, precision, sample: made)
    return made


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of four images on two workers: many batches of few images."""
    monkeypatch.setattr("lucida.runs.vectors.BATCH", 4)
    monkeypatch.setenv("LUCIDA_THREADS", "2")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "photos", 10)
    return tmp_path / "photos"


@pytest.fixture
def catalog(photos: Path, tmp_path: Path) -> Iterator[Catalog]:
    """A catalog of thirty pictures, open."""
    add([photos], catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as opened:
        yield opened
