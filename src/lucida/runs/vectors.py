"""Vectors of images: computed once, kept under the model's key, resumed where they stopped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lucida.errors import ImageError
from lucida.images import decode
from lucida.models.registry import find
from lucida.models.spec import Trial
from lucida.models.threads import available_cores
from lucida.progress import track
from lucida.runs.local import map_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.models.spec import Model, Output, Precision, Spec

    Decide = Callable[[NDArray[np.float32]], NDArray[np.float32]]

# The names of one batch to what turns each of them into bytes.
Reader = Callable[[Sequence[str]], Callable[[str], bytes]]
BATCH = 64


@dataclass(frozen=True)
class Computed:
    """What a run computed.

    Attributes:
        key: Key of the vectors in the catalog.
        images: How many images it was about.
        new: How many of them were computed now.
        skipped: Images that could not be read any more: content id to reason.
        engine: What ran the model, "" where nothing was left to do.
    """

    key: str
    images: int
    new: int
    skipped: dict[str, str] = field(default_factory=dict)
    engine: str = ""


@dataclass(frozen=True)
class Batch:
    """Vectors float32 (n, d) of the images that could be read, and why the others could not."""

    ids: list[str]
    vectors: NDArray[np.float32]
    failed: dict[str, str]


def embed(catalog: Catalog, spec: Spec | str, ids: Sequence[str] | None = None) -> str:
    """Make sure that the catalog holds vectors of its images.

    Args:
        catalog: An open catalog.
        spec: The model, or its name.
        ids: Content ids of the images; None for all.

    Returns:
        Key of the vectors, for `catalog.vectors.get`.

    Raises:
        UnknownName: No such model.
        ModelError: The model cannot run, or gives no vectors.
    """
    return compute(catalog, spec, ids).key


def vector_key(spec: Spec, output: Output = "embedding", precision: Precision = "auto") -> str:
    """Return the key under which an output is kept; a precision asked for by name has a key of its own."""
    key = spec.key if output == "embedding" else f"{spec.key}/{output}"
    return key if precision == "auto" else f"{key}:{precision}"


def compute(
    catalog: Catalog,
    spec: Spec | str,
    ids: Sequence[str] | None = None,
    *,
    output: Output = "embedding",
    precision: Precision = "auto",
    decide: Decide | None = None,
    about: str = "",
) -> Computed:
    """Compute what is missing of a model's output, and say what was done.

    An image that cannot be read any more is skipped and reported; it is tried again the next time.

    Args:
        catalog: An open catalog.
        spec: The model, or its name.
        ids: Content ids of the images; None for all.
        output: "embedding", or "logits" of the model's own classes.
        precision: "auto", "fp32", "bf16" or "int8". At "fp32" images are decoded whole; else no larger than they
            are looked at.
        decide: Turns outputs into probabilities, where labels are known already: a fast precision must then give the
            same labels on a sample.
        about: What changes whenever `decide` does.

    Raises:
        UnknownName: No such model.
        ModelError: The model cannot run, or does not give this output.
    """
    spec = find(spec, catalog.models) if isinstance(spec, str) else spec
    key = vector_key(spec, output, precision)
    missing = catalog.vectors.missing(key, ids)
    total = catalog.images.count() if ids is None else len(ids)
    if not missing:
        return Computed(key, total, 0)
    model = spec.load(precision, trial=trial(spec, missing, catalog.images.reader, output, decide, about))
    skipped: dict[str, str] = {}
    work = worker(model, catalog.images.reader, output, whole=precision == "fp32")
    with track("Seeing images", total, done=total - len(missing)) as step:
        for found in map_batches(work, missing, batch=BATCH, workers=available_cores()):
            if found.ids:
                catalog.vectors.add(key, found.ids, found.vectors)
            skipped |= found.failed
            step(len(found.ids) + len(found.failed))
    return Computed(key, total, len(missing) - len(skipped), skipped, model.engine)


def worker(
    model: Model, reader: Reader, output: Output = "embedding", *, whole: bool = False
) -> Callable[[tuple[str, ...]], Batch]:
    """Return a function that reads, decodes, prepares and runs one batch of images.

    Args:
        model: The running model.
        reader: Called once a batch with its names; gives what turns a name into bytes, and raises ImageError
            where it cannot.
        output: "embedding" or "logits".
        whole: Decode images at their full size.
    """
    run = {"embedding": model.embed, "logits": model.logits}[output]

    def work(names: tuple[str, ...]) -> Batch:
        ids: list[str] = []
        failed: dict[str, str] = {}
        read = reader(names)
        prepared = np.empty((len(names), *model.spec.needs.shape), np.float32)
        for name in names:
            try:
                prepared[len(ids)] = prepare(model.spec, read(name), whole=whole)
                ids.append(name)
            except ImageError as error:
                failed[name] = error.what
        vectors = run(prepared[: len(ids)]) if ids else np.empty((0, 0), np.float32)
        return Batch(ids, vectors, failed)

    return work


def prepare(spec: Spec, data: bytes, *, whole: bool = False) -> NDArray[np.float32]:
    """Decode an image no larger than the model needs, or whole, and prepare it.

    Returns:
        float32 (channels, height, width).

    Raises:
        ImageError: The bytes are no image.
    """
    return spec.needs.prepare(decode(data, cover=None if whole else spec.needs.cover, fine=spec.needs.fine))


def trial(
    spec: Spec,
    names: Sequence[str],
    reader: Reader,
    output: Output = "embedding",
    decide: Decide | None = None,
    about: str = "",
) -> Trial:
    """Return what to try a precision on before these images are seen: some of them, from first to last.

    Args:
        spec: The model.
        names: All that are to be seen.
        reader: As of `worker`.
        output: Which output `decide` reads.
        decide: Turns it into probabilities.
        about: What changes whenever `decide` does.
    """

    def images(n: int) -> NDArray[np.float32] | None:
        drawn = [names[i] for i in np.linspace(0, len(names) - 1, min(n, len(names))).astype(int)] if names else []
        read, prepared = reader(drawn), []
        for name in drawn:
            try:
                prepared.append(prepare(spec, read(name)))
            except ImageError:
                continue
        return np.stack(prepared) if prepared else None

    return Trial(images, len(names), output, decide, about)
