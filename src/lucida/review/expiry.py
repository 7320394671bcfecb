"""Certificates that have expired: what they prove of their population stays true; new images are not of it any more.

A note lies beside the certificate, which is never touched: its signature stays valid. Whoever deletes the note deletes
a warning, no proof.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lucida.review.certificate import write_json

if TYPE_CHECKING:
    from lucida.catalog import Catalog

SUFFIX: Final = ".expired.json"
FORMAT: Final = "camera-lucida expiry 1"


@dataclass(frozen=True)
class Expiry:
    """Say since when a certificate says nothing of what is labelled now.

    Attributes:
        on: Day, "2026-11-22", in UTC.
        why: What has changed, in words.
        alarm: Name of the alarm.
    """

    on: str
    why: str
    alarm: str = ""

    def __str__(self) -> str:
        return f"expired: its population drifted on {self.on} ({self.why})"

    def to_json(self) -> dict[str, Any]:
        """Give the values of the note."""
        return {"format": FORMAT, **asdict(self)}


def note_of(certificate: Path) -> Path:
    """Return where the note of a certificate lies, or would lie."""
    return certificate.with_name(certificate.stem + SUFFIX)


def expiry(certificate: Path) -> Expiry | None:
    """Return why a certificate has expired; None while it has not, as far as is known."""
    try:
        values = json.loads(note_of(certificate).read_text(encoding="utf-8"))
        return Expiry(str(values["on"]), str(values["why"]), str(values.get("alarm", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def expire(certificate: Path, why: str, *, alarm: str = "", when: float | None = None) -> Expiry:
    """Write down that a certificate has expired; the first time stays.

    Args:
        certificate: The JSON file.
        why: What has changed, in words.
        alarm: Name of the alarm.
        when: Seconds since 1970; None for now.

    Raises:
        OSError: The note cannot be written.
    """
    known = expiry(certificate)
    if known is not None:
        return known
    moment = datetime.now(UTC) if when is None else datetime.fromtimestamp(when, UTC)
    found = Expiry(moment.date().isoformat(), why, alarm)
    write_json(note_of(certificate), found.to_json())
    return found


def certificates_of(catalog: Catalog, models: set[str]) -> list[Path]:
    """Return the certificates of a catalog about what one of these models labelled, of all questions.

    Args:
        catalog: The catalog.
        models: Names of the model, as runs have them.
    """
    labelled = {run.id for run in catalog.runs.all() if run.model in models or run.id in models}
    found = []
    for run in catalog.runs.all():
        if run.verb == "review" and (run.parent in labelled or run.id in labelled):
            path = catalog.path / "runs" / run.id / "certificate.json"
            if path.exists():
                found.append(path)
    return found
