"""What labels come from: examples, words, earlier answers, or the model's own classes.

Each source knows the parameters of its run, learns once, and then turns a model's outputs into probabilities.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.models.spec import Output, Precision, Spec

    Decide = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class Source(Protocol):
    """Turns outputs of a model into probabilities of classes.

    Attributes:
        classes: Names of the classes, in the order of the probabilities.
        output: Which of the model's outputs it reads.
        decide: Turns outputs into probabilities before anything is learned; None where that cannot be.
        accuracy: Expected share of right labels with its interval, known after `learn`; None where unknown.
        notes: Sentences for people.
    """

    classes: list[str]
    output: Output
    accuracy: tuple[float, float, float] | None
    notes: list[str]

    @property
    def decide(self) -> Decide | None: ...

    def parameters(self) -> dict[str, Any]:
        """Return all that decides the outcome, as plain JSON values."""
        ...

    def ready(self, spec: Spec) -> None:
        """Get ready before any image is seen.

        Raises:
            ModelError: The model cannot do what this source needs.
            InputError: The classes are not what the model can take.
        """
        ...

    def learn(self, catalog: Catalog, spec: Spec, precision: Precision, folder: Path, key: str) -> None:
        """Get ready to predict, once the model's outputs of all images are in the catalog.

        Args:
            catalog: The open catalog.
            spec: The model.
            precision: The precision of the run.
            folder: Folder of the run: what was learned is kept there, so that a run that goes on later
                labels as it did before.
            key: Key of the outputs in the catalog.
        """
        ...

    def taught(self, catalog: Catalog) -> dict[str, str]:
        """Return labels that need no model: content id of an added image to its class."""
        ...

    def predict(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return probabilities float32 (n, classes); rows sum to 1."""
        ...
