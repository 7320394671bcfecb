import errno
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lucida.errors import InputError, LucidaError
from lucida.export import folder as module
from lucida.export.folder import MANIFEST, Folder
from lucida.images import content_id


def put(path: Path, files: dict[str, bytes], *, overwrite: bool = False) -> None:
    folder = Folder(path, overwrite=overwrite)
    folder.begin(files)
    for name, data in files.items():
        folder.write(name, data)
    folder.finish(files, {"question": "kind"})


def files(path: Path) -> set[str]:
    return {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}


def test_a_new_folder_holds_the_files_and_a_manifest(tmp_path: Path) -> None:
    put(tmp_path / "a" / "out", {"dress/a.jpg": b"1", "labels.csv": b"2"})
    assert files(tmp_path / "a" / "out") == {"dress/a.jpg", "labels.csv", MANIFEST}
    manifest = json.loads((tmp_path / "a" / "out" / MANIFEST).read_text("utf-8"))
    assert manifest["complete"] is True
    assert manifest["files"] == ["dress/a.jpg", "labels.csv"]


def test_a_refresh_removes_what_is_no_longer_exported_and_nothing_else(tmp_path: Path) -> None:
    put(tmp_path, {"dress/a.jpg": b"1", "hat/b.jpg": b"2"})
    (tmp_path / "hat" / "notes.txt").write_text("mine")
    put(tmp_path, {"coat/a.jpg": b"1"})
    assert files(tmp_path) == {"coat/a.jpg", "hat/notes.txt", MANIFEST}
    assert not (tmp_path / "dress").exists()


def test_files_that_are_spared_stay(tmp_path: Path) -> None:
    put(tmp_path, {"dress/a.jpg": b"1"})
    folder = Folder(tmp_path)
    folder.begin({"hat/a.jpg"})
    assert folder.stale({"hat/a.jpg"}) == ["dress/a.jpg"]
    folder.finish({"hat/a.jpg"}, {}, spare={"dress/a.jpg"})
    assert (tmp_path / "dress" / "a.jpg").exists()
    put(tmp_path, {"dress/a.jpg": b"2"})
    assert (tmp_path / "dress" / "a.jpg").read_bytes() == b"2"


def test_only_a_file_of_ours_is_withdrawn_and_only_if_it_differs(tmp_path: Path) -> None:
    put(tmp_path, {"a": b"1", "b": b"2"})
    (tmp_path / "mine").write_bytes(b"3")
    folder = Folder(tmp_path)
    for name in ("a", "b", "mine", "missing"):
        folder.withdraw(name, unless=b"1")
    assert files(tmp_path) == {"a", "mine", MANIFEST}


def test_a_folder_of_something_else_is_refused_unless_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    (tmp_path / "labels.csv").write_text("mine")
    with pytest.raises(InputError, match="not empty") as caught:
        Folder(tmp_path)
    assert "--overwrite" in caught.value.hint
    put(tmp_path, {"labels.csv": b"ours"}, overwrite=True)
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    assert (tmp_path / "labels.csv").read_bytes() == b"ours"


def test_what_a_file_browser_leaves_behind_is_no_content(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").write_bytes(b"x")
    put(tmp_path, {"a.jpg": b"1"})
    assert files(tmp_path) == {".DS_Store", "a.jpg", MANIFEST}


@pytest.mark.parametrize("text", ["{", "[]", '{"program": "another", "files": ["thesis.txt"]}'])
def test_a_manifest_of_something_else_is_none_of_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(InputError, match="not empty"):
        Folder(tmp_path)


def test_a_file_of_somebody_else_in_an_export_is_not_replaced(tmp_path: Path) -> None:
    put(tmp_path, {"labels.csv": b"1"})
    (tmp_path / "datasheet.md").write_text("mine")
    with pytest.raises(InputError) as caught:
        put(tmp_path, {"labels.csv": b"1", "datasheet.md": b"2"})
    assert caught.value.got == "'datasheet.md'"
    assert (tmp_path / "datasheet.md").read_text() == "mine"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="is a file"):
        Folder(tmp_path / "out")


