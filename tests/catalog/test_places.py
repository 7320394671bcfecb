"""Reading images back, and finding them by name."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lucida.catalog import Catalog, add
from lucida.errors import ImageError, InputError
from lucida.images import content_id


def test_read_gives_the_bytes_that_were_added(catalog: Catalog) -> None:
    for id in catalog.images.ids():
        assert content_id(catalog.images.read(id)) == id


def test_read_passes_over_places_that_are_gone(photos: Path) -> None:
    shutil.copy(photos / "日本" / "00.jpg", photos / "z.jpg")
    add([Path("photos")])
    data = (photos / "z.jpg").read_bytes()
    with Catalog.open() as catalog:
        (photos / "日本" / "00.jpg").unlink()
        assert catalog.images.read(content_id(data)) == data
        (photos / "z.jpg").unlink()
        with pytest.raises(ImageError) as caught:
            catalog.images.read(content_id(data))
        assert caught.value.expected
        assert "z.jpg" in caught.value.got
        assert "lucida add" in caught.value.hint


def test_read_never_gives_other_bytes(catalog: Catalog, photos: Path) -> None:
    path = photos / "a b" / "01.png"
    data = path.read_bytes()
    id = content_id(data)
    path.write_bytes(data + b"x")
    with pytest.raises(ImageError):
        catalog.images.read(id)
    path.write_bytes(b"x" * len(data))
    os.utime(path, ns=(1, 1))
    with pytest.raises(ImageError):
        catalog.images.read(id)
    # Another time of change alone is no matter.
    path.write_bytes(data)
    os.utime(path, ns=(1, 1))
    assert catalog.images.read(id) == data


def test_unknown_images_are_input_errors(catalog: Catalog) -> None:
    for ask in (catalog.images.get, catalog.images.places, catalog.images.read, catalog.images.name):
        with pytest.raises(InputError) as caught:
            ask("0" * 64)
        assert caught.value.hint


def test_names_in_bulk(catalog: Catalog, photos: Path) -> None:
    ids = catalog.images.ids()
    assert catalog.images.names(ids) == {id: catalog.images.name(id) for id in ids}
    assert catalog.images.names([]) == {}


def test_the_first_place_gives_the_name(photos: Path) -> None:
    add([Path("photos")])
    shutil.copy(photos / "日本" / "00.jpg", photos / "AAA.jpg")
    add([Path("photos")])
    with Catalog.open() as catalog:
        id = content_id((photos / "AAA.jpg").read_bytes())
        assert catalog.images.name(id) == catalog.images.names([id])[id] == "photos/日本/00.jpg"


def test_resolve_by_path_given_absolute_relative_and_file_name(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (photos / "more").mkdir()
    shutil.copy(photos / "a b" / "01.png", photos / "more" / "00.jpg")
    add([Path("photos")])
    with Catalog.open() as catalog:
        zero = content_id((photos / "日本" / "00.jpg").read_bytes())
        one = content_id((photos / "a b" / "01.png").read_bytes())
        for name in ("photos/日本/00.jpg", "./photos/日本/../日本/00.jpg", str(photos / "日本" / "00.jpg")):
            assert catalog.images.resolve(name) == [zero]
        # A file name may stand for several, in order of adding.
        assert catalog.images.resolve("00.jpg") == [one, zero]
        assert catalog.images.resolve("nothing.jpg") == []
        monkeypatch.chdir(photos)
        assert catalog.images.resolve("日本/00.jpg") == [zero]
        names = ["photos/日本/00.jpg", "01.png", "nothing.jpg", *(f"{i}.jpg" for i in range(500))]
        found = catalog.images.resolve_all(names)
        assert list(found) == names
        assert found["photos/日本/00.jpg"] == [zero]
        assert found["01.png"] == [one]
        assert found["nothing.jpg"] == found["499.jpg"] == []


def test_a_whole_path_comes_before_a_file_name(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos / "日本")
    shutil.copy(photos / "a b" / "01.png", photos / "a b" / "00.jpg")
    for given in ("../a b", "."):
        add([Path(given)], catalog=photos.parent / "c")
    with Catalog.open(photos.parent / "c") as catalog:
        assert len(catalog.images.resolve("00.jpg")) == 1
        assert catalog.images.name(catalog.images.resolve("00.jpg")[0]) == "00.jpg"
