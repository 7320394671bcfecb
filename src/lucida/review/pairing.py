"""Two runs side by side: the images that both labelled, what each said of them, and what people said."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from lucida.errors import InputError, UnknownName

if TYPE_CHECKING:
    import numpy as np

    from lucida.catalog import Catalog, Run
    from lucida.review.cards import Said
    from lucida.review.journal import Entry

Kind = Literal["a", "b", "neither", "open"]
KINDS: tuple[Kind, ...] = ("a", "b", "neither", "open")

# These modes of labelling never look at people's answers.
_BLIND = ("words", "own", "asked", "panel", "cascade")


@dataclass(frozen=True)
class Person:
    """What people say of an image: `label` None where they are unsure or no class fits; `phase` "check" or "teach"."""

    label: str | None
    sure: bool
    phase: str
    time: float


@dataclass(frozen=True)
class Words:
    """What one run said of the images, in the order of `Pairing.ids`."""

    run: Run
    labels: list[str]
    scores: np.ndarray
    details: list[dict[str, Any]]

    def said(self, i: int) -> Said:
        """Return what the model gave beside its label."""
        from lucida.review.cards import Said

        return Said.of(self.labels[i], self.details[i])


@dataclass(frozen=True)
class Pairing:
    """Two runs of one question on the same images.

    Attributes:
        question: What was asked.
        ids: The images that both labelled and that neither learned from.
        a, b: What each said of them.
        people: What people say of them, for those that were reviewed.
        lost: Images left out, since A or B learned from their answers.
        excluded: How many of these A learned from, and B.
    """

    question: str
    ids: list[str]
    a: Words
    b: Words
    people: dict[str, Person]
    lost: frozenset[str]
    excluded: tuple[int, int]

    @cached_property
    def differing(self) -> list[int]:
        """The rows on which the two say different things."""
        pairs = zip(self.a.labels, self.b.labels, strict=True)
        return [i for i, (a, b) in enumerate(pairs) if a != b]

    def kind(self, i: int) -> Kind:
        """Say who is right on a row where the two differ; "open" where nobody has reviewed it."""
        person = self.people.get(self.ids[i])
        if person is None:
            return "open"
        return "a" if person.label == self.a.labels[i] else "b" if person.label == self.b.labels[i] else "neither"

    def values(self) -> dict[str, int]:
        """Return for each reviewed image on which they differ: +1 where B alone is right, -1 where A alone, else 0."""
        score = {"a": -1, "b": 1, "neither": 0}
        return {self.ids[i]: score[kind] for i in self.differing if (kind := self.kind(i)) != "open"}


def pair_up(catalog: Catalog, a: Run, b: Run, *, fresh: bool = False) -> Pairing:
    """Bring two runs together.

    Args:
        catalog: Where they are.
        a: One run.
        b: The other, of the same question.
        fresh: Leave out every image that was answered before both runs had begun.

    Raises:
        InputError: If they have no image in common.
    """
    entries = _answers(catalog, a.question)
    lost = [learned_images(catalog, run, entries, all_before=fresh) for run in (a, b)]
    placed = set(catalog.images.ids())
    tables = [catalog.annotations.table(run.id) for run in (a, b)]
    places = [{image: i for i, image in enumerate(t.ids) if image in placed and t.labels[i]} for t in tables]
    common = [image for image in tables[0].ids if image in places[0] and image in places[1]]
    if not common:
        raise InputError(
            "These two runs have no image in common.",
            expected="two runs that labelled the same images",
            got=f"{len(places[0]):,} images of {a.id} and {len(places[1]):,} of {b.id}",
            hint="repeat lucida label with the model that has not seen the images yet",
        )
    ids = [image for image in common if image not in lost[0] | lost[1]]
    words = []
    for run, table, place in zip((a, b), tables, places, strict=True):
        rows = [place[image] for image in ids]
        labels, details = [table.labels[i] for i in rows], [table.details[i] for i in rows]
        words.append(Words(run, labels, table.scores[rows], details))
    people = {image: _person(given) for image in ids if (given := entries.get(image))}
    # What a run learned from has no proposal of its own as a rule: it is counted all the same.
    either = set(tables[0].ids) | set(tables[1].ids)
    out = [learned & either for learned in lost]
    sizes = len(out[0]), len(out[1])
    return Pairing(a.question, ids, words[0], words[1], people, frozenset(out[0] | out[1]), sizes)


def _answers(catalog: Catalog, question: str) -> dict[str, list[Entry]]:
    from lucida.review.journal import spoken, standing

    found: dict[str, list[Entry]] = {}
    for entry in standing(spoken(catalog, question)):
        found.setdefault(entry.image, []).append(entry)
    return found


def _person(entries: Sequence[Entry]) -> Person:
    from lucida.catalog.fold import Vote, people

    verdict = people([Vote(e.time, e.sequence, e.actor, e.verdict, e.label, 0) for e in entries], None)
    assert verdict is not None, "an image with answers has a verdict"
    phase = "check" if any(e.phase == "check" for e in entries) else "teach"
    return Person(verdict.label, verdict.sure, phase, min(e.time for e in entries))


def learned_images(
    catalog: Catalog, run: Run, entries: dict[str, list[Entry]], *, all_before: bool = False
) -> set[str]:
    """Return the images whose answers a run has learned from: it must not be judged on them.

    A teach run learned from all that was taught, and from every answer given before it began. A label run learned from
    the images it notes as taught, and, if its parameters say {"origin": "answers"} anywhere or its mode is not known
    here, from every answer given before it began.

    Args:
        catalog: Where the run is.
        run: The run.
        entries: The answers of its question that stand, by image.
        all_before: Count every answer given before it began, whatever its parameters say.
    """
    from lucida.review.material import taught_images

    learned = {row.image for row in catalog.annotations.rows(run=run.id, kind="taught")}
    if run.verb == "teach":
        learned |= taught_images(catalog, run)
    if run.verb == "teach" or all_before or _reads_answers(run):
        learned |= {image for image, given in entries.items() if any(e.time < run.started for e in given)}
    return learned


def _reads_answers(run: Run) -> bool:
    parameters = run.parameters
    if any(value == "answers" for value in _origins(parameters)):
        return True
    # A way of labelling that is not known here may have read them.
    mode = parameters.get("mode")
    return bool(mode) and mode not in _BLIND and "origin" not in parameters


def _origins(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from ([value["origin"]] if "origin" in value else [])
        for part in value.values():
            yield from _origins(part)
    elif isinstance(value, list):
        for part in value:
            yield from _origins(part)


# ---- which runs ---------------------------------------------------------------------------------------------------


def choose_runs(catalog: Catalog, names: Sequence[str], question: str | None) -> tuple[Run, Run]:
    """Return the two runs to compare, as asked for or by default.

    Args:
        catalog: Where they are.
        names: Ids of no, one or two runs. With none, the two latest finished label runs that differ in model or in
            instructions; with one, that and the latest label run that differs from it.
        question: The question; by default that of the runs, or of the latest label run.

    Raises:
        InputError: If they cannot be compared, or there are no two.
        UnknownName: If a run or the question is unknown.
    """
    chosen = [_proposing(catalog, name) for name in names]
    if len(chosen) == 2 and chosen[0].id == chosen[1].id:
        raise InputError(
            "A run cannot be compared with itself.",
            expected="two different runs",
            got=f"{chosen[0].id} twice",
            hint="leave the runs out: the two latest are compared",
        )
    asked = {run.question for run in chosen} | ({question} if question is not None else set())
    if len(asked) > 1:
        raise InputError(
            "Only runs of one question can be compared.",
            expected=f"two runs of {question or chosen[0].question!r}",
            got=" and ".join(f"{run.id} of {run.question!r}" for run in chosen),
            hint="lucida compare --question QUESTION takes the two latest of it",
        )
    if len(chosen) == 2:
        return _of_labels(catalog, chosen[0], chosen[1])
    finished = [run for run in catalog.runs.all() if run.verb == "label" and run.finished is not None]
    # What a cleaning found is compared only where it is asked for by name.
    every = [run for run in finished if run.question in asked or run.question not in catalog.runs.cleaning()]
    known = list(dict.fromkeys(run.question for run in reversed(every)))
    wanted = next(iter(asked), known[0] if known else "")
    if known and wanted not in known and not chosen:
        raise UnknownName("question", wanted, known, hint="lucida label --question makes a new one.")
    others = [run for run in reversed(every) if run.question == wanted]
    first = chosen[0] if chosen else next(iter(others), None)
    second = next((run for run in others if first is not None and identity(run) != identity(first)), None)
    if first is None or second is None:
        raise InputError(
            "There are no two runs to compare.",
            expected="two finished label runs of one question that differ in model or in instructions",
            got=f"{len(others)} of {wanted!r}" if wanted else "nothing labelled yet",
            hint="lucida label again with another --model, or with other instructions",
        )
    # The earlier is A, so that B - A says what the change brought.
    return _of_labels(catalog, *((first, second) if chosen else (second, first)))


def _of_labels(catalog: Catalog, a: Run, b: Run) -> tuple[Run, Run]:
    from lucida.review.kinds import unit_of

    units = [unit_of(catalog, run) for run in (a, b)]
    if units != ["labels", "labels"]:
        raise InputError(
            "Only runs that give each image one label can be compared.",
            expected="two runs of labels",
            got=f"{a.id} of {units[0]}, {b.id} of {units[1]}",
            hint="a text or a box is not wrong for being another one: lucida review bounds how many are",
        )
    return a, b


def _proposing(catalog: Catalog, name: str) -> Run:
    run = catalog.runs.get(name)
    if run.verb not in ("label", "teach"):
        raise InputError(
            f"{name} made no labels that could be compared.",
            expected="a run of `lucida label`, or of teaching",
            got=f"a run of {run.verb!r}",
            hint=f"it checked the labels of {run.parent}" if run.parent else "see what `lucida label` printed",
        )
    return run


def identity(run: Run) -> str:
    """Return what makes two runs the same labeller: model and instructions, or else all that decided the labels."""
    told = run.parameters.get("instructions")
    if told is None:
        told = {k: v for k, v in run.parameters.items() if k not in ("again", "precision", "vectors")}
    return json.dumps([run.model, run.revision, told], sort_keys=True)
