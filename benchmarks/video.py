"""Measure `predict` on video: how many frames a second of 1080p keep up on this machine, and whether memory is flat.

    python benchmarks/video.py                       # the rates, beside a plain loop with OpenCV; then a live stream
    python benchmarks/video.py --minutes 10          # and ten minutes of video, with the memory after each
    python benchmarks/video.py --model PATH.onnx     # another detector

The video is made here: 1920 x 1080, 30 frames a second, H.264 with frames that refer to each other, a camera that moves
over a texture with grain, and discs that move over it. A rate keeps up if a second of video takes less than a second;
processor time is given beside wall time, since a machine that is busy with other things stretches the latter.
The plain loop decodes with OpenCV, turns every frame into pixels as `VideoCapture.read` does, and calls the same model.
The live stream is the same video, each frame given out when its time has come.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

from lucida.env import versions
from lucida.images import Image
from lucida.models.registry import find
from lucida.models.threads import available_cores
from lucida.predict.films import Film, Watch
from lucida.runs.seeing import Seer, Wish
from lucida.video import Frame, Live, Reading, Sampling, Source, read, source_of

SECONDS, RATE, WIDTH, HEIGHT = 10, 30, 1920, 1080
RATES = (1, 2, 5, 10)
SLOWER = 6  # times that the long video is slower, so that it holds 5 frames a second


def main() -> None:
    """Make a video and run all sides."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="blood-cells")
    parser.add_argument("--minutes", type=int, default=0, help="of video, for the memory")
    parser.add_argument("--rate", type=float, default=1, help="frames a second, for the memory and the live stream")
    options = parser.parse_args()
    known = versions()
    print({name: known[name] for name in ("camera-lucida", "python", "openvino", "onnxruntime") if name in known})
    print(f"av {av.__version__}, {available_cores()} cores, model {options.model}")
    seer = Seer(find(options.model), Wish("detect"))
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "made.ts"
        make(file)
        bits = file.stat().st_size * 8 / SECONDS / 1e6
        print(f"{SECONDS} s of {WIDTH} x {HEIGHT} at {RATE} a second, {bits:.1f} Mbit/s")
        rates(seer, file)
        live(seer, file, options.rate)
        if options.minutes:
            memory(seer, file, options.minutes, options.rate)


def make(file: Path) -> None:
    """Write the video."""
    random = np.random.default_rng(0)
    texture = np.full((HEIGHT, WIDTH + SECONDS * RATE), 120.0)
    for cells in (8, 32, 128):
        coarse = random.uniform(-30, 30, (cells, 2 * cells))
        rows = np.arange(texture.shape[0]) * cells // texture.shape[0]
        texture += coarse[rows][:, np.arange(texture.shape[1]) * 2 * cells // texture.shape[1]]
    deep = texture.astype(np.int16)
    grains = [random.normal(0, 4, (HEIGHT, WIDTH)).astype(np.int16) for _ in range(4)]
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.int32)
    with av.open(str(file), "w") as out:
        stream: Any = out.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(SECONDS * RATE):
            pixels = deep[:, number : number + WIDTH] + grains[number % 4]
            for disc in range(6):
                across, down = (disc * 311 + number * (3 + disc)) % WIDTH, 150 + disc * 140
                box = np.s_[down - 60 : down + 60, max(0, across - 60) : across + 60]
                pixels[box] += np.int16(80) * ((x[box] - across) ** 2 + (y[box] - down) ** 2 < 3600)
            frame = av.VideoFrame.from_ndarray(pixels.clip(0, 255).astype(np.uint8), format="gray")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def opened(file: Path) -> Source:
    """Return a file as a source."""
    source = source_of(file)
    assert source is not None
    return source


class Took(NamedTuple):
    """Wall and processor seconds."""

    wall: float
    busy: float


def timed(work: Callable[..., Any], *given: Any) -> Took:
    """Return what some work took."""
    wall, busy = time.perf_counter(), time.process_time()
    work(*given)
    return Took(time.perf_counter() - wall, time.process_time() - busy)


