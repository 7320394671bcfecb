"""Judge a model that gives every pixel a class."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.evaluate.judged import ClassRow, Confusion, Judged, Mistake
from lucida.evaluate.metrics.segmentation import Pixels, confusion_of, pixels_of
from lucida.evaluate.predict import predict_samples
from lucida.evaluate.report.pictures import masked_picture
from lucida.evaluate.resample import Metric
from lucida.evaluate.tasks.labels import check_labels, labelled, missing_note, none_read
from lucida.evaluate.tasks.masks import named_as, truth_of
from lucida.images import decode
from lucida.results import Segmentation

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import NDArray

    from lucida.data import Sample, Samples
    from lucida.models.spec import Model, Precision, Spec

BACKGROUND = "background"
MOST_MISTAKES = 12


def judge(spec: Spec, samples: Samples, precision: Precision = "fp32") -> Judged:
    """Judge a segmenter.

    Raises:
        InputError: The masks have classes that the model does not know, or none can be read.
    """
    samples, notes = labelled(samples)
    classes = spec.gives.classes
    samples, named = named_as(samples, classes)
    notes += named
    check_labels((label for sample in samples for label in sample.labels), classes, spec.name)

    def count(sample: Sample, result: Any) -> NDArray[np.float64]:
        return confusion_of(truth_of(sample, classes, result.mask.shape), result.mask.astype(np.int64), len(classes))

    said = predict_samples(spec, samples, precision=precision, reduce=count)
    if not len(said.rows):
        raise none_read(said.skipped)
    judged = samples.take(said.rows.tolist())
    background = classes.index(BACKGROUND) if BACKGROUND in classes else None
    pixels = pixels_of(list(said.results), background)
    quality = np.nan_to_num(_objects(pixels), nan=1.0)

    model = cache(partial(spec.load, precision))

    def draw(mistake: Mistake) -> PIL.Image.Image:
        return _draw(model(), judged[mistake.row], classes, background)

    present = [name for k, name in enumerate(classes) if pixels.truth[:, k].any()]
    return Judged(
        said,
        judged,
        metrics(pixels),
        quality,
        False,
        by_class(pixels, classes),
        Confusion(classes, classes, pixels.confusion, "pixels"),
        mistakes=tuple(
            Mistake(
                row,
                judged[row].name,
                _shares(pixels.truth[row], classes, background),
                f"{_shares(pixels.found[row], classes, background)}; IoU {quality[row]:.2f}",
            )
            for row in np.argsort(quality, kind="stable")[:MOST_MISTAKES].tolist()
            if quality[row] < 1
        ),
        draw=draw,
        notes=(*notes, *missing_note(present, classes)),
    )


def metrics(pixels: Pixels) -> tuple[Metric, ...]:
    """Return the figures of a segmenter; those of objects lead where there is a background."""
    images = len(pixels.truth)
    whole = Metric("mean_iou", "Mean IoU, all classes", pixels.mean_iou, images)
    accuracy = Metric("pixel_accuracy", "Pixels right", pixels.accuracy, images)
    if pixels.background is None:
        return whole, accuracy
    alone = _foreground(pixels)
    return (
        Metric("foreground_mean_iou", "Mean IoU without background", pixels.mean_iou_of_objects, images),
        Metric("foreground_iou", "IoU of anything but background", lambda w: alone.iou(w)[:, 1], images),
        whole,
        accuracy,
    )


def _foreground(pixels: Pixels) -> Pixels:
    """Return the same counts of two classes: background, and all that is not."""
    back, total = pixels.background or 0, pixels.truth.sum(axis=1)
    truth, found = total - pixels.truth[:, back], total - pixels.found[:, back]
    right = total - pixels.truth[:, back] - pixels.found[:, back] + pixels.right[:, back]
    return Pixels(
        pixels.confusion,
        np.stack([pixels.right[:, back], right], 1),
        np.stack([total - truth, truth], 1),
        np.stack([total - found, found], 1),
        0,
    )


def _objects(pixels: Pixels) -> NDArray[np.float64]:
    """Return the IoU of each image, of what is not background where there is one."""
    if pixels.background is None:
        return pixels.each()
    alone = _foreground(pixels)
    return Pixels(alone.confusion, alone.right[:, 1:], alone.truth[:, 1:], alone.found[:, 1:]).each()


def by_class(pixels: Pixels, classes: tuple[str, ...]) -> tuple[ClassRow, ...]:
    """Return the IoU of each class, the worst first; counts are of images."""
    rows = []
    for k, name in enumerate(classes):
        metric = Metric("iou", "", lambda w, k=k: pixels.iou(w)[:, k], len(pixels.truth))  # type: ignore[misc]
        rows.append(ClassRow(name, int((pixels.truth[:, k] > 0).sum()), {"IoU": metric.figure()}))
    return tuple(sorted(rows, key=lambda row: figure.value if (figure := row.figures["IoU"]) else 2.0))


def _shares(counts: NDArray[np.float64], classes: tuple[str, ...], background: int | None) -> str:
    shown = [k for k in np.argsort(-counts) if counts[k] and k != background]
    return ", ".join(f"{classes[k]} {counts[k] / counts.sum():.1%}" for k in shown[:3]) or "nothing"


def _draw(model: Model, sample: Sample, classes: tuple[str, ...], background: int | None) -> PIL.Image.Image:
    image = decode(sample.read())
    result = model.predict([image])[0]
    assert isinstance(result, Segmentation), "a segmenter gives nothing else"
    truth = truth_of(sample, classes, result.mask.shape)
    return masked_picture(image.rgb8(), truth, result.mask.astype(np.int64), background)
