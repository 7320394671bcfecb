"""What the head is taught with: the features of the images, the examples, and the answers given so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import InputError
from lucida.review.cards import Said
from lucida.review.journal import Journal, spoken, standing

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run
    from lucida.models.spec import Spec

# Fewer answers than this do not make a better head than words do.
FIRST_FIT = 10
# Probability given to classes that a proposal by words does not list.
FLOOR = 1e-4
# Ways of labelling whose proposals say something beside the vectors.
SAYING = ("words", "asked", "panel", "cascade")


def label_run(catalog: Catalog, run: Run) -> Run:
    """Return the label run from which a chain of teach runs began."""
    while run.verb != "label" and run.parent:
        run = catalog.runs.get(run.parent)
    return run


def encoder_of(catalog: Catalog, source: Run, label: Run) -> Spec:
    """Return the model whose vectors are taught on: that of the run, or the one named beside models that give none.

    Raises:
        InputError: The run was made with another revision of it.
    """
    from lucida.models.registry import find

    own = str(label.parameters.get("encoder", source.model))
    spec = find(own, catalog.models)
    revision = label.parameters.get("encoder_revision", source.revision if own == source.model else spec.revision)
    if spec.revision != revision:
        raise InputError(
            f"The question {source.question!r} was labelled with another revision of {own!r}.",
            expected=f"labels of revision {spec.revision}, which this program has",
            got=f"labels of revision {revision}",
            hint="lucida label again (people's answers are kept and teach), or lucida review --teach 0",
        )
    return spec if "encode" in spec.tasks else find("embedded", catalog.models)


def taught_images(catalog: Catalog, source: Run) -> set[str]:
    """Return the images whose labels the source run has learned from: they are no part of what it is checked on."""
    rows = spoken(catalog, source.question)
    began = source.started
    return {e.image for e in standing(rows) if e.label and (e.phase == "teach" or e.time < began)}


@dataclass
class Material:
    """Features and labels of one source run.

    Attributes:
        ids: Images that the source run made a proposal for.
        labels, scores, runner_ups: Its proposals.
        said: What the models gave beside them.
        features: (n, d) float32.
        directions: (n, d) float32, the same at unit length around the mean: for distances.
        parts: Slices of the features that the head may choose among.
        classes: The classes of the question.
        row: Row number of each image.
        taught_before: Images that people have answered in other runs of the question.
    """

    ids: list[str]
    labels: list[str]
    scores: np.ndarray
    runner_ups: list[tuple[tuple[str, float], ...]]
    said: list[Said]
    features: np.ndarray
    directions: np.ndarray
    parts: dict[str, slice]
    classes: list[str]
    base_features: np.ndarray
    base_labels: list[str]
    taught_before: int
    by_words: bool
    row: dict[str, int] = field(default_factory=dict)
    _known: list[int] = field(default_factory=list)

    @classmethod
    def gather(cls, catalog: Catalog, source: Run, *, run: str | None) -> Material:
        """Read everything the head needs, embedding what has not been embedded yet.

        Args:
            catalog: Where to read.
            source: The run whose proposals are taught.
            run: The teach run, if it has begun; its own answers are left to its journal.
        """
        from lucida.runs.vectors import embed

        label = label_run(catalog, source)
        by_words = label.parameters.get("mode") in SAYING
        ids, labels, scores, details = catalog.annotations.table(source.id)
        ranked = [tuple((str(n), float(p)) for n, p in d.get("runner_up", ())) for d in details]
        classes = [str(c) for c in label.parameters.get("classes", ())] or sorted(set(labels))

        spec = encoder_of(catalog, source, label)
        key = embed(catalog, spec, ids)
        features = catalog.vectors.get(key, ids)
        parts = dict(spec.gives.parts) or {"vector": slice(0, features.shape[1])}

        row = {image: i for i, image in enumerate(ids)}
        earlier = _earlier_answers(catalog, source, without=run)
        base = [_examples(catalog, label)]
        if earlier:
            base.append((catalog.vectors.get(key, list(earlier)), list(earlier.values())))
        base_features = np.concatenate([f for f, _ in base if len(f)] or [features[:0]])
        base_labels = [name for _, names in base for name in names]
        if by_words:
            # What the words said is one more part: the head learns when to believe it.
            width = features.shape[1]
            parts["words"] = slice(width, width + len(classes))
            said = _said(labels, scores, ranked, classes)
            features = np.concatenate([features, said], axis=1)
            unknown = np.full((len(base_features), len(classes)), np.log(1 / len(classes)), dtype=np.float32)
            base_features = np.concatenate([base_features, unknown], axis=1)
        shares = _agreement(details, classes)
        if shares is not None:
            # How many of several labellers say each class is a score of its own.
            width = features.shape[1]
            parts["agreement"] = slice(width, width + len(classes))
            features = np.concatenate([features, shares], axis=1)
            even = np.full((len(base_features), len(classes)), 1 / len(classes), dtype=np.float32)
            base_features = np.concatenate([base_features, even], axis=1)
        centred = features - features.mean(axis=0) if len(features) else features
        norms = np.linalg.norm(centred, axis=1, keepdims=True)
        return cls(
            ids=ids,
            labels=labels,
            scores=np.asarray(scores, dtype=np.float64),
            runner_ups=ranked,
            said=[Said.of(name, d) for name, d in zip(labels, details, strict=True)],
            features=features,
            directions=(centred / np.maximum(norms, 1e-9)).astype(np.float32),
            parts=parts,
            classes=classes,
            base_features=base_features.astype(np.float32),
            base_labels=base_labels,
            taught_before=len(earlier),
            by_words=by_words,
            row=row,
            _known=[row[image] for image in earlier if image in row],
        )

    def open_rows(self, journal: Journal) -> np.ndarray:
        """Return the rows of the images that have no label of a person yet."""
        answered = [self.row[e.image] for e in journal.entries if e.label is not None]
        mask = np.ones(len(self.ids), dtype=bool)
        mask[answered + self._known] = False
        return np.flatnonzero(mask)

    def training(self, journal: Journal) -> tuple[np.ndarray, list[str]]:
        """Return the features (m, d) and labels of all examples and answers so far."""
        given = [(self.row[e.image], e.label) for e in list(journal.entries) if e.label is not None]
        features = np.concatenate([self.base_features, self.features[[i for i, _ in given]]])
        return features, [*self.base_labels, *(str(name) for _, name in given)]

    def can_fit(self, labels: Sequence[str]) -> bool:
        """Say whether these labels are enough to fit a head that is better than what there is."""
        counts = Counter(labels)
        if len(counts) < 2:
            return False
        return not self.by_words or (len(labels) >= max(FIRST_FIT, 2 * len(self.classes)))


def _earlier_answers(catalog: Catalog, source: Run, *, without: str | None) -> dict[str, str]:
    """Return people's labels of images from all other runs of the question: they teach as well."""
    given = standing(r for r in spoken(catalog, source.question) if r.run != without)
    return {e.image: e.label for e in given if e.label is not None}


