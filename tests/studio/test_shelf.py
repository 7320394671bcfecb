"""Files that are kept for a while: bounded, held while they are worked on, and gone in the end."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from lucida.errors import UnknownName
from lucida.studio.shelf import HELD, Kept, Shelf, clean_name


def put(shelf: Shelf, name: str, size: int = 10) -> str:
    token, path = shelf.place(name)
    path.write_bytes(bytes(size))
    return shelf.keep(Kept(token, path, 1, 1, "PNG", "L", size)).token


def test_the_oldest_that_nobody_works_with_goes_first() -> None:
    shelf = Shelf(files=3, bytes=100)
    held, old, used = (put(shelf, f"{i}.png") for i in range(3))
    shelf.hold(held)
    shelf.get(used)
    last = put(shelf, "3.png")
    assert [shelf.get(token).name for token in (held, used, last)] == ["0.png", "2.png", "3.png"]
    with pytest.raises(UnknownName):
        shelf.get(old)
    # One that is larger than all of the room is kept, alone with what is held.
    large = put(shelf, "large.png", 500)
    assert {path.name for path in shelf.folder.iterdir()} == {held, large, HELD}
    shelf.release(held)
    put(shelf, "5.png")
    assert not (shelf.folder / held).exists()
    shelf.close()
    assert not shelf.folder.exists()


def test_what_a_killed_program_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fcntl")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    other = Shelf()
    left = tmp_path / "lucida-restore-left"
    left.mkdir()
    for name in (HELD, "photo.png"):
        (left / name).write_bytes(b"x")
    Shelf().close()
    assert list(tmp_path.iterdir()) == [other.folder]
    other.close()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/old photo.jpg", "old photo.jpg"),
        ("C:\\photos\\a.PNG", "a.PNG"),
        ("风景.jpeg", "风景.jpeg"),
        ('a<b>:"c|?*.png', "a_b___c___.png"),
        ("line\nend\0.png", "lineend.png"),
        ("..", "image"),
        ("", "image"),
        (".png", "png"),
    ],
)
def test_a_name_from_elsewhere_is_a_name_in_a_folder(given: str, kept: str) -> None:
    assert clean_name(given) == kept


def test_a_long_name_keeps_its_suffix() -> None:
    name = clean_name("长" * 300 + ".png")
    assert name.endswith("长.png")
    assert len(name.encode()) <= 200
