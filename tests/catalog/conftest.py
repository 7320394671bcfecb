"""Small images, and a catalog that holds some."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lucida.catalog import Catalog, add

Draw = Callable[..., Path]


def _draw(path: Path, seed: int, kind: str | None = None, side: int = 24) -> Path:
    """Write a noisy image, the same for the same seed, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, kind)
    return path


@pytest.fixture
def draw() -> Draw:
    """A function of path, seed, format and side that writes a noisy image."""
    return _draw


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of twelve images of several formats, below the current directory, as "photos"."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    for i, kind in enumerate(["jpg", "png", "webp", "gif", "bmp", "tif"] * 2):
        _draw(folder / ("a b" if i % 2 else "日本") / f"{i:02d}.{kind}", i)
    return folder


@pytest.fixture
def catalog(photos: Path) -> Iterator[Catalog]:
    """A catalog of those twelve."""
    add([Path("photos")])
    with Catalog.open() as opened:
        yield opened
