"""Videos in the catalog: frames at a rate, each an image that says when it was shown."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from lucida.catalog import AddResult, Catalog, add
from lucida.errors import InputError
from lucida.images import decode
from videos import plain, squares, write_video

pytest.importorskip("av")


def places(path: Path) -> dict[str, bytes]:
    """Return the path of each image as given, and its bytes."""
    with Catalog.open(path) as catalog:
        return {
            place.given: catalog.images.read(id) for id in catalog.images.ids() for place in catalog.images.places(id)
        }


def reasons(result: AddResult) -> dict[str, str]:
    return {refusal.path: refusal.reason for refusal in result.refused}


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.mp4", [squares([(5 + 4 * k, 20)]) for k in range(30)])
    return Path("clip.mp4")


def test_frames_are_added_with_their_times(clip: Path, tmp_path: Path) -> None:
    result = add([clip], catalog=tmp_path / "c")
    assert (result.added, result.known, result.refused) == (3, 0, [])
    found = places(tmp_path / "c")
    assert sorted(found) == ["clip.mp4#t=0.000", "clip.mp4#t=1.000", "clip.mp4#t=2.000"]
    pixels = decode(found["clip.mp4#t=1.000"]).pixels
    assert np.abs(pixels.astype(int) - squares([(5 + 40, 20)])).mean() < 8


def test_a_video_is_read_once_at_each_rate(clip: Path, tmp_path: Path) -> None:
    add([clip], catalog=tmp_path / "c")
    assert (add([clip], catalog=tmp_path / "c").added, add([clip], catalog=tmp_path / "c").known) == (0, 3)
    more = add([clip], rate="2", catalog=tmp_path / "c")
    # Frames at full seconds are the same bytes, so they are the same images.
    assert (more.added, more.known) == (3, 3)
    assert add([clip], rate="2", catalog=tmp_path / "c").known == 6
    assert add([clip], rate="scene", catalog=tmp_path / "c").added == 0


def test_what_is_wrong_with_a_video_is_said(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bad.mp4").write_bytes(b"no video")
    result = add([clip, "bad.mp4"], catalog=tmp_path / "c")
    assert (result.added, list(reasons(result))) == (3, ["bad.mp4"])
    assert "cannot be opened as a video" in reasons(result)["bad.mp4"]
    noise = [np.random.default_rng(k).integers(0, 255, (96, 160, 3)).astype(np.uint8) for k in range(40)]
    write_video(Path("long.mkv"), noise)
    Path("cut.mkv").write_bytes(Path("long.mkv").read_bytes()[:350_000])
    result = add(["cut.mkv"], rate="2", catalog=tmp_path / "c")
    assert 2 <= result.added <= 5
    assert "breaks off" in reasons(result)["cut.mkv"]
    # It may be whole the next time, so it is read again.
    Path("cut.mkv").write_bytes(Path("long.mkv").read_bytes())
    assert add(["cut.mkv"], rate="2", catalog=tmp_path / "c").added > 0
    monkeypatch.setattr("lucida.catalog.sources.videos.MOST", 2)
    result = add(["long.mkv"], rate="2", catalog=tmp_path / "c")
    assert "only its first 2 frames" in reasons(result)["long.mkv#rest"]
    with pytest.raises(InputError, match="--rate is not clear"):
        add([clip], rate="quick", catalog=tmp_path / "c")


def test_a_video_in_a_folder_is_to_be_named(clip: Path, tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(plain((200, 0, 0))).save("one.png")
    result = add([tmp_path], catalog=tmp_path / "c")
    assert result.added == 1
    assert reasons(result) == {(tmp_path / "clip.mp4").as_posix(): "a video inside a folder; name it to add its frames"}


def test_without_the_package_it_says_what_to_install(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(InputError, match="No image was found") as caught:
        add([clip], catalog=tmp_path / "c")
    assert 'pip install "camera-lucida[see]"' in caught.value.got
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert add([clip], catalog=tmp_path / "c").added == 3
