"""One export, from the catalog to the folder."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucida.errors import CertificateError, ImageError, InputError, UnknownName
from lucida.export import datasheet, imagefolder, labels, names, notes, parquet, proof, selection, splits
from lucida.export.folder import MANIFEST, Folder
from lucida.export.verb import ExportResult, Format
from lucida.progress import track

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.export.duplicates import Looks
    from lucida.export.selection import Include, Row

FORMATS = ("imagefolder", "parquet", "csv")
NEW_DATASHEET = "datasheet.new.md"
_OWN = (MANIFEST, labels.FILE, datasheet.FILE, NEW_DATASHEET, proof.FILE)


@dataclass(frozen=True)
class Ask:
    """What was asked for; the options of the verb."""

    out: Path
    format: Format = "imagefolder"
    question: str | None = None
    include: Include | None = None
    splits: str | None = None
    seed: int = 0
    overwrite: bool = False


@dataclass
class Reading:
    """Read images, and note those that are gone or changed instead of stopping."""

    catalog: Catalog
    paths: dict[str, str]
    skipped: dict[str, str] = field(default_factory=dict)

    def __call__(self, image: str) -> bytes | None:
        """Return the bytes of an image; None when no place holds them any more."""
        from lucida.images import content_id

        try:
            data: bytes = self.catalog.images.read(image)
        except ImageError as error:
            self.skipped[image] = error.what + (f" {error.got}" if error.got else "")
            return None
        if content_id(data) != image:
            self.skipped[image] = "The file has changed since it was added."
            return None
        return data

    def list(self) -> list[dict[str, str]]:
        """Return path and reason of each image that could not be read."""
        return [{"path": self.paths[image], "reason": reason} for image, reason in self.skipped.items()]


def run(catalog: Catalog, ask: Ask) -> ExportResult:
    """Write one export; see `lucida.export.export`."""
    if ask.format not in FORMATS:
        raise UnknownName("format", str(ask.format), FORMATS)
    shares = splits.parse(ask.splits) if ask.splits is not None else []
    if shares and ask.format == "csv":
        raise InputError(
            "labels.csv has no column for splits.",
            expected="--splits with a format that lays images out",
            got="--splits with --format csv",
            hint="--format imagefolder or --format parquet",
        )
    _refuse_catalog(catalog, ask.out)
    question = selection.question_of(catalog, ask.question)
    standing = proof.find(catalog, question)
    include = ask.include or selection.default(standing)
    rows = selection.rows_of(catalog, question, standing)
    chosen = [] if ask.format == "csv" else selection.included(rows, include)
    if ask.format != "csv" and not chosen:
        raise InputError(
            "No image is in the state that is to be laid out.",
            expected=f"at least one image that is {include}",
            got=", ".join(f"{n:,} {s}" for s, n in Counter(row.state for row in rows).items()),
            hint="--include proposed lays out every labelled image; --format csv writes all labels",
        )
    folder = Folder(ask.out, overwrite=ask.overwrite)
    chosen = selection.named(catalog, chosen)
    if shares:
        chosen = _divide(catalog, chosen, shares, ask.seed)
    return _Writing(catalog, ask, folder, question, standing, include, rows, chosen, [s.name for s in shares]).write()


def _refuse_catalog(catalog: Catalog, out: Path) -> None:
    home = Path(catalog.path).resolve()
    if out.resolve() == home or home in out.resolve().parents:
        raise InputError(
            "An export cannot lie in the catalog's own folder.",
            expected="a folder of its own",
            got=str(out),
            hint="lucida export out/",
        )


def _divide(catalog: Catalog, rows: list[Row], shares: Sequence[splits.Share], seed: int) -> list[Row]:
    from lucida.export.duplicates import group

    groups = group(_looks(catalog, [row.image for row in rows]))
    found = splits.assign([row.image for row in rows], [row.label for row in rows], groups, shares, seed=seed)
    return [replace(row, split=split) for row, split in zip(rows, found, strict=True)]


def _looks(catalog: Catalog, ids: Sequence[str]) -> Looks:
    from lucida.export.duplicates import Looks
    from lucida.images import decode

    looks = Looks.empty(len(ids))

    def see(row: int) -> None:
        try:
            looks.put(row, decode(catalog.images.read(ids[row]), cover=32))
        except ImageError:
            return  # whoever writes the image reports it

    with track("Finding near-identical images", len(ids)) as step, ThreadPoolExecutor(4) as pool:
        for start in range(0, len(ids), 1024):
            for _ in pool.map(see, range(start, min(start + 1024, len(ids)))):
                step()
    return looks


@dataclass
class _Writing:
    """The writing of one export; `rows` are all labelled images, `chosen` those laid out."""

    catalog: Catalog
    ask: Ask
    folder: Folder
    question: str
    proof: proof.Proof
    include: str
    rows: list[Row]
    chosen: list[Row]
    splits: list[str]

    def __post_init__(self) -> None:
        self.classes = sorted({row.label for row in self.rows})
        self.certificate = self.proof.files()
        self.folders = names.class_folders(self.classes, reserved=(*_OWN, *self.certificate))
        self.read = Reading(self.catalog, {row.image: row.path for row in self.rows})
        self.mean_bytes = selection.mean_bytes(self.catalog, self.chosen)
        self.paths = imagefolder.layout(self.chosen, self.folders) if self.ask.format == "imagefolder" else {}
        self.shards = parquet.shards(self.chosen, self.mean_bytes) if self.ask.format == "parquet" else {}
        self.notes: list[str] = []

    def write(self) -> ExportResult:
        own = [labels.FILE, datasheet.FILE, *self.certificate]
        planned = {*own, *self.paths.values(), *self.shards}
        self.folder.room(self._needed())
        self.folder.begin(planned)
        written = self._images()
        if self.chosen and not written:
            raise ImageError(
                "None of the images could be read.",
                expected=f"{len(self.chosen):,} images where they were when they were added",
                got=next(iter(self.read.list()), {}).get("reason", ""),
                hint="bring the folder back, or export --format csv",
            )
        with self.folder.file(labels.FILE) as file:
            labels.write(file, self.rows)
        self._copy_certificate()
        here = [row for row in self.chosen if row.image not in self.read.skipped]
        self._take_notes(here)
        new = self._write_datasheet(here)
        self._finish({*own, *written, *new})
        return self._result(here)

    def _needed(self) -> int:
        if self.ask.format == "imagefolder":
            return self.mean_bytes * sum(not (self.folder.path / path).exists() for path in self.paths.values())
        return self.mean_bytes * len(self.chosen)

    def _images(self) -> list[str]:
        if not self.chosen:
            return []
        with track("Writing images", len(self.chosen)) as step:
            if self.ask.format == "imagefolder":
                return imagefolder.write(self.folder, self.paths, self.read, step)
            counts = {
                name: parquet.write(self.folder, name, rows, self.classes, self.read, step)
                for name, rows in self.shards.items()
            }
            return list(counts) if any(counts.values()) else []

    def _copy_certificate(self) -> None:
        for name, source in self.certificate.items():
            try:
                data = source.read_bytes()
            except OSError as error:
                raise CertificateError(
                    "A file of the certificate is missing from the catalog.",
                    expected=str(source),
                    got=error.strerror or str(error),
                    hint="bring the file back, or run `lucida review` again: the answers are kept",
                ) from error
            self.folder.write(name, data)

    def _take_notes(self, here: list[Row]) -> None:
        self.notes += notes.of_proof(self.proof, self.rows)
        if self.paths:
            self.notes += notes.of_folders(here, self.paths, self.folders)
        if self.splits:
            self.notes += notes.of_splits(here, self.splits)
        self.notes += notes.of_cells(self.rows)

    def _write_datasheet(self, here: list[Row]) -> list[str]:
        """Write the datasheet; beside one that its owner has edited, as a new file."""
        text = datasheet.write(
            datasheet.Facts(
                question=self.question,
                format=self.ask.format,
                rows=self.rows,
                laid_out=here,
                include=self.include,
                proof=self.proof,
                runs=self.catalog.runs.all(question=self.question),
                answers=selection.answers_of(self.catalog, self.question),
                splits=f"{self.ask.splits}, seed {self.ask.seed}" if self.splits else "",
                skipped=self.read.list(),
                refused=[],
                reading=self._reading(),
            )
        ).encode()
        old = self.folder.path / datasheet.FILE
        before = self.folder.manifest.get("datasheet")
        edited = before is not None and old.is_file() and sha256(old.read_bytes()).hexdigest() != before
        self.datasheet = before if edited else sha256(text).hexdigest()
        self.folder.write(NEW_DATASHEET if edited else datasheet.FILE, text)
        if edited:
            self.notes.append(f"datasheet.md was edited and stays as it is; the new one is {NEW_DATASHEET}.")
        return [NEW_DATASHEET] if edited else []

    def _reading(self) -> str:
        """Return Python that reads this export, whatever its files are called."""
        out = str(self.ask.out)
        if self.ask.format == "csv":
            return ""
        if self.ask.format == "imagefolder":
            files = {s: f"{out}/{s}/**" for s in self.splits} or {"train": f"{out}/**"}
        else:
            found = self.splits or ["train"]
            files = {
                s: f"{out}/{s}.parquet" if f"{s}.parquet" in self.shards else f"{out}/{s}-*-of-*.parquet"
                for s in found
                if any(row.split in ("", s) for row in self.chosen)
            }
        # One class alone, or a file name that looks like a split, would otherwise be read as something else.
        more = ", drop_labels=False" if self.ask.format == "imagefolder" else ""
        return (
            "from datasets import load_dataset\n\n"
            f'data = load_dataset("{self.ask.format}", data_files={json.dumps(files, ensure_ascii=False)}{more})'
        )

    def _finish(self, files: set[str]) -> None:
        stale = self.folder.stale(files)
        places = {name: str((self.folder.path / name).resolve()) for name in stale}
        # Someone may have added this very export to the catalog: then its files are the originals.
        known = self.catalog.images.resolve_all(list(places.values())) if places else {}
        spared = {name for name, place in places.items() if known.get(place)}
        if spared:
            self.notes.append(
                f"{len(spared):,} files of an earlier export stay, since they are in the catalog: {min(spared)} …"
            )
        facts: dict[str, Any] = {
            "format": self.ask.format,
            "question": self.question,
            "include": self.include,
            "splits": self.ask.splits,
            "seed": self.ask.seed,
            "datasheet": self.datasheet,
            "classes": {self.folders[c]: c for c in self.classes},
        }
        self.folder.finish(files, facts, spare=spared)

    def _result(self, here: list[Row]) -> ExportResult:
        by_split = Counter(row.split for row in here)
        states = Counter(row.state for row in self.rows)
        return ExportResult(
            out=str(self.ask.out),
            format=self.ask.format,
            question=self.question,
            include=self.include,
            labelled=len(self.rows),
            images=len(here),
            states={state: states[state] for state in ("reviewed", "accepted", "proposed")},
            kept=sum(row.kept for row in self.rows),
            classes=dict(sorted(Counter(row.label for row in here).items())),
            splits={name: by_split[name] for name in self.splits},
            certificate=self.proof.state,
            claim=str(self.proof.certificate.get("claim", "")) if self.proof.state == "valid" else "",
            skipped=self.read.list(),
            notes=self.notes,
        )
