"""Judge a model that gives one class an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lucida.evaluate.figure import Figure
from lucida.evaluate.judged import Bin, ClassRow, Confusion, Judged, Mistake
from lucida.evaluate.metrics import classification as scores
from lucida.evaluate.metrics.ranking import macro_auroc
from lucida.evaluate.predict import predict_samples
from lucida.evaluate.report.pictures import plain_picture
from lucida.evaluate.resample import Metric
from lucida.evaluate.tasks.labels import check_labels, labelled, missing_note, none_read

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.data import Samples
    from lucida.models.spec import Precision, Spec

    Floats = NDArray[np.float64]
    Labels = NDArray[np.int64]

MOST_MISTAKES = 24


def judge(spec: Spec, samples: Samples, precision: Precision = "fp32") -> Judged:
    """Judge a classifier.

    Raises:
        InputError: The images have labels that the model does not know, or none can be read.
    """
    samples, notes = labelled(samples)
    if "words" not in spec.tasks:
        check_labels((label for sample in samples for label in sample.labels), spec.gives.classes, spec.name)
    said = predict_samples(spec, samples, precision=precision)
    if not len(said.rows):
        raise none_read(said.skipped)
    if said.words:
        notes.append(f"{spec.name} matched the names of the classes as words: it has not learned them from examples.")
    notes += said.notes
    judged = samples.take(said.rows.tolist())
    index = {name: k for k, name in enumerate(said.classes)}
    truth = np.array([index[sample.labels[0]] for sample in judged], np.int64)
    sure = said.probabilities.astype(np.float64)
    found = sure.argmax(axis=1)
    right = found == truth
    return Judged(
        said,
        judged,
        metrics(sure, truth),
        right.astype(np.float64),
        True,
        by_class(found, truth, said.classes),
        confusion(found, truth, said.classes),
        calibration(sure, truth),
        _mistakes(judged, sure, truth, said.classes),
        lambda mistake: plain_picture(judged[mistake.row]),
        (*notes, *missing_note((said.classes[k] for k in np.unique(truth)), said.classes)),
    )


def metrics(sure: Floats, truth: Labels) -> tuple[Metric, ...]:
    """Return the figures of probabilities (n, classes) against the numbers of true classes (n,)."""
    count, images = sure.shape[1], len(truth)
    found, there = sure.argmax(axis=1), scores.one_hot(truth, sure.shape[1])
    return (
        Metric("accuracy", "Accuracy", lambda w: scores.accuracy(found, truth, w), images, found == truth),
        Metric(
            "balanced_accuracy",
            "Balanced accuracy",
            lambda w: scores.balanced_accuracy(found, truth, count, w),
            images,
        ),
        Metric("macro_f1", "F1, mean over classes", lambda w: scores.macro_f1(found, truth, count, w), images),
        Metric(
            "auroc",
            "AUROC, one against the rest",
            lambda w: macro_auroc(sure, there, w),
            images,
            cost=images * count,
        ),
        Metric("log_loss", "Log loss", lambda w: scores.log_loss(sure, truth, w), images, less=True),
        Metric(
            "calibration_error",
            "Calibration error",
            lambda w: scores.expected_calibration_error(sure, truth, w),
            images,
            less=True,
            shifted=True,
        ),
    )


def by_class(found: Labels, truth: Labels, classes: tuple[str, ...]) -> tuple[ClassRow, ...]:
    """Return recall and precision of each class that an image has, the worst recall first."""
    rows = []
    for k in np.unique(truth).tolist():
        there, said = truth == k, found == k
        both = int((there & said).sum())
        precision = Figure.share(both, int(said.sum())) if said.any() else None
        figures = {"Recall": Figure.share(both, int(there.sum())), "Precision": precision}
        rows.append(ClassRow(classes[k], int(there.sum()), figures))
    return tuple(sorted(rows, key=lambda row: row.figures["Recall"].value if row.figures["Recall"] else 0.0))


def confusion(found: Labels, truth: Labels, classes: tuple[str, ...]) -> Confusion:
    """Return what was taken for what, without classes that neither the data nor the answers have."""
    counts = np.bincount(truth * len(classes) + found, minlength=len(classes) ** 2).reshape(len(classes), -1)
    used = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    names = tuple(classes[k] for k in used)
    return Confusion(names, names, counts[np.ix_(used, used)].astype(np.float64), "images")


def calibration(sure: Floats, truth: Labels, bins: int = 10) -> tuple[Bin, ...]:
    """Return how sure against how right, over equal ranges of probability that hold images."""
    top, right = sure.max(axis=1), sure.argmax(axis=1) == truth
    place = scores.bin_of(top, bins)
    return tuple(
        Bin(k / bins, (k + 1) / bins, float(top[here].mean()), Figure.share(int(right[here].sum()), int(here.sum())))
        for k in range(bins)
        if (here := place == k).any()
    )


def _mistakes(samples: Samples, sure: Floats, truth: Labels, classes: tuple[str, ...]) -> tuple[Mistake, ...]:
    found = sure.argmax(axis=1)
    wrong = np.flatnonzero(found != truth)
    worst = wrong[np.argsort(-sure[wrong].max(axis=1), kind="stable")][:MOST_MISTAKES].tolist()
    return tuple(
        Mistake(
            row,
            samples[row].name,
            f"{classes[truth[row]]}, given {sure[row, truth[row]]:.0%}",
            f"{classes[found[row]]} {sure[row, found[row]]:.0%}",
        )
        for row in worst
    )
