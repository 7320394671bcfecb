"""What is worth knowing before an export is used, found by looking at it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from lucida.export import labels, names

if TYPE_CHECKING:
    from lucida.export.proof import Proof
    from lucida.export.selection import Row


def of_proof(proof: Proof, rows: Sequence[Row]) -> list[str]:
    """Say when a certificate does not mean what one would think."""
    if proof.state == "void":
        return [f"The certificate is void and is not included: {proof.reason}. Next: lucida review"]
    if proof.state != "valid":
        return []
    found = []
    if proof.certificate.get("simulation"):
        found.append("The certificate is a simulation: its seed was given, so it proves nothing.")
    gone = len(proof.kept() - {row.image for row in rows if row.kept})
    if gone:
        found.append(
            f"{gone:,} labels that the certificate keeps are not marked as kept here: a person called them "
            "undecidable, or wrong without saying what is right."
        )
    return found


def of_folders(rows: Sequence[Row], paths: Mapping[str, str], folders: Mapping[str, str]) -> list[str]:
    """Say what readers of the folders would get wrong."""
    found = []
    renamed = sorted(c for c in {row.label for row in rows} if folders[c] != c)
    if renamed:
        shown = ", ".join(f"{c!r} is {folders[c]!r}" for c in renamed[:5])
        found.append(
            f"Folder names that differ from the class: {shown}{' …' if len(renamed) > 5 else ''} (all in export.json)."
        )
    unread = Counter(ending for p in paths.values() if (ending := _ending(p)) not in names.READ_EVERYWHERE)
    if unread:
        kinds = ", ".join(f"{count:,} {ending}" for ending, count in unread.most_common())
        found.append(f"torchvision's ImageFolder skips files of these kinds: {kinds}.")
    # Below a split's own folder only a class named like a split misleads; without splits any file name does.
    misread = [p for row in rows if (p := paths.get(row.image)) and _misread(p, row.split)]
    if misread:
        found.append(
            f"datasets would take {misread[0]!r} for a split by its name; read the folder as datasheet.md shows."
        )
    return found


def _misread(path: str, split: str) -> bool:
    *_, folder, file = PurePosixPath(path).parts
    return names.read_as_split(folder, "" if split else file)


def _ending(path: str) -> str:
    return PurePosixPath(path).suffix.casefold()


def of_splits(rows: Sequence[Row], splits: Sequence[str]) -> list[str]:
    """Say which splits lack a class: torchvision numbers classes by the folders it finds."""
    present: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        present[row.split].add(row.label)
    everywhere = {row.label for row in rows}
    found = []
    for split in splits:
        lacking = sorted(everywhere - present[split])
        if lacking:
            found.append(
                f"The split {split!r} has no image of {', '.join(map(repr, lacking[:5]))}"
                f"{' …' if len(lacking) > 5 else ''}."
            )
    return found


def of_cells(rows: Sequence[Row]) -> list[str]:
    """Say when a spreadsheet might run a cell of `labels.csv` as a formula."""
    risky = [text for row in rows for text in (row.path, row.label) if labels.looks_like_formula(text)]
    if not risky:
        return []
    return [
        f"{len(risky):,} cells of labels.csv begin like a formula, first {risky[0]!r}: they are written exactly; "
        "import the columns as text in a spreadsheet."
    ]
