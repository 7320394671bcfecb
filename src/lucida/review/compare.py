"""Which of two runs labels better, from the images that people have reviewed.

What is said, and when it holds:

* The difference of accuracies, B - A, is that over all images which both labelled and neither learned from. It holds
  with the confidence asked for, whenever and however often one looks, and while people go on answering.
* It rests on images that a check drew at random (`lucida.review.drawn`). Images that were taught were chosen: they are
  known, and say nothing of the others. Without a check the interval is what is certain, and the counts are those of
  the compared images only, not of the whole set.
* A run is not judged on answers that it learned from: these images are left out, and counted.
* A person who wrote instructions with the answers in view has learned from them as well, which no program can see.
  `fresh` leaves out every image that was answered before both runs had begun.
* "Right" means right in the reviewer's judgement. People saw a proposal when they answered, and one key accepts it:
  answers lean towards the run that was reviewed.
* One comparison is right with the confidence given; the best of many comparisons is not.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from lucida.review.claim import percent

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.evidence.paired import Comparison, Pairs
    from lucida.review.pairing import Pairing, Words

CERTAIN = 1e12  # evidence above this is not told apart, and stands for certainty: JSON knows no infinity
MOST = 12  # kinds of difference that are listed


class Differing(NamedTuple):
    """Count `images` that people call `label` (None: unsure, or no class fits), A called `a`, and B called `b`."""

    label: str | None
    a: str
    b: str
    images: int


@dataclass(frozen=True)
class Labeller:
    """What one run is.

    Attributes:
        run: Its id.
        verb: "label" or "teach".
        model: Name of the model.
        revision: Its revision.
        instructions: {"name", "version", "digest"} of what it was told; None where it was told nothing.
        mode: How it labels ("words", "examples", …); "" where the run does not say.
        cost: US dollars; None where it is not known.
        right: How many of the reviewed images it has right.
        excluded: Images left out since it learned from their answers.
    """

    run: str
    verb: str
    model: str
    revision: str
    instructions: dict[str, Any] | None
    mode: str
    cost: float | None
    right: int
    excluded: int

    def __str__(self) -> str:
        told = self.instructions or {}
        parts = [self.model or self.verb]
        if told:
            version = f" version {told['version']}" if told.get("version") else ""
            parts.append(f"instructions {told.get('name', '')!r}{version}")
        elif self.verb == "teach":
            parts.append("taught")
        elif self.mode:
            parts.append(f"by {self.mode}")
        if self.cost is not None:
            parts.append(f"${self.cost:,.2f}")
        return f"{', '.join(parts)} ({self.run})"


@dataclass(frozen=True)
class Compared:
    """What came of comparing two runs.

    Attributes:
        question: What was asked.
        a, b: The two runs.
        images: How many both labelled and neither learned from.
        differ: On how many of these they say different things.
        open: How many of those nobody has reviewed.
        checked, taught: Reviewed images that a check asked, and that only teaching asked.
        unsure: Reviewed images for which people name no class.
        drawn: Images on which they differ and that a check drew at random: the whole evidence on the others.
        pairs: How the two fared on the reviewed images.
        found: The difference of accuracies over all `images`, the evidence, and the verdict.
        differing: Where they differ most among the reviewed images, the most frequent first.
        early: Reviewed images that were answered before the later run began.
        simulation: Whether an order was drawn from a given seed, so that nothing is proven.
        excluded: Images left out, since one of the two learned from their answers.
        b_is_later: Whether B began after A.
    """

    question: str
    a: Labeller
    b: Labeller
    images: int
    differ: int
    open: int
    checked: int
    taught: int
    unsure: int
    drawn: int
    pairs: Pairs
    found: Comparison
    differing: tuple[Differing, ...]
    early: int
    simulation: bool
    excluded: int
    b_is_later: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what a person must know to read the figures, a sentence each."""
        found = []
        if self.excluded:
            found.append(
                f"{self.excluded:,} images are left out: a run that learned from their answers is not judged on them."
            )
        if not self.checked and self.pairs.total:
            found.append(
                "All answers are from teaching, which chooses its images: the counts are of these images only, not of "
                "the whole set. Check some to learn about the others."
            )
        elif self.taught:
            found.append(
                f"{self.taught:,} of the answers are from teaching, which chooses its images: they count as known, and "
                "say nothing of the others."
            )
        if self.early:
            found.append(
                f"{self.early:,} of the answers are older than {self.b.run if self.b_is_later else self.a.run}: if its "
                "instructions were written with them in view, they flatter it. --fresh leaves them out."
            )
        if self.pairs.total:
            found.append("People saw a proposal when they answered: that leans towards the run that was reviewed.")
        if self.simulation:
            found.append("Simulation: a check had a given seed, so this proves nothing.")
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        found = self.found
        return {
            "question": self.question,
            "a": self.a.__dict__,
            "b": self.b.__dict__,
            "images": self.images,
            "differ": self.differ,
            "open": self.open,
            "reviewed": {
                "images": self.pairs.total,
                "checked": self.checked,
                "taught": self.taught,
                "unsure": self.unsure,
                "drawn": self.drawn,
            },
            "excluded": self.excluded,
            "early": self.early,
            "pairs": self.pairs.to_json(),
            "difference": {"low": found.low, "high": found.high, "confidence": found.confidence},
            "evidence": {"a": min(found.for_a, CERTAIN), "b": min(found.for_b, CERTAIN)},
            "verdict": found.verdict,
            "differing": [one._asdict() for one in self.differing],
            "simulation": self.simulation,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        pairs, lines = self.pairs, [f"A  {self.a}", f"B  {self.b}"]
        share = f" ({percent(round(self.differ / self.images, 3))})" if self.images else ""
        lines.append(f"Both labelled {self.images:,} images and differ on {self.differ:,} of them{share}.")
        if pairs.total:
            lines.append(
                f"Of {pairs.total:,} reviewed images A has {self.a.right:,} right ({_share(self.a.right, pairs.total)})"
                f" and B {self.b.right:,} ({_share(self.b.right, pairs.total)}): A alone {pairs.only_a:,}, B alone "
                f"{pairs.only_b:,}, both {pairs.both:,}, neither {pairs.neither:,}."
            )
        lines += ["", self._verdict()]
        if self.differing:
            lines += ["", "Where they differ most (yours: A said, B said):"]
            for label, a, b, images in self.differing:
                lines.append(f"  {images:>5,}  {label if label is not None else '(unsure or none)'}: {a}, {b}")
        lines += ["", *self.notes, self._next()]
        return "\n".join(lines)

    def _verdict(self) -> str:
        low, high = (_points(value) for value in (self.found.low, self.found.high))
        between = (
            f"over all {self.images:,} images B - A lies between {low} and {high} points, with "
            f"{percent(self.found.confidence)} confidence"
        )
        verdict = self.found.verdict
        if verdict == "not known yet":
            return f"Not known yet who is better: {between}."
        return f"{verdict[0]} is better: {between}."

    def _next(self) -> str:
        if self.open:
            return (
                f"Nobody has reviewed {self.open:,} of the images they differ on. Next: "
                f"lucida compare {self.a.run} {self.b.run} --page"
            )
        return f"Every image they differ on is reviewed. Next: lucida review --question {self.question}"


def compare_runs(catalog: Catalog, pairing: Pairing, *, confidence: float = 0.95, fresh: bool = False) -> Compared:
    """Compare two runs by the answers that are in the catalog now.

    Args:
        catalog: Where the checks are.
        pairing: The two runs; see `lucida.review.pairing.pair_up`.
        confidence: Of the interval and of the verdict, within (0, 1).
        fresh: Whether images answered before both runs had begun were left out.

    Raises:
        InputError: If the confidence is out of range.
    """
    from lucida.evidence.paired import compare, tally
    from lucida.review.drawn import past_checks, samples_of, share_of

    ids, people, differing = pairing.ids, pairing.people, pairing.differing
    rows = [i for i, image in enumerate(ids) if image in people]
    right = [[people[ids[i]].label == words.labels[i] for i in rows] for words in (pairing.a, pairing.b)]
    values = pairing.values()
    every = frozenset(ids[i] for i in differing)
    samples, simulation = [], False
    for number, (run, session) in enumerate(past_checks(catalog, pairing.question), 1):
        samples += samples_of(session, values, every, share=share_of(number))
        simulation |= bool(run.parameters["simulation"])
    known, missing = sum(values.values()), len(every) - len(values)
    found = compare(known, missing, max(len(ids), 1), samples, confidence=confidence)
    later = max(pairing.a.run.started, pairing.b.run.started)
    counts = Counter(
        (people[ids[i]].label, pairing.a.labels[i], pairing.b.labels[i]) for i in differing if ids[i] in people
    )
    asked = Counter(people[ids[i]].phase for i in rows)
    return Compared(
        question=pairing.question,
        a=_labeller(pairing.a, sum(right[0]), pairing.excluded[0]),
        b=_labeller(pairing.b, sum(right[1]), pairing.excluded[1]),
        images=len(ids),
        differ=len(differing),
        open=missing,
        checked=asked["check"],
        taught=asked["teach"],
        unsure=sum(people[ids[i]].label is None for i in rows),
        drawn=max((len(sample.values) for sample in samples), default=0),
        pairs=tally(right[0], right[1]),
        found=found,
        differing=tuple(Differing(*names, count) for names, count in counts.most_common(MOST)),
        early=0 if fresh else sum(people[ids[i]].time < later for i in rows),
        simulation=simulation,
        excluded=len(pairing.lost),
        b_is_later=pairing.b.run.started >= pairing.a.run.started,
    )


def _labeller(words: Words, right: int, excluded: int) -> Labeller:
    run = words.run
    told = run.parameters.get("instructions")
    return Labeller(
        run=run.id,
        verb=run.verb,
        model=run.model,
        revision=run.revision,
        instructions=dict(told) if isinstance(told, dict) else None,
        mode=str(run.parameters.get("mode", "")),
        cost=_cost(words.details),
        right=right,
        excluded=excluded,
    )


def _cost(details: list[dict[str, Any]]) -> float | None:
    """Return what proposals have cost, in US dollars; None where nothing says."""
    each = [float(detail["cost"]) for detail in details if detail.get("cost") is not None]
    return round(math.fsum(each), 6) if each else None


def _share(part: int, whole: int) -> str:
    return percent(round(part / whole, 3))


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def refuse_unreviewed(pairing: Pairing) -> None:
    """Refuse to compare runs by answers that nobody gave.

    Raises:
        InputError: If no image that both labelled, and that neither learned from, was reviewed.
    """
    if pairing.people:
        return
    from lucida.errors import InputError

    left = f", {len(pairing.lost):,} left out" if pairing.lost else ""
    raise InputError(
        "Nobody has reviewed an image that tells these two runs apart.",
        expected="answers on images that both labelled, and that neither has learned from",
        got=f"{len(pairing.ids):,} images without an answer{left}",
        hint=f"lucida review --question {pairing.question}, or lucida compare --page to see where they differ",
    )
