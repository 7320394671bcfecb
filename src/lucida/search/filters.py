"""What the results must be: conditions on annotations, states and paths become the images that meet all of them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from lucida.catalog.records import STATES
from lucida.errors import InputError, UnknownName

if TYPE_CHECKING:
    from lucida.catalog import Catalog


class Condition(NamedTuple):
    """One condition: today's answer to a question is, or is not, a label; any answer will do where it is None."""

    question: str
    label: str | None
    equal: bool = True


def read_condition(text: str) -> Condition:
    """Read "QUESTION=LABEL", "QUESTION!=LABEL" or "QUESTION".

    Raises:
        InputError: It is none of these.
    """
    name, sign, label = text.partition("=")
    equal = not name.endswith("!")
    question = name.removesuffix("!").strip() if sign else text.strip()
    if not question or (sign and not label.strip()):
        raise InputError(
            "A condition cannot be read.",
            expected='"QUESTION=LABEL", "QUESTION!=LABEL" or "QUESTION"',
            got=repr(text),
            hint='--where "clothing type=dress"',
        )
    return Condition(question, label.strip() if sign else None, equal)


def meeting(catalog: Catalog, where: Sequence[str], *, state: str = "", glob: str = "") -> list[str] | None:
    """Return the images that meet all conditions, in order of adding; None where there is no condition.

    Args:
        catalog: An open catalog.
        where: Conditions on annotations; see `read_condition`.
        state: Only answers in this state count: "reviewed", "accepted" or "proposed"; "" for any. Without a
            condition, an answer to any question does.
        glob: Pattern of the whole path or of the file name; "" for any.

    Raises:
        InputError: A condition cannot be read.
        UnknownName: There is no such question, label or state.
    """
    if state and state not in STATES:
        raise UnknownName("state", state, STATES)
    conditions = [read_condition(text) for text in where]
    if not conditions and not state and not glob:
        return None
    ids = catalog.images.ids()
    kept = set(ids)
    for condition in conditions:
        kept &= _answered(catalog, condition, state, ids)
    if state and not conditions:
        questions = catalog.annotations.questions()
        kept &= {one.image for name in questions for one in catalog.annotations.current(name, state=state)}  # type: ignore[arg-type]
    if glob:
        kept = {id for id, name in catalog.images.names(kept).items() if _matches(name, glob)}
    return [id for id in ids if id in kept]


def _answered(catalog: Catalog, condition: Condition, state: str, ids: Sequence[str]) -> set[str]:
    known = catalog.annotations.questions()
    if condition.question not in known:
        raise UnknownName(
            "question", condition.question, known, hint="" if known else "nothing was asked here yet: lucida label"
        )
    answers = catalog.annotations.current(condition.question, state=state or None)  # type: ignore[arg-type]
    labels: dict[str, set[str]] = {}
    for one in answers:
        labels.setdefault(one.image, set()).update([one.label] if one.label else [])
    for image, label in catalog.annotations.objects(condition.question, state=state or None):  # type: ignore[arg-type]
        labels.setdefault(image, set()).add(label)
    if condition.label is None:
        return set(labels)
    every = {label for found in labels.values() for label in found}
    if condition.label not in every:
        raise UnknownName(f"answer to {condition.question!r}", condition.label, sorted(every))
    have = {image for image, found in labels.items() if condition.label in found}
    return have if condition.equal else set(ids) - have


def _matches(name: str, glob: str) -> bool:
    return fnmatchcase(name, glob) or fnmatchcase(PurePosixPath(name).name, glob)