def _examples(catalog: Catalog, label: Run) -> tuple[np.ndarray, list[str]]:
    import pyarrow.parquet as pq

    path = catalog.runs.folder(label.id) / "examples.parquet"
    if not path.exists():
        return np.zeros((0, 0), dtype=np.float32), []
    table = pq.read_table(path, columns=["label", "vector"])
    return np.asarray(table["vector"].to_pylist(), dtype=np.float32), table["label"].to_pylist()


def _agreement(details: Sequence[dict[str, Any]], classes: Sequence[str]) -> np.ndarray | None:
    """Return the share of labellers that say each class, (n, C) float32; None where there was only one."""
    if not any("said" in detail for detail in details):
        return None
    column = {name: c for c, name in enumerate(classes)}
    shares = np.zeros((len(details), len(classes)), dtype=np.float32)
    for i, detail in enumerate(details):
        said = [column[one["label"]] for one in detail.get("said", ()) if one.get("label") in column]
        for c in said:
            shares[i, c] += 1 / len(said)
        if not said:
            shares[i] = 1 / len(classes)
    return shares


def _said(
    labels: Sequence[str],
    scores: np.ndarray,
    ranked: Sequence[Sequence[tuple[str, float]]],
    classes: Sequence[str],
) -> np.ndarray:
    """Return log probabilities (n, C) float32 of what a run by words said of each image."""
    column = {name: c for c, name in enumerate(classes)}
    said = np.full((len(labels), len(classes)), FLOOR, dtype=np.float32)
    for i, (label, score, rest) in enumerate(zip(labels, scores, ranked, strict=True)):
        for name, p in ((label, float(score)), *rest):
            if name in column:
                said[i, column[name]] = max(p, FLOOR)
    return np.log(said)
