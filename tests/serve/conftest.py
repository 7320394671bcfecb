"""A server without a socket: the embedded model, and models that say what a test tells them to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from lucida.catalog import Catalog, add
from lucida.models import find
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.served import Served, Shelf
from pictures import picture
from served_models import boxes, lines, pixels, ready, talker, told


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """A catalog of two pictures, and one whose file is gone."""
    folder = tmp_path_factory.mktemp("served")
    for seed, kind in enumerate(("disc", "square", "stripes")):
        picture(kind, seed).save(folder / f"{kind}.png")
    add([folder], catalog=folder / "catalog")
    (folder / "stripes.png").unlink()
    with Catalog.open(folder / "catalog") as opened:
        yield opened


@pytest.fixture(scope="session")
def desk(catalog: Catalog) -> Desk:
    """What is behind the server of most tests."""
    models = [
        Served("embedded", find("embedded")),
        told("tag", ("bright", "dark"), lambda n: (3.0, -3.0), "tagger"),
        told("detect", ("bolt", "nut"), boxes, "bolts"),
        told("segment", ("sky", "sea"), pixels, "coast"),
        told("read", (), lines, "reader"),
        talker(),
    ]
    return Desk(Shelf(models), Settings(workers=2, images=4, body_bytes=2**21), catalog)


@pytest.fixture(scope="session")
def client(desk: Desk) -> Iterator[TestClient]:
    """A client of that server, once it is ready."""
    with TestClient(build(desk), base_url="http://localhost") as opened:
        ready(opened)
        yield opened
