"""Videos that are written can be read again, with the same times and sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lucida.errors import InputError
from lucida.video import Reading, source_of
from lucida.video.writing import CODECS, VideoWriter
from videos import plain, squares

pytest.importorskip("av")


@pytest.mark.parametrize("codec", CODECS)
def test_what_was_written_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: tuple[str, dict[str, str]]
) -> None:
    monkeypatch.setattr("lucida.video.writing.CODECS", (codec,))
    times = [0, 0.5, 0.7, 3]
    with VideoWriter(tmp_path / "a.mp4") as writer:
        for k, time in enumerate(times):
            writer.write(squares([(10 * k, 20)]), time)
    source = source_of(tmp_path / "a.mp4")
    assert source is not None
    with Reading(source) as reading:
        frames = list(reading)
    assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-3)
    for k, frame in enumerate(frames):
        assert np.abs(frame.image.pixels.astype(int) - squares([(10 * k, 20)])).mean() < 6


def test_sizes_that_are_odd_or_change_are_written(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4") as writer:
        for k, size in enumerate([(63, 47), (63, 47), (200, 20)]):
            writer.write(plain((200, 40, 40), size), k / 10)
        writer.write(plain((200, 40, 40), (63, 47)), 0)  # a time that goes back
    source = source_of(tmp_path / "a.mp4")
    assert source is not None
    with Reading(source) as reading:
        assert [frame.size for frame in reading] == [(64, 48)] * 4


def test_no_frame_is_no_file(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4"):
        pass
    assert not (tmp_path / "a.mp4").exists()
    with pytest.raises(InputError, match="cannot be written"):
        VideoWriter(tmp_path / "no folder" / "a.mp4")
