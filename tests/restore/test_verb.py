"""Folders are restored file by file; what was done is not done again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lucida.restore
from lucida import cli
from lucida.errors import InputError
from lucida.restore import restore
from lucida.restore.job import RECORD


@pytest.fixture
def folder(tmp_path: Path, photo: np.ndarray) -> Path:
    place = tmp_path / "photos"
    (place / "deep").mkdir(parents=True)
    Image.fromarray(photo).save(place / "a.png")
    Image.fromarray(photo).save(place / "b.jpg", quality=95)
    Image.fromarray(photo[:20]).save(place / "deep" / "a.png")
    (place / "broken.jpg").write_bytes((place / "b.jpg").read_bytes()[:600])
    return place


def test_one_photo_by_the_command_line(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["restore", str(folder / "a.png"), "--upscale", "2", "--denoise", "--json", "-o", str(tmp_path / "new.png")]
    assert cli.run(call) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["written"] == [(tmp_path / "new.png").as_posix()]
    assert said["images"][0]["to"] == [140, 90]
    assert said["models"] == ["embedded-denoise", "embedded-x2"]
    with Image.open(tmp_path / "new.png") as picture:
        assert picture.size == (140, 90)
    assert cli.run(["restore", str(folder / "a.png"), "--denoise", "12.5"]) == 0
    assert (folder / "a-restored.png").is_file()


def test_a_folder_keeps_names_goes_on_and_survives_what_is_damaged(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    first = restore(folder, upscale=2, out=out)
    assert [path.relative_to(out).as_posix() for path in first.written] == ["a.png", "b.jpg", "deep/a.png"]
    assert list(first.skipped) == [(folder / "broken.jpg").as_posix()]
    assert first.exit_code == 0
    times = {path: path.stat().st_mtime_ns for path in first.written}
    # One result is lost, one image is new, and the record's last line was cut off.
    (out / "a.png").unlink()
    Image.new("RGB", (5, 4)).save(folder / "c.png")
    with (out / RECORD).open("a") as record:
        record.write('{"source": "')
    again = restore(folder, upscale=2, out=out)
    assert again.known == 2
    assert sorted(Path(path).name for path in again.restored) == ["a.png", "c.png"]
    assert len(again.written) == 4
    assert (out / "b.jpg").stat().st_mtime_ns == times[out / "b.jpg"]
    # Another wish is other work.
    assert restore(folder, upscale=3, out=out).known == 0


def test_images_of_one_name_do_not_take_each_others_place(folder: Path, tmp_path: Path) -> None:
    found = restore(folder / "a.png", folder / "deep" / "a.png", upscale=2, out=tmp_path / "out")
    assert [path.name for path in found.written] == ["a.png", "a-2.png"]
    # Into their own folder: they do not overwrite themselves.
    found = restore(folder / "a.png", folder / "b.jpg", upscale=2, out=folder)
    assert [path.name for path in found.written] == ["a-2.png", "b-2.jpg"]


def test_what_makes_no_sense_is_refused(folder: Path, tmp_path: Path) -> None:
    for paths, options, words in (
        ((), {}, "no image to restore"),
        ((folder,), {"out": tmp_path / "one.png"}, "do not go into one file"),
        ((folder / "a.png",), {"out": folder / "a.png"}, "over itself"),
    ):
        with pytest.raises(InputError, match=words):
            restore(*paths, upscale=2, **options)
    found = restore(tmp_path / "nowhere", upscale=2, out=tmp_path / "out")
    assert found.exit_code == 1


def test_importing_it_loads_nothing() -> None:
    assert lucida.restore.__all__ == sorted(lucida.restore.__all__, key=str.lower) or lucida.restore.__all__
    with pytest.raises(AttributeError):
        _ = lucida.restore.nothing
