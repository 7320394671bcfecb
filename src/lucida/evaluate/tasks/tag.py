"""Judge a model that gives several tags an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lucida.evaluate.judged import ClassRow, Judged, Mistake
from lucida.evaluate.metrics.classification import tag_f1
from lucida.evaluate.metrics.ranking import average_precision, mean_average_precision
from lucida.evaluate.predict import predict_samples
from lucida.evaluate.report.pictures import plain_picture
from lucida.evaluate.resample import Metric
from lucida.evaluate.tasks.classify import MOST_MISTAKES
from lucida.evaluate.tasks.labels import check_labels, labelled, missing_note, none_read

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.data import Samples
    from lucida.models.spec import Precision, Spec

    Floats = NDArray[np.float64]

HALF = 0.5  # a tag is given from this probability upwards


def judge(spec: Spec, samples: Samples, precision: Precision = "fp32") -> Judged:
    """Judge a model that tags.

    Raises:
        InputError: The images have tags that the model does not know, or none can be read.
    """
    samples, notes = labelled(samples)
    check_labels((label for sample in samples for label in sample.labels), spec.gives.classes, spec.name)
    said = predict_samples(spec, samples, precision=precision)
    if not len(said.rows):
        raise none_read(said.skipped)
    judged = samples.take(said.rows.tolist())
    truth = np.array([[name in sample.labels for name in said.classes] for sample in judged], np.float64)
    sure = said.probabilities.astype(np.float64)
    given = (sure >= HALF).astype(np.float64)
    missing = missing_note((said.classes[k] for k in np.flatnonzero(truth.any(axis=0))), said.classes)
    return Judged(
        said,
        judged,
        metrics(sure, truth),
        _f1_of_each(given, truth),
        False,
        by_tag(sure, truth, said.classes),
        mistakes=_mistakes(judged, sure, truth, said.classes),
        draw=lambda mistake: plain_picture(judged[mistake.row]),
        notes=(*notes, f"F1 counts tags with a probability of {HALF:.0%} or more.", *missing),
    )


def metrics(sure: Floats, truth: Floats) -> tuple[Metric, ...]:
    """Return the figures of probabilities (n, tags) against 0 or 1 (n, tags)."""
    images, given = len(truth), (sure >= HALF).astype(np.float64)
    exact = (given == truth).all(axis=1)
    return (
        Metric("map", "mAP", lambda w: mean_average_precision(sure, truth, w), images, cost=sure.size),
        Metric("macro_f1", "F1, mean over tags", lambda w: tag_f1(given, truth, w), images),
        Metric("exact", "All tags right", lambda w: w @ exact / w.sum(axis=1), images, exact),
    )


def by_tag(sure: Floats, truth: Floats, tags: tuple[str, ...]) -> tuple[ClassRow, ...]:
    """Return average precision and F1 of each tag that an image has, the worst first."""
    rows = []
    for k in np.flatnonzero(truth.any(axis=0)).tolist():
        score, there = sure[:, k], truth[:, k]
        given = (score >= HALF).astype(np.float64)
        both = (
            Metric("ap", "", lambda w, s=score, t=there: average_precision(s, t > 0, w), len(there)),  # type: ignore[misc]
            Metric("f1", "", lambda w, g=given, t=there: tag_f1(g[:, None], t[:, None], w), len(there)),  # type: ignore[misc]
        )
        precision, f1 = (metric.figure() for metric in both)
        rows.append(ClassRow(tags[k], int(there.sum()), {"Average precision": precision, "F1": f1}))
    return tuple(sorted(rows, key=lambda row: one.value if (one := row.figures["Average precision"]) else 0.0))


def _f1_of_each(given: Floats, truth: Floats) -> Floats:
    total = given.sum(axis=1) + truth.sum(axis=1)
    return np.where(total > 0, 2 * (given * truth).sum(axis=1) / np.maximum(total, 1), 1.0)


def _mistakes(samples: Samples, sure: Floats, truth: Floats, tags: tuple[str, ...]) -> tuple[Mistake, ...]:
    off = np.abs(truth - sure).max(axis=1)
    rows = [row for row in np.argsort(-off, kind="stable")[:MOST_MISTAKES].tolist() if off[row] > HALF]
    found = []
    for row in rows:
        said = ", ".join(f"{tags[k]} {sure[row, k]:.0%}" for k in np.flatnonzero(sure[row] >= HALF)) or "nothing"
        found.append(Mistake(row, samples[row].name, ", ".join(samples[row].labels) or "nothing", said))
    return tuple(found)
