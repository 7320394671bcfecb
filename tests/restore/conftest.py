"""A set of tiny models in place of those that the package ships."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lucida.models.restorers import family
from models.tiny_restorers import shipped


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the tiny models."""
    return shipped(tmp_path_factory.mktemp("restorers"))


@pytest.fixture(autouse=True, scope="module")
def embedded(tiny: Path) -> Iterator[None]:
    """Let the tiny models be the embedded ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family, "folder", lambda: tiny)
        yield


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """Return an image (45, 70, 3) uint8 with structure of all sizes."""
    from pictures import scene

    return np.asarray(scene(3, side=96))[20:65, 10:80].copy()