def rates(seer: Seer, file: Path) -> None:
    """Print what each rate takes, beside a plain loop."""
    seer.see_frames([Frame(0, 0, np.zeros((HEIGHT, WIDTH, 3), np.uint8))])  # loads the model

    def decode() -> None:
        with Reading(opened(file)) as reading:
            for _ in read(reading, Sampling("rate", 0.01)):
                pass

    decoding = timed(decode)
    busy, wall = decoding.busy / SECONDS, decoding.wall / SECONDS
    print(f"decoding alone: processor {busy:.3f} s, wall {wall:.3f} s for one of video")
    print("seconds for one of video:")
    print("frames a second | processor | of these decoding | wall | plain loop: processor | wall")
    for rate in RATES:
        ours, beside = timed(watch, seer, file, rate), timed(plain, seer, file, rate)
        print(
            f"{rate} | {ours.busy / SECONDS:.2f} | {decoding.busy / ours.busy:.0%} | {ours.wall / SECONDS:.2f} | "
            f"{beside.busy / SECONDS:.2f} | {beside.wall / SECONDS:.2f}"
        )


def watch(seer: Seer, file: Path, rate: float) -> None:
    """Look at a video as `lucida predict` does."""
    with Film(seer, opened(file), Watch(Sampling("rate", rate))) as film:
        for _ in film:
            pass


def plain(seer: Seer, file: Path, rate: float) -> None:
    """Do the same in a plain loop."""
    import cv2

    capture, number, due = cv2.VideoCapture(str(file)), 0, 0.0
    while True:
        good, pixels = capture.read()
        if not good:
            return
        if number / RATE + 1e-6 >= due:
            due += 1 / rate
            seer.model.predict([Image(np.ascontiguousarray(pixels[..., ::-1]), "RGB")])
        number += 1


class Paced(Reading):
    """Gives each frame out when its time has come, as a camera does."""

    def __iter__(self) -> Iterator[Frame]:
        began = time.monotonic()
        for frame in super().__iter__():
            time.sleep(max(0.0, began + frame.time - time.monotonic()))
            yield frame


def live(seer: Seer, file: Path, rate: float) -> None:
    """Print delay and dropped frames of a stream, at a rate and as fast as may be."""
    for sampling in (Sampling("rate", rate), Sampling()):
        delays: list[float] = []
        dropped = 0
        with Live(partial(Paced, replace(opened(file), live=True)), sampling) as stream:
            for frame in stream:
                seer.see_frames([frame])
                delays.append(stream.delay(frame))
                dropped += frame.dropped
                if frame.time > SECONDS - 1:
                    break
        print(
            f"live, {sampling}: {len(delays) / SECONDS:.1f} frames a second looked at, {dropped} dropped; "
            f"delay {np.mean(delays):.2f} s, at most {max(delays):.2f} s"
        )


def memory(seer: Seer, file: Path, minutes: int, rate: float) -> None:
    """Print the memory of this process after each minute of video."""
    whole = file.with_name("long.ts")
    slow = file.with_name("slow.ts")
    with av.open(str(file)) as old, av.open(str(slow), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None and packet.pts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts * SLOWER, packet.dts * SLOWER, stream
                new.mux(packet)
    data, times = slow.read_bytes(), minutes * 60 // (SECONDS * SLOWER)
    with whole.open("wb") as out:
        for _ in range(times):
            out.write(data)
    began, frames = time.perf_counter(), 0
    marks: list[float] = []
    for one in Film(seer, opened(whole), Watch(Sampling("rate", rate))):
        frames += 1
        if one.at and one.at.time >= 60 * (len(marks) + 1) - 30:
            marks.append(resident())
    took = time.perf_counter() - began
    shown = ", ".join(f"{mark:.0f}" for mark in marks)
    print(f"{minutes} minutes of video of {RATE // SLOWER} frames a second, {rate:g} a second looked at:")
    print(f"{frames} frames in {took / 60:.1f} minutes")
    print(f"memory in the middle of each minute, MB: {shown}; from the first to the last {marks[-1] - marks[0]:+.1f}")


def resident() -> float:
    """Return the memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
