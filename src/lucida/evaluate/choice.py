"""Which model is judged, and by which images: by default those that judged its training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lucida.data import read_data
from lucida.data.division import divide, see_samples, training_part
from lucida.data.sample import TEST, TRAIN, VALIDATION
from lucida.errors import ImageError, InputError
from lucida.images import content_id
from lucida.models.trained.family import run_folder

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.data import Sample, Samples
    from lucida.models.spec import Spec

CONFIG: Final = "config.json"
_INCLUDES: Final = ("accepted", "reviewed", "proposed")


def latest_run(catalog: Catalog) -> str:
    """Return the id of the training that finished last.

    Raises:
        InputError: There is none.
    """
    done = [run for run in catalog.runs.all() if run.verb == "train" and run.finished]
    if not done:
        raise InputError(
            f"No training has finished in {catalog.path}.",
            expected="the name of a run or model, or a finished training to take",
            got="neither",
            hint="lucida train first, or name the model",
        )
    return done[-1].id


def config_of(spec: Spec, home: Path | None) -> dict[str, Any] | None:
    """Return what was asked of the training that made a model; None where no training did."""
    if spec.family != "trained":
        return None
    try:
        found: dict[str, Any] = json.loads((run_folder(spec.name, home) / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if "data" in found else None


def images_of(spec: Spec, task: str, data: Path | None, split: str | None, catalog: Catalog | None) -> Samples:
    """Return the images to judge a model by.

    Args:
        spec: The model.
        task: What it is judged at.
        data: Where the images are; None for those of the training of the model.
        split: "test" or "validation"; None for the stricter one that there is.
        catalog: Where the answers are that it was trained on; None where there is no catalog.

    Raises:
        InputError: There are none: a training split judges nothing.
    """
    if data is not None:
        return unlearned(part_of(read_place(data, task), split), spec, task, catalog)
    return part_of(training_images(spec, task, catalog), split or VALIDATION)


def unlearned(samples: Samples, spec: Spec, task: str, catalog: Catalog | None) -> Samples:
    """Leave out images that are, byte for byte, among those that a model was trained on, and say so.

    Args:
        samples: The images.
        spec: The model; where no training here made it, or its images are gone, nothing is known and nothing left out.
        task: What it is judged at.
        catalog: Where the answers are that it was trained on; None where there is no catalog.

    Raises:
        InputError: All of them were learned from.
    """
    try:
        learned = training_images(spec, task, catalog).of(TRAIN)
    except InputError:
        return samples
    ids = {_id(sample) for sample in learned} - {""}
    kept = [row for row, sample in enumerate(samples) if _id(sample) not in ids]
    lost = len(samples) - len(kept)
    if not lost:
        return samples
    if not kept:
        raise InputError(
            f"{spec.name} was trained on all of these images.",
            expected="images that it has not learned from",
            got=samples.origin,
            hint="without --data it is judged by those that were set aside in training",
        )
    note = f"{lost:,} images are left out: {spec.name} was trained on them."
    found = samples.take(kept)
    return replace(found, notes=(*found.notes, note))


def _id(sample: Sample) -> str:
    try:
        return content_id(sample.read())
    except (ImageError, InputError, OSError):
        return ""


def training_images(spec: Spec, task: str, catalog: Catalog | None) -> Samples:
    """Return the images of the training of a model, divided as it divided them.

    Args:
        spec: The model.
        task: What it is judged at.
        catalog: Where the answers are that it was trained on; None where there is no catalog.

    Raises:
        InputError: No training here made the model, or its images are not to be had any more.
    """
    config = config_of(spec, catalog.models if catalog is not None else None)
    if config is None:
        raise InputError(
            f"Which images is {spec.name} to be judged by?",
            expected="--data PLACE: labelled images that it has not learned from",
            got="a model that is not of a training here",
            hint="lucida evaluate MODEL --data PLACE",
        )
    place = Path(config["data"])
    return divided(read_place(place, task), config) if place.exists() else _answers(catalog, spec, config)


def read_place(place: Path, task: str) -> Samples:
    """Read labelled images for a task; oddities by their masks, where there are some.

    Raises:
        InputError: There are none.
    """
    if task != "anomaly":
        return read_data(place, task)  # type: ignore[arg-type]
    try:
        return read_data(place, "segment")
    except InputError:
        return read_data(place, "anomaly")


def part_of(samples: Samples, split: str | None) -> Samples:
    """Return the part that judges: the split asked for, else test, else validation, else all where nothing is split.

    Raises:
        InputError: There is no such part.
    """
    given = samples.splits
    wanted = [split] if split else [TEST, VALIDATION, ""]
    for name in wanted:
        if given.get(name):
            left = {other: count for other, count in given.items() if other != name and count}
            said = ", ".join(f"{other or 'no split'} {count:,}" for other, count in left.items())
            notes = [f"Judged by the split {name!r}; not by {said}."] if left and name else []
            return replace(samples.of(name), notes=(*samples.notes, *notes))
    raise InputError(
        f"There is no {f'split {split!r}' if split else 'test or validation split'} in {samples.origin}.",
        expected=" or ".join(repr(name) for name in wanted if name),
        got=", ".join(f"{name or 'no split'} {count:,}" for name, count in given.items()) or "no images",
        hint="a model is not judged by images that it may learn from; --split names another part",
    )


def divided(samples: Samples, config: dict[str, Any]) -> Samples:
    """Divide images as their training did, and say where they have changed since."""
    if samples.splits.get(VALIDATION):
        return samples
    seen = see_samples(samples)
    whole = divide(samples, seen=seen)
    if config.get("digest") in (None, _digest(whole, seen)):
        return whole
    changed = (
        "The data has changed since the training: some of these images may have been learned from, which flatters the"
        " model."
    )
    return replace(whole, notes=(*whole.notes, changed))


def _digest(whole: Samples, seen: Any) -> str:
    """Return the digest of the parts that a training has, as `lucida.train.parts` makes them."""
    train = training_part(whole, seen=seen)
    named = tuple(replace(sample, split=TRAIN) for sample in train)
    return replace(train, items=(*named, *whole.of(VALIDATION))).digest()


def _answers(catalog: Catalog | None, spec: Spec, config: dict[str, Any]) -> Samples:
    """Return the answers of a catalog, divided as the training did.

    Raises:
        InputError: They are not to be had, or have changed so that nobody knows which were learned from.
    """
    from lucida.data.catalog import read_answers

    run = next((run for run in catalog.runs.all() if run.id == Path(spec.name).name), None) if catalog else None
    if catalog is not None and run is not None:
        for include in (config["include"],) if "include" in config else _INCLUDES:
            found = read_answers(catalog, run.question, proposed=include == "proposed")
            if include == "reviewed":
                found = found.take(row for row, one in enumerate(found) if one.slices.get("state") == "reviewed")
            if not len(found):
                continue
            seen = see_samples(found)
            whole = divide(found, seen=seen)
            if _digest(whole, seen) == config["digest"]:
                return whole
    raise InputError(
        f"The images that judged the training of {spec.name} are not to be had any more.",
        expected=f"{config['data']}, as it was then",
        got="a place that is missing, or answers that have changed",
        hint="--data PLACE names labelled images that it has not learned from",
    )
