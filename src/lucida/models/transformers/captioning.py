"""Models that describe an image or answer one question about it, and hold no conversation: BLIP and BLIP-2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lucida.models.hub.snapshot import UNSTATED
from lucida.models.needs import ImageNeeds
from lucida.models.spec import Gives, Model, Precision, Spec, Task, Trial

if TYPE_CHECKING:
    from lucida.models.chat import Talk, Turn
    from lucida.models.hub.snapshot import Snapshot

SIDE = 1024  # longer side in pixels that an image is scaled down to; its own processor scales further


@dataclass(frozen=True)
class Kind:
    """How one architecture is used.

    Attributes:
        tasks: What it can do.
        asked: The words it is given for its questions and answers so far, with {} for each pair's text; "" for the
            last question alone.
        note: What a person must know.
    """

    tasks: tuple[Task, ...]
    asked: str = ""
    note: str = ""


_SCORE = "The score of an answer is the mean probability of its tokens. Nothing leaves this machine."
ARCHITECTURES: Final[dict[str, Kind]] = {
    "BlipForConditionalGeneration": Kind(("caption",), note=f"Describes an image in a sentence. {_SCORE}"),
    "BlipForQuestionAnswering": Kind(
        ("answer",),
        note=f"Answers a question about one image in a word or two, each by itself, without a reason. {_SCORE}",
    ),
    # The wording of its authors.
    "Blip2ForConditionalGeneration": Kind(
        ("caption", "answer"),
        asked="Question: {} Answer:",
        note=f"Describes an image in a sentence or answers a question in a few words, without a reason. {_SCORE}",
    ),
}


def kind_of(snapshot: Snapshot) -> Kind | None:
    """Return how a model is used; None where it is of another kind."""
    return ARCHITECTURES.get(str((snapshot.config.get("architectures") or [""])[0]))


def captioning_spec(snapshot: Snapshot, kind: Kind, *, family: str) -> Spec:
    """Return the spec of a model that captions or answers."""

    def build(spec: Spec, precision: Precision, trial: Trial | None) -> Model:
        from lucida.models.transformers.captioner import Captioner

        return Captioner(spec, snapshot, kind, precision)

    return Spec(
        name=snapshot.name,
        family=family,
        tasks=kind.tasks,
        needs=ImageNeeds(SIDE, resize="fit", interpolation="bicubic"),
        gives=Gives(),
        licence=UNSTATED,
        source=snapshot.name,
        revision=snapshot.revision[:12],
        note=kind.note,
        build=build,
    )


def refusal(kind: Kind, talk: Talk, name: str) -> str:
    """Return why a talk is nothing for such a model; "" where it may be asked."""
    question = talk.turns[-1].text.strip()
    if talk.images != 1:
        return f"{name} looks at one image at a time, and was shown {talk.images}: --model smolvlm takes several."
    if talk.schema is not None:
        return f"{name} answers in a few words, never in JSON: --model smolvlm or an API takes a schema."
    if question and "answer" not in kind.tasks:
        return f"{name} describes images and answers no questions: --model blip-vqa or smolvlm does."
    if not question and "caption" not in kind.tasks:
        return f"{name} answers questions and was asked none: --model blip describes images."
    return ""


def prompt_of(kind: Kind, turns: Sequence[Turn]) -> str:
    """Return the words that go with the image; "" for a description."""
    if not turns[-1].text.strip():
        return ""
    if not kind.asked:
        return turns[-1].text.strip()
    words = [kind.asked.format(turn.text.strip()) if turn.by == "user" else f"{turn.text.strip()}." for turn in turns]
    return " ".join(words)
