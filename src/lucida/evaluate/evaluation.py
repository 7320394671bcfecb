"""How good a model is on some images: figures with intervals, parts, and who of two is better."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import InputError
from lucida.evaluate.against import Against, compare_answers
from lucida.evaluate.predict import task_of
from lucida.evaluate.slices import Slice, slices_of
from lucida.evaluate.spacing import spacing_notes
from lucida.evaluate.tasks import judge_of

if TYPE_CHECKING:
    from lucida.data import Samples
    from lucida.evaluate.figure import Figure
    from lucida.evaluate.judged import ClassRow, Confusion, Judged, Mistake
    from lucida.models.spec import Precision, Spec


@dataclass(frozen=True)
class Evaluation:
    """What came of evaluating a model.

    Attributes:
        model: Its name.
        task: What it was judged at.
        data: Where the images come from.
        images: By how many it was judged.
        skipped: How many could not be read.
        figures: By name, the leading one first.
        classes: Each class by itself, the worst first.
        slices: The leading figure on parts of the images.
        confusion: What was taken for what; None where that means nothing.
        mistakes: The worst, first.
        notes: What a person should know, a sentence each.
        against: How it compares with another model; None where there was none.
        report: Where the report was written; "" where none was.
    """

    model: str
    task: str
    data: str
    images: int
    skipped: int
    figures: dict[str, Figure]
    classes: tuple[ClassRow, ...]
    slices: tuple[Slice, ...]
    confusion: Confusion | None
    mistakes: tuple[Mistake, ...]
    notes: tuple[str, ...]
    titles: dict[str, str]
    against: Against | None = None
    report: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "model": self.model,
            "task": self.task,
            "data": self.data,
            "images": self.images,
            "skipped": self.skipped,
            "figures": {name: figure.to_json() for name, figure in self.figures.items()},
            "classes": [row.to_json() for row in self.classes],
            "slices": [one.to_json() for one in self.slices],
            "confusion": self.confusion.to_json() if self.confusion else None,
            "mistakes": [mistake.to_json() for mistake in self.mistakes],
            "notes": list(self.notes),
            "against": self.against.to_json() if self.against else None,
            "report": self.report,
        }

    def __str__(self) -> str:
        width = max(map(len, self.titles.values()), default=0)
        lines = [f"{self.model}, judged by {self.images:,} images of {self.data}, with 95 % intervals:"]
        lines += [f"  {self.titles[name]:<{width}}  {figure}" for name, figure in self.figures.items()]
        if self.skipped:
            lines.append(f"{self.skipped:,} images could not be read.")
        if self.against:
            lines.append(self.against.sentence)
        lines += [self._worst_class(), self._worst_slice(), *self.notes]
        lines.append(f"Report: {self.report}" if self.report else "-o report.html shows mistakes, confusion and parts.")
        return "\n".join(line for line in lines if line)

    def _worst_class(self) -> str:
        shown = [
            f"{row.name} {figure.value:.2f} of {row.count:,}"
            for row in self.classes[:3]
            for figure in [next(iter(row.figures.values()))]
            if figure
        ]
        return f"Worst classes ({next(iter(self.classes[0].figures))}): {', '.join(shown)}." if shown else ""

    def _worst_slice(self) -> str:
        shown = [one for one in self.slices if one.figure and not one.small]
        if not shown:
            return ""
        worst = min(shown, key=lambda one: one.figure.value if one.figure else 1)
        return f"Worst part of 30 images or more: {worst.key} {worst.value}, {worst.figure} of {worst.images:,}."


def evaluate_model(
    spec: Spec,
    samples: Samples,
    *,
    against: Spec | None = None,
    precision: Precision = "fp32",
    seed: int = 0,
) -> tuple[Evaluation, Judged]:
    """Judge a model by labelled images.

    Args:
        spec: The model; B where it is compared.
        samples: Images that it has not learned from.
        against: Another model of the same task, to be compared on the same images; A.
        precision: Of both models.
        seed: Of the intervals.

    Returns:
        What is said of it, and what the report draws from.

    Raises:
        InputError: The labels are not those of the model, no image can be read, or the models have different tasks.
        ModelError: The model names nothing.
        MissingExtra: It needs a package that is not installed.
    """
    task = task_of(spec)
    if against is not None and task_of(against) != task:
        raise InputError(
            "These models do different things.",
            expected=f"two models that {task}",
            got=f"{spec.name} ({task}) and {against.name} ({task_of(against)})",
        )
    judged = judge_of(task)(spec, samples, precision)
    found = {metric.name: metric.figure(seed=seed) for metric in judged.metrics}
    evaluation = Evaluation(
        model=spec.name,
        task=task,
        data=samples.origin,
        images=len(judged.samples),
        skipped=len(judged.predicted.skipped),
        figures={name: figure for name, figure in found.items() if figure is not None},
        classes=judged.classes,
        slices=slices_of(judged, seed=seed),
        confusion=judged.confusion,
        mistakes=judged.mistakes,
        notes=(*samples.notes, *spacing_notes(spec, judged.samples), *judged.notes),
        titles={metric.name: metric.title for metric in judged.metrics},
    )
    if against is not None:
        other = judge_of(task)(against, samples, precision)
        evaluation = replace(evaluation, against=compare_judged(other, judged))
    return evaluation, judged


def compare_judged(a: Judged, b: Judged) -> Against:
    """Compare two models by the images that both could read.

    Args:
        a: The one.
        b: The other, on the same samples.

    Raises:
        InputError: There are no such images.
    """
    names = ({one.name: row for row, one in enumerate(judged.samples)} for judged in (a, b))
    first, second = names
    both = [name for name in first if name in second]
    one = a.quality[[first[name] for name in both]] if both else np.zeros(0)
    other = b.quality[[second[name] for name in both]] if both else np.zeros(0)
    return compare_answers((a.predicted.model, one), (b.predicted.model, other), exact=a.exact and b.exact)
