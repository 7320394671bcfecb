"""One export, from the catalog to the folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lucida.data import splits
from lucida.errors import InputError, UnknownName
from lucida.export import object_files, objects, proof, selection
from lucida.export.division import divide
from lucida.export.folder import Folder
from lucida.export.writing import Labels, Writing

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.export.selection import Include, Row
    from lucida.export.verb import ExportResult, Format

FORMATS = ("imagefolder", "parquet", "csv")
TEXTS = ("caption", "answer", "read", "describe")  # tasks whose labels are no classes


@dataclass(frozen=True)
class Ask:
    """What was asked for; the options of the verb."""

    out: Path
    format: Format | None = None
    question: str | None = None
    include: Include | None = None
    splits: str | None = None
    seed: int = 0
    overwrite: bool = False
    strip: bool = False


def run(catalog: Catalog, ask: Ask) -> ExportResult:
    """Write one export; see `lucida.export.export`."""
    if ask.format is not None and ask.format not in (*FORMATS, *object_files.FORMATS):
        raise UnknownName("format", str(ask.format), (*FORMATS, *object_files.FORMATS))
    _refuse_catalog(catalog, ask.out)
    question = selection.question_of(catalog, ask.question)
    task = objects.task_of(catalog, question)
    if task in objects.TASKS:
        return objects.write(catalog, ask, question, proof.find(catalog, question))
    ask = replace(ask, format=ask.format or ("csv" if task in TEXTS else "imagefolder"))
    if ask.format in object_files.FORMATS:
        raise InputError(
            f"The question {question!r} is not about objects within images.",
            expected=f"--format {', '.join(FORMATS)}",
            got=f"--format {ask.format}",
            hint="name a question about boxes or masks with --question",
        )
    shares = splits.parse(ask.splits) if ask.splits is not None else []
    if shares and ask.format == "csv":
        raise InputError(
            "labels.csv has no column for splits.",
            expected="--splits with a format that lays images out",
            got="--splits with --format csv",
            hint="--format imagefolder or --format parquet",
        )
    standing = proof.find(catalog, question)
    include = ask.include or selection.default(standing)
    rows = selection.rows_of(catalog, question, standing)
    chosen: list[Row] = []
    together = 0
    if ask.format != "csv":
        chosen = selection.named(catalog, selection.included(rows, include))
    folder = Folder(ask.out, overwrite=ask.overwrite)
    if shares:
        chosen, together = divide(catalog, question, chosen, shares, ask.seed)
    found = Labels(question, standing, include, rows, chosen, [share.name for share in shares], together)
    return Writing(catalog, ask, folder, found).write()


def _refuse_catalog(catalog: Catalog, out: Path) -> None:
    home = Path(catalog.path).resolve()
    if out.resolve() == home or home in out.resolve().parents:
        raise InputError(
            "An export cannot lie in the catalog's own folder.",
            expected="a folder of its own",
            got=str(out),
            hint="lucida export out/",
        )
