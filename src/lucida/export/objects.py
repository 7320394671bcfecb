"""The export of boxes and masks: images, their objects in a format of the field, the certificate."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from lucida.data import splits
from lucida.errors import ImageError, InputError
from lucida.export import imagefolder, names, proof
from lucida.export.division import spread
from lucida.export.folder import Folder
from lucida.export.object_files import FORMATS, Pictured, is_seen, place_of
from lucida.export.selection import STATES
from lucida.export.verb import ExportResult
from lucida.export.writing import Reading, read_certificate
from lucida.progress import track

if TYPE_CHECKING:
    from lucida.catalog import Catalog, CurrentObject
    from lucida.export.job import Ask
    from lucida.export.proof import Proof

TASKS: Final = ("detect", "segment", "outline")
DATASHEET: Final = "datasheet.md"


def task_of(catalog: Catalog, question: str) -> str:
    """Return the task of the run that labelled a question last; "" where nobody has said."""
    run = catalog.runs.latest(question=question, verb="label")
    return str(run.parameters.get("task", "")) if run is not None else ""


def write(catalog: Catalog, ask: Ask, question: str, standing: Proof) -> ExportResult:
    """Write the objects of a question; see `lucida.export.export`.

    Raises:
        InputError: There is nothing to write, or the folder holds something else.
    """
    form = ask.format or "coco"
    if form not in FORMATS:
        raise InputError(
            f"The question {question!r} is about objects within images.",
            expected=f"--format {', '.join(FORMATS)}",
            got=f"--format {form}",
            hint="leave --format out for COCO",
        )
    shares = splits.parse(ask.splits) if ask.splits is not None else []
    include = ask.include or ("accepted" if standing.state == "valid" else "proposed")
    every = catalog.annotations.current_objects(question)
    chosen = [one for one in every if one.state in STATES[include] and (one.kept or include != "kept")]
    if not chosen:
        states = Counter(one.state for one in every)
        raise InputError(
            "No object is in the state that is to be written.",
            expected=f"at least one object that is {include}",
            got=", ".join(f"{count:,} {state}" for state, count in states.items()) or "no object",
            hint="--include proposed writes every object",
        )
    pictures = _pictures(catalog, question, chosen, form)
    outside = len(chosen) - sum(len(picture.objects) for picture in pictures)
    together = 0
    if shares:
        of_image, together = spread(catalog, question, _rarest(pictures), shares, ask.seed)
        names_of = [share.name for share in shares]
        pictures = [replace(picture, split=of_image[picture.image]) for picture in pictures]
        pictures.sort(key=lambda picture: names_of.index(picture.split))
    folder = Folder(ask.out, overwrite=ask.overwrite)
    certificate = {name: read_certificate(path) for name, path in standing.files().items()}
    files_of = FORMATS[form][1]
    paths = {picture.image: place_of(picture, form) for picture in pictures}
    classes = sorted({one.label for one in chosen})
    about = _about(question, standing, include)
    by_split = {share.name: 0 for share in shares}
    texts = dict(files_of(pictures, classes, about))
    texts[DATASHEET] = _datasheet(question, standing, include, form, chosen, len(pictures))
    folder.begin({*texts, *certificate, *paths.values()})
    folder.withdraw(proof.FILE, unless=certificate.get(proof.FILE))
    reading = Reading(catalog, catalog.images.names(list(paths)), strip=ask.strip)
    with track("Writing images", len(paths)) as step:
        written = imagefolder.write(folder, paths, reading, step, changed=ask.strip)
    if not written:
        raise ImageError(
            "None of the images could be read.",
            expected=f"{len(paths):,} images where they were when they were added",
            got=next(iter(reading.list()), {}).get("reason", ""),
            hint="bring the folder back",
        )
    if reading.skipped:  # an image that is gone has no objects here
        pictures = [picture for picture in pictures if picture.image not in reading.skipped]
        texts |= dict(files_of(pictures, classes, about))
    for picture in pictures:
        by_split |= {picture.split: by_split[picture.split] + 1} if shares else {}
    for name, text in texts.items():
        folder.write(name, text.encode(errors="replace"))
    for name, data in certificate.items():
        folder.write(name, data)
    facts = {"format": form, "question": question, "include": include, "splits": ask.splits, "seed": ask.seed}
    folder.finish({*texts, *certificate, *written}, facts)
    states = Counter(one.state for one in every)
    return ExportResult(
        out=str(ask.out),
        format=form,
        question=question,
        include=include,
        labelled=len(every),
        images=len(pictures),
        states={state: states[state] for state in ("reviewed", "accepted", "proposed")},
        kept=sum(one.kept for one in every),
        classes=dict(sorted(Counter(one.label for picture in pictures for one in picture.objects).items())),
        splits=by_split,
        together=together,
        certificate=standing.state,
        claim=str(standing.certificate.get("claim", "")) if standing.state == "valid" else "",
        skipped=reading.list(),
        notes=_notes(standing, include, len(every) - len(chosen), outside),
        objects=sum(len(picture.objects) for picture in pictures),
    )


def _pictures(catalog: Catalog, question: str, chosen: list[CurrentObject], form: str) -> list[Pictured]:
    """Return every image that was looked at, those without any object too: they are examples of nothing."""
    inside: dict[str, list[CurrentObject]] = defaultdict(list)
    for one in chosen:
        inside[one.image].append(one)
    said = {row.image for row in catalog.annotations.current(question)}
    images = [image for image in catalog.images.ids() if image in said or image in inside]

    def kind(image: str) -> str:
        return catalog.images.get(image).format

    given = catalog.images.names(images)
    # Label files are named by the stem: two images that differ in their ending only would share one.
    called = {image: names.file_name(given[image], partial(kind, image)) for image in images}
    if form == "voc":  # its lists end a name at the first space
        called = {image: "_".join(name.split()) for image, name in called.items()}
    stems = names.distinct(called)
    taken: Counter[str] = Counter()
    pictures = []
    for image in images:
        stem, dot, ending = stems[image].rpartition(".")
        taken[stem.casefold()] += 1
        again = taken[stem.casefold()]
        file = stems[image] if again == 1 else f"{stem}~{again}{dot}{ending}"
        record = catalog.images.get(image)
        width, height = record.width, record.height
        seen = tuple(one for one in inside[image] if is_seen(one, width, height))
        pictures.append(Pictured(image, file, width, height, seen))
    return pictures


def _rarest(pictures: list[Pictured]) -> dict[str, str]:
    """Return for each image the rarest of its classes, by images: so the rare ones are spread over the splits."""
    classes = {picture.image: {one.label for one in picture.objects} for picture in pictures}
    images = Counter(label for labels in classes.values() for label in labels)
    return {image: min(labels, key=lambda name: (images[name], name), default="") for image, labels in classes.items()}


def _about(question: str, standing: Proof, include: str) -> dict[str, Any]:
    found = {"description": question, "include": include, "certificate": standing.state}
    return found if standing.state != "valid" else {**found, "claim": standing.certificate.get("claim", "")}


def _notes(standing: Proof, include: str, left: int, outside: int) -> list[str]:
    notes = [f"The certificate is void: {standing.reason}."] if standing.state == "void" else []
    if left > 0 and include != "proposed":
        notes.append(
            f"{left:,} objects that nobody has checked and no certificate keeps are not written: an image may hold"
            " more than its annotations say (--include proposed adds them)."
        )
    if outside:
        notes.append(f"{outside:,} objects lie outside of their image altogether and are not written.")
    return notes


def _datasheet(
    question: str, standing: Proof, include: str, form: str, chosen: list[CurrentObject], images: int
) -> str:
    classes = Counter(one.label for one in chosen)
    rows = "".join(f"| {json.dumps(name, ensure_ascii=False)[1:-1]} | {count:,} |\n" for name, count in classes.items())
    states = Counter(one.state for one in chosen)
    claim = {
        "valid": f"{standing.certificate.get('claim', '')}\n\nRecheck it: `lucida verify certificate.json`",
        "void": f"Nothing: {standing.reason}.",
    }.get(standing.state, "Nothing: no review has ended.")
    return (
        f"# {question}\n\n{len(chosen):,} objects in {images:,} images ({form}); written down to the state {include}:"
        f" {', '.join(f'{count:,} {state}' for state, count in states.items())}."
        f" {sum(one.added for one in chosen):,} were added by people.\n\n"
        "Coordinates are pixels of the upright image. *reviewed*: a person said so; *accepted*: kept by the"
        f" certificate without a look; *proposed*: a model's word.\n\n## What is claimed\n\n{claim}\n\n"
        f"## Classes\n\n| class | objects |\n| --- | --- |\n{rows}"
    )
