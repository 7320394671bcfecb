"""How many images a second the model of a run answers, one at a time, on this machine."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from lucida.catalog import Catalog
    from lucida.models.spec import Model

LEAST, MOST = 5, 200  # images that are timed
SECONDS: Final = 1.5


def inference_speed(catalog: Catalog, run: str) -> dict[str, Any]:
    """Measure the exported model of a finished run.

    Raises:
        ModelError: The run is not finished, or its files are damaged.
    """
    from lucida.models.registry import find

    model = find(run, catalog.models).load()
    return {"images_per_second": timed(_answer(model)), "engine": model.engine}


def timed(answer: Callable[[], object]) -> float:
    """Return how often a second something can be done: the median, after a first time that does not count."""
    answer()
    times: list[float] = []
    began = time.perf_counter()
    while len(times) < LEAST or (len(times) < MOST and time.perf_counter() - began < SECONDS):
        start = time.perf_counter()
        answer()
        times.append(time.perf_counter() - start)
    return 1 / max(median(times), 1e-9)


def _answer(model: Model) -> Callable[[], object]:
    """Return what answers one image, prepared before."""
    from lucida.images import Image

    spec = model.spec
    if set(spec.tasks) & {"detect", "segment", "anomaly"}:
        side = spec.needs.size
        image = Image(np.full((side, side, 3), 127, np.uint8), "RGB")
        return lambda: model.predict([image])
    batch = np.zeros((1, *spec.needs.shape), np.float32)
    return (lambda: model.logits(batch)) if spec.gives.classes else (lambda: model.embed(batch))
