"""Where two runs differ, image by image, for a page: reviewed images first, then those on which both are surest."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from lucida.errors import InputError
from lucida.review.compare import compare_runs
from lucida.review.pairing import KINDS, choose_runs, pair_up
from lucida.review.picture import browser_image

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run
    from lucida.review.pairing import Pairing, Words


class Differences:
    """Two runs side by side. Usable from several threads.

    Args:
        catalog: Where they are; nothing is written to it.
        a: One run.
        b: The other, of the same question.
        confidence: Of the verdict, within (0, 1).
        fresh: Leave out every image that was answered before both runs had begun.
    """

    def __init__(self, catalog: Catalog, a: Run, b: Run, *, confidence: float = 0.95, fresh: bool = False) -> None:
        self.catalog, self.a, self.b, self.confidence, self.fresh = catalog, a, b, confidence, fresh
        self._lock = threading.Lock()
        self._pairing: Pairing | None = None
        self._order: dict[str, list[int]] = {}

    def look(self) -> dict[str, Any]:
        """Read the catalog anew and return the comparison as `Compared.to_json`, with counts of each kind.

        Raises:
            InputError: If the runs have no image in common.
        """
        pairing = pair_up(self.catalog, self.a, self.b, fresh=self.fresh)
        order = _ordered(pairing)
        with self._lock:
            self._pairing, self._order = pairing, order
        compared = compare_runs(self.catalog, pairing, confidence=self.confidence, fresh=self.fresh)
        return compared.to_json() | {"counts": {kind: len(rows) for kind, rows in order.items()}}

    def rows(self, kind: str, start: int, count: int) -> list[dict[str, Any]]:
        """Return some of the images on which the two differ, as plain JSON values.

        Args:
            kind: "a" (A alone is right), "b", "neither", "open" (not reviewed), or "" for all, in this order.
            start: How many to pass over.
            count: At most so many.
        """
        if self._pairing is None:
            self.look()
        with self._lock:
            pairing, rows = self._pairing, self._order.get(kind, [])[start : start + count]
        assert pairing is not None
        names = self.catalog.images.names([pairing.ids[i] for i in rows])
        return [_row(pairing, i, names[pairing.ids[i]]) for i in rows]

    def image(self, image: str) -> tuple[bytes, str]:
        """Return the bytes of an image and their media type, as a browser can show them."""
        return browser_image(self.catalog, image)


def differences_of(catalog: Catalog, question: str) -> Differences | None:
    """Return where the two latest label runs of a question differ; None where there are no two to compare."""
    try:
        a, b = choose_runs(catalog, [], question)
    except InputError:
        return None
    return Differences(catalog, a, b)


def _ordered(pairing: Pairing) -> dict[str, list[int]]:
    """Return the rows of each kind, and of all under "": where both are surest comes first, it tells most."""
    found: dict[str, list[int]] = {kind: [] for kind in KINDS}
    sure = np.minimum(np.nan_to_num(pairing.a.scores), np.nan_to_num(pairing.b.scores))
    for i in sorted(pairing.differing, key=lambda i: -sure[i]):
        found[pairing.kind(i)].append(i)
    return {"": [i for kind in KINDS for i in found[kind]], **found}


def _row(pairing: Pairing, i: int, path: str) -> dict[str, Any]:
    image = pairing.ids[i]
    person = pairing.people.get(image)
    return {
        "image": image,
        "url": f"/image/{quote(image, safe='')}",
        "path": path,
        "kind": pairing.kind(i),
        "label": None if person is None else person.label,
        "a": _words(pairing.a, i),
        "b": _words(pairing.b, i),
    }


def _words(words: Words, i: int) -> dict[str, Any]:
    said, score = words.said(i), float(words.scores[i])
    # A reason that was kept from before teaching may argue for another label.
    beside = said.beside(words.labels[i])
    return {
        "label": words.labels[i],
        "score": None if np.isnan(score) else score,
        "reason": beside.get("reason", ""),
        "by": beside.get("by", ""),
        "agree": beside.get("agree"),
        "said": beside.get("said", ""),
    }
