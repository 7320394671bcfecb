"""The verb `predict` on videos and streams."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture
from scipy import ndimage

from chat_server import ChatServer, said, serve
from lucida import cli
from lucida.errors import InputError
from lucida.images import Image
from lucida.models.spec import Model, Spec
from lucida.predict.films import ASKED
from lucida.predict.thinned import Thinned
from lucida.predict.verb import PredictResult, predict
from lucida.results import Detections, Result, Text
from lucida.video import Frame, Live, Reading, source_of
from told_models import model
from videos import frame, plain, squares, write_video

pytest.importorskip("av")


class _Finder(Model):
    """Finds bright squares: the larger, the surer."""

    def predict(self, images: Sequence[Image]) -> list[Result]:
        return [self._one(image.pixels) for image in images]

    def _one(self, pixels: np.ndarray[Any, Any]) -> Detections:
        labels, _ = ndimage.label(pixels[..., 0] > 120)
        boxes = [(c.start, r.start, c.stop, r.stop) for r, c in ndimage.find_objects(labels)]
        sure = [min(0.95, (x1 - x0) * (y1 - y0) / 440) for x0, y0, x1, y1 in boxes]
        kinds = [int(pixels[(y0 + y1) // 2, (x0 + x1) // 2, 1] < 60) for x0, y0, x1, y1 in boxes]
        return Detections(
            np.array(boxes, np.float32).reshape(-1, 4), np.array(sure, np.float32), np.array(kinds, np.int64),
            ("white", "red"),
        )  # fmt: skip


@pytest.fixture(autouse=True)
def finder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a detector of squares in the place of the name "finder"."""
    from lucida.predict import job

    known = job.find_model
    spec = replace(model("detect", ("white", "red"), lambda _: None, "finder"), build=lambda spec, *_: _Finder(spec))

    def find(name: str, home: Path | None = None) -> Spec:
        return spec if name == "finder" else known(name, home)

    monkeypatch.setattr(job, "find_model", find)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Return three seconds of two squares that cross."""
    file = tmp_path / "clip.mp4"
    write_video(file, [squares([(5 + 4 * k, 20), (125 - 4 * k, 45)]) for k in range(30)])
    return file


def test_frames_are_looked_at_by_their_time(clip: Path, tmp_path: Path) -> None:
    found = predict(clip, model="finder", task="detect")
    assert [(one.at.time, one.at.frame) for one in found.results if one.at] == [(k / 2, 5 * k) for k in range(6)]
    assert (found.images, found.skipped, found.exit_code) == (6, {}, 0)
    row = found.to_json()["results"][2]
    assert (row["path"], row["time"], row["frame"], row["width"]) == (clip.as_posix(), 1.0, 10, 160)
    assert [one["label"] for one in row["objects"]] == ["white", "white"]
    summary = found.to_json()["videos"]
    assert summary == [{"path": clip.as_posix(), "frames": 6, "seconds": 2.5, "sampling": "2 frames a second",
                        "objects": {"white": 12}}]  # fmt: skip
    assert f"{clip} at 1.00 s: 2 white" in str(found)
    assert "6 frames in 2.5 seconds (2 frames a second); 12 objects: 12 white" in str(found)
    assert len(predict(clip, model="finder", rate="all").results) == 30
    assert len(predict(clip, model="finder", rate="all", seconds=1).results) == 10
    assert len(predict(clip, model="finder", rate="1").results) == 3
    assert len(predict(clip, model="finder", rate="scene").results) == 1


def test_objects_are_followed(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "found.jsonl"
    found = predict(clip, model="finder", track=True, out=out, save=tmp_path / "drawn")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 30
    places: dict[int, list[float]] = {}
    for row in rows:
        for one in row["objects"]:
            places.setdefault(one["track"], []).append(one["box"][0])
    # One goes to the right and one to the left, all the way.
    assert set(places) == {1, 2}
    going = {number: np.sign(np.diff(lefts)).mean() for number, lefts in places.items()}
    assert sorted(going.values()) == pytest.approx([-1, 1], abs=0.15)
    assert found.videos[0].tracks == {"white": 2}
    assert "2 tracks: 2 white" in str(found)
    assert found.videos[0].saved == (tmp_path / "drawn" / "clip.mp4").as_posix()


def test_the_drawn_video_shows_what_was_found_when_it_was(clip: Path, tmp_path: Path) -> None:
    predict(clip, model="finder", save=tmp_path / "drawn")
    source = source_of(tmp_path / "drawn" / "clip.mp4")
    assert source is not None
    with Reading(source) as reading:
        frames = list(reading)
    assert [round(one.time, 2) for one in frames] == [0, 0.5, 1, 1.5, 2, 2.5]
    assert {one.size for one in frames} == {(160, 96)}
    plainly = squares([(5 + 40, 20), (125 - 40, 45)])
    assert np.abs(frames[2].image.pixels.astype(int) - plainly).mean() > 5


def test_the_video_itself_is_not_overwritten(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = clip.read_bytes()
    found = predict(clip, model="finder", save=clip.parent)
    assert found.videos[0].saved == (clip.parent / "clip-2.mp4").as_posix()
    assert clip.read_bytes() == before


def test_every_task_takes_frames(clip: Path) -> None:
    found = predict(clip, classes="dog, car", rate="1")
    assert found.videos[0].labels.total() == 3
    assert "frames with" in str(found)
    for name in ("blood-cells", "tile-defects"):
        assert len(predict(clip, model=name, rate="1").results) == 3


def test_videos_and_images_go_together(clip: Path, tmp_path: Path) -> None:
    from PIL import Image as Pillow

    Pillow.fromarray(squares([(5, 5)])).save(tmp_path / "one.png")
    found = predict(tmp_path / "one.png", str(tmp_path / "*.mp4"), model="finder", rate="1")
    assert [one.at.time if one.at else None for one in found.results] == [None, 0, 1, 2]
    with pytest.raises(InputError, match="Only videos can be tracked"):
        predict(tmp_path / "one.png", clip, model="finder", track=True)


def test_a_bad_video_is_said_and_the_rest_is_done(clip: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    found = predict(tmp_path / "bad.mp4", clip, tmp_path / "missing.mkv", model="finder", rate="1")
    assert {Path(path).name for path in found.skipped} == {"bad.mp4", "missing.mkv"}
    assert (len(found.results), found.exit_code) == (3, 0)
    assert cli.run(["predict", str(tmp_path / "bad.mp4"), "--json"]) == 1
    assert "cannot be opened as a video" in str(json.loads(capsys.readouterr().out)["skipped"])
    noise = [np.random.default_rng(k).integers(0, 255, (96, 160, 3)).astype(np.uint8) for k in range(40)]
    write_video(tmp_path / "whole.mkv", noise)
    (tmp_path / "cut.mkv").write_bytes((tmp_path / "whole.mkv").read_bytes()[:350_000])
    found = predict(tmp_path / "cut.mkv", model="finder", rate="5")
    assert "breaks off after" in str(found)


@pytest.mark.parametrize("options", [{"rate": "fast"}, {"rate": "0"}, {"seconds": 0}, {"seconds": -1}])
def test_what_makes_no_sense_is_refused(clip: Path, options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        predict(clip, model="finder", **options)


# Streams


class _Still:
    """A stream whose frames come when they are taken, with a gap in the middle; in the place of `Live`."""

    def __init__(self, *_: object) -> None:
        self.problem = "it was given up"
        self.started = False

    def __iter__(self) -> Iterator[Frame]:
        for k in range(1200):
            one = frame(k / 10, squares([(20, 20)]), k)
            one.gap, one.dropped = (4.5 if k == 600 else 0), k % 2
            yield one

    def delay(self, one: Frame) -> float:
        return 0.25 if one.number % 2 else 0.75

    def close(self) -> None:
        pass


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch, clip: Path) -> str:
    """Return an address behind which there is such a stream."""
    from lucida.predict import films

    file = source_of(clip)
    assert file is not None
    monkeypatch.setattr(films, "Live", _Still)
    monkeypatch.setattr(films, "Reading", lambda source: _opened(Reading(file)))

    def _opened(reading: Reading) -> Reading:
        reading.live, reading.seconds = True, 0.0
        return reading

    return "rtsp://me:secret@door/1"


def test_a_stream_tells_its_delay_its_gaps_and_what_was_dropped(stream: str, tmp_path: Path, capsys) -> None:
    out = tmp_path / "found.jsonl"
    found = predict(stream, model="finder", track=True, out=out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 1200
    assert (rows[0]["delay"], rows[1]["delay"], rows[1]["dropped"]) == (0.75, 0.25, 1)
    assert [row["gap"] for row in rows if "gap" in row] == [4.5]
    assert {row["path"] for row in rows} == {"rtsp://me:***@door/1"}
    (summary,) = found.to_json()["videos"]
    assert summary["delay"] == {"mean": 0.5, "longest": 0.75}
    assert (summary["dropped"], summary["gaps"]) == (600, [{"time": 60.0, "seconds": 4.5}])
    assert "lost once, for 4.5 s; it was given up" in str(found)
    assert "secret" not in str(found.to_json())


def test_a_stream_that_goes_on_for_days_does_not_fill_the_memory(stream: str, capsys) -> None:
    found = predict(stream, model="finder")
    assert len(found.results) == 1000
    assert found.results[-1].at
    assert found.results[-1].at.frame == 1199
    # Who watches sees all of it as it comes.
    assert capsys.readouterr().err.count("rtsp://me:***@door/1") == 1200


def test_a_stream_is_watched_until_somebody_has_seen_enough(stream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def until_interrupted(self: _Still) -> Iterator[Frame]:
        yield frame(0, squares([(20, 20)]))
        raise KeyboardInterrupt

    monkeypatch.setattr(_Still, "__iter__", until_interrupted)
    found = predict(stream, model="finder")
    assert len(found.results) == 1
    assert found.videos[0].problem == "stopped"


def test_seconds_end_a_stream(stream: str) -> None:
    assert len(predict(stream, model="finder", seconds=5).results) == 50


# Questions


@pytest.fixture
def server() -> Iterator[ChatServer]:
    pytest.importorskip("openai")
    with serve() as served:
        yield served


def asked(found: PredictResult) -> Text:
    """Return the one answer."""
    (one,) = found.results
    assert isinstance(one.result, Text)
    return one.result


def test_one_answer_is_about_the_whole_video(server: ChatServer, clip: Path) -> None:
    server.in_turn(said("They cross."), said("Two."))
    found = predict(clip, model=f"api:m@{server.url}", question=["What happens?", "How many?"])
    assert asked(found).text == "Two."
    assert asked(found).before == (("What happens?", "They cross."),)
    assert len(server.requests[0].images) == ASKED
    text = server.requests[0].text
    assert "These are 16 frames of one video of 3.0 seconds, in order, at 0.0, 0.2, " in text
    assert "seconds.\nWhat happens?" in text
    assert found.videos[0].frames == ASKED


def test_the_frames_of_a_question_are_drawn_with_the_answer(server: ChatServer, clip: Path, tmp_path: Path) -> None:
    server.in_turn(said("They cross."))
    options = {"question": ["What happens?"], "rate": "1", "save": tmp_path / "out"}
    found = predict(clip, model=f"api:m@{server.url}", **options)
    (one,) = found.results
    assert "drawn in" in str(found)
    assert one.saved == tmp_path / "out" / f"{clip.stem}.png"
    with Picture.open(one.saved) as drawn, Picture.open(io.BytesIO(first_image(server))) as frame:
        assert drawn.width == 2 * frame.width  # three frames, two beside each other
        assert drawn.height > 2 * frame.height
        corner = np.asarray(drawn.convert("RGB").crop((0, 0, *frame.size)), float)
        assert np.abs(corner - np.asarray(frame.convert("RGB"), float)).mean() < 2


def first_image(server: ChatServer) -> bytes:
    """Return the first image that was sent."""
    return base64.b64decode(server.requests[0].images[0].partition(",")[2])


def test_a_video_is_described_frame_by_frame(server: ChatServer, clip: Path) -> None:
    words = {"title": "A red box", "alternative": "A box moves.", "keywords": ["box"], "scene": ""}
    server.respond = lambda request: said(json.dumps(words))
    found = predict(clip, model=f"api:m@{server.url}", task="describe", rate="1")
    assert [type(one.result).__name__ for one in found.results] == ["Description"] * 3


def test_a_question_at_a_rate_is_about_these_frames(server: ChatServer, clip: Path) -> None:
    server.in_turn(said("They cross."))
    found = predict(clip, model=f"api:m@{server.url}", question=["What happens?"], rate="1")
    assert "3 frames of one video" in server.requests[0].text
    assert asked(found).text == "They cross."


def test_a_question_about_a_stream_needs_an_end(server: ChatServer, stream: str) -> None:
    with pytest.raises(InputError, match="no end"):
        predict(stream, model=f"api:m@{server.url}", question=["What happens?"])
    server.in_turn(said("Nothing."))
    assert (
        asked(predict(stream, model=f"api:m@{server.url}", question=["What happens?"], seconds=20)).text == "Nothing."
    )
    assert "16 frames of one video of 20.0 seconds" in server.requests[0].text


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 16, 17, 100, 999])
def test_frames_are_thinned_evenly_in_bounded_memory(count: int) -> None:
    kept = Thinned(8)
    for k in range(count):
        kept.add(frame(k / 10, plain((9, 9, 9), (8, 8)), k))
        assert len(kept._kept) <= 16
    times = [time for time, _ in kept.chosen()]
    assert len(times) == min(8, count)
    assert times[0] == 0
    assert times[-1] >= 0.8 * (count - 1) / 10
    if count >= 16:
        steps = np.diff(times)
        assert steps.max() <= 2.1 * steps.min()


def test_live_is_what_a_stream_is_read_with() -> None:
    """The stand-in of these tests has what the real one has."""
    assert {"delay", "close", "__iter__"} <= set(dir(Live)) & set(dir(_Still))
    assert isinstance(Live.started, property)
