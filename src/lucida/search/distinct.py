"""Show of near-identical results only the best."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.search.result import Hit

AHEAD: Final = 3  # results looked at for each that is wanted


def without_likes(catalog: Catalog, hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Return the hits without those that are near-identical to a better one, as people decided where they did.

    Args:
        catalog: An open catalog.
        hits: Results, the best first.
    """
    from lucida.data.decisions import decisions
    from lucida.data.likeness import see

    read = catalog.images.reader([hit.image for hit in hits])
    seen = see([partial(read, hit.image) for hit in hits], decided=decisions(catalog), about="Comparing the results")
    first = {number: row for row, number in reversed(list(enumerate(seen.groups)))}
    return tuple(hits[row] for row in sorted(first.values()))
