"""One image after the other through the models of a plan, from file to file."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import ImageError, InputError
from lucida.images import LIMITS, read
from lucida.images.companions import Shown, companions, frames
from lucida.notes import Note
from lucida.restore.chain import Chain
from lucida.restore.fill import read_mask
from lucida.restore.pixels import LARGEST, Picture, as_bytes, joined, over_white, read_picture, split
from lucida.restore.plan import Plan, Wish, make_plan
from lucida.restore.writing import Kind, Rows, kind_of, open_sink, save_frames, written

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.images.companions import Companions

Progress = Callable[[float], None]
MOVING: Final = 400_000_000  # pixels of all frames of a result: they are kept in memory
LARGE: Final = 16_000_000  # pixels of a result from which images go one at a time
POOR: Final = 80  # quality of a JPEG below which its blocks show when it is enlarged
QUIET: Final = (
    1.5  # grey levels below which noise is left: clean photos are found to have up to that, and nobody sees it
)
MIDDLE: Final = 2048  # side of the middle that noise is estimated on


@dataclass(frozen=True)
class Restored:
    """What became of one image.

    Attributes:
        written: The file.
        size: Width and height before.
        became: Width and height after.
        noise: Level that was taken out, in grey levels of 0..255; None where none was.
        notes: What a person should know, a sentence each.
        frames: How many; 1 of a still image.
        seconds: How long it took.
        engine: What ran the models.
    """

    written: Path
    size: tuple[int, int]
    became: tuple[int, int]
    noise: float | None
    notes: tuple[Note, ...]
    frames: int
    seconds: float
    engine: str


class Restorer:
    """Restores images as wished; may be called from several threads.

    Args:
        wish: What is to be done.
        home: Folder of the models of a catalog; None where only models of the machine are meant.

    Raises:
        InputError: Nothing is wished, or a factor or level that cannot be.
        UnknownName: There is no such model.
        ModelError: The model does not do what is wished, or has no scale that would do.
        MissingExtra: It needs a package that is not installed.
    """

    def __init__(self, wish: Wish, home: Path | None = None) -> None:
        self.plan: Plan = make_plan(wish, home)
        self._wish = wish
        self._chain = Chain(self.plan, wish.precision)
        self._one = threading.Lock()

    @property
    def engine(self) -> str:
        """What runs the models; they are loaded for it."""
        return self._chain.engine

    def file(
        self, source: Path | bytes, target: Path, step: Progress | None = None, *, name: str = "", workers: int = 0
    ) -> Restored:
        """Restore an image, or all frames of an animation, and write it.

        Args:
            source: A file, or its bytes.
            target: What is written; its suffix says the format.
            step: Called with the share that is done, 0 to 1; what it raises stops the work, and nothing is written.
            name: File name of the image, for its mask in a folder; that of the source by default.
            workers: Tiles at a time; as many as the models have use for where it is 0.

        Raises:
            ImageError: It cannot be read, or what it would become is too large.
            InputError: The mask does not fit, or the target cannot be written.
            ModelError: A model cannot be run, or there is no memory even for small tiles.
        """
        began = time.monotonic()
        step = step or (lambda share: None)
        kind = kind_of(target)
        data = source if isinstance(source, bytes) else read(source)
        name = name or (source.name if isinstance(source, Path) else target.name)
        beside = companions(data, LIMITS)
        if beside.frames > 1 and kind.moves:
            done = self._animation(data, beside, target, kind, name, step)
        else:
            done = self._still(data, beside, target, kind, name, step, workers)
        return replace(done, seconds=round(time.monotonic() - began, 3), engine=self._chain.engine)

    def _still(
        self, data: bytes, beside: Companions, target: Path, kind: Kind, name: str, step: Progress, workers: int
    ) -> Restored:
        if beside.frames > 1:
            raise InputError(
                f"{name} moves, and {kind.name} does not.",
                expected="a format of several frames: .gif, .webp, .png",
                got=f"{beside.frames} frames, to be written as {target.name}",
                hint=f"-o {target.stem}.webp",
            )
        picture = read_picture(data)
        became = self.plan.size(*picture.size)
        check_size(picture.size, became)
        target, kind, notes = _fitting(target, kind, became)
        notes += [*picture.notes, *self._warn(picture)]
        deep = picture.deep and kind.deep
        flat = picture.alpha is not None and not kind.alpha
        if picture.deep and not deep:
            notes.append(Note("bits_8", "16 bits became 8, as {format} holds no more.", format=kind.name))
        if flat:
            notes.append(
                Note("alpha_white", "Transparent parts became white, as {format} holds none.", format=kind.name)
            )
        level, said = self._level(picture)
        notes += said
        mask = read_mask(self._wish.fill, name, *picture.size) if self._wish.fill else None
        large = became[0] * became[1] > LARGE
        if large:
            # The memory that one of these takes is not there twice.
            self._one.acquire()
        try:
            with written(target) as file:
                channels = picture.colour.shape[2] + (picture.alpha is not None and not flat)
                sink = open_sink(file, kind, *became, channels, deep, picture.beside)
                notes += self._chain.run(
                    picture,
                    became,
                    mask,
                    level,
                    _finish(sink.write, flat, deep),
                    step,
                    workers=0 if large else workers,
                )
                sink.close()
        finally:
            if large:
                self._one.release()
        return Restored(target, picture.size, became, level or None, tuple(dict.fromkeys(notes)), 1, 0.0, "")

    def _animation(
        self, data: bytes, beside: Companions, target: Path, kind: Kind, name: str, step: Progress
    ) -> Restored:
        coming = frames(data, LIMITS)
        first = next(coming)
        picture = split(first.pixels, beside)
        became = self.plan.size(*picture.size)
        check_size(picture.size, became, beside.frames)
        # One level for all frames: else they would flicker.
        level, notes = self._level(picture)
        mask = read_mask(self._wish.fill, name, *picture.size) if self._wish.fill else None

        def restored() -> Iterator[Shown]:
            for number, shown in enumerate(chain([first], coming)):
                done = _Part(step, number, beside.frames)
                pixels, said = self._frame(split(shown.pixels, beside), became, mask, level, done)
                notes.extend(said)
                yield Shown(pixels, shown.duration)

        with written(target) as file:
            save_frames(restored(), file, kind, beside)
        return Restored(
            target, picture.size, became, level or None, tuple(dict.fromkeys(notes)), beside.frames, 0.0, ""
        )

    def _frame(
        self,
        picture: Picture,
        became: tuple[int, int],
        mask: NDArray[np.bool_] | None,
        level: float | None,
        step: Progress,
    ) -> tuple[NDArray[np.uint8], list[Note]]:
        """Return one frame as RGBA, and what is to be said of it."""
        out = np.full((became[1], became[0], 4), 255, np.uint8)
        if picture.alpha is not None and (picture.alpha == 255).all():
            picture = replace(picture, alpha=None)
        rows = Rows(out if picture.alpha is not None else out[..., :3])
        said = self._chain.run(picture, became, mask, level, _finish(rows.write, False, False), step)
        return out, said

    def _level(self, picture: Picture) -> tuple[float | None, list[Note]]:
        """Return the noise to take out, None where there is none, and what is to be said of it."""
        wished = self.plan.denoise
        if wished != "auto":
            return wished, []
        if not any(s.spec.restores and s.spec.restores.noise for s in self.plan.stages if s.task == "denoise"):
            # It is told nothing, and does what it does.
            return 0.0, []
        from lucida.restore.noise import estimate

        high, wide = picture.colour.shape[:2]
        top, left = max(0, (high - MIDDLE) // 2), max(0, (wide - MIDDLE) // 2)
        part = picture.colour[top : top + MIDDLE, left : left + MIDDLE]
        found = round(float(estimate(np.asarray(part, np.float32) / np.float32(np.iinfo(part.dtype).max))), 1)
        if found < QUIET:
            said = "No noise to speak of was found ({level} grey levels); none was taken out."
            return None, [Note("no_noise", said, level=f"{found:g}")]
        return min(found, 100.0), []

    def _warn(self, picture: Picture) -> list[Note]:
        """Say where a model is not for this image."""
        beside = picture.beside
        enlarged = any(
            stage.task == "upscale" and stage.spec.name.startswith("embedded-x") for stage in self.plan.stages
        )
        if not enlarged or not 0 < beside.quality < POOR:
            return []
        said = (
            "A JPEG of about quality {quality}, whose blocks show more when it is enlarged: --model embedded-real has"
            " learned to leave them out."
        )
        return [Note("jpeg_poor", said, quality=beside.quality)]


class _Part:
    """Says how much of the whole is done while one of its parts is."""

    def __init__(self, step: Progress, number: int, count: int) -> None:
        self._step, self._number, self._count = step, number, count

    def __call__(self, share: float) -> None:
        self._step((self._number + share) / self._count)


def _finish(
    write: Callable[[NDArray[Any]], None], flat: bool, deep: bool
) -> Callable[[NDArray[Any], NDArray[Any] | None], None]:
    """Return what brings rows of colour and transparency into the form that a file takes."""

    def finish(colour: NDArray[Any], alpha: NDArray[Any] | None) -> None:
        if flat and alpha is not None:
            colour, alpha = over_white(colour, alpha), None
        rows = joined(colour, alpha)
        write(as_bytes(rows) if rows.dtype == np.uint16 and not deep else rows)

    return finish


def _fitting(target: Path, kind: Kind, became: tuple[int, int]) -> tuple[Path, Kind, list[Note]]:
    """Return the target, or a PNG beside it where its format holds no image of this size."""
    if max(became) <= kind.side:
        return target, kind, []
    other = target.with_suffix(".png")
    said = "{format} holds no image of {width} x {height} pixels: {name} was written."
    width, height = (f"{side:,}" for side in became)
    note = Note("format_small", said, format=kind.name, width=width, height=height, name=other.name)
    return other, kind_of(other), [note]


def check_size(size: tuple[int, int], became: tuple[int, int], count: int = 1) -> None:
    """Refuse what would become too large.

    Raises:
        ImageError: It would have more pixels than are written.
    """
    most = LARGEST if count == 1 else MOVING
    if became[0] * became[1] * count > most:
        times = f" in {count:,} frames" if count > 1 else ""
        raise ImageError(
            "The image would become too large.",
            expected=f"at most {most:,} pixels{' in all frames' if count > 1 else ''}",
            got=f"{size[0]:,} x {size[1]:,}{times} would become {became[0]:,} x {became[1]:,},"
            f" {became[0] * became[1] * count:,} pixels",
            hint="a smaller --upscale, or cut the image into pieces",
        )
