"""What the embedded encoder sees in labelled images that are in no catalog."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lucida.models.registry import find
from lucida.models.threads import available_cores
from lucida.progress import track
from lucida.runs.local import map_batches
from lucida.runs.vectors import BATCH, trial, worker

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENCODER = "embedded"


def parts() -> dict[str, slice]:
    """Return the parts of the encoder's vectors, for a head."""
    return dict(find(ENCODER).gives.parts)


def see_vectors(readers: Sequence[Callable[[], bytes]]) -> NDArray[np.float32]:
    """Return a vector for each image, (n, d) float32; zeros for one that cannot be decoded.

    Args:
        readers: What returns the bytes of each image.

    Raises:
        ModelError: The encoder cannot run.
    """
    names = [str(row) for row in range(len(readers))]

    def read(name: str) -> bytes:
        return readers[int(name)]()

    spec = find(ENCODER)
    model = spec.load("auto", trial=trial(spec, names, lambda _: read))
    found = np.zeros((len(readers), spec.gives.dimensions), np.float32)
    work = worker(model, lambda _: read)
    with track("Seeing images", len(names)) as step:
        for batch in map_batches(work, names, batch=BATCH, workers=available_cores()):
            if batch.ids:
                found[[int(name) for name in batch.ids]] = batch.vectors
            step(len(batch.ids) + len(batch.failed))
    return found
