"""The verb `export`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from lucida.export.selection import Include

Format = Literal["imagefolder", "parquet", "csv", "coco", "yolo", "voc"]


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    Attributes:
        out: The folder.
        format: imagefolder, parquet or csv; of objects coco, yolo or voc.
        question: The question the labels answer.
        include: Which images are laid out: proposed, accepted, reviewed or kept.
        labelled: Rows of `labels.csv`; of objects, how many are known.
        images: Images laid out.
        states: Labelled images by state: reviewed, accepted, proposed.
        kept: Labelled images in the certified set.
        classes: Images laid out by class.
        splits: Images laid out by split; empty without splits.
        together: Images that have a near-identical one in their split.
        certificate: none, open (a review is under way), valid or void.
        claim: What the certificate claims; empty unless it is valid.
        skipped: Images that could not be read: path and reason.
        notes: What is worth knowing before the export is used.
        objects: Boxes or masks written; None for labels of whole images.
    """

    out: str
    format: str
    question: str
    include: str
    labelled: int
    images: int
    states: dict[str, int]
    kept: int
    classes: dict[str, int] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    together: int = 0
    certificate: str = "none"
    claim: str = ""
    skipped: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    objects: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        values = asdict(self)
        if self.objects is None:
            del values["objects"]
        return values

    def __str__(self) -> str:
        states = ", ".join(f"{count:,} {state}" for state, count in self.states.items() if count)
        if self.objects is not None:
            lines = [
                f"{_count(self.objects, 'object')} of {self.question!r} in {_count(self.images, 'image')}, written to"
                f" {self.out} ({self.format}). Known: {states}."
            ]
        else:
            lines = [
                f"{_count(self.labelled, 'label')} of {self.question!r} in {_path(self.out, 'labels.csv')}: {states}."
            ]
        if self.objects is None and self.format != "csv":
            lines.append(f"{_count(self.images, 'image')} laid out in {self.out} ({self.format}).")
            left = self.labelled - self.images - len(self.skipped)
            if left > 0 and self.include != "proposed":
                rest = "handed back to you" if self.include == "accepted" else "more labels"
                lines.append(f"{left:,} {rest}, in labels.csv only (--include proposed adds them).")
        if self.splits:
            shares = ", ".join(f"{name} {count:,}" for name, count in self.splits.items())
            lines.append(f"Splits: {shares}; {self.together:,} near-identical images stay with each other.")
        if self.claim:
            lines.append(self.claim)
        if self.skipped:
            first = self.skipped[0]
            lines.append(f"{_count(len(self.skipped), 'image')} could not be read. {first['path']}: {first['reason']}")
        return "\n".join([*lines, *self.notes, *self._next()])

    def _next(self) -> list[str]:
        if self.certificate == "valid":
            return [f"Anyone can recheck it: lucida verify {_path(self.out, 'certificate.json')}"]
        if self.certificate == "void":
            return []  # the note about it names the next command
        what = "labels" if self.objects is None else "objects"
        checked = "Nothing is proven yet." if self.states.get("reviewed") else f"Nobody has checked these {what} yet."
        return [f"{checked} Next: lucida review"]


def _count(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def _path(folder: str, name: str) -> str:
    path = str(Path(folder) / name)
    return f'"{path}"' if " " in path else path


def export(
    out: Path,
    *,
    format: Format | None = None,
    question: str | None = None,
    include: Include | None = None,
    splits: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
    strip_metadata: bool = False,
    catalog: Path | None = None,
) -> ExportResult:
    """Write labels, images and the certificate into a folder that others can use.

    Boxes and masks are written as COCO (`instances.json` beside `images/`; with splits `instances_train.json` beside
    `images/train/`), YOLO (`data.yaml`) or Pascal VOC (with splits, the lists of `ImageSets/Main`).

    `labels.csv` (path,label,score,state,kept) has one row for every labelled image, and `datasheet.md` says where it
    all comes from and what is claimed. `imagefolder` lays the images out in a folder a class, `parquet` packs them
    into `train.parquet` as Hugging Face datasets reads it, `csv` writes no images. After a review the certificate is
    there too. The same command again refreshes the folder.

    Args:
        out: The folder to write: new, empty, or an earlier export.
        format: imagefolder (for classes), parquet, or csv (for texts); for boxes and masks coco, yolo, or voc.
        question: The question whose labels are written; the latest by default.
        include: Lay out images down to this state: proposed (all), accepted (with reviewed), reviewed, or kept (the
            certified set alone). By default accepted once a review has ended, and proposed before.
        splits: Names and shares, such as train=0.8,validation=0.1,test=0.1. Near-identical images stay together.
        seed: Another number gives another division into splits.
        overwrite: Write into a folder that holds other files, too; files of the same name are replaced.
        strip_metadata: Take place, time, device and names (EXIF with GPS, XMP, IPTC, comments) out of the images;
            their pixels stay. `lucida screen --policy privacy -o` hides faces and number plates as well.
        catalog: The catalog's folder.

    Raises:
        InputError: If nothing is labelled, the folder holds something else, or an option cannot be read.
        UnknownName: If nobody knows the question.
    """
    from lucida.catalog import Catalog
    from lucida.export.job import Ask, run

    ask = Ask(Path(out), format, question, include, splits, seed, overwrite, strip_metadata)
    with Catalog.open(catalog) as opened:
        return run(opened, ask)
