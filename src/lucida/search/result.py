"""What a search found, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lucida.search.cutoff import Claim
    from lucida.search.query import Query

SHOWN: Final = 20


@dataclass(frozen=True)
class Found:
    """How one list found an image.

    Attributes:
        by: "image", "words", "image and words" (by vectors), or "text".
        rank: In that list, from 1.
        score: In that list: a cosine, a probability, a sum of standardised scores, or the share of the query found.
        why: What was found; "" where the score says it all.
    """

    by: str
    rank: int
    score: float
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"by": self.by, "rank": self.rank, "score": round(self.score, 6), "why": self.why}

    def __str__(self) -> str:
        return f"{self.by} {self.rank}" + (f" ({self.why})" if self.why else "")


@dataclass(frozen=True)
class Hit:
    """One result.

    Attributes:
        image: Content id.
        path: Path under which it was added.
        score: That of the list where there is one list; else the fused one, 1 where it is first in every list.
        found: How each list found it.
    """

    image: str
    path: str
    score: float
    found: tuple[Found, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        found = [one.to_json() for one in self.found]
        return {"path": self.path, "score": self.score, "image": self.image, "found": found}

    def __str__(self) -> str:
        return f"{self.score:6.3f}  {self.path}   {'; '.join(map(str, self.found))}"


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        query: What was looked for.
        model: Name of the model; "" where only text was searched.
        hits: The results, the best first.
        images: How many images were searched: those that meet the conditions.
        seconds: How long it took.
        ranked: Content ids of all results that were ranked, the best first, as a cut-off judges them.
        notes: What a person should know, a sentence each.
        files: What was written.
        claim: Where relevance ends, as far as a person has answered; None where nobody was asked.
    """

    query: Query
    model: str
    hits: tuple[Hit, ...]
    images: int
    seconds: float
    ranked: tuple[str, ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    claim: Claim | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "query": self.query.to_json(),
            "model": self.model,
            "results": [hit.to_json() for hit in self.hits],
            "images": self.images,
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
            "files": list(self.files),
            **({"claim": self.claim.to_json()} if self.claim else {}),
        }

    def __str__(self) -> str:
        of = f"of {self.images:,} images" + ("" if self.images else ", as no image meets the conditions")
        lines = [f"{len(self.hits):,} results {of} for {self.query} ({self.seconds:.2f} s)"]
        lines += [str(hit) for hit in self.hits[:SHOWN]]
        if len(self.hits) > SHOWN:
            lines.append(f"… and {len(self.hits) - SHOWN:,} more: --json or --out lists them all")
        lines += self.notes
        lines += [str(self.claim)] if self.claim else []
        lines += [f"See {name}" for name in self.files[:1]]
        return "\n".join(lines)
