"""What labels come from: examples, words, earlier answers, or the model's own classes.

Each source knows the parameters of its run, learns once, and then turns a model's outputs into probabilities.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from lucida.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.models.spec import Output, Precision, Spec


class Source(Protocol):
    """Turns outputs of a model into probabilities of classes.

    Attributes:
        classes: Names of the classes, in the order of the probabilities.
        output: Which of the model's outputs it reads.
        accuracy: Expected share of right labels with its interval, known after `learn`; None where unknown.
        notes: Sentences for people.
    """

    classes: list[str]
    output: Output
    accuracy: tuple[float, float, float] | None
    notes: list[str]

    def parameters(self) -> dict[str, Any]:
        """Return all that decides the outcome, as plain JSON values."""
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


def choose_source(
    catalog: Catalog,
    spec: Spec,
    *,
    question: str,
    examples: Path | None,
    classes: str | None,
    none_of_these: bool,
) -> Source:
    """Return what the arguments ask for.

    Raises:
        InputError: They ask for two things at once, or for nothing, or cannot be used.
    """
    from lucida.label.examples import AnswerSource, ExampleSource
    from lucida.label.own import OwnSource
    from lucida.label.words import WordSource

    if examples is not None and classes is not None:
        raise InputError(
            "Examples and class words cannot be used together.",
            expected="--examples FOLDER or --classes WORDS",
            got="both",
            hint="the names of the example folders are the classes: leave --classes out",
        )
    if none_of_these and classes is None:
        raise InputError(
            '"None of these" needs classes given as words.',
            expected="--classes WORDS --none-of-these",
            got="no --classes",
            hint="by example, add a folder of examples that are none of the others",
        )
    if not catalog.images.count():
        raise InputError(
            "There are no images in this catalog.",
            expected="images to label",
            got=f"an empty catalog at {catalog.path}",
            hint="lucida add FOLDER",
        )
    if examples is not None:
        return ExampleSource(examples)
    if classes is not None:
        return WordSource(spec, classes, none_of_these=none_of_these)
    if spec.tasks == ("classify",):
        return OwnSource(spec)
    return AnswerSource.of(catalog, question)
