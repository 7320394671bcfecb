"""The frozen population: what is checked before a review begins, its digest, and its Parquet file."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lucida.errors import CertificateError, InputError
from lucida.evidence.order import Ints

DIGEST_RULE = (
    "SHA-256 of the ASCII JSON array [ids, predicted, scores], rows sorted by id, separators ',' and ':', "
    "other characters escaped, scores as the shortest decimal that gives the same double"
)
DRAWN = ("boxes", "masks")  # units whose rows hold a place beside the class


@dataclass(frozen=True)
class Population:
    """Hold the frozen rows: `ids` and `predicted` as text, `scores` float64 (n,), in the caller's order."""

    ids: tuple[str, ...]
    predicted: tuple[str, ...]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)

    def digest(self) -> str:
        """Compute the digest of the content by `DIGEST_RULE`; the order of the rows does not matter."""
        order = sorted(range(len(self.ids)), key=self.ids.__getitem__)
        columns = [
            [self.ids[i] for i in order],
            [self.predicted[i] for i in order],
            self.scores[order].tolist(),
        ]
        return sha256(json.dumps(columns, separators=(",", ":")).encode("ascii")).hexdigest()

    def split(self, per_class: bool, unit: str = "labels") -> list[tuple[str | None, Ints]]:
        """Give the groups with a promise of their own as (name, rows): everything, or each class, largest first."""
        if not per_class:
            return [(None, np.arange(len(self.ids)))]
        names, number = np.unique(np.array(self.classes(unit), dtype=np.object_), return_inverse=True)
        parts = [(str(name), np.flatnonzero(number == i)) for i, name in enumerate(names)]
        return sorted(parts, key=lambda part: (-len(part[1]), part[0]))

    def classes(self, unit: str) -> list[str]:
        """Give the class of each row: what was predicted, or of a box or mask the class that its statement names."""
        return [json.loads(text)["label"] for text in self.predicted] if unit in DRAWN else list(self.predicted)

    def save(self, path: Path) -> None:
        """Write columns id, predicted, score as Parquet, rows in the caller's order."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table({"id": list(self.ids), "predicted": list(self.predicted), "score": self.scores})
        pq.write_table(table, path, compression="zstd")

    @staticmethod
    def load(path: Path) -> Population:
        """Read what `save` wrote.

        Raises:
            CertificateError: the file is missing, no Parquet, lacks a column, or holds an empty cell.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path, columns=["id", "predicted", "score"])
            ids, predicted = table["id"].to_pylist(), table["predicted"].to_pylist()
            scores = np.array(table["score"].to_pylist(), dtype=np.float64)
        except (OSError, pa.ArrowException, TypeError, ValueError) as problem:
            raise CertificateError(
                f"The population of the certificate cannot be read: {path.name}",
                expected="a Parquet file with the columns id, predicted and score beside the certificate",
                got=str(problem).splitlines()[0] if str(problem) else type(problem).__name__,
                hint="keep the two files of a certificate together; copy both again from where they were made",
            ) from problem
        if not all(isinstance(v, str) for column in (ids, predicted) for v in column):
            raise CertificateError(
                f"The population of the certificate has cells that are no text: {path.name}",
                expected="text in the columns id and predicted",
                got="numbers or empty cells",
                hint="copy the file again from where it was made",
            )
        return Population(tuple(ids), tuple(predicted), scores)


def freeze(ids: Sequence[str], predicted: Sequence[object], scores: ArrayLike) -> Population:
    """Check and fix what a review is about.

    Args:
        ids: n different names, any text.
        predicted: n labels; each is taken as text.
        scores: n finite numbers, higher for labels that are more likely right.

    Raises:
        InputError: lengths differ, an id appears twice or is no text, a score is NaN, infinite or no number.
    """
    names = list(ids)
    labels = [str(label) for label in predicted]
    values = finite_scores(scores, names)
    if values.ndim != 1 or not len(names) == len(labels) == len(values):
        raise InputError(
            "Ids, labels and scores do not belong together: their lengths differ.",
            expected="three columns of one length",
            got=f"{len(names)} ids, {len(labels)} labels, scores of shape {values.shape}",
            hint="build all three from the same rows",
        )
    odd = next((name for name in names if not isinstance(name, str)), None)
    if odd is not None:
        raise InputError(
            "An id is not text.", expected="every id a str", got=repr(odd), hint="use [str(i) for i in ids]"
        )
    for text in (names, labels):
        try:
            "".join(text).encode()
        except UnicodeEncodeError as problem:
            raise InputError(
                "An id or label is not valid Unicode.",
                expected="text that can be written as UTF-8",
                got=repr(problem.object[max(problem.start - 10, 0) : problem.end]),
                hint="use another id than a file name in an unknown encoding, for instance a hash",
            ) from problem
    if len(set(names)) != len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InputError(
            "Two rows have the same id.",
            expected="each id once",
            got=f"{twice!r} more than once",
            hint="drop duplicates first; the same image must not count twice",
        )
    return Population(tuple(names), tuple(labels), values)


def finite_scores(scores: ArrayLike, names: Sequence[object] = ()) -> NDArray[np.float64]:
    """Copy scores to float64 of the same shape; -0.0 becomes 0.0.

    Raises:
        InputError: a score is no number, NaN or infinite; `names` tells which row it is.
    """
    try:
        values = np.array(scores, dtype=np.float64) + 0.0  # a copy; and -0.0 becomes 0.0
    except (TypeError, ValueError) as problem:
        raise InputError(
            "The scores are not numbers.",
            expected="one finite number per label",
            got=str(problem),
            hint="pass the model's confidence in its label, for instance the largest probability",
        ) from problem
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        raise InputError(
            f"{int((~np.isfinite(values)).sum())} scores are not finite.",
            expected="finite numbers only",
            got=f"{values[bad]} at row {bad}{f' (id {names[bad]!r})' if bad < len(names) else ''}",
            hint="a model that gives NaN has failed on these images: leave them out or give them a low score",
        )
    return np.asarray(values, dtype=np.float64)


def in_range(name: str, value: float, *, low: float, high: float, low_included: bool = False, hint: str) -> float:
    """Return `value` as a float if it lies between `low` and `high` (`high` excluded).

    Raises:
        InputError: it is no number, or outside.
    """
    fits = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    number = float(value) if fits else math.nan
    if not (low < number < high or (low_included and number == low)):
        raise InputError(
            f"{name} is out of range.",
            expected=f"a number from {low} to {high}, {'the upper end' if low_included else 'both ends'} excluded",
            got=repr(value),
            hint=hint,
        )
    return number
