"""Images of which nothing is known, or only of some: for learning without labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from lucida.data.files import images_in, reader
from lucida.data.folders import TRUTH, FolderFormat
from lucida.data.parquet import ParquetFormat, read_rows
from lucida.data.sample import Sample, Samples
from lucida.data.source import SPLITS, formats, read_data
from lucida.errors import InputError

# A folder of this name among those of the classes holds images that nobody has labelled.
UNLABELLED: Final = ("unlabelled", "unlabeled")


def read_images(path: Path | str) -> Samples:
    """Read all images of a place, however deep they lie; labels are not looked at.

    Args:
        path: A folder of images, or Parquet files as `datasets` writes them.

    Returns:
        The images, their targets None; those in a folder or file named after a split are of that split.

    Raises:
        InputError: There is no image.
    """
    place = Path(path).expanduser()
    parquet = ParquetFormat().claims(place, "classify")
    items = read_rows(place) if parquet else [_loose(place, file) for file in _files(place)]
    if not items:
        raise InputError(
            f"There are no images at {place}.",
            expected="a folder with images in it, at any depth, or Parquet files with a column of images",
            got="something else" if place.exists() else "nothing there",
            hint="--data NAMES THE FOLDER that holds the images",
        )
    return Samples("classify", (), tuple(items), place.as_posix())


def read_some(path: Path | str) -> Samples:
    """Read images of which only some have a class.

    Args:
        path: As for `read_data` with the task "classify". Images that lie beside the folders of the classes, or in a
            folder named "unlabelled" among them, have no label, and so have rows of Parquet whose label is null.

    Raises:
        InputError: There is no image, or the place is not what it must be.
    """
    place = Path(path).expanduser()
    fitting = [form for form in formats() if "classify" in form.tasks]
    if not any(form.claims(place, "classify") for form in fitting if place.exists()):
        return read_images(place)
    found = read_data(place, "classify")
    items = [replace(one, target=None) if str(one.target).casefold() in UNLABELLED else one for one in found]
    notes = found.notes
    if FolderFormat().claims(place, "classify") and place.is_dir() and not ParquetFormat().claims(place, "classify"):
        known = {one.name for one in items}
        items += [one for file in _files(place) if (one := _loose(place, file)).name not in known]
        notes = ()
    classes = tuple(name for name in found.classes if name.casefold() not in UNLABELLED)
    return replace(found, items=tuple(items), classes=classes, notes=notes)


def _files(place: Path) -> list[Path]:
    """Return the images of a folder; masks of MVTec AD are none."""
    found = images_in(place, deep=True) if place.is_dir() else []
    return [file for file in found if TRUTH not in file.relative_to(place).parts[:-1]]


def _loose(place: Path, file: Path) -> Sample:
    name = file.relative_to(place)
    split = SPLITS.get(name.parts[0].casefold(), "") if len(name.parts) > 1 else ""
    return Sample(name.as_posix(), reader(file), None, split)
