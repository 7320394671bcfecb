"""Three photos, and trainings small enough to be waited for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pictures import picture

PHOTOS = 3


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three photos, one file that is none, and one caption."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(PHOTOS):
        picture("disc", number, 80).save(folder / f"{number}.png")
    (folder / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    (folder / "1.txt").write_text("on a table\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def small() -> Any:
    """Fewer pictures, fewer steps of the sampler."""
    pytest.importorskip("diffusers")
    pytest.importorskip("peft")
    from lucida.train.personalise import drawing, recipe

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "SCENES", recipe.SCENES[:2])
        patch.setattr(recipe, "PLAIN", 1)
        patch.setattr(recipe, "PRIOR", 1)
        patch.setattr(recipe, "CHECKPOINTS", 2)
        patch.setattr(recipe, "captioner", lambda: None)
        patch.setattr(drawing, "MOST_STEPS", 2)
        yield


@pytest.fixture
def made(photos: Path, small: Any, tmp_path: Path) -> Callable[..., Any]:
    """A function that gives a recipe for a tiny pipeline, and trains nothing yet."""
    from lucida.train.personalise.recipe import LoraRecipe

    def make(kind: str, folder: Path | None = None, **extra: Any) -> LoraRecipe:
        return LoraRecipe(request(photos, kind, folder or tmp_path, **extra))

    return make


def request(photos: Path, kind: str, folder: Path | None, *, size: int | None = 32, **extra: Any) -> Any:
    """Return what is asked of a training; `kind` is that of a tiny pipeline, or the name of another model."""
    from dataclasses import replace

    from lucida.data.sample import TRAIN
    from lucida.data.unlabelled import read_images
    from lucida.train.request import Request
    from pipelines import MAKERS, tiny

    found = read_images(photos)
    samples = replace(found, items=tuple(replace(one, split=TRAIN) for one in found))
    model = str(tiny(kind)) if kind in MAKERS else kind
    return Request(samples, model, size=size, extra={"token": "sks disc", "rank": 2, **extra}, folder=folder)


class _NoJudge:
    """Finds all pictures alike: what they show is another test's."""

    def __init__(self, *given: Any) -> None:
        pass

    def figures(self, step: int, *given: Any) -> Any:
        from lucida.train.personalise.likeness import Figures

        return Figures(step, 0.5, 0.5, 0.0, 0.0, 0.5)


@pytest.fixture
def unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the comparison with the photos, which takes longer than the training."""
    monkeypatch.setattr("lucida.train.personalise.recipe.Judge", _NoJudge)
