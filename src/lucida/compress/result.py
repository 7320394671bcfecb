"""What compression did: a table before and after, and the claim."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lucida.train.location import RESULT


@dataclass(frozen=True)
class Row:
    """One line of the table: a model, run in one way.

    Attributes:
        name: "PyTorch", "before" or "after".
        engine: What ran it, and at which precision.
        bytes: Size of its files.
        alone: Images a second on one core, one at a time.
        together: Likewise, 32 at a time.
        accuracy: Share of images that it has right; None where it was not judged.
        low, high: 95 % interval of that (Clopper-Pearson); None likewise.
    """

    name: str
    engine: str
    bytes: int
    alone: float
    together: float
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        judged = f"{self.accuracy:.3f} ({self.low:.3f} to {self.high:.3f})" if self.accuracy is not None else ""
        size = f"{self.bytes / 1e6:.2f} MB"
        speeds = f"{self.alone:>12,.0f} {self.together:>13,.0f}"
        return f"{self.name:<8} {self.engine:<22} {size:>10} {speeds}  {judged}".rstrip()


HEAD = f"{'':<8} {'engine':<22} {'size':>10} {'images/s, 1':>12} {'images/s, 32':>13}  accuracy on"


@dataclass(frozen=True)
class CompressResult:
    """What compression did.

    Attributes:
        run: Id of the new run, which is the name of its model.
        parent: The run that was compressed.
        made: What was done, in words.
        rows: The table.
        images: How many images judged both.
        data: Where these come from.
        claim: What is proven.
        holds: Whether that is what was asked for.
        proven: The loss of accuracy that is ruled out.
        certificate: File for `lucida verify`.
        folder: Where everything of the run lies.
        notes: What a person should know, a sentence each.
    """

    run: str
    parent: str
    made: str
    rows: tuple[Row, ...]
    images: int
    data: str
    claim: str
    holds: bool
    proven: float
    certificate: str
    folder: str
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**self.__dict__, "rows": [asdict(row) for row in self.rows], "notes": list(self.notes)}

    def __str__(self) -> str:
        lines = [f"Compressed {self.parent}: {self.made}.", "", f"{HEAD} {self.images:,} images", *map(str, self.rows)]
        lines += ["Images a second are on one core, medians of rounds in which all took turns.", "", self.claim]
        after = [f"Run {self.run}. Recheck: lucida verify {self.certificate}", f"Next: lucida label --model {self.run}"]
        return "\n".join([*lines, *self.notes, *after])


def read_result(folder: Path) -> CompressResult | None:
    """Return what a finished compression did; None where it is not finished."""
    path = folder / RESULT
    if not path.exists():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    place = {"folder": str(folder), "certificate": str(folder / Path(kept["certificate"]).name)}
    rows, notes = tuple(Row(**row) for row in kept["rows"]), tuple(kept["notes"])
    return CompressResult(**{**kept, **place, "rows": rows, "notes": notes})
