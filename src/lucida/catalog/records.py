"""The records of the catalog, as plain frozen values."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    import numpy as np

Kind = Literal["proposal", "answer", "undo", "certified", "taught"]
State = Literal["reviewed", "accepted", "proposed"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)
STATES: Final[tuple[str, ...]] = get_args(State)
MISSED: Final = "missed"  # the phase of a review in which people add objects that a model has missed
VERDICTS: Final = ("right", "wrong", "unsure")


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image, named by its bytes.

    Args:
        id: Content id, 64 hexadecimal characters.
        width: Pixels across, upright.
        height: Pixels down, upright.
        format: "JPEG", "PNG", …; see `lucida.images.FORMATS`.
        mode: Mode of the decoded pixels, "RGB" for most.
        bytes: Size of the encoded file.
    """

    id: str
    width: int
    height: int
    format: str
    mode: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bytes of an image lie.

    Args:
        given: The path as given to `add`, with forward slashes: "photos/a b.jpg", "x.zip/member.jpg".
        uri: Absolute path, "/data/x.zip!/member.jpg", or "/data/x.parquet#17", "a.mp4#t=12.500".
    """

    given: str
    uri: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """One path that was not added, and why."""

    path: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """Return path and reason under their names."""
        return {"path": self.path, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Run:
    """Who says something: one model, person or metric with its parameters, at one question.

    Args:
        id: Short and readable, such as "label-20261121-061502-3f9a".
        verb: What was done: "label", "teach", "review", …
        question: What was asked.
        model: Name of the model, or "".
        revision: Resolved revision of the model, or "".
        parameters: All that decides the outcome, as plain JSON values.
        parent: Run that this one builds on, or None.
        program: Name and version of the program.
        started: Seconds since 1970.
        finished: Seconds since 1970, or None while it is not.
    """

    id: str
    verb: str
    question: str
    model: str
    revision: str
    parameters: dict[str, Any]
    parent: str | None
    program: str
    started: float
    finished: float | None


@dataclass(frozen=True, slots=True)
class Annotation:
    """What one run says of one image. The key is (image, question, run, item, actor, sequence).

    Args:
        image: Content id.
        question: What was asked.
        run: Run that says it.
        item: Number of the object within the image; 0 for the image as a whole.
        actor: Person who answers; "" for a model.
        sequence: Number of this statement among the actor's in this run.
        kind: "proposal" (a model's), "answer" (a person's), "undo" (takes an answer back), "certified" (kept by a
            finished review), "taught" (an example with these bytes gave the label).
        label: The answer, or None.
        score: Calibrated probability of the label, 0 to 1, or None.
        detail: More, as plain JSON values. An answer holds {"verdict": "right" | "wrong" | "unsure"}, an undo
            {"sequence": number of the answer it takes back, of the same image, run and actor}, a certified record
            {"source": run whose proposals were frozen}.
        time: Seconds since 1970.
    """

    image: str
    question: str
    run: str
    item: int = 0
    actor: str = ""
    sequence: int = 0
    kind: Kind = "proposal"
    label: str | None = None
    score: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Current:
    """Today's answer for one image: the fold over all records of a question.

    Args:
        image: Content id.
        label: The answer; None where people only said that the proposal is wrong.
        score: Probability of this label as its model gave it; None where no model proposed this label.
        state: "reviewed" (a person said so), "accepted" (certified, not looked at), "proposed" (a model's word).
        kept: Whether a certificate that still holds counts this image among the kept.
        run: Run of the record that decided.
        disagreement: Whether people gave different answers.
    """

    image: str
    label: str | None
    score: float | None
    state: State
    kept: bool
    run: str
    disagreement: bool


@dataclass(frozen=True, slots=True)
class CurrentObject:
    """Today's word on one object within an image: the fold over all records of it.

    Args:
        image: Content id.
        item: Number of the object within the image.
        label: Its class.
        score: Probability of it as its model gave it; None where a person has corrected or added it.
        detail: {"box": [left, top, right, bottom]} in pixels, {"mask": run lengths} where they are known.
        state: "reviewed" (a person said so), "accepted" (certified, not looked at), "proposed" (a model's word).
        kept: Whether a certificate that still holds counts it among the kept.
        run: Run of the record that decided.
        disagreement: Whether people gave different answers.
        added: Whether a person has added it, where the model had missed it.
    """

    image: str
    item: int
    label: str
    score: float | None
    detail: dict[str, Any]
    state: State
    kept: bool
    run: str
    disagreement: bool
    added: bool


class Proposals(NamedTuple):
    """The proposals of one run, as columns, in order of adding.

    Args:
        ids: Content ids.
        labels: Proposed labels; "" where there is none.
        scores: float64 (n,), NaN where there is none.
        details: Details of the annotations.
    """

    ids: list[str]
    labels: list[str]
    scores: np.ndarray[tuple[int], np.dtype[np.float64]]
    details: list[dict[str, Any]]
