"""A catalog of coloured pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lucida.catalog import Catalog, add
from search.colours import write_colours


@pytest.fixture
def coloured(tmp_path: Path) -> Iterator[Catalog]:
    """Sixteen pictures: four shades of red, green, blue and violet, in files named so."""
    write_colours(tmp_path / "pictures")
    add([tmp_path / "pictures"], catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as catalog:
        yield catalog
