"""Look at the frames of a video or stream, track, draw and count what is found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, Self

from lucida.catalog.sources import expand
from lucida.errors import InputError
from lucida.models.chat import Usage
from lucida.models.threads import available_cores
from lucida.predict.moments import Moment, Watched
from lucida.predict.thinned import Thinned, draw_answer, told
from lucida.predict.verb import Predicted
from lucida.results import Detections, Text
from lucida.runs.local import map_stream
from lucida.video import Frame, Live, Reading, Sampling, Source, read, source_of
from lucida.video.tracks import Tracker

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.runs.seeing import Seen, Seer, Wish
    from lucida.video.writing import VideoWriter

BATCH: Final = 2  # frames of a file that are looked at together; with those that wait, all that are in memory
USUAL: Final = Sampling("rate", 2.0)  # of a file, where nothing is said and nothing tracked
ASKED: Final = 16  # frames that one question is asked about
UNSURE: Final = 0.4  # of the probability from which objects are shown: those that may go on a track
SHOWN_FROM: Final = 0.5  # the probability from which objects are shown, where the model does not say


@dataclass(frozen=True)
class Watch:
    """How videos are looked at.

    Attributes:
        sampling: Which frames; None for what is usual: every one that is tracked or of a stream, else 2 a second.
        track: Whether objects are followed from frame to frame.
        seconds: How many of each video; None for all.
    """

    sampling: Sampling | None = None
    track: bool = False
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds > 0:
            raise InputError("--seconds is no time.", expected="more than 0", got=f"{self.seconds:g}")

    def unsure(self, wish: Wish, least: float) -> Wish:
        """Return a wish that also asks for the unsure objects a track may go on with.

        Args:
            wish: What was asked for.
            least: Probability from which the model's objects are usually shown.
        """
        return replace(wish, least=UNSURE * self.sure(wish, least)) if self.track else wish

    @staticmethod
    def sure(wish: Wish, least: float) -> float:
        """Return the probability from which an object is sure."""
        return wish.least if wish.least is not None else least or SHOWN_FROM


class Film:
    """One video or stream while it is looked at: results in the order of their frames.

    Args:
        seer: Looks at frames.
        source: What to open.
        watch: How.
        sure: Probability from which an object begins a track.
        even: How many frames are taken evenly of a file, where nobody says which; 0 for what is usual.

    Attributes:
        seer: Looks at frames.
        live: Whether it is a stream that does not wait.
        seconds: How long it is looked at, as far as is known; 0 where it is not.
        watched: What was seen so far.
        usage: What it took.

    Raises:
        InputError: It cannot be opened.
        MissingExtra: PyAV is not installed.
    """

    def __init__(self, seer: Seer, source: Source, watch: Watch, sure: float = SHOWN_FROM, even: int = 0) -> None:
        self.seer, self._watch = seer, watch
        self._reading = Reading(source)
        self.live = self._reading.live
        self.seconds = watch.seconds or self._reading.seconds
        usual = Sampling() if watch.track or self.live else USUAL
        if even:
            usual = Sampling("rate", even / self.seconds if self.seconds else 1.0)
        self.sampling = watch.sampling or usual
        self._tracker = Tracker(sure) if watch.track else None
        self._live = self._make_live(source) if self.live else None
        self._writer: VideoWriter | None = None
        self.watched = Watched(source.name, str(self.sampling))
        self._skipped: dict[str, int] = {}
        self.usage = Usage()

    def _make_live(self, source: Source) -> Live:
        first: list[Reading] = [self._reading]
        return Live(lambda: first.pop() if first else Reading(source), self.sampling)

    def draw_into(self, file: Path) -> None:
        """Write a video of what is found, frame by frame."""
        from lucida.video.writing import VideoWriter

        self._writer = VideoWriter(file)
        self.watched.saved = file.as_posix()

    def frames(self) -> Iterator[Frame]:
        """Yield the frames that are to be looked at."""
        frames: Iterable[Frame] = self._live or read(self._reading, self.sampling)
        end, budget = self._watch.seconds, self.seer.budget
        return takewhile(lambda frame: not budget.over and (end is None or frame.time < end), frames)

    def __iter__(self) -> Iterator[Predicted]:
        """Yield what is seen in each frame."""
        from lucida.results.drawing import draw

        for frame, seen in self._look():
            self.usage += seen.usage
            if seen.result is None:
                self._skipped[seen.problem] = self._skipped.get(seen.problem, 0) + 1
                continue
            result = seen.result
            if self._tracker is not None and isinstance(result, Detections):
                result = self._tracker.update(result, frame.time)
            if self._writer is not None:
                self._writer.write(_pixels(draw(result, frame.image.pixels)), frame.time)
            moment = Moment.of(frame, self._live.delay(frame) if self._live else None)
            self.watched.add(moment, result)
            yield Predicted(self.watched.name, self.seer.wish.task, result, seen.size, at=moment)
        self.end()

    def end(self) -> None:
        """Note how it ended."""
        self.watched.problem = self._live.problem if self._live else self._reading.problem
        self.watched.broken = self._reading.broken

    def _look(self) -> Iterator[tuple[Frame, Seen]]:
        if self.live:
            # One at a time: what is looked at is then the newest there is.
            for frame in self.frames():
                yield frame, self.seer.see_frames([frame])[0]
            return

        def work(frames: tuple[Frame, ...]) -> list[tuple[Frame, Seen]]:
            return list(zip(frames, self.seer.see_frames(frames), strict=True))

        _ = self.seer.model  # loaded by one, so that threads do not load it several times
        workers = available_cores()
        for part in map_stream(work, _batches(self.frames()), workers=workers, waiting=workers + 1):
            yield from part

    def why_not(self) -> dict[str, str]:
        """Return why nothing was said: of frames, or of the whole video."""
        name, watched = self.watched.name, self.watched
        if not watched.frames and not self._skipped:
            return {name: watched.problem or "no frame was looked at"}
        return {f"{name}, {count:,} frames": problem for problem, count in self._skipped.items()}

    def close(self) -> None:
        """Let go of the source, and write the end of what was drawn."""
        if self._live is not None:
            self._live.close()
        if self._live is None or not self._live.started:
            # The thread that reads a stream closes it: it may be reading now.
            self._reading.close()
        if self._writer is not None:
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Keep(Protocol):
    """Takes one result."""

    def __call__(self, one: Predicted, *, live: bool = False) -> None: ...


class Done(NamedTuple):
    """What came of one video: all that was seen, why nothing could be said of some frames, and what it took."""

    watched: Watched
    skipped: dict[str, str]
    usage: Usage = Usage()


def divide(paths: Sequence[str | Path]) -> tuple[list[Path], list[Source]]:
    """Return what holds images, and videos."""
    pictures: list[Path] = []
    videos: list[Source] = []
    for given in paths:
        # An address may hold the signs of a pattern.
        source = source_of(given)
        if source is not None and source.kind != "file":
            videos.append(source)
            continue
        for path in expand([given]):
            found = source_of(path)
            if found is not None and not path.is_dir():
                videos.append(found)
            else:
                pictures.append(path)
    return pictures, videos


def look_at(seer: Seer, source: Source, watch: Watch, keep: Keep, sure: float, file: Path | None) -> Done:
    """Look at one video and hand over what is seen, frame by frame; or ask about it as a whole.

    Args:
        seer: Looks at frames.
        source: The video.
        watch: How.
        keep: Takes results.
        sure: Probability from which an object begins a track.
        file: For a video of what is found, or a picture of the frames that were asked about; None for none.

    Raises:
        InputError: A stream without end is asked about.
        MissingExtra: PyAV is not installed.
    """
    name = source.name
    try:
        film = Film(seer, source, watch, sure, ASKED if seer.wish.questions else 0)
    except InputError as error:
        got = f" ({error.got})" if error.got and error.got not in error.what else ""
        why = error.what.removeprefix(f"{name} ").rstrip(".") + got
        return Done(Watched(name, str(watch.sampling or USUAL), problem=why), {name: why})
    with film:
        if seer.wish.questions:
            return _ask(film, keep, file)
        if file is not None:
            film.draw_into(file)
        try:
            for one in film:
                keep(one, live=film.live)
        except KeyboardInterrupt:
            # A stream is looked at until somebody has seen enough.
            if not film.live:
                raise
            film.watched.problem = "stopped"
    return Done(film.watched, film.why_not(), film.usage)


def _ask(film: Film, keep: Keep, file: Path | None) -> Done:
    """Ask about some frames of a video at once, whose times are told in words; draw them with the answer."""
    watched = film.watched
    if film.live and not film.seconds:
        raise InputError(
            f"{watched.name} has no end: how long is it to be looked at before it is asked about?",
            expected="a number of seconds",
            got="none",
            hint="--seconds 30",
        )
    kept = Thinned(ASKED)
    for frame in film.frames():
        kept.add(frame)
        watched.seconds = round(frame.time, 3)
    film.end()
    shown = kept.chosen()
    watched.frames = len(shown)
    if not shown:
        return Done(watched, film.why_not())
    seen = film.seer.see_together([data for _, data in shown], told(shown, film.seconds or watched.seconds))
    if seen.result is None:
        watched.frames = 0
        return Done(watched, {watched.name: seen.problem}, seen.usage)
    if file is not None and isinstance(seen.result, Text):
        draw_answer(shown, film.seer.wish.questions, seen.result).save(file)
        watched.saved = file.as_posix()
    keep(Predicted(watched.name, film.seer.wish.task, seen.result, seen.size, saved=file))
    return Done(watched, {}, seen.usage)


def _batches(frames: Iterator[Frame]) -> Iterator[tuple[Frame, ...]]:
    while batch := tuple(islice(frames, BATCH)):
        yield batch


def _pixels(picture: Any) -> Any:
    import numpy as np

    return np.asarray(picture.convert("RGB"), np.uint8)
