from __future__ import annotations

from pathlib import Path

import pytest

from lucida.catalog import Catalog
from lucida.catalog.verb import add
from lucida.label.verb import label
from pictures import write_pictures


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """A catalog of 360 pictures of three kinds, labelled by example; made once, copied by `catalog`."""
    folder = tmp_path_factory.mktemp("labelled")
    key = write_pictures(folder / "photos", 120, first_seed=1000)
    write_pictures(folder / "examples", 3, by_class=True)
    add([folder / "photos"], catalog=folder / "catalog")
    label(examples=folder / "examples", question="kind", catalog=folder / "catalog")
    return folder, key


@pytest.fixture
def catalog(labelled, tmp_path):
    """A fresh copy of the labelled catalog, open."""
    import shutil

    folder, _ = labelled
    shutil.copytree(folder / "catalog", tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as opened:
        yield opened


@pytest.fixture
def truth(labelled, catalog):
    """The key: label by content id."""
    _, key = labelled
    return {image: key[Path(catalog.images.name(image)).name] for image in catalog.images.ids()}
