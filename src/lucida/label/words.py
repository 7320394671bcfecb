"""Labels by words: what the classes are called, and a model that matches images to words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import ModelError
from lucida.label import kernel
from lucida.label.vocabulary import NONE, read_vocabulary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.models.spec import Matcher, Output, Precision, Spec


class WordSource:
    """Classes given as words.

    Args:
        spec: The model that matches.
        classes: Comma list, or the path of a YAML file.
        none_of_these: Also propose "none of these".

    Raises:
        InputError: The classes are not clear.
        ModelError: The model cannot match words.
    """

    accuracy: tuple[float, float, float] | None = None

    def __init__(self, spec: Spec, classes: str, *, none_of_these: bool = False) -> None:
        if "words" not in spec.tasks:
            raise ModelError(
                f"The model {spec.name!r} cannot match words.",
                expected="a model with the task 'words'",
                got=f"tasks {', '.join(spec.tasks)}",
                hint="--model embedded, or label by --examples",
            )
        self._vocabulary = read_vocabulary(classes, none_of_these=none_of_these)
        self.classes = [*self._vocabulary.names, *([NONE] if self._vocabulary.none_of_these else [])]
        self.output: Output = spec.gives.words
        self.notes: list[str] = []
        self._matcher: Matcher | None = None

    def parameters(self) -> dict[str, Any]:
        return {"mode": "words", "descriptions": self._vocabulary.descriptions}

    def learn(self, catalog: Catalog, spec: Spec, precision: Precision, folder: Path, key: str) -> None:
        matcher = spec.load(precision).matcher(self._vocabulary.descriptions, none=self._vocabulary.none_of_these)
        self._matcher = matcher
        self.notes = list(matcher.notes)

    def taught(self, catalog: Catalog) -> dict[str, str]:
        return {}

    def predict(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self._matcher is not None, "learn comes first"
        return np.asarray(kernel.softmax(self._matcher.logits(outputs)), np.float32)
