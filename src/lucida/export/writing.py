"""The writing of one export: images, labels, certificate and datasheet, in an order that a kill does not spoil."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from lucida.errors import CertificateError, ImageError, LucidaError
from lucida.export import datasheet, imagefolder, labels, names, notes, parquet, proof, selection
from lucida.export.folder import MANIFEST, Folder
from lucida.export.verb import ExportResult
from lucida.progress import track

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.catalog import Catalog, Run
    from lucida.export.job import Ask
    from lucida.export.selection import Row

NEW_DATASHEET = "datasheet.new.md"
_OWN = (MANIFEST, labels.FILE, datasheet.FILE, NEW_DATASHEET, proof.FILE)


@dataclass
class Reading:
    """Read images, and note those that are gone or changed instead of stopping."""

    catalog: Catalog
    paths: dict[str, str]
    skipped: dict[str, str] = field(default_factory=dict)
    strip: bool = False

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
        return self._stripped(image, data) if self.strip else data

    def _stripped(self, image: str, data: bytes) -> bytes | None:
        from lucida.images import recognise
        from lucida.images.metadata import strip

        kind = recognise(data)
        if kind == "BMP":  # holds nothing but the picture
            return data
        if kind not in ("JPEG", "PNG", "WEBP"):
            self.skipped[image] = f"What a {kind} file tells beside the picture cannot be taken out of it."
            return None
        try:
            return strip(data)
        except ImageError as error:
            self.skipped[image] = error.what
            return None

    def list(self) -> list[dict[str, str]]:
        """Return path and reason of each image that could not be read."""
        return [{"path": self.paths[image], "reason": reason} for image, reason in self.skipped.items()]


@dataclass(frozen=True)
class Labels:
    """What is exported.

    Attributes:
        question: The question.
        proof: Where it stands.
        include: Which images are laid out.
        rows: All labelled images.
        chosen: Those laid out, with their file names and splits.
        splits: Names of the splits, as asked; empty without.
        together: How many of the chosen have a near-identical one beside them.
    """

    question: str
    proof: proof.Proof
    include: str
    rows: list[Row]
    chosen: list[Row]
    splits: list[str]
    together: int


@dataclass
class Writing:
    """Write one export into its folder."""

    catalog: Catalog
    ask: Ask
    folder: Folder
    labels: Labels

    def __post_init__(self) -> None:
        self.classes = sorted({row.label for row in self.labels.rows})
        self.certificate = {name: read_certificate(path) for name, path in self.labels.proof.files().items()}
        self.folders = names.class_folders(self.classes, reserved=(*_OWN, *self.certificate))
        self.read = Reading(self.catalog, {row.image: row.path for row in self.labels.rows}, strip=self.ask.strip)
        self.mean_bytes = selection.mean_bytes(self.catalog, self.labels.chosen)
        self.paths = imagefolder.layout(self.labels.chosen, self.folders) if self.ask.format == "imagefolder" else {}
        self.shards = parquet.shards(self.labels.chosen, self.mean_bytes) if self.ask.format == "parquet" else {}
        self.notes: list[str] = []

    def write(self) -> ExportResult:
        own = [labels.FILE, datasheet.FILE, *self.certificate]
        planned = {*own, *self.paths.values(), *self.shards}
        self.folder.room(self._needed())
        self.folder.begin(planned)
        # Should this be cut short, no certificate of other labels may lie beside them.
        self.folder.withdraw(proof.FILE, unless=self.certificate.get(proof.FILE))
        written = self._images()
        if self.labels.chosen and not written:
            raise ImageError(
                "None of the images could be read.",
                expected=f"{len(self.labels.chosen):,} images where they were when they were added",
                got=next(iter(self.read.list()), {}).get("reason", ""),
                hint="bring the folder back, or export --format csv",
            )
        with self.folder.file(labels.FILE) as file:
            labels.write(file, self.labels.rows)
        self._copy_certificate()
        here = [row for row in self.labels.chosen if row.image not in self.read.skipped]
        self._take_notes(here)
        new = self._write_datasheet(here)
        self._finish({*own, *written, *new})
        return self._result(here)

    def _needed(self) -> int:
        if self.ask.format == "imagefolder":
            return self.mean_bytes * sum(not (self.folder.path / path).exists() for path in self.paths.values())
        return self.mean_bytes * len(self.labels.chosen)

    def _images(self) -> list[str]:
        if not self.labels.chosen:
            return []
        with track("Writing images", len(self.labels.chosen)) as step:
            if self.ask.format == "imagefolder":
                return imagefolder.write(self.folder, self.paths, self.read, step, changed=self.ask.strip)
            counts = {
                name: parquet.write(self.folder, name, rows, self.classes, self.read, step)
                for name, rows in self.shards.items()
            }
            return list(counts) if any(counts.values()) else []

    def _copy_certificate(self) -> None:
        for name, data in self.certificate.items():
            self.folder.write(name, data)

    def _take_notes(self, here: list[Row]) -> None:
        self.notes += notes.of_proof(self.labels.proof, self.labels.rows)
        if self.paths:
            self.notes += notes.of_folders(here, self.paths, self.folders)
        if self.labels.splits:
            self.notes += notes.of_splits(here, self.labels.splits)
        self.notes += notes.of_cells(self.labels.rows)

    def _write_datasheet(self, here: list[Row]) -> list[str]:
        """Write the datasheet; beside one that its owner has edited, as a new file."""
        runs = self.catalog.runs.all(question=self.labels.question)
        text = datasheet.write(
            datasheet.Facts(
                question=self.labels.question,
                format=str(self.ask.format),
                rows=self.labels.rows,
                laid_out=here,
                include=self.labels.include,
                proof=self.labels.proof,
                runs=runs,
                licences=_licences(
                    {name for run in runs if run.verb in proof.LABELLING for name in _models(run)}, self.catalog.models
                ),
                answers=selection.answers_of(self.catalog, self.labels.question),
                splits=self.labels.splits,
                division=f"{self.ask.splits}, seed {self.ask.seed}",
                together=self.labels.together,
                skipped=self.read.list(),
                reading=self._reading(),
            )
        ).encode(errors="replace")
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
            files = {s: f"{out}/{s}/**" for s in self.labels.splits} or {"train": f"{out}/**"}
        else:
            found = self.labels.splits or ["train"]
            files = {
                s: f"{out}/{s}.parquet" if f"{s}.parquet" in self.shards else f"{out}/{s}-*-of-*.parquet"
                for s in found
                if any(row.split in ("", s) for row in self.labels.chosen)
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
            "question": self.labels.question,
            "include": self.labels.include,
            "splits": self.ask.splits,
            "seed": self.ask.seed,
            "datasheet": self.datasheet,
            "classes": {self.folders[c]: c for c in self.classes},
        }
        self.folder.finish(files, facts, spare=spared)

    def _result(self, here: list[Row]) -> ExportResult:
        by_split = Counter(row.split for row in here)
        states = Counter(row.state for row in self.labels.rows)
        return ExportResult(
            out=str(self.ask.out),
            format=str(self.ask.format),
            question=self.labels.question,
            include=self.labels.include,
            labelled=len(self.labels.rows),
            images=len(here),
            states={state: states[state] for state in ("reviewed", "accepted", "proposed")},
            kept=sum(row.kept for row in self.labels.rows),
            classes=dict(sorted(Counter(row.label for row in here).items())),
            splits={name: by_split[name] for name in self.labels.splits},
            together=self.labels.together,
            certificate=self.labels.proof.state,
            claim=str(self.labels.proof.certificate.get("claim", "")) if self.labels.proof.state == "valid" else "",
            skipped=self.read.list(),
            notes=self.notes,
        )


def read_certificate(path: Path) -> bytes:
    """Return the bytes of a file of a certificate.

    Raises:
        CertificateError: It is missing.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(
            "A file of the certificate is missing from the catalog.",
            expected=str(path),
            got=error.strerror or str(error),
            hint="bring the file back, or run `lucida review` again: the answers are kept",
        ) from error


def _models(run: Run) -> list[str]:
    """Return the models that a run asked: one, or each of several."""
    return [str(member["model"]) for member in run.parameters.get("members", [])] or [run.model]


def _licences(models: set[str], home: Path) -> dict[str, str]:
    from lucida.models.registry import licence

    known = {}
    for name in sorted(models):
        try:
            known[name] = licence(name, home)
        except LucidaError:
            continue  # a model that is no longer at hand
    return known
