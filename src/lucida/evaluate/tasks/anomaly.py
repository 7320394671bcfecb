"""Judge a model that says how odd an image is, and where."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from lucida.data.sample import Mask
from lucida.errors import ImageError, InputError
from lucida.evaluate.judged import ClassRow, Confusion, Judged, Mistake
from lucida.evaluate.metrics.ranking import auroc, average_precision, best_f1, best_threshold
from lucida.evaluate.predict import predict_samples
from lucida.evaluate.report.pictures import heated_picture
from lucida.evaluate.resample import Metric
from lucida.evaluate.tasks.labels import labelled, none_read
from lucida.evaluate.tasks.masks import enlarge
from lucida.images import decode

if TYPE_CHECKING:
    import PIL.Image
    from numpy.typing import NDArray

    from lucida.data import Sample, Samples
    from lucida.models.spec import Model, Precision, Spec

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

# What images without anything odd are called; all else is odd.
NORMAL: Final = ("good", "normal", "free", "ok", "okay", "none", "background", "negative", "0")
LEVELS: Final = 512  # of heat that pixels are told apart by
MOST_MISTAKES = 12


class _Seen(NamedTuple):
    """What is kept of one image: its score, whether it is odd, and pixels by heat: odd and normal, (levels,)."""

    score: float
    odd: bool
    pixels: tuple[Floats, Floats] | None


def judge(spec: Spec, samples: Samples, precision: Precision = "fp32") -> Judged:
    """Judge a model of oddities.

    Raises:
        InputError: All images are odd, or none is.
    """
    samples, notes = labelled(samples)
    said = predict_samples(spec, samples, precision=precision, reduce=_look)
    if not len(said.rows):
        raise none_read(said.skipped)
    judged = samples.take(said.rows.tolist())
    seen: tuple[_Seen, ...] = said.results
    scores = np.array([one.score for one in seen])
    odd = np.array([one.odd for one in seen])
    if odd.all() or not odd.any():
        raise InputError(
            f"{'All' if odd.any() else 'None'} of the images are odd.",
            expected="odd images and normal ones",
            got=", ".join(judged.classes[:8]) or "no classes",
            hint=f"normal images are those of a class named {', '.join(NORMAL[:4])} …, or with an empty mask",
        )
    right = (scores >= 1) == odd
    model = cache(partial(spec.load, precision))
    margin = np.where(odd, 1 - scores, scores - 1)
    return Judged(
        said,
        judged,
        (*metrics(scores, odd), *_pixel_metrics(seen)),
        right.astype(np.float64),
        True,
        by_kind(judged, scores, odd),
        _confusion(scores >= 1, odd),
        mistakes=tuple(
            Mistake(row, judged[row].name, _kind(judged[row]), f"score {scores[row]:.2f} (odd from 1)")
            for row in np.argsort(-margin, kind="stable")[:MOST_MISTAKES].tolist()
            if not right[row]
        ),
        draw=lambda mistake: _draw(model(), judged[mistake.row]),
        notes=(*notes, f"F1 is best at a score of {best_threshold(scores, odd):.3f}; training set the threshold at 1."),
    )


def is_odd(sample: Sample) -> bool:
    """Tell whether an image is odd: by what it is called, else by its mask.

    Names come first: training went by them, and the mask of a faint defect may be empty.
    """
    names = sample.labels
    if isinstance(sample.target, Mask):
        names = (_called(sample),)
        if not names[0]:
            return bool(_odd_pixels(sample.target).any())
    return not any(name.strip().casefold() in NORMAL for name in names)


def _called(sample: Sample) -> str:
    """Return what the image as a whole is called beside its mask; "" where nobody has said."""
    return sample.slices.get("defect") or sample.slices.get("label") or ""


def _odd_pixels(mask: Mask) -> Flags:
    values = decode(mask.read()).pixels
    values = values[..., 0] if values.ndim == 3 else values
    normal = [value for value, name in mask.values.items() if name.casefold() in NORMAL]
    counted = values != mask.ignore if mask.ignore is not None else np.ones(values.shape, bool)
    return np.asarray(~np.isin(values, normal) & counted)


def _look(sample: Sample, result: Any) -> _Seen:
    if not isinstance(sample.target, Mask):
        return _Seen(result.score, is_odd(sample), None)
    odd = _odd_pixels(sample.target)
    heat = enlarge(result.heat, odd.shape)
    # Scores are relative to the threshold; levels are as fine around it as far above it.
    place = np.clip((heat / (1 + np.abs(heat)) * 0.5 + 0.5) * LEVELS, 0, LEVELS - 1).astype(np.int64)
    pixels = tuple(np.bincount(place[kind], minlength=LEVELS).astype(np.float64) for kind in (odd, ~odd))
    return _Seen(result.score, is_odd(sample), (pixels[0], pixels[1]))


def metrics(scores: Floats, odd: Flags) -> tuple[Metric, ...]:
    """Return the figures of scores (n,) against what is odd (n,)."""
    images = len(scores)
    return (
        Metric("image_auroc", "AUROC of images", lambda w: auroc(scores, odd, w), images),
        Metric("best_f1", "F1 at the best threshold", lambda w: best_f1(scores, odd, w), images),
        Metric("average_precision", "Average precision", lambda w: average_precision(scores, odd, w), images),
        Metric(
            "accuracy",
            "Right at the threshold of training",
            lambda w: w @ ((scores >= 1) == odd) / w.sum(axis=1),
            images,
            (scores >= 1) == odd,
        ),
    )


def _pixel_metrics(seen: tuple[_Seen, ...]) -> tuple[Metric, ...]:
    pixels = [one.pixels for one in seen if one.pixels is not None]
    if len(pixels) < len(seen):
        return ()
    odd, normal = (np.stack(kind) for kind in zip(*pixels, strict=True))
    return (Metric("pixel_auroc", "AUROC of pixels", lambda w: auroc_of_counts(w @ odd, w @ normal), len(seen)),)


def auroc_of_counts(odd: Floats, normal: Floats) -> Floats:
    """Return the area under the curve of counts by rising score, both (b, levels)."""
    below = np.cumsum(normal, axis=1) - normal
    pairs = odd.sum(axis=1) * normal.sum(axis=1)
    won = (odd * (below + normal / 2)).sum(axis=1)
    return np.asarray(np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))


def by_kind(samples: Samples, scores: Floats, odd: Flags) -> tuple[ClassRow, ...]:
    """Return how well each kind of oddity is told from the normal images, the worst first."""
    kinds = np.array([_kind(sample) for sample in samples])
    rows = []
    for kind in sorted(set(kinds[odd].tolist())):
        members = (odd & (kinds == kind)) | ~odd
        metric = Metric("auroc", "", lambda w: auroc(scores, odd, w), len(scores))
        rows.append(ClassRow(kind, int((members & odd).sum()), {"AUROC": metric.figure(members)}))
    return tuple(sorted(rows, key=lambda row: figure.value if (figure := row.figures["AUROC"]) else 2.0))


def _kind(sample: Sample) -> str:
    if isinstance(sample.target, Mask):
        return _called(sample) or ("odd" if is_odd(sample) else "normal")
    return ", ".join(sample.labels)


def _confusion(said: Flags, odd: Flags) -> Confusion:
    names = ("normal", "odd")
    counts = np.bincount(odd * 2 + said, minlength=4).reshape(2, 2).astype(np.float64)
    return Confusion(names, names, counts, "images")


def _draw(model: Model, sample: Sample) -> PIL.Image.Image:
    image = decode(sample.read())
    result = model.predict([image])[0]
    try:
        odd = _odd_pixels(sample.target) if isinstance(sample.target, Mask) else None
    except ImageError:
        odd = None
    heat = getattr(result, "heat", np.zeros((1, 1), np.float32))
    return heated_picture(image.rgb8(), enlarge(heat, image.pixels.shape[:2]), odd)
