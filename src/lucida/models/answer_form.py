"""The form of an answer in words: how it is asked for, read back, checked, and asked for again."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from lucida.models.chat import STOPPED, Said, Talk, Turn, Usage
from lucida.models.json_schema import fault
from lucida.models.json_text import json_values, one_line, plain, short

REPAIRS = 2  # times that an answer is asked for again where it cannot be used
LONGER = 2  # by how much an answer that was cut off may be longer the next time
ONE = "Describe this image in one sentence."
SEVERAL = "Describe these images, a sentence each."
_THOUGHT = re.compile(r".*</think(?:ing)?>", re.DOTALL)
_OPEN_THOUGHT = re.compile(r"\s*<think(?:ing)?>")
_REASON: Final = {"type": "string"}

Piece = tuple[bytes, float]  # of a text, with the natural logarithm of its probability


@dataclass(frozen=True)
class Written:
    """What a model wrote, before it is read.

    Attributes:
        text: All of it.
        pieces: The same in tokens; none where their probabilities are not known.
        cut: It came to the limit of its length.
        problem: Why it wrote nothing usable; "" where it may have.
        hopeless: Asking again would not help.
        usage: What it took.
    """

    text: str = ""
    pieces: tuple[Piece, ...] = ()
    cut: bool = False
    problem: str = ""
    hopeless: bool = False
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True)
class Form:
    """JSON that is asked for.

    Attributes:
        schema: Of all of it, an object.
        own: Of the answer in it.
        wrapped: Whether the answer lies under "answer", rather than being all of it.
        free: Whether the answer is free text: then words without any JSON are an answer, too.
    """

    schema: dict[str, Any]
    own: dict[str, Any]
    wrapped: bool
    free: bool


def form_of(talk: Talk) -> Form | None:
    """Return the form that an answer is asked for in; None for free text."""
    if talk.schema is None and not talk.reason:
        return None
    own = talk.schema if talk.schema is not None else {"type": "string"}
    if not talk.reason and own.get("type") == "object":
        return Form(own, own, wrapped=False, free=False)
    # Servers that promise JSON promise an object.
    properties = {"answer": own, **({"reason": _REASON} if talk.reason else {})}
    schema = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    if "$defs" in own:
        schema["$defs"] = own["$defs"]
    return Form(schema, own, wrapped=True, free=talk.schema is None)


def worded(talk: Talk) -> Talk:
    """Return a talk with all that is to be said in words: what to do with images alone, and the form of the answer."""
    turns = [
        replace(turn, text=(ONE if len(turn.images) < 2 else SEVERAL)) if turn.by == "user" and not turn.text.strip()
        else turn
        for turn in talk.turns
    ]  # fmt: skip
    form = form_of(talk)
    if form is None:
        return replace(talk, turns=tuple(turns))
    if form.free:
        asked = (
            'Answer with JSON only, {"answer": "…", "reason": "…"}. "answer" is the answer, "reason" is one short'
            " sentence why."
        )
    else:
        reason = ' "reason" is one short sentence why.' if talk.reason else ""
        asked = f"Answer with JSON only, that follows this JSON schema: {json.dumps(form.schema, ensure_ascii=False)}"
        asked += f"\n{reason.strip()}" if reason else ""
    return replace(talk, turns=(*turns[:-1], _with(turns[-1], asked)))


def converse(write: Callable[[Talk], Written], talk: Talk) -> Said:
    """Have an answer written, and again where it cannot be used.

    Args:
        write: Writes what comes next in a talk, whose words are complete.
        talk: What was said so far.
    """
    asked = worded(talk)
    usage, said = Usage(), Said()
    for _ in range(REPAIRS + 1):
        if talk.stopped():
            return Said(problem=STOPPED, usage=usage)
        written = write(asked)
        usage += written.usage
        if talk.stopped():
            return Said(problem=STOPPED, usage=usage)
        said = Said(problem=written.problem) if written.problem else read_said(written, talk)
        if not said.problem or written.hopeless:
            break
        again = f"An earlier answer could not be used: {said.problem} Answer again, in the form described."
        asked = replace(worded(talk), longest=talk.longest * (LONGER if written.cut else 1))
        asked = replace(asked, turns=(*asked.turns[:-1], _with(asked.turns[-1], again)))
    return replace(said, usage=usage)


def _with(turn: Turn, more: str) -> Turn:
    return replace(turn, text=f"{turn.text}\n\n{more}")


def read_said(written: Written, talk: Talk) -> Said:
    """Read what a model wrote as the answer of a talk."""
    begins = _spoken(written.text)
    text = plain(written.text[begins:]) if begins is not None else ""
    if begins is None or not text:
        return Said(problem="The answer was cut off." if written.cut else "The answer was empty.")
    form = form_of(talk)
    if form is None:
        return Said(text, mean_probability(written, begins, len(written.text)))
    return _in_form(written, form, begins)


def _spoken(text: str) -> int | None:
    """Return where an answer begins, behind thoughts; None where there are only thoughts."""
    thought = _THOUGHT.match(text)
    if thought:
        return thought.end()
    return None if _OPEN_THOUGHT.match(text) else 0


def _in_form(written: Written, form: Form, begins: int) -> Said:
    problem = ""
    for value, start, end in json_values(written.text[begins:]):
        at = (begins + start, begins + end)
        if form.wrapped and isinstance(value, dict):
            found = {str(key).strip().casefold(): part for key, part in value.items()}
            if "answer" in found:
                answer = _plain(found["answer"]) if form.free else found["answer"]
                wrong = fault(answer, form.own)
                if not wrong:
                    span = _value_span(written.text, *at) or at
                    reason = found.get("reason", "")
                    return _said(written, form, answer, span, one_line(reason) if isinstance(reason, str) else "")
                problem = problem or wrong
                continue
        # Some leave the wrapping out.
        wrong = "the answer lacks 'answer'" if form.free else fault(value, form.own)
        if not wrong:
            return _said(written, form, value, at, "")
        problem = problem or wrong
    text = plain(written.text[begins:])
    if problem:
        return Said(problem=f"{problem[:1].upper()}{problem[1:]}.")
    if form.free and text[:1] not in ("{", "[", "`"):
        return Said(text, mean_probability(written, begins, len(written.text)))
    if written.cut:
        return Said(problem="The answer was cut off.")
    return Said(problem=f"The answer was no JSON: {short(text)}")


def _said(written: Written, form: Form, answer: Any, span: tuple[int, int], reason: str) -> Said:
    score = mean_probability(written, *span)
    if form.free:
        return Said(plain(str(answer)), score, reason)
    return Said(json.dumps(answer, ensure_ascii=False), score, reason, answer)


def _plain(value: Any) -> Any:
    """Return a number, a truth or a list as words: an answer in words was asked for."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return json.dumps(value, ensure_ascii=False) if value is not None else None


