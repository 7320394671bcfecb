"""What survives of a damaged catalog, found without trusting it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from lucida.errors import CatalogError

TABLES = ("images", "places", "runs", "annotations", "vectors")


def damaged(folder: Path, reason: str) -> CatalogError:
    """Return the error of a damaged catalog: which tables can be read, and what lies beside them.

    Args:
        folder: The catalog.
        reason: What SQLite said.
    """
    file = folder / "catalog.sqlite"
    found, lost = _readable(file)
    beside = [
        f"{name}/ holds {count:,} files"
        for name in ("blobs", "vectors", "runs")
        if (count := sum(1 for p in (folder / name).rglob("*") if p.is_file()))
    ]
    survives = [f"{count:,} {table}" for table, count in found.items()] or ["no table of it"]
    text = f"{reason}; still readable: {', '.join(survives)}"
    if lost:
        text += f"; not readable: {', '.join(lost)}"
    return CatalogError(
        f"The catalog {folder} is damaged.",
        expected="an intact SQLite database",
        got="; ".join([text, *beside]),
        hint=f"your image files are untouched. Copy {folder} away, then try "
        f"`sqlite3 {file.name} .recover | sqlite3 recovered.sqlite`, or move the folder aside and "
        "run `lucida add` again: only labels and answers would be lost",
    )


def _readable(file: Path) -> tuple[dict[str, int], list[str]]:
    """Return how many records each table still gives, and the names of those that give none."""
    found: dict[str, int] = {}
    lost: list[str] = []
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            for table in TABLES:
                try:
                    # Reads whole records: counting alone would pass over a broken page by an index.
                    found[table] = sum(1 for _ in connection.execute(f"SELECT * FROM {table} NOT INDEXED"))
                except sqlite3.Error:
                    lost.append(table)
    except sqlite3.Error:
        return {}, list(TABLES)
    return found, lost
