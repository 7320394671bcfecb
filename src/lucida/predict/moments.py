"""When a frame of a video was seen, and what was seen in the video as a whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lucida.results import Classification, Detections, Tags

if TYPE_CHECKING:
    from lucida.results import Result
    from lucida.video import Frame

MOST: Final = 8  # classes that are named
GAPS: Final = 100  # that are kept
TWICE: Final = 2  # frames in which a track must be seen to count


@dataclass(frozen=True)
class Moment:
    """When a frame was shown.

    Attributes:
        time: Seconds since the beginning of the video, or since the first frame of a stream.
        frame: Its number, of all frames from 0.
        delay: Of a stream, how many seconds after it was shown its result was there; None in a file.
        dropped: Of a stream, frames since the one before that nobody was free to look at.
        gap: Of a stream, seconds before it without a picture, because the stream had died.
    """

    time: float
    frame: int
    delay: float | None = None
    dropped: int = 0
    gap: float = 0.0

    @classmethod
    def of(cls, frame: Frame, delay: float | None = None) -> Moment:
        """Return the moment of a frame."""
        return cls(round(frame.time, 3), frame.number, delay, frame.dropped, round(frame.gap, 3))

    def to_json(self) -> dict[str, Any]:
        """Return plain values; those of streams only where there is something to say."""
        body: dict[str, Any] = {"time": self.time, "frame": self.frame}
        if self.delay is not None:
            body["delay"] = round(self.delay, 3)
        return {**body, **{name: value for name, value in (("dropped", self.dropped), ("gap", self.gap)) if value}}


@dataclass
class Watched:
    """What was seen in one video or stream; filled as it goes.

    Attributes:
        name: Of the video.
        sampling: Which frames were looked at, in words.
        frames: How many were looked at.
        seconds: Time of the last of them.
        labels: In how many frames each class or tag was said.
        objects: How many objects of each class were found in all frames together.
        dropped: Frames of a stream that nobody was free to look at.
        gaps: Times at which a stream had died, and for how many seconds; the first of them.
        lost: How often it had died.
        problem: Why it broke off or ended early; "" where it did not.
        broken: Packets that could not be decoded.
        saved: The video with what was found; "" where none was asked for.
    """

    name: str
    sampling: str
    frames: int = 0
    seconds: float = 0.0
    labels: Counter[str] = field(default_factory=Counter)
    objects: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    gaps: list[tuple[float, float]] = field(default_factory=list)
    lost: int = 0
    problem: str = ""
    broken: int = 0
    saved: str = ""
    _delays: tuple[float, float] = (0.0, 0.0)  # their sum, and the longest
    # Label of each track, and in how many frames it was seen.
    _tracks: dict[int, tuple[str, int]] = field(default_factory=dict)

    def add(self, moment: Moment, result: Result) -> None:
        """Count one frame."""
        self.frames += 1
        self.seconds = moment.time
        self.dropped += moment.dropped
        if moment.gap:
            self.lost += 1
            if len(self.gaps) < GAPS:
                self.gaps.append((moment.time, moment.gap))
        if moment.delay is not None:
            self._delays = (self._delays[0] + moment.delay, max(self._delays[1], moment.delay))
        match result:
            case Detections():
                self.objects.update(result.labels)
                for number, label in zip((() if result.tracks is None else result.tracks), result.labels, strict=False):
                    self._tracks[int(number)] = (label, self._tracks.get(int(number), ("", 0))[1] + 1)
            case Tags():
                self.labels.update(result.labels)
            case Classification():
                self.labels[result.label] += 1
            case _:
                pass

    @property
    def tracks(self) -> Counter[str]:
        """How many tracks of each class were seen more than once."""
        return Counter(label for label, times in self._tracks.values() if times >= TWICE)

    def to_json(self) -> dict[str, Any]:
        """Return plain values; what there was none of is left out."""
        mean, longest = self._delays[0] / max(1, self.frames), self._delays[1]
        found = {
            "labels": dict(self.labels),
            "objects": dict(self.objects),
            "tracks": dict(self.tracks),
            "delay": {"mean": round(mean, 3), "longest": round(longest, 3)} if longest else None,
            "dropped": self.dropped,
            "gaps": [{"time": time, "seconds": seconds} for time, seconds in self.gaps],
            "problem": self.problem,
            "broken": self.broken,
            "saved": self.saved,
        }
        body = {"path": self.name, "frames": self.frames, "seconds": self.seconds, "sampling": self.sampling}
        return {**body, **{name: value for name, value in found.items() if value}}

    def __str__(self) -> str:
        parts = [f"{self.frames:,} frames in {self.seconds:.1f} seconds ({self.sampling})"]
        for what, counts in (("objects", self.objects), ("tracks", self.tracks), ("frames with", self.labels)):
            if counts:
                parts.append(_counted(what, counts))
        if self._delays[1]:
            mean = self._delays[0] / max(1, self.frames)
            parts.append(f"delay {mean:.2f} s on average, {self._delays[1]:.2f} s at most")
        if self.dropped:
            parts.append(f"{self.dropped:,} frames dropped")
        if self.lost:
            times = "once" if self.lost == 1 else f"{self.lost:,} times"
            parts.append(f"lost {times}, for {sum(seconds for _, seconds in self.gaps):.1f} s")
        if self.broken:
            parts.append(f"{self.broken:,} broken packets passed over")
        if self.problem:
            parts.append(self.problem)
        if self.saved:
            parts.append(f"drawn in {self.saved}")
        return f"{self.name}: {'; '.join(parts)}."


def _counted(what: str, counts: Counter[str]) -> str:
    named = ", ".join(f"{count:,} {label}" for label, count in counts.most_common(MOST))
    more = f", and {len(counts) - MOST} more classes" if len(counts) > MOST else ""
    total = f"{counts.total():,} {what}: " if what != "frames with" else f"{what} "
    return f"{total}{named}{more}"
