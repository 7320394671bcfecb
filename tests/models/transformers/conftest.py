"""Tiny models, each built once; and a photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory):
    """A function that builds a tiny model once and returns its folder."""
    from models.tiny_seeing import build

    folder, made = tmp_path_factory.mktemp("hub"), {}

    def of(name: str) -> Path:
        made[name] = made.get(name) or build(name, folder / name)
        return made[name]

    return of


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    draw = np.random.default_rng(3)
    small = draw.integers(0, 255, (9, 13, 3), np.uint8)
    return np.asarray(Pillow.fromarray(small).resize((110, 75), Pillow.Resampling.BICUBIC))
