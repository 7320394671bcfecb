"""The splits of an export: who looks like whom is read from the catalog, and each group goes to one split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lucida.data import splits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.export.selection import Row


def divide(
    catalog: Catalog, question: str, rows: list[Row], shares: Sequence[splits.Share], seed: int
) -> tuple[list[Row], int]:
    """Return the rows with their splits, and how many have a near-identical one beside them."""
    found, together = spread(catalog, question, {row.image: row.label for row in rows}, shares, seed)
    return [replace(row, split=found[row.image]) for row in rows], together


def spread(
    catalog: Catalog, question: str, labels: Mapping[str, str], shares: Sequence[splits.Share], seed: int
) -> tuple[dict[str, str], int]:
    """Return the split of each image, and how many have a near-identical one beside them.

    Args:
        catalog: Where the images are.
        question: The question they answer.
        labels: The class of each image, which is spread over the splits in proportion.
        shares: The splits.
        seed: Another one gives another division.
    """
    from lucida.data.decisions import decisions
    from lucida.data.likeness import see

    ids = list(labels)
    read = catalog.images.reader(ids)
    readers, vectors = [partial(read, image) for image in ids], _vectors(catalog, question, ids)
    groups = see(readers, vectors=vectors, decided=decisions(catalog)).groups
    found = splits.assign(ids, list(labels.values()), groups, shares, seed=seed)
    sizes = Counter(groups)
    together = sum(size for size in sizes.values() if size > 1)
    return dict(zip(ids, found, strict=True)), together


def _vectors(catalog: Catalog, question: str, ids: Sequence[str]) -> NDArray[np.float32] | None:
    """Return the embedded encoder's vectors, zeros for images without one; None if there are none.

    How near two vectors of the same picture lie was measured with that encoder. Vectors of others may all lie near
    each other, and then every pair would be a candidate.
    """
    import numpy as np

    from lucida.models.registry import find

    run = catalog.runs.latest(question, "label")
    own = str(run.parameters.get("vectors", "")) if run is not None else ""
    measured = own.startswith("embedded") and not own.partition("@")[2].partition("/")[2]
    key = own if measured else find("embedded").key
    missing = set(catalog.vectors.missing(key, ids))
    there = [row for row, image in enumerate(ids) if image not in missing]
    if not there:
        return None
    found = catalog.vectors.get(key, [ids[row] for row in there])
    if not missing:
        return found
    vectors = np.zeros((len(ids), found.shape[1]), np.float32)
    vectors[there] = found
    return vectors
