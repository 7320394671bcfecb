"""What several tests need: real images where they are at hand, a browser where there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _no_catalog_of_the_shell(monkeypatch):
    """A person's LUCIDA_CATALOG must not be touched by tests."""
    monkeypatch.delenv("LUCIDA_CATALOG", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real image sets; tests that need it skip where it is missing."""
    folder = Path(os.environ.get("LUCIDA_SHARED_DATA", DATA))
    if not folder.is_dir():
        pytest.skip(f"real image sets are not at hand in {folder}")
    return folder


@pytest.fixture
def draw() -> Callable[[int], Image.Image]:
    """Draw a picture by its seed, as a photo in that no two look alike."""
    from pictures import scene

    return scene


@pytest.fixture(scope="session")
def tiny_hub(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], Path]:
    """A function that gives a tiny model of the hub, and puts into a cache what it was converted to, once a session."""
    from lucida.models import find
    from models.tiny_hub import build

    home = tmp_path_factory.mktemp("hub")
    made: dict[str, Path] = {}

    def give(name: str, cache: Path) -> Path:
        if name not in made:
            made[name] = build(name, home / name)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("LUCIDA_CACHE", str(home / "caches" / name))
                find(str(made[name]))
        shutil.copytree(home / "caches" / name / "converted", cache / "converted", dirs_exist_ok=True)
        return made[name]

    return give
