"""Full text over what is known of images in words: file names, labels, captions, text that was read.

The index is a file of its own beside the catalog. It holds nothing that the catalog does not: deleted, it is made
again. A search first brings it up to date: questions with new records are read anew, and only what differs is written.

Texts are indexed by trigrams, so that any part of a word is found, and Chinese needs no dictionary; terms of fewer
than three characters are looked for text by text.
"""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

from lucida.catalog.images import Images
from lucida.catalog.schema import images, notes, places, runs
from lucida.catalog.store import BUSY_SECONDS, Store, chunks, translate
from lucida.catalog.terms import Term, fold_text, read_terms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lucida.catalog.annotations import Annotations

FILE: Final = "text.sqlite"
VERSION: Final = 1
NAMES: Final = ""  # the source of file names; labels have their question
MOST: Final = 100_000  # texts that one term is looked up in: what is in more says nothing
LEAST: Final = 0.2  # of a query that a text must have: one common word of many is no answer
EXCERPT: Final = 120  # characters of a text that are shown

_TABLES = """
CREATE TABLE IF NOT EXISTS state (source TEXT PRIMARY KEY, seen TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS texts (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, folded TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS entries (
    image INTEGER NOT NULL, source TEXT NOT NULL, text INTEGER NOT NULL, PRIMARY KEY (source, image)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_by_text ON entries (text);
CREATE VIRTUAL TABLE IF NOT EXISTS trigrams USING fts5(folded, content='texts', content_rowid='id', tokenize='trigram');
"""


@dataclass(frozen=True)
class TextHit:
    """One image whose words answer a query.

    Attributes:
        image: Content id.
        score: Share of the query that is found, 0 to 1; rare words count for more.
        source: Question whose answer says it; "" for the file's name.
        excerpt: The text, cut around what was found.
    """

    image: str
    score: float
    source: str
    excerpt: str


