"""A catalog of small pictures of three kinds, and examples of each."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from lucida.catalog import Catalog, add
from pictures import write_pictures


@dataclass(frozen=True)
class Place:
    """Where a test works: folders of photos, examples and the catalog, and the label of each photo by file name."""

    photos: Path
    examples: Path
    catalog: Path
    key: dict[str, str]

    def truth(self) -> dict[str, str]:
        """Return the label of each image of the catalog by content id."""
        with Catalog.open(self.catalog) as catalog:
            return {
                image: self.key[Path(name).name] for image, name in catalog.images.names(catalog.images.ids()).items()
            }


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choices of precision are kept in a folder of the tests' own."""
    monkeypatch.setenv("LUCIDA_CACHE", str(tmp_path_factory.getbasetemp() / "precisions"))
    monkeypatch.delenv("LUCIDA_ENGINE", raising=False)


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    home = tmp_path_factory.mktemp("label")
    key = write_pictures(home / "photos", 8, first_seed=1000)
    write_pictures(home / "examples", 4, by_class=True)
    add([home / "photos"], catalog=home / "catalog")
    return Place(home / "photos", home / "examples", home / "catalog", key)


@pytest.fixture
def place(_made: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Copies of 24 photos in a catalog and of 12 examples, to be changed; the current folder is empty."""
    shutil.copytree(_made.catalog, tmp_path / "catalog")
    shutil.copytree(_made.examples, tmp_path / "examples")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return Place(_made.photos, tmp_path / "examples", tmp_path / "catalog", dict(_made.key))
