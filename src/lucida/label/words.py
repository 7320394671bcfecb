"""Labels by words: what the classes are called, and a model that matches images to words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import InputError
from lucida.label import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.label.vocabulary import Vocabulary
    from lucida.models.spec import Matcher, Output, Precision, Spec


CHECK: Final = (
    'Check the labels in a review, label by --examples, or describe the classes in a YAML file ("name: description").'
)


class WordSource:
    """Classes given as words.

    Args:
        spec: The model that matches.
        vocabulary: The classes.
        templates: Wordings with {} for the class, instead of the model's own.

    Raises:
        InputError: A template has no place for the class.
        ModelError: The model cannot match words.
    """

    accuracy: tuple[float, float, float] | None = None

    def __init__(self, spec: Spec, vocabulary: Vocabulary, *, templates: Sequence[str] = ()) -> None:
        if spec.match is None:
            raise spec.cannot("words", "match words")
        for template in templates:
            if "{}" not in template:
                raise InputError(
                    "A template has no place for the class.",
                    expected="a text with {} in it",
                    got=repr(template),
                    hint='--template "a photo of a {}"',
                )
        self._vocabulary = vocabulary
        self._templates = list(templates)
        self.classes = vocabulary.labels
        self.output: Output = spec.gives.words
        self.notes: list[str] = []
        self._matcher: Matcher | None = None

    def parameters(self) -> dict[str, Any]:
        own = {"templates": self._templates} if self._templates else {}
        return {"mode": "words", "descriptions": self._vocabulary.descriptions, **own}

    def ready(self, spec: Spec) -> None:
        if self._matcher is None:
            words = self._vocabulary
            self._matcher = spec.matcher(words.descriptions, none=words.none_of_these, templates=self._templates)
            self.notes = [*self._matcher.notes, *([CHECK] if self._matcher.notes else [])]

    def decide(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.predict(outputs)

    def learn(self, catalog: Catalog, spec: Spec, precision: Precision, folder: Path, key: str) -> None:
        self.ready(spec)

    def taught(self, catalog: Catalog) -> dict[str, str]:
        return {}

    def predict(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self._matcher is not None, "it must be ready first"
        return np.asarray(kernel.softmax(self._matcher.logits(outputs)), np.float32)
