"""Which training images a photo resembles most, by what the model itself has learned; without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.data.division import training_part
from lucida.errors import ImageError, InputError
from lucida.evaluate.choice import training_images
from lucida.models.threads import available_cores
from lucida.progress import track
from lucida.runs.local import map_batches
from lucida.runs.vectors import BATCH, worker
from lucida.whole import whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.data import Samples
    from lucida.models.spec import Model, Spec

FILE: Final = "nearest.npz"


@dataclass(frozen=True)
class Near:
    """A training image that a photo resembles.

    Attributes:
        name: Of the image.
        label: Its class.
        likeness: Cosine of the two vectors, -1 to 1.
    """

    name: str
    label: str
    likeness: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"image": self.name, "label": self.label, "likeness": round(self.likeness, 4)}


@dataclass(frozen=True, eq=False)
class Index:
    """The training images of a run.

    Attributes:
        key: Of the model whose vectors these are.
        names: Of the images.
        labels: Their classes; several are separated by commas.
        vectors: float16 (n, d), of length 1.
    """

    key: str
    names: NDArray[np.str_]
    labels: NDArray[np.str_]
    vectors: NDArray[np.float16]

    def nearest(self, vector: NDArray[np.float32], most: int = 5) -> tuple[Near, ...]:
        """Return the images that are most like a vector (d,), the likest first."""
        likeness = self.vectors.astype(np.float32) @ unit(vector[None])[0]
        order = np.argsort(-likeness, kind="stable")[:most]
        return tuple(Near(str(self.names[i]), str(self.labels[i]), float(likeness[i])) for i in order)


def index_of(folder: Path, spec: Spec, model: Model, task: str, catalog: Catalog | None) -> Index:
    """Return the index of the training images of a run, made and kept in its folder on first use.

    Args:
        folder: Of the run.
        spec: Its model.
        model: The same, running.
        task: What it was trained for.
        catalog: Where the answers are that it was trained on; None where there is no catalog.

    Raises:
        InputError: The images are not to be had any more.
        ModelError: The model gives no vectors.
    """
    path = folder / FILE
    if (kept := _read(path)) is not None and kept.key == spec.key:
        return kept
    made = build(spec, model, training_part(training_images(spec, task, catalog)))
    with whole(path) as partial, partial.open("wb") as file:
        np.savez(file, key=np.array(made.key), names=made.names, labels=made.labels, vectors=made.vectors)
    return made


def _read(path: Path) -> Index | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            return Index(str(kept["key"]), kept["names"], kept["labels"], kept["vectors"])
    except (OSError, ValueError, KeyError):
        return None  # made again


def build(spec: Spec, model: Model, samples: Samples) -> Index:
    """Compute the vectors of images; what cannot be read is left out."""

    def reader(names: Sequence[str]) -> Any:
        return lambda name: _bytes(samples, int(name))

    rows: list[int] = []
    parts: list[NDArray[np.float32]] = [np.zeros((0, spec.gives.dimensions), np.float32)]
    work = worker(model, reader)
    with track("Remembering training images", len(samples)) as step:
        every = [str(row) for row in range(len(samples))]
        for found in map_batches(work, every, batch=BATCH, workers=available_cores()):
            rows += [int(name) for name in found.ids]
            parts += [found.vectors] if found.ids else []
            step(len(found.ids) + len(found.failed))
    return Index(
        spec.key,
        np.array([samples[row].name for row in rows], np.str_),
        np.array([", ".join(samples[row].labels) for row in rows], np.str_),
        unit(np.concatenate(parts)).astype(np.float16),
    )


def _bytes(samples: Samples, row: int) -> bytes:
    try:
        return samples[row].read()
    except (InputError, OSError) as error:
        raise ImageError(str(error)) from error


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors (n, d) at length 1; those of length 0 stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
