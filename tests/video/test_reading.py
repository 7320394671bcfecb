"""Frames of files: their time, their size, what is wrong with a file, and how many are in memory."""

from __future__ import annotations

import gc
import http.server
import io
import itertools
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lucida.errors import InputError
from lucida.video import Frame, Live, Reading, Waits, read, read_sampling, source_of
from lucida.video.source import Source
from videos import plain, squares, write_video

pytest.importorskip("av")


def source(path: Path) -> Source:
    """Return a file as a source."""
    found = source_of(path)
    assert found is not None
    return found


def times(path: Path, rate: str = "all") -> list[float]:
    """Return the times of the frames that are taken."""
    with Reading(source(path)) as reading:
        found = [round(frame.time, 3) for frame in read(reading, read_sampling(rate))]
        assert reading.problem == ""
    return found


def noise(count: int) -> list[np.ndarray[Any, Any]]:
    """Return pictures that no codec makes small."""
    return [np.random.default_rng(seed).integers(0, 255, (96, 160, 3)).astype(np.uint8) for seed in range(count)]


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.avi", "mpeg4")])
def test_every_frame_comes_in_order_with_its_time_and_its_pixels(tmp_path: Path, name: str, codec: str) -> None:
    write_video(tmp_path / name, [squares([(10 + 4 * k, 30)]) for k in range(20)], codec=codec)
    with Reading(source(tmp_path / name)) as reading:
        frames = list(reading)
        assert (reading.rate, round(reading.seconds, 2), reading.live) == (10, 2.0, False)
    assert [frame.number for frame in frames] == list(range(20))
    assert [frame.time for frame in frames] == pytest.approx([k / 10 for k in range(20)], abs=1e-3)
    for k in (0, 7, 19):
        pixels = frames[k].image.pixels
        assert (pixels.shape, pixels.dtype) == ((96, 160, 3), np.uint8)
        assert np.abs(pixels.astype(int) - squares([(10 + 4 * k, 30)])).mean() < 6


def test_frames_are_taken_at_a_rate_by_their_time(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [squares([(k, 30)]) for k in range(30)])
    assert times(tmp_path / "a.mp4", "2") == [0, 0.5, 1, 1.5, 2, 2.5]
    assert times(tmp_path / "a.mp4", "3") == [0, 0.4, 0.7, 1, 1.4, 1.7, 2, 2.4, 2.7]
    assert times(tmp_path / "a.mp4", "0.5") == [0, 2]
    assert len(times(tmp_path / "a.mp4", "100")) == 30
    # Of a varying rate, too: a picture that stands for seconds is taken once.
    write_video(tmp_path / "v.mkv", [plain((k * 20, 0, 0)) for k in range(8)], times=[0, 0.1, 0.2, 1.5, 1.6, 4, 4.1, 9])
    assert times(tmp_path / "v.mkv") == [0, 0.1, 0.2, 1.5, 1.6, 4, 4.1, 9]
    assert times(tmp_path / "v.mkv", "1") == [0, 1.5, 4, 9]


def test_recordings_put_one_after_the_other_go_on(tmp_path: Path) -> None:
    part = io.BytesIO()
    write_video(part, [plain((k * 20, 0, 0)) for k in range(10)], kind="mpegts")
    (tmp_path / "two.ts").write_bytes(part.getvalue() * 2)
    found = times(tmp_path / "two.ts")
    assert len(found) == 20
    assert found == sorted(set(found))
    assert found[-1] == pytest.approx(1.9, abs=0.2)


@pytest.mark.parametrize(
    ("rotation", "corner", "size"), [(0, "top left", (64, 48)), (90, "bottom left", (48, 64)),
                                     (-90, "top right", (48, 64)), (180, "bottom right", (64, 48))]
)  # fmt: skip
def test_phones_held_upright_are_seen_upright(
    tmp_path: Path, rotation: int, corner: str, size: tuple[int, int]
) -> None:
    pixels = plain((20, 20, 20))
    pixels[:20, :20] = 250
    write_video(tmp_path / "a.mp4", [pixels] * 3, rotation=rotation)
    with Reading(source(tmp_path / "a.mp4")) as reading:
        frame = next(iter(reading))
    assert frame.size == size
    seen = frame.image.pixels
    assert seen.shape[:2] == size[::-1]
    row, column = {"top": 5, "bottom": -5}[corner.split()[0]], {"left": 5, "right": -5}[corner.split()[1]]
    assert seen[row, column].min() > 200
    assert sum(int(seen[y, x].min() > 200) for y in (5, -5) for x in (5, -5)) == 1


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_a_file_that_was_cut_off_gives_what_it_has_and_says_so(tmp_path: Path, name: str) -> None:
    whole = tmp_path / name
    write_video(whole, noise(40), options={"movflags": "faststart"} if name.endswith("mp4") else None)
    cut = tmp_path / f"cut {name}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with Reading(source(cut)) as reading:
        assert 10 < len(list(reading)) < 30
        assert "breaks off after" in reading.problem
        assert "of 4.0 seconds" in reading.problem