def _value_span(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return where the answer stands in a JSON object."""
    found = re.compile(r'"\s*answer\s*"\s*:\s*', re.IGNORECASE).search(text, start, end)
    if not found:
        return None
    try:
        return found.end(), json.JSONDecoder().raw_decode(text, found.end())[1]
    except ValueError:
        return None


def mean_probability(written: Written, start: int, end: int) -> float | None:
    """Return the mean probability of the tokens between two signs of a text, geometric: e to their mean logarithm.

    It tells how sure the model was of its words, not how often it is right; a review measures that.
    """
    if b"".join(text for text, _ in written.pieces) != written.text.encode():
        return None
    first, last = (len(written.text[:sign].encode()) for sign in (start, end))
    inside, at = [], 0
    for text, logarithm in written.pieces:
        if at < last and (at + len(text) > first or at >= first):
            inside.append(logarithm)
        at += len(text)
    return math.exp(sum(inside) / len(inside)) if inside else None


def in_pieces(decode: Callable[[Sequence[int]], str], tokens: Sequence[int], logarithms: Sequence[float]) -> Written:
    """Return what tokens say, with what each adds to the text.

    A sign may take several tokens: it goes to the last of them, and the others add nothing.
    """
    text, pieces = "", []
    for number, logarithm in enumerate(logarithms, start=1):
        longer = decode(tokens[:number])
        if not longer.startswith(text):
            return Written(decode(tokens))
        if longer.endswith("\ufffd") and number < len(tokens):
            longer = text
        pieces.append((longer[len(text) :].encode(), logarithm))
        text = longer
    return Written(text, tuple(pieces))
