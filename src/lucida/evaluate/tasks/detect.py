"""Judge a model that finds objects."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lucida.data.sample import Boxes
from lucida.errors import InputError
from lucida.evaluate.judged import ClassRow, Confusion, Judged, Mistake
from lucida.evaluate.metrics.detection import OVERLAPS, Detected, detected, match_image, partners
from lucida.evaluate.predict import predict_samples
from lucida.evaluate.report.pictures import boxed_picture
from lucida.evaluate.resample import Metric
from lucida.evaluate.tasks.labels import check_labels, labelled, missing_note, none_read
from lucida.results import Detections

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import NDArray

    from lucida.data import Samples
    from lucida.models.spec import Precision, Spec

    Floats = NDArray[np.float64]
    Truth = tuple[Floats, NDArray[np.int64]]

MISSED, NOTHING = "(missed)", "(nothing there)"
MOST_MISTAKES = 12


def judge(spec: Spec, samples: Samples, precision: Precision = "fp32") -> Judged:
    """Judge a detector.

    Raises:
        InputError: The objects have labels that the model does not know, or none can be judged.
    """
    samples, notes = labelled(samples)
    classes = spec.gives.classes
    check_labels((label for sample in samples for label in sample.labels), classes, spec.name)
    said = predict_samples(spec, samples, precision=precision)
    if not len(said.rows):
        raise none_read(said.skipped)
    judged = samples.take(said.rows.tolist())
    truth = [_truth(sample.target, classes) for sample in judged]
    if not any(len(boxes) for boxes, _ in truth):
        raise InputError("No image has a box.", expected="objects to find", got=f"{len(judged):,} images without")
    matched = detected(said.results, truth, classes)
    sure = best_confidence(matched)
    taken = [one.above(sure) for one in said.results]
    quality = np.array([f1_of(one, there) for one, there in zip(taken, truth, strict=True)])

    def draw(mistake: Mistake) -> PIL.Image.Image:
        boxes, labels = truth[mistake.row]
        names = [classes[k] for k in labels]
        return boxed_picture(judged[mistake.row], (boxes, names), taken[mistake.row])

    present = [name for name, one in zip(classes, matched.matches, strict=True) if one.objects.any()]
    return Judged(
        said,
        judged,
        metrics(matched, taken, truth),
        quality,
        False,
        by_class(matched),
        confusion(taken, truth, classes),
        mistakes=_mistakes(judged, quality, taken, truth),
        draw=draw,
        notes=(
            *notes,
            f"Where boxes are counted one by one (F1, confusion, pictures), those with a confidence of {sure:.2f} or"
            " more are: there F1 is best on these images, which flatters it a little.",
            *missing_note(present, classes),
        ),
    )


def _truth(target: object, classes: tuple[str, ...]) -> Truth:
    if not isinstance(target, Boxes):
        raise InputError("An image has no boxes.", expected="data to detect", got=type(target).__name__)
    return target.xyxy.astype(np.float64), np.array([classes.index(name) for name in target.labels], np.int64)


def metrics(matched: Detected, taken: list[Detections], truth: list[Truth]) -> tuple[Metric, ...]:
    """Return the figures of a detector."""
    images = len(truth)
    boxes = sum(len(one.scores) for one in matched.matches)
    hits = np.array([_hits(one, there) for one, there in zip(taken, truth, strict=True)], np.float64)
    both = np.array([len(one) + len(there[0]) for one, there in zip(taken, truth, strict=True)], np.float64)
    return (
        Metric("map_50", "mAP@50", matched.map_50, images, cost=4 * boxes),
        Metric("map", "mAP@50:95", matched.map, images, cost=40 * boxes),
        Metric("f1", "F1 at an overlap of 0.5", lambda w: 2 * (w @ hits) / np.maximum(w @ both, 1), images),
    )


def by_class(matched: Detected) -> tuple[ClassRow, ...]:
    """Return AP@50 and AP@50:95 of each class that occurs, the worst first."""
    rows = []
    for name, one in zip(matched.classes, matched.matches, strict=True):
        if not one.objects.any():
            continue
        alone, images, boxes = Detected((name,), (one,)), len(one.objects), len(one.scores)
        narrow = Metric("ap_50", "", alone.map_50, images, cost=4 * boxes)
        wide = Metric("ap", "", alone.map, images, cost=40 * boxes)
        figures = {"AP@50": narrow.figure(), "AP@50:95": wide.figure()}
        rows.append(ClassRow(name, int(one.objects.sum()), figures))
    return tuple(sorted(rows, key=lambda row: figure.value if (figure := row.figures["AP@50"]) else 0.0))


def best_confidence(matched: Detected) -> float:
    """Return the confidence from which F1, over all classes and at an overlap of 0.5, is largest."""
    scores = np.concatenate([one.scores for one in matched.matches])
    if not len(scores):
        return 0.5
    hits = np.concatenate([one.hits[0] for one in matched.matches])
    total = sum(one.objects.sum() for one in matched.matches)
    order = np.argsort(-scores, kind="stable")
    f1 = 2 * np.cumsum(hits[order]) / (np.arange(1, len(order) + 1) + total)
    return float(scores[order][f1.argmax()])


def _hits(found: Detections, truth: Truth) -> int:
    boxes, labels = truth
    half = OVERLAPS[:1]
    return sum(
        int(match_image(found.xyxy[found.class_id == k], boxes[labels == k], half).sum()) for k in np.unique(labels)
    )


def f1_of(found: Detections, truth: Truth) -> float:
    """Return F1 of the boxes of one image at an overlap of 0.5; 1 where there is nothing and nothing is found."""
    total = len(found) + len(truth[0])
    return 2 * _hits(found, truth) / total if total else 1.0


def confusion(taken: list[Detections], truth: list[Truth], classes: tuple[str, ...]) -> Confusion:
    """Return what was taken for what: a box has found the object that it overlaps most, of whatever class."""
    counts = np.zeros((len(classes) + 1, len(classes) + 1))
    for found, (boxes, labels) in zip(taken, truth, strict=True):
        pairs = partners(found.xyxy.astype(np.float64), boxes, OVERLAPS[:1])[0]
        for box, there in enumerate(pairs.tolist()):
            counts[labels[there] if there >= 0 else -1, found.class_id[box]] += 1
        for lost in set(range(len(labels))) - set(pairs.tolist()):
            counts[labels[lost], -1] += 1
    return Confusion((*classes, NOTHING), (*classes, MISSED), counts, "objects")


def _mistakes(samples: Samples, quality: Floats, taken: list[Detections], truth: list[Truth]) -> tuple[Mistake, ...]:
    worst = [row for row in np.argsort(quality, kind="stable")[:MOST_MISTAKES].tolist() if quality[row] < 1]
    say = partial(_say, samples, quality, taken, truth)
    return tuple(say(row) for row in worst)


def _say(samples: Samples, quality: Floats, taken: list[Detections], truth: list[Truth], row: int) -> Mistake:
    hits = _hits(taken[row], truth[row])
    there, found = len(truth[row][0]), len(taken[row])
    return Mistake(row, samples[row].name, f"{there} objects", f"{found} boxes, {hits} right, F1 {quality[row]:.2f}")