class FullText:
    """The words of a catalog; usable from several threads and processes."""

    def __init__(self, store: Store, file: Path, catalog_images: Images, annotations: Annotations) -> None:
        self._store, self.file = store, file
        self._images, self._annotations = catalog_images, annotations
        self._lock = threading.Lock()

    def search(self, query: str, k: int = 1000, *, among: Iterable[str] | None = None) -> list[TextHit]:
        """Return the images whose names, labels or texts have words of a query, the best first.

        Args:
            query: Words, English or Chinese; "in quotes" for a phrase.
            k: At most so many.
            among: Only these images; None for all.
        """
        terms = read_terms(query)
        if not terms:
            return []
        chosen = None if among is None else set(among)
        with self._open() as index:
            self._refresh(index)
            fits = _fits(index, terms)
            best = _images(index, fits)
            ranked = sorted(best.items(), key=lambda pair: (-pair[1][0], pair[0]))
            hits: list[TextHit] = []
            for part in chunks(ranked):
                named = self._named([number for number, _ in part])
                for number, (score, source, text) in part:
                    id = named.get(number)
                    if id is not None and (chosen is None or id in chosen):
                        hits.append(TextHit(id, score, source, excerpt(_text(index, text), terms)))
                        if len(hits) >= k:
                            return hits
        return hits

    def refresh(self) -> None:
        """Bring the index up to date; what is not new costs next to nothing."""
        with self._open() as index:
            self._refresh(index)

    def rebuild(self) -> None:
        """Make the index anew from the catalog."""
        with self._open() as index, _writing(index):
            for table in ("state", "entries", "texts"):
                index.execute(f"DELETE FROM {table}")
            index.execute("INSERT INTO trigrams (trigrams) VALUES ('rebuild')")
        self.refresh()

    def erase(self) -> None:
        """Remove the index, with words that nothing in the catalog says any more; the next search makes it again."""
        with self._lock:
            for name in (self.file.name, f"{self.file.name}-wal", f"{self.file.name}-shm"):
                self.file.with_name(name).unlink(missing_ok=True)

    # ---- keeping up ------------------------------------------------------------------------------------

    def _refresh(self, index: sqlite3.Connection) -> None:
        now = self._now()
        if now == dict(index.execute("SELECT source, seen FROM state").fetchall()):
            return
        with _writing(index):
            seen = dict(index.execute("SELECT source, seen FROM state").fetchall())
            for source in seen.keys() | now.keys():
                if seen.get(source) != now.get(source):
                    _write(index, source, self._names() if source == NAMES else self._said(source))
                    index.execute("DELETE FROM state WHERE source = ?", (source,))
                    if source in now:
                        index.execute("INSERT INTO state VALUES (?, ?)", (source, now[source]))

    def _now(self) -> dict[str, str]:
        """Return for each source what changes whenever its texts may: records are only ever added."""
        with self._store.read() as connection:
            place = select(func.count(), func.max(places.c.number), func.sum(places.c.image))
            found = {NAMES: "/".join(map(str, connection.execute(place).one()))}
            # A run that ends may change whose word stands.
            ended = select(runs.c.question, func.count(runs.c.finished)).group_by(runs.c.question)
            over = {question: count for question, count in connection.execute(ended)}  # noqa: C416
            counted = select(notes.c.question, func.count(), func.max(notes.c.run)).group_by(notes.c.question)
            for question, count, run in connection.execute(counted):
                found[question] = f"{count}/{run}/{over.get(question, 0)}"
        return found

    def _names(self) -> Iterator[tuple[int, str]]:
        """Yield image numbers and the paths under which they were given, all of one image together."""
        query = select(places.c.image, func.group_concat(places.c.given, "\n")).group_by(places.c.image)
        with self._store.read() as connection:
            yield from ((number, given) for number, given in connection.execute(query))

    def _said(self, question: str) -> Iterator[tuple[int, str]]:
        """Yield image numbers and what today's answers to a question say, all of one image together."""
        texts: dict[str, list[str]] = {}
        for one in self._annotations.current(question):
            if one.label:
                texts.setdefault(one.image, []).append(one.label)
        for image, label in self._annotations.objects(question):
            said = texts.setdefault(image, [])
            if label not in said:
                said.append(label)
        numbers: dict[str, int] = {}
        with self._store.read() as connection:
            for part in chunks(texts):
                query = select(images.c.id, images.c.number).where(images.c.id.in_(part))
                numbers.update((id, number) for id, number in connection.execute(query))
        for image, labels in texts.items():
            yield numbers[image], "\n".join(labels)

    def _named(self, numbers: Sequence[int]) -> dict[int, str]:
        with self._store.read() as connection:
            query = select(images.c.number, images.c.id).where(images.c.number.in_(numbers), images.c.placed)
            return {number: id for number, id in connection.execute(query)}  # noqa: C416

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                with closing(self._connect()) as index:
                    yield index
            except sqlite3.Error as error:
                raise translate(error, self.file) from error

    def _connect(self) -> sqlite3.Connection:
        try:
            return _prepared(self.file)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise
            # Nothing is lost with it: all it knows is in the catalog.
            for name in (self.file.name, f"{self.file.name}-wal", f"{self.file.name}-shm"):
                self.file.with_name(name).unlink(missing_ok=True)
            return _prepared(self.file)


def _prepared(file: Path) -> sqlite3.Connection:
    index = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        index.execute("PRAGMA journal_mode = WAL")
        index.execute("PRAGMA synchronous = OFF")  # it can always be made again
        if index.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            with _writing(index):
                for table in ("trigrams", "entries", "texts", "state"):
                    index.execute(f"DROP TABLE IF EXISTS {table}")
                for statement in _TABLES.strip().split(";\n"):
                    index.execute(statement)
                index.execute(f"PRAGMA user_version = {VERSION}")
    except BaseException:
        index.close()
        raise
    return index


@contextmanager
def _writing(index: sqlite3.Connection) -> Iterator[None]:
    index.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        index.execute("ROLLBACK")
        raise
    index.execute("COMMIT")


def _write(index: sqlite3.Connection, source: str, said: Iterable[tuple[int, str]]) -> None:
    """Make the entries of a source those given; texts that no entry has any more stay and do no harm."""
    kept = "SELECT e.image, t.text FROM entries e JOIN texts t ON t.id = e.text WHERE e.source = ?"
    before: dict[int, str] = dict(index.execute(kept, (source,)).fetchall())
    for image, text in said:
        if before.pop(image, None) != text:
            index.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", (image, source, _number(index, text)))
    index.executemany("DELETE FROM entries WHERE source = ? AND image = ?", ((source, image) for image in before))


