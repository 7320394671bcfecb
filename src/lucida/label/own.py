"""Labels by the classes that a model was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.label import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.models.spec import Output, Precision, Spec


class OwnSource:
    """The model's own classes: nothing to learn.

    Args:
        spec: A classifier.
    """

    output: Output = "logits"
    accuracy: tuple[float, float, float] | None = None

    def __init__(self, spec: Spec) -> None:
        self.classes = list(spec.gives.classes)
        self.notes = [spec.note] if spec.note else []

    def parameters(self) -> dict[str, Any]:
        return {"mode": "own"}

    def ready(self, spec: Spec) -> None:
        return

    def decide(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.predict(outputs)

    def learn(self, catalog: Catalog, spec: Spec, precision: Precision, folder: Path, key: str) -> None:
        return

    def taught(self, catalog: Catalog) -> dict[str, str]:
        return {}

    def predict(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(kernel.softmax(outputs), np.float32)