def test_broken_places_are_passed_over(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", noise(40))
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    (tmp_path / "a.mp4").write_bytes(data)
    with Reading(source(tmp_path / "a.mp4")) as reading:
        assert 15 < len(list(reading)) < 40
        assert reading.broken > 0


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "whole.mp4", noise(4))
    data = (tmp_path / "whole.mp4").read_bytes()
    for name, content, match in (
        ("empty.mp4", b"", "cannot be read"),
        ("text.mp4", b"no video at all", "cannot be opened as a video"),
        ("headless.mp4", data[: len(data) // 2], "cannot be opened as a video"),
        # A playlist could name any other file of this machine.
        ("list.mp4", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nwhole.mp4\n#EXT-X-ENDLIST\n", "cannot be opened"),
        ("concat.mp4", b"ffconcat version 1.0\nfile whole.mp4\n", "cannot be opened"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=match) as caught:
            Reading(source(tmp_path / name))
        assert caught.value.hint
    with pytest.raises(InputError, match="cannot be read"):
        Reading(source(tmp_path / "missing.mp4"))


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "song.mkv"), "w") as out:
        stream = out.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.rate, frame.pts = 16000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(InputError, match="no moving pictures") as caught:
        Reading(source(tmp_path / "song.mkv"))
    assert caught.value.got == "audio"


def test_memory_holds_no_more_frames_than_somebody_keeps(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [plain((k, 0, 0)) for k in range(200)])
    alive: weakref.WeakSet[Frame] = weakref.WeakSet()
    most = 0
    with Reading(source(tmp_path / "a.mp4")) as reading:
        for frame in read(reading, read_sampling("5")):
            alive.add(frame)
            assert frame.image.pixels.size
            gc.collect(0)
            most = max(most, len(alive))
    assert most <= 2


def test_what_a_name_stands_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert source_of("photo.jpg") is None
    assert source_of("notes/0") is None
    film = source_of("a/My Film.MP4")
    assert film is not None
    assert (film.kind, film.live, film.name) == ("file", False, "a/My Film.MP4")
    stream = source_of(Path("rtsp://me:secret@10.0.0.7:554/door?x=1"))  # which takes a slash away
    assert stream is not None
    assert (stream.kind, stream.live) == ("stream", True)
    assert stream.address == "rtsp://me:secret@10.0.0.7:554/door?x=1"
    assert "secret" not in f"{stream} {stream.name}"
    monkeypatch.setattr("sys.platform", "linux")
    camera = source_of("0")
    assert camera is not None
    assert (camera.kind, camera.address) == ("camera", "/dev/video0")
    monkeypatch.chdir(tmp_path)
    Path("0").write_text("a file of that name")
    assert source_of("0") is None
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(InputError, match="Linux and macOS"):
        source_of("1")


@pytest.mark.parametrize("text", ["0", "-1", "nan", "fast", "", "1e9", "inf"])
def test_a_rate_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--rate is not clear"):
        read_sampling(text)


@contextmanager
def sending(answers: list[bytes], kind: str) -> Iterator[Source]:
    """Send each of these answers once from a server of this machine, the last first; it is gone then."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not answers:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(answers.pop())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        found = source_of(f"http://127.0.0.1:{server.server_port}/live")
        assert found is not None
        yield found
    finally:
        server.shutdown()
        server.server_close()


def test_a_stream_over_the_wire_is_opened_again() -> None:
    part = io.BytesIO()
    write_video(part, noise(20), kind="mpegts")
    with sending([part.getvalue()] * 2, "video/mp2t") as found:
        with Live(lambda: Reading(found), read_sampling("all"), Waits(attempts=2, first=0)) as live:
            frames = list(live)
        assert sum(1 + frame.dropped for frame in frames) == 40
        assert "given up after 2 attempts" in live.problem


def test_frames_without_time_stamps_have_the_time_when_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that sends one JPEG after the other; libav would say that 25 come each second."""
    parts = []
    for pixels in noise(6):
        body = io.BytesIO()
        Image.fromarray(pixels).save(body, "JPEG")
        head = f"--b\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body.getvalue())}\r\n\r\n"
        parts.append(head.encode() + body.getvalue() + b"\r\n")
    ticks = itertools.count(100, 3)
    monkeypatch.setattr("lucida.video.reading.time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    with sending([b"".join(parts)], "multipart/x-mixed-replace; boundary=b") as found, Reading(found) as reading:
        assert reading.live
        assert [frame.time for frame in reading][:5] == [0, 3, 6, 9, 12]


def test_who_is_late_decodes_less(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [squares([(2 * k, 30)]) for k in range(40)], preset="medium")
    counts = []
    for how in (0, 1, 2):
        with Reading(replace(source(tmp_path / "a.mp4"), live=True)) as reading:
            reading.hurry(how)
            counts.append(len(list(reading)))
    assert counts[0] == 40
    assert counts[0] > counts[1] > counts[2] >= 1
