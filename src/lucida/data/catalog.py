"""Labelled images from a catalog: what people answered and certificates keep, or what a labeller proposed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from lucida.data.decisions import decisions
from lucida.data.sample import Sample, Samples, Soft
from lucida.errors import InputError, UnknownName

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.catalog.records import State


def read_answers(
    catalog: Catalog, question: str | None = None, *, proposed: bool = False, rest: bool = False
) -> Samples:
    """Return today's answers of a question as labelled images.

    People come first, then what a certificate keeps; see `lucida.catalog.fold`. The state of an answer is one of
    the slices of its image, so an evaluation can be grouped by it.

    Args:
        catalog: An open catalog; the images can be read after it was closed.
        question: The question; None for the latest.
        proposed: Take the proposals of models that nobody looked at as well.
        rest: Take the images without such an answer as well, their target None: for learning without labels.

    Returns:
        The images, in order of adding, without splits; classes in the order in which the label run named them.

    Raises:
        InputError: Nothing was asked in this catalog yet.
        UnknownName: Nobody knows the question.
    """
    name = _question(catalog, question)
    states: tuple[State, ...] = ("reviewed", "accepted", "proposed") if proposed else ("reviewed", "accepted")
    found = {one.image: one for one in catalog.annotations.current(name, state=states)}
    labels = {image: one.label for image, one in found.items() if one.label}
    ids = catalog.images.ids() if rest else list(labels)
    slices = {image: {"state": str(found[image].state)} for image in labels}
    notes = []
    if len(found) > len(labels):
        notes.append(
            f"Images that people called wrong without naming the class: {len(found) - len(labels):,} left out."
        )
    split = [f"{len(labels):,} of {catalog.images.count():,} images have an answer"]
    split += [f"{count:,} {state}" for state in states if (count := sum(o.state == state for o in found.values()))]
    return Samples(
        "classify",
        _order(catalog, name, labels.values()),
        tuple(_samples(catalog, ids, labels, slices)),
        f"the answers to {name!r}",
        (f"{split[0]} ({', '.join(split[1:])})." if split[1:] else f"{split[0]}.", *notes),
        decisions(catalog),
    )


def read_proposals(catalog: Catalog, run: str) -> Samples:
    """Return what a label run proposed, as a teacher's opinions: probabilities where the labeller gave them.

    Args:
        catalog: An open catalog; the images can be read after it was closed.
        run: Id of the run.

    Raises:
        UnknownName: There is no such run.
    """
    known = catalog.runs.get(run)
    ids, labels, scores, details = catalog.annotations.table(run)
    opinions = {}
    for image, label, score, detail in zip(ids, labels, scores.tolist(), details, strict=True):
        if label:
            others = {str(name): float(p) for name, p in detail.get("runner_up", ())}
            # A score that is not a number is that of a labeller without probabilities: all or nothing.
            opinions[image] = Soft({**others, label: score}) if score == score else Soft({label: 1.0})
    every = [name for opinion in opinions.values() for name in opinion.probabilities]
    samples = _samples(catalog, list(opinions), opinions, {})
    classes, origin = _order(catalog, known.question, every), f"the proposals of {run}"
    return Samples("classify", classes, tuple(samples), origin, decided=decisions(catalog))


def read_unlabelled(catalog: Catalog) -> Samples:
    """Return all images of a catalog, whatever was said of them: for learning without labels.

    Args:
        catalog: An open catalog; the images can be read after it was closed.

    Raises:
        InputError: It has no images.
    """
    ids = catalog.images.ids()
    if not ids:
        raise InputError("The catalog has no images.", expected="images to learn from", got="none", hint="lucida add")
    items = tuple(_samples(catalog, ids, {}, {}))
    return Samples("classify", (), items, "all images of the catalog", decided=decisions(catalog))


def _samples(
    catalog: Catalog, ids: list[str], targets: dict[str, str] | dict[str, Soft], slices: dict[str, dict[str, str]]
) -> Iterable[Sample]:
    names, read = catalog.images.names(ids), catalog.images.reader(ids)
    for image in ids:
        yield Sample(names[image], partial(read, image), targets.get(image), "", slices.get(image, {}))


def _question(catalog: Catalog, question: str | None) -> str:
    # What `lucida clean` sends to review is a question about images, not one to learn.
    runs = [run for run in catalog.runs.all() if run.verb == "label" and run.parameters.get("mode") != "clean"]
    known = [run.question for run in runs]
    if not known:
        raise InputError(
            "Nothing has been asked in this catalog yet.",
            expected="answers to learn from",
            got=f"{catalog.images.count():,} images without a label",
            hint="lucida label and lucida review, or --data FOLDER for images that are labelled already",
        )
    if question is not None and question not in known:
        raise UnknownName("question", question, list(dict.fromkeys(reversed(known))))
    return question or known[-1]


def _order(catalog: Catalog, question: str, labels: Iterable[str]) -> tuple[str, ...]:
    """Return the classes that some image has: first those that the label run named, in its order."""
    run = catalog.runs.latest(question, "label")
    named = [str(name) for name in (run.parameters.get("classes") or ())] if run is not None else []
    present = set(labels)
    return (*(name for name in named if name in present), *sorted(present - set(named)))
