"""The labeller that sees every image once with an encoder or classifier, and reads labels off its outputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lucida.errors import ImageError
from lucida.label.labeller import Proposal
from lucida.results import Classification
from lucida.runs.vectors import compute, vector_key

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.catalog import Catalog
    from lucida.label.sources import Source
    from lucida.models.spec import Precision, Spec
    from lucida.runs.vectors import Computed

BATCH = 10_000


class VectorLabeller:
    """Labels from the outputs of a model.

    Args:
        spec: The model.
        source: What turns its outputs into labels.
        precision: Arithmetic of the model.
    """

    cost: float | None = None

    def __init__(self, spec: Spec, source: Source, precision: Precision = "auto") -> None:
        self.spec, self.source, self.precision = spec, source, precision
        self.model, self.revision = spec.name, spec.revision
        self.classes = source.classes
        self.key = vector_key(spec, source.output, precision)
        self.engine = ""
        self._skipped: dict[str, str] = {}

    @property
    def accuracy(self) -> tuple[float, float, float] | None:
        return self.source.accuracy

    @property
    def notes(self) -> list[str]:
        return self.source.notes

    def parameters(self) -> dict[str, Any]:
        return {
            **self.source.parameters(),
            "classes": self.source.classes,
            "precision": self.precision,
            "vectors": self.key,
        }

    def check(self, catalog: Catalog, todo: Sequence[str], folder: Path | None) -> None:
        self.source.ready(self.spec)
        asked = hashlib.sha256(json.dumps(self.parameters(), sort_keys=True).encode()).hexdigest()[:12]
        computed = compute(
            catalog,
            self.spec,
            output=self.source.output,
            precision=self.precision,
            decide=self.source.decide,
            about=asked,
        )
        if computed.skipped and len(computed.skipped) == computed.images:
            raise _unreadable(catalog, computed)
        self._skipped, self.engine = computed.skipped, computed.engine

    def learn(self, catalog: Catalog, folder: Path) -> None:
        self.source.learn(catalog, self.spec, self.precision, folder, self.key)

    def taught(self, catalog: Catalog) -> dict[str, str]:
        return self.source.taught(catalog)

    def propose(self, catalog: Catalog, ids: Sequence[str]) -> Iterator[list[Proposal]]:
        if self._skipped:
            yield [Proposal(image, problem=self._skipped[image]) for image in ids if image in self._skipped]
        seen = [image for image in ids if image not in self._skipped]
        for start in range(0, len(seen), BATCH):
            batch = seen[start : start + BATCH]
            probabilities = self.source.predict(catalog.vectors.get(self.key, batch))
            found = Classification.from_probabilities(probabilities, self.classes)
            yield [Proposal(image, label) for image, label in zip(batch, found, strict=True)]


def _unreadable(catalog: Catalog, computed: Computed) -> ImageError:
    image, reason = next(iter(computed.skipped.items()))
    return ImageError(
        f"None of the {computed.images:,} images can be read any more.",
        expected="the files where they were when they were added",
        got=f"{catalog.images.name(image)}: {reason}",
        hint="put the files back, or lucida add FOLDER where they are now",
    )
