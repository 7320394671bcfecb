"""Labels by example: from a folder, or from the answers that are in the catalog."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import InputError
from lucida.label.folder import read_folder
from lucida.label.head import Head
from lucida.models.threads import available_cores
from lucida.progress import track
from lucida.runs.local import map_batches
from lucida.runs.vectors import BATCH, trial, worker
from lucida.whole import whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.label.sources import Decide
    from lucida.models.spec import Output, Precision, Spec


ENOUGH = 10  # examples a class on average, from which those held out tell how new images will fare


class Taught:
    """What both kinds of examples share: a head fitted once, kept with the run."""

    output: Output = "embedding"
    decide: Decide | None = None
    origin = ""

    def __init__(self, labels: dict[str, str]) -> None:
        self.labels = labels
        self.classes = sorted(set(labels.values()))
        self.accuracy: tuple[float, float, float] | None = None
        self.notes: list[str] = []
        self._head: Head | None = None

    def parameters(self) -> dict[str, Any]:
        pairs = "\n".join(f"{image} {label}" for image, label in sorted(self.labels.items()))
        return {
            "mode": "examples",
            "origin": self.origin,
            "examples": len(self.labels),
            "digest": hashlib.sha256(pairs.encode()).hexdigest(),
        }

    def ready(self, spec: Spec) -> None:
        if "encode" not in spec.tasks:
            raise spec.cannot("encode", "learn from examples")

    def learn(self, catalog: Catalog, spec: Spec, precision: Precision, folder: Path, key: str) -> None:
        kept = folder / "head.npz"
        if not kept.exists():
            ids = list(self.labels)
            vectors = self.vectors(catalog, spec, precision, ids, key)
            labels = [self.labels[image] for image in ids]
            # The examples come first: a head beside them says that both are whole.
            write_examples(folder / "examples.parquet", ids, labels, vectors)
            Head.fit(vectors, labels, parts=spec.gives.parts, classes=self.classes).save(kept)
        self._head = Head.load(kept)
        found = self._head.accuracy
        self.accuracy = (found.value, found.low, found.high) if found else None
        if found and found.n < ENOUGH * len(self.classes):
            # 34 % were right held out where 43 % of new photos were.
            self.notes.append("With so few examples a class that is rather low: the one held out is missed.")

    def taught(self, catalog: Catalog) -> dict[str, str]:
        added = set(catalog.images.ids())
        return {image: label for image, label in self.labels.items() if image in added}

    def predict(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self._head is not None, "learn comes first"
        return self._head.predict(outputs)

    def vectors(
        self, catalog: Catalog, spec: Spec, precision: Precision, ids: list[str], key: str
    ) -> NDArray[np.float32]:
        """Return the examples as a model sees them, float32 (n, d), in the order of `ids`.

        Args:
            catalog: The open catalog.
            spec: The model.
            precision: The precision of the run.
            ids: Content ids of the examples; those that cannot be had any more are taken out.
            key: Key of the model's outputs in the catalog.
        """
        raise NotImplementedError


class ExampleSource(Taught):
    """A folder with one sub-folder a class. Its images never enter the catalog.

    Args:
        folder: The folder.

    Raises:
        InputError: It is no folder of examples, or a class has too few.
    """

    origin = "folder"

    def __init__(self, folder: Path) -> None:
        found = read_folder(folder)
        super().__init__(found.labels)
        self._files = found.files
        shown = list(found.refused.items())[:5]
        self.notes = [f"Not an example: {path}: {why}" for path, why in shown]
        if len(found.refused) > len(shown):
            self.notes.append(f"… and {len(found.refused) - len(shown):,} more files.")

    def vectors(
        self, catalog: Catalog, spec: Spec, precision: Precision, ids: list[str], key: str
    ) -> NDArray[np.float32]:
        def read(image: str) -> bytes:
            return self._files[image].read_bytes()

        model = spec.load(precision, trial=trial(spec, ids, lambda _: read))
        work = worker(model, lambda _: read, whole=precision == "fp32")
        with track("Seeing examples", len(ids)) as step:
            parts = []
            for found in map_batches(work, ids, batch=BATCH, workers=available_cores()):
                if found.failed:
                    image, reason = next(iter(found.failed.items()))
                    raise InputError(
                        f"The example {self._files[image]} cannot be read any more.",
                        expected="the file as it was a moment ago",
                        got=reason,
                        hint="run the same command again",
                    )
                parts.append(found.vectors)
                step(len(found.ids))
        return np.concatenate(parts)


class AnswerSource(Taught):
    """Labels that people gave to images of the catalog."""

    origin = "answers"

    @classmethod
    def of(cls, catalog: Catalog, question: str) -> AnswerSource:
        """Return the standing answers of a question.

        Raises:
            InputError: There are none, or all are of one class.
        """
        current = catalog.annotations.current(question, state="reviewed")
        labels = {row.image: row.label for row in current if row.label is not None and not row.disagreement}
        if len(set(labels.values())) >= 2:
            return cls(labels)
        raise InputError(
            "There is nothing to label by.",
            expected="a folder of examples, class words, or answers of at least two classes",
            got=f"no --examples, no --classes, and {len(labels)} answers for the question {question!r}",
            hint="lucida label --examples FOLDER (one sub-folder a class), or "
            'lucida label --classes "cat,dog", or answer some in lucida review first',
        )

    def vectors(
        self, catalog: Catalog, spec: Spec, precision: Precision, ids: list[str], key: str
    ) -> NDArray[np.float32]:
        known = set(ids) - set(catalog.vectors.missing(key, ids))
        gone = [image for image in ids if image not in known]
        for image in gone:
            # Its file is gone, and with it what it could teach.
            del self.labels[image], ids[ids.index(image)]
        return catalog.vectors.get(key, ids)


def write_examples(path: Path, ids: list[str], labels: list[str], vectors: NDArray[np.float32]) -> None:
    """Write the examples of a run: content id, label, vector; review refits the head from them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    flat = pa.array(np.ascontiguousarray(vectors).ravel())
    table = pa.table(
        {
            "id": ids,
            "label": labels,
            "vector": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
        }
    )
    with whole(path) as partial:
        pq.write_table(table, partial)
