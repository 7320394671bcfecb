"""What was found complete is not looked through again, until it may not be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from lucida.catalog import Catalog, add, complete
from lucida.catalog.schema import images

Draw = Callable[..., Path]


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complete, "STEP", 1)


def fill(catalog: Catalog, ids: list[str]) -> None:
    catalog.vectors.add("k", ids, np.ones((len(ids), 4), np.float32))


def known(catalog: Catalog) -> int:
    with catalog._store.read() as connection:
        return complete.complete_to(connection, 1)


def test_only_new_images_are_looked_at_again(catalog: Catalog, photos: Path, draw: Draw) -> None:
    ids = catalog.images.ids()
    assert catalog.vectors.missing("k") == ids
    fill(catalog, ids[:5])
    assert catalog.vectors.missing("k") == ids[5:]
    with catalog._store.read() as connection:
        sixth = connection.execute(select(images.c.number).where(images.c.id == ids[5])).scalar_one()
    assert known(catalog) == sixth - 1
    fill(catalog, ids[5:])
    assert catalog.vectors.missing("k") == []
    assert known(catalog) >= sixth
    draw(photos / "new.png", 99)
    add([Path("photos")])
    (new,) = catalog.vectors.missing("k")
    assert new not in ids
    assert catalog.vectors.missing("other") == [*ids, new]


def test_an_image_that_comes_back_is_seen(catalog: Catalog, photos: Path, draw: Draw) -> None:
    first = next((photos / "日本").glob("*.jpg"))
    data = first.read_bytes()
    gone = catalog.images.resolve(f"photos/日本/{first.name}")[0]
    draw(first, 77, "JPEG")
    add([Path("photos")])
    fill(catalog, catalog.images.ids())
    assert catalog.vectors.missing("k") == []
    first.write_bytes(data)
    add([Path("photos")])
    assert catalog.vectors.missing("k") == [gone]
    fill(catalog, [gone])
    assert catalog.vectors.missing("k") == []


def test_a_catalog_that_cannot_be_written_is_searched_all_the_same(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lucida.errors import CatalogError

    fill(catalog, catalog.images.ids())

    def refuse() -> None:
        raise CatalogError("no", expected="", got="", hint="")

    monkeypatch.setattr(catalog._store, "write", refuse)
    assert catalog.vectors.missing("k") == []
    assert known(catalog) == 0