def _number(index: sqlite3.Connection, text: str) -> int:
    row = index.execute("SELECT id FROM texts WHERE text = ?", (text,)).fetchone()
    if row is not None:
        return int(row[0])
    folded = fold_text(text)
    number = index.execute("INSERT INTO texts (text, folded) VALUES (?, ?)", (text, folded)).lastrowid
    index.execute("INSERT INTO trigrams (rowid, folded) VALUES (?, ?)", (number, folded))
    return int(number or 0)


# ---- finding -------------------------------------------------------------------------------------------


def _fits(index: sqlite3.Connection, terms: Sequence[Term]) -> dict[int, list[float]]:
    """Return for each text that has a term how well it has each, times how rare the term is; they sum to 1 at most."""
    total = index.execute("SELECT count(*) FROM texts").fetchone()[0]
    found = [_having(index, term) for term in terms]
    # Source: the inverse document frequency of Spärck Jones 1972, smoothed.
    rare = [math.log(1 + total / (1 + len(one))) for one in found]
    fits: dict[int, list[float]] = {}
    for place, (having, weight) in enumerate(zip(found, rare, strict=True)):
        for text, fit in having.items():
            fits.setdefault(text, [0.0] * len(terms))[place] = fit * weight / sum(rare)
    return fits


def _having(index: sqlite3.Connection, term: Term) -> dict[int, float]:
    if len(term.text) >= 3:
        phrase = '"' + term.text.replace('"', '""') + '"'
        rows = index.execute(
            "SELECT t.id, t.folded FROM trigrams f JOIN texts t ON t.id = f.rowid WHERE trigrams MATCH ? LIMIT ?",
            (phrase, MOST),
        )
    else:
        rows = index.execute("SELECT id, folded FROM texts WHERE instr(folded, ?) LIMIT ?", (term.text, MOST))
    return {number: fit for number, folded in rows if (fit := term.fits(folded)) > 0}


def _images(index: sqlite3.Connection, fits: dict[int, list[float]]) -> dict[int, tuple[float, str, int]]:
    """Return for each image the score of all its texts together, and the source and number of the best of them."""
    together: dict[int, tuple[list[float], float, str, int]] = {}
    for part in chunks(fits):
        marks = ",".join("?" * len(part))
        query = f"SELECT image, source, text FROM entries WHERE text IN ({marks})"
        for image, source, text in index.execute(query, part):
            fit = fits[text]
            score = sum(fit)
            kept = together.get(image)
            if kept is None:
                together[image] = (fit, score, source, text)
                continue
            union = [max(pair) for pair in zip(kept[0], fit, strict=True)]
            # What was said of an image tells more than how its file is called.
            better = (score, source != NAMES) > (kept[1], kept[2] != NAMES)
            together[image] = (union, score, source, text) if better else (union, *kept[1:])
    scored = {image: (sum(union), source, text) for image, (union, _, source, text) in together.items()}
    return {image: one for image, one in scored.items() if one[0] >= LEAST}


def _text(index: sqlite3.Connection, number: int) -> str:
    return str(index.execute("SELECT text FROM texts WHERE id = ?", (number,)).fetchone()[0])


def excerpt(text: str, terms: Sequence[Term]) -> str:
    """Return a text on one line, cut to 120 characters around the first term that it has."""
    line = " ".join(text.split())
    if len(line) <= EXCERPT:
        return line
    folded = fold_text(line)
    # Folding may change the length a little: the cut may be a few characters off, which does not matter.
    places = [folded.find(term.text) for term in terms if term.text in folded]
    start = max(0, min([*places, len(line)]) - EXCERPT // 3) if places else 0
    start = min(start, len(line) - EXCERPT)
    return (
        ("… " if start else "") + line[start : start + EXCERPT].strip() + (" …" if start + EXCERPT < len(line) else "")
    )