@pytest.mark.parametrize("name", ["../victim.txt", "/victim.txt", "a/../../victim.txt", "..\\victim.txt", "", 3])
def test_a_forged_manifest_removes_nothing_outside(tmp_path: Path, name: Any) -> None:
    (tmp_path / "victim.txt").write_text("mine")
    put(tmp_path / "out", {"a.jpg": b"1"})
    manifest = json.loads((tmp_path / "out" / MANIFEST).read_text("utf-8"))
    manifest["files"] = [name]
    (tmp_path / "out" / MANIFEST).write_text(json.dumps(manifest))
    put(tmp_path / "out", {"a.jpg": b"1"}, overwrite=True)
    assert (tmp_path / "victim.txt").read_text() == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right of their own there")
def test_nothing_is_written_or_removed_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    put(tmp_path / "out", {"dress/a.jpg": b"1"})
    (tmp_path / "out" / "dress" / "a.jpg").unlink()
    (tmp_path / "out" / "dress").rmdir()
    (outside / "a.jpg").write_text("mine")
    (tmp_path / "out" / "dress").symlink_to(outside)
    with pytest.raises(InputError, match="link"):
        put(tmp_path / "out", {"dress/a.jpg": b"2"})
    put(tmp_path / "out", {"hat/a.jpg": b"2"})
    assert (outside / "a.jpg").read_text() == "mine"


def write_half(folder: Folder, name: str) -> None:
    with folder.file(name) as file:
        file.write(b"half")
        raise RuntimeError("killed")


def test_an_interrupted_export_is_known_and_finished_by_the_next(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.begin({"dress/a.jpg", "dress/b.jpg"})
    folder.write("dress/a.jpg", b"1")
    with pytest.raises(RuntimeError, match="killed"):
        write_half(folder, "dress/b.jpg")
    assert not (tmp_path / "dress" / "b.jpg").exists()
    again = Folder(tmp_path)
    assert again.manifest["complete"] is False
    again.begin({"hat/b.jpg"})
    again.write("hat/b.jpg", b"2")
    again.finish({"hat/b.jpg"}, {})
    assert files(tmp_path) == {"hat/b.jpg", MANIFEST}


def test_a_file_is_held_only_with_the_very_bytes(tmp_path: Path) -> None:
    put(tmp_path, {"a.jpg": b"1"})
    folder = Folder(tmp_path)
    assert folder.holds("a.jpg", content_id(b"1"))
    assert not folder.holds("a.jpg", content_id(b"2"))
    assert not folder.holds("b.jpg", content_id(b"1"))


def failing(number: int) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_full_disk_is_said_and_the_same_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path)
    folder.begin({"a.jpg", "b.jpg"})
    folder.write("a.jpg", b"1")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", failing(errno.ENOSPC))
        with pytest.raises(LucidaError, match="disk is full") as caught:
            folder.write("b.jpg", b"2")
    assert "same command" in caught.value.hint
    assert not (tmp_path / "b.jpg").exists()
    put(tmp_path, {"a.jpg": b"1", "b.jpg": b"2"})
    assert files(tmp_path) == {"a.jpg", "b.jpg", MANIFEST}


def test_no_permission_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "mkdir", failing(errno.EACCES))
    with pytest.raises(InputError, match="cannot be written") as caught:
        Folder(tmp_path / "out").begin({"a.jpg"})
    assert "Permission denied" in caught.value.got


def test_too_little_room_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 10

    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(LucidaError, match="no room") as caught:
        Folder(tmp_path / "deep" / "out").room(2**30)
    assert caught.value.expected == "1.0 GiB free"
    Folder(tmp_path / "deep" / "out").room(10)
    assert not (tmp_path / "deep").exists()
