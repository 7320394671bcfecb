"""Where a question stands: not reviewed, under review, proven, or proven once and void since."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lucida.errors import CertificateError

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run

FILE = "certificate.json"
LABELLING = ("label", "teach")


@dataclass(frozen=True)
class Proof:
    """What a review of a question has come to.

    Attributes:
        state: "none" before any review, "open" while one is under way, "valid", or "void".
        run: The review's run, None for "none".
        folder: Where the certificate lies, for "valid" and "void".
        certificate: The certificate's JSON, for "valid" and "void".
        reason: Why it is void, in a sentence; empty otherwise.
    """

    state: Literal["none", "open", "valid", "void"]
    run: Run | None = None
    folder: Path | None = None
    certificate: dict[str, Any] = field(default_factory=dict)
    reason: str = ""

    def files(self) -> dict[str, Path]:
        """Return the files of a valid certificate, by the names they must have beside each other."""
        if self.state != "valid" or self.folder is None:
            return {}
        found, missed = self.certificate.get("found"), self.certificate.get("missed")
        if isinstance(found, dict):  # of objects
            beside = [found.get("population_file"), missed.get("images_file") if isinstance(missed, dict) else None]
        else:
            beside = [self.certificate.get("population_file") or "certificate.population.parquet"]
        files = [FILE, *(Path(str(name)).name for name in beside if name)]
        return {name: self.folder / name for name in files}

    def kept(self) -> set[str]:
        """Return the content ids that a valid certificate keeps."""
        import pyarrow.parquet as pq

        rows = self.certificate.get("kept", [])
        if not rows or self.folder is None or self.state != "valid":
            return set()
        name = Path(str(self.certificate.get("population_file"))).name
        ids = pq.read_table(self.folder / name, columns=["id"])["id"].to_pylist()
        return {ids[row] for row in rows}


def find(catalog: Catalog, question: str) -> Proof:
    """Return where the question stands, by its latest finished review."""
    runs = catalog.runs.all(question=question)  # in order of starting
    reviews = [run for run in runs if run.verb == "review"]
    for review in reversed([run for run in reviews if run.finished is not None]):
        folder = catalog.runs.folder(review.id)
        if not (folder / FILE).is_file():
            continue
        reason = _void(review, runs)
        return Proof("void" if reason else "valid", review, folder, _load(folder / FILE), reason)
    return Proof("open", reviews[-1]) if reviews else Proof("none")


def _void(review: Run, runs: Sequence[Run]) -> str:
    """Return why the certificate holds no more; the catalog's fold has the same rule."""
    source = next((i for i, run in enumerate(runs) if run.id == review.parent), len(runs))
    newer = [
        run for run in runs[source + 1 :] if run.verb == "label" or (run.verb == "teach" and run.finished is not None)
    ]
    return f"the images were labelled again after it ({newer[-1].id})" if newer else ""


def _load(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CertificateError(
            "The certificate of the review cannot be read.",
            expected="the file that `lucida review` wrote",
            got=f"{path}: {error}",
            hint="run `lucida review` again: the answers are kept; or `lucida export out/ --format csv`",
        ) from error
    return found if isinstance(found, dict) else {}
