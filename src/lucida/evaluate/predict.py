"""What a model says of labelled images, on all cores, without PyTorch where the model needs none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import ImageError, InputError
from lucida.images import decode, probe
from lucida.models.logits import sigmoid, softmax
from lucida.models.threads import available_cores
from lucida.progress import track
from lucida.runs.local import map_batches
from lucida.runs.vectors import BATCH, worker

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.data import Sample, Samples
    from lucida.models.spec import Matcher, Model, Output, Precision, Spec
    from lucida.results import Result

    Reduce = Callable[[Sample, Result], Any]

DENSE: Final = ("detect", "segment", "anomaly")
_DENSE_BATCH: Final = 8


@dataclass(frozen=True, eq=False)
class Predicted:
    """What a model says of some images.

    Attributes:
        model: Its name.
        task: "classify", "tag", "detect", "segment" or "anomaly".
        classes: Names of the columns, or of the numbers in results.
        rows: Which samples could be read, in their order, int64 (n,).
        probabilities: float32 (n, classes); rows sum to 1 but for tags. Empty for boxes, masks and heat maps.
        results: Boxes, masks or heat maps of each, or what they were reduced to; empty for classes and tags.
        sizes: Width and height of each image in pixels, int64 (n, 2).
        skipped: Images that could not be read, and why.
        engine: What ran the model.
        words: Whether the classes were matched as words, not as the model's own.
        notes: What a person should know of these answers, a sentence each.
    """

    model: str
    task: str
    classes: tuple[str, ...]
    rows: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    results: tuple[Any, ...]
    sizes: NDArray[np.int64]
    skipped: dict[str, str] = field(default_factory=dict)
    engine: str = ""
    words: bool = False
    notes: tuple[str, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the likeliest class of each image."""
        return tuple(self.classes[k] for k in self.probabilities.argmax(axis=1)) if len(self.rows) else ()


def task_of(spec: Spec) -> str:
    """Return what a model is judged at: what its images get.

    Raises:
        ModelError: It gives vectors only, or only answers questions.
    """
    for task in (*DENSE, "tag", "classify"):
        if task in spec.tasks:
            return task
    if spec.gives.classes or "words" in spec.tasks:
        return "classify"
    raise spec.cannot("classify", "be judged: it names nothing")


def predict_samples(
    spec: Spec, samples: Samples, *, precision: Precision = "fp32", reduce: Reduce | None = None, what: str = ""
) -> Predicted:
    """Run a model over labelled images; images that cannot be read are skipped.

    Args:
        spec: The model.
        samples: The images; what is known of them is not looked at, but for classes that are matched as words.
        precision: Of the model.
        reduce: For boxes, masks and heat maps: what to keep of each, so that not all masks lie in memory. Called from
            several threads.
        what: Said beside the progress bar.

    Raises:
        ModelError: The model cannot be loaded, or cannot do this.
        MissingExtra: It needs a package that is not installed.
    """
    task, what = task_of(spec), what or f"Asking {spec.name}"
    if task in DENSE:
        return _dense(spec, samples, task, precision, reduce, what)
    classes, matcher, output = _naming(spec, samples)
    reads = _Reads(samples)
    model = spec.load(precision)
    work = worker(model, reads.reader, output, whole=precision == "fp32")
    rows: list[int] = []
    parts: list[NDArray[np.float32]] = [np.zeros((0, len(classes)), np.float32)]
    skipped: dict[str, str] = {}
    with track(what, len(samples)) as step:
        for found in map_batches(work, [str(row) for row in range(len(samples))], batch=BATCH, workers=_workers()):
            rows += [int(name) for name in found.ids]
            if found.ids:
                logits = matcher.logits(found.vectors) if matcher else found.vectors
                parts.append(sigmoid(logits) if task == "tag" else softmax(logits))
            skipped |= {samples[int(name)].name: why for name, why in found.failed.items()}
            step(len(found.ids) + len(found.failed))
    return Predicted(
        spec.name, task, classes, np.array(rows, np.int64), np.concatenate(parts), (), reads.sizes_of(rows), skipped,
        model.engine, matcher is not None, tuple(matcher.notes) if matcher else (),
    )  # fmt: skip


def _workers() -> int:
    return available_cores()


def _naming(spec: Spec, samples: Samples) -> tuple[tuple[str, ...], Matcher | None, Output]:
    """Return the classes, what matches them as words (or None), and which output that reads."""
    own = spec.gives.classes
    named = set(samples.classes) <= set(own)
    if own and (named or "words" not in spec.tasks):
        return own, None, "logits"
    return samples.classes, spec.matcher([[name] for name in samples.classes]), spec.gives.words


class _Reads:
    """Reads the bytes of samples by their row, and keeps the sizes of their images."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._sizes: dict[int, tuple[int, int]] = {}

    def reader(self, names: Sequence[str]) -> Callable[[str], bytes]:
        return lambda name: self.read(int(name))

    def read(self, row: int) -> bytes:
        """Return the bytes of an image.

        Raises:
            ImageError: They are not to be had, or are no image.
        """
        try:
            data = self._samples[row].read()
        except (InputError, OSError) as error:
            raise ImageError(error.what if isinstance(error, InputError) else str(error)) from error
        header = probe(data)
        self._sizes[row] = (header.width, header.height)
        return data

    def sizes_of(self, rows: Sequence[int]) -> NDArray[np.int64]:
        return np.array([self._sizes[row] for row in rows], np.int64).reshape(-1, 2)


def _dense(
    spec: Spec, samples: Samples, task: str, precision: Precision, reduce: Reduce | None, what: str
) -> Predicted:
    reads = _Reads(samples)
    model = spec.load(precision)

    def work(rows: tuple[int, ...]) -> tuple[list[int], list[Any], dict[str, str]]:
        return _see(model, samples, reads, rows, reduce)

    rows: list[int] = []
    results: list[Any] = []
    skipped: dict[str, str] = {}
    with track(what, len(samples)) as step:
        for seen, found, failed in map_batches(work, range(len(samples)), batch=_DENSE_BATCH, workers=_workers()):
            rows += seen
            results += found
            skipped |= failed
            step(len(seen) + len(failed))
    none = np.zeros((len(rows), 0), np.float32)
    return Predicted(
        spec.name, task, spec.gives.classes, np.array(rows, np.int64), none, tuple(results), reads.sizes_of(rows),
        skipped, model.engine,
    )  # fmt: skip


def _see(
    model: Model, samples: Samples, reads: _Reads, rows: tuple[int, ...], reduce: Reduce | None
) -> tuple[list[int], list[Any], dict[str, str]]:
    seen, images, failed = [], [], {}
    for row in rows:
        try:
            image = decode(reads.read(row))
            model.spec.needs.check_image(image)
            images.append(image)
            seen.append(row)
        except ImageError as error:
            failed[samples[row].name] = error.what
    found: list[Any] = list(model.predict(images)) if images else []
    if reduce is not None:
        kept, left = [], []
        for row, result in zip(seen, found, strict=True):
            try:
                kept.append(reduce(samples[row], result))
                left.append(row)
            except ImageError as error:
                failed[samples[row].name] = error.what
        return left, kept, failed
    return seen, found, failed
