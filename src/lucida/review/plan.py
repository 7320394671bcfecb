"""What a review is expected to take, before it is made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.review.answers import read_answers
from lucida.review.forecast import Forecast, forecast
from lucida.review.journal import ANSWERS_FILE, seconds_per_answer, spoken, standing
from lucida.review.kinds import unit_of
from lucida.review.material import label_run, taught_images
from lucida.review.source import find_source, population_of
from lucida.review.terms import refuse_too_small

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run
    from lucida.review.objects.terms import ObjectTerms
    from lucida.review.terms import Terms

FIRST = 20  # answers of a file that a quote may look at: what a person would give before deciding


@dataclass(frozen=True)
class Spent:
    """What the labels of one run have cost.

    Attributes:
        model: What proposed them.
        images: Images labelled.
        paid: How many of them were paid for.
        cost: US dollars.
        left: Images of the catalog that the run has not labelled.
        more: US dollars that these would cost, at the same rate.
    """

    model: str
    images: int
    paid: int
    cost: float
    left: int
    more: float

    def __str__(self) -> str:
        said = f"Labels: {self.model}, {self.images:,} images for ${self.cost:.4f}"
        rest = f"; {self.left:,} are left, about ${self.more:.4f} more" if self.left else ""
        return f"{said}{rest}."


def spent_on(catalog: Catalog, label: Run) -> Spent | None:
    """Return what the labels of a run have cost; None where nothing was paid for."""
    details = catalog.annotations.table(label.id).details
    costs = [float(detail["cost"]) for detail in details if detail.get("cost")]
    if not costs:
        return None
    left = len(catalog.runs.missing(label.id))
    return Spent(label.model, len(details), len(costs), sum(costs), left, left * sum(costs) / len(details))


@dataclass(frozen=True)
class Quote:
    """What a review is expected to take and to bring, as ranges (low, middle, high).

    Attributes:
        question: The question.
        forecast: Reviews needed and labels accepted.
        seconds_per_answer: Median time an answer took so far, or a guess before the first ones.
        answers_known: Answers that the forecast knows.
        labels: What the labels have cost, and what the rest would.
        unit: What is reviewed, in the plural.
        images: Images to be looked at for what was missed, if nothing was; None where nobody is asked that.
        few: Said where there are too few for a proof to save answers.
    """

    question: str
    forecast: Forecast
    seconds_per_answer: float
    answers_known: int
    labels: Spent | None = None
    unit: str = "labels"
    images: int | None = None
    few: str = ""

    @property
    def minutes(self) -> tuple[float, float, float]:
        """The reviews in minutes."""
        low, middle, high = (n * self.seconds_per_answer / 60 for n in self.forecast.reviews)
        return low, middle, high

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "question": self.question,
            "answers_known": self.answers_known,
            "seconds_per_answer": round(self.seconds_per_answer, 2),
            "minutes": [round(m, 1) for m in self.minutes],
            **self.forecast.to_json(),
            **({"labels": asdict(self.labels)} if self.labels else {}),
            **({} if self.unit == "labels" else {"unit": self.unit}),
            **({} if self.images is None else {"images": self.images}),
            **({"few": self.few} if self.few else {}),
        }

    def __str__(self) -> str:
        (low, middle, high), (a, b, c) = self.forecast.reviews, self.forecast.accepted
        basis = f"{self.answers_known} answers" if self.answers_known else "the model's own scores alone"
        lines = [
            *([self.few] if self.few else []),
            f"Reviews: {low:,} to {high:,}, {middle:,} in the middle:"
            f" {self.minutes[0]:.0f} to {self.minutes[2]:.0f} minutes at {self.seconds_per_answer:.1f} s an answer.",
            f"Accepted without a look: {a:,} to {c:,} of {self.forecast.total:,} {self.unit}, {b:,} in the middle.",
            *self._looks(),
            f"This is a forecast from {basis}, not a promise.",
        ]
        if not self.answers_known:
            lines.append(f"About {FIRST} answers make it much sharper: lucida review, answer some, stop, ask again.")
        return "\n".join([*lines, *([str(self.labels)] if self.labels else [])])

    def _looks(self) -> list[str]:
        if self.images is None:
            return []
        return [f"Images to look at for what was missed: {self.images:,} if nothing was, more where something was."]


def quote(catalog: Catalog, question: str | None, terms: Terms, answers: Path | None = None) -> Quote:
    """Quote a review: reviews, minutes, labels accepted.

    Args:
        catalog: The catalog.
        question: The question; None for the one labelled last.
        terms: What is to be proven.
        answers: A file whose first answers may be used instead of a person's; none of it is written down.

    Raises:
        InputError: If nothing has been labelled yet.
        PopulationTooSmall: If labelling every image costs less than proving anything.
    """
    source = find_source(catalog, question)
    unit = unit_of(catalog, source)
    taught = taught_images(catalog, source) if unit == "labels" else set()
    population = population_of(catalog, source, without=taught)
    refuse_too_small(len(population), len(taught), terms, unit)
    entries = standing(spoken(catalog, source.question))
    labels = {e.image: e.label for e in entries}
    row = {image: i for i, image in enumerate(population.ids)}
    if answers is not None:
        given = read_answers(answers, catalog)
        order = np.argsort(-population.scores, kind="stable")
        for i in order[np.linspace(0, len(order) - 1, FIRST).astype(int)]:
            image = population.ids[i]
            labels.setdefault(image, given.get(image))
    known = [(row[image], label == population.predicted[row[image]]) for image, label in labels.items() if image in row]
    return Quote(
        question=source.question,
        forecast=forecast(
            population.scores,
            max_error=terms.max_error,
            confidence=terms.confidence,
            worth=terms.worth,
            max_reviews=terms.max_reviews,
            answers=known,
        ),
        seconds_per_answer=seconds_per_answer([e.time for e in entries if not e.reused and e.actor != ANSWERS_FILE]),
        answers_known=len(known),
        labels=spent_on(catalog, label_run(catalog, source)),
        unit=unit,
    )


def quote_objects(catalog: Catalog, question: str | None, terms: ObjectTerms) -> Quote:
    """Quote a review of boxes or masks: answers on single ones, and images to look at.

    Args:
        catalog: The catalog.
        question: The question; None for the one labelled last.
        terms: What is to be proven.

    Raises:
        InputError: If nothing has been labelled yet, or the run found no object.
    """
    from lucida.review.objects.claim import SHARES
    from lucida.review.objects.journal import FOUND, history
    from lucida.review.objects.journal import standing as standing_objects
    from lucida.review.objects.missed import looks_needed
    from lucida.review.objects.units import gather

    source = find_source(catalog, question)
    units, images = gather(catalog, source)
    row = {(unit.image, unit.item): i for i, unit in enumerate(units)}
    reviews = {run.id for run in catalog.runs.all(question=source.question) if run.parent == source.id}
    rows = [one for one in spoken(catalog, source.question) if one.run in reviews]
    entries = [e for e in standing_objects(history(rows)) if e.phase == FOUND]
    known = [(row[e.image, e.item], e.verdict == "right") for e in entries if (e.image, e.item) in row]
    level, total = 1 - terms.confidence, len(units)
    if terms.needed(total):  # all of them are asked, whatever comes of it
        guess = Forecast((total, total, total), (0, 0, 0), total, 0)
    else:
        guess = forecast(
            [unit.score for unit in units],
            max_error=terms.max_error,
            confidence=1 - SHARES["found"] * level,
            worth=terms.worth,
            max_reviews=terms.max_reviews,
            answers=known,
        )
    return Quote(
        question=source.question,
        forecast=guess,
        seconds_per_answer=seconds_per_answer([e.time for e in entries if not e.reused and e.actor != ANSWERS_FILE]),
        answers_known=len(known),
        labels=spent_on(catalog, label_run(catalog, source)),
        few=terms.too_few(len(units), unit_of(catalog, source)),
        unit=unit_of(catalog, source),
        images=looks_needed(terms.max_missed, SHARES["missed"] * level, len(images)),
    )
