"""A folder of images and one of masks with the same stems."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image as Pillow

from lucida.data.files import Omitted, folders_in, images_in, reader
from lucida.data.parquet import TWO
from lucida.data.sample import Mask, Sample, Samples, Task
from lucida.data.source import SPLITS
from lucida.errors import ImageError, InputError
from lucida.images import decode, read

IMAGES: Final = ("images", "imgs", "image", "JPEGImages")
MASKS: Final = ("masks", "mask", "labels", "annotations", "SegmentationClass")
_ENDINGS: Final = ("", "_mask", "-mask", ".mask", "_label")
_ONE_CHANNEL: Final = ("L", "P", "I;16", "I")
IGNORE: Final = 255


class MaskFormat:
    """images/a.jpg and masks/a.png; the values of a mask are named by classes.txt, a line each from 0."""

    name = "masks"
    layout = "images/ and masks/ with the same stems, and classes.txt with the names of the values 0, 1, …"
    tasks: tuple[Task, ...] = ("segment",)

    def claims(self, path: Path, task: Task) -> bool:
        """Tell whether there are folders of images and of masks."""
        return bool(_pairs(path))

    def read(self, path: Path, task: Task) -> Samples:
        """Read a place; an image without a mask is left out and counted in the notes.

        Without classes.txt, masks of 0 and 1 (or 255) are background and foreground, and other values are classes by
        their number.

        Raises:
            InputError: No image has a mask.
        """
        omitted = Omitted()
        found: list[tuple[Path, Path, str]] = []
        for split, images, masks in _pairs(path):
            of_stem = {mask.relative_to(masks).with_suffix("").as_posix(): mask for mask in images_in(masks, deep=True)}
            for image in images_in(images, deep=True):
                stem = image.relative_to(images).with_suffix("").as_posix()
                mask = next((of_stem[stem + end] for end in _ENDINGS if stem + end in of_stem), None)
                if mask is None:
                    omitted.add("images without a mask", image.relative_to(path).as_posix())
                else:
                    found.append((image, mask, split))
        if not found:
            raise InputError(
                f"No image in {path} has a mask.",
                expected="images/a.jpg and masks/a.png",
                got="other stems",
                hint="name each mask as its image",
            )
        names = _names(path)
        values, ignore = (dict(enumerate(names)), IGNORE) if names else _values([mask for _, mask, _ in found])
        items = tuple(
            Sample(
                image.relative_to(path).as_posix(), reader(image), Mask(partial(one_channel, mask), values, ignore), s
            )
            for image, mask, s in found
        )
        return Samples(task, tuple(dict.fromkeys(values.values())), items, path.as_posix(), omitted.notes())


def _pairs(path: Path) -> list[tuple[str, Path, Path]]:
    """Return split, folder of images and folder of masks: images/train, train/images, or images alone."""
    inner = [(SPLITS[f.name.casefold()], f) for f in folders_in(path) if f.name.casefold() in SPLITS]
    found = []
    for split, folder in [("", path), *inner]:
        images = next((folder / name for name in IMAGES if (folder / name).is_dir()), None)
        masks = next((folder / name for name in MASKS if _holds_images(folder / name)), None)
        if images is None or masks is None:
            continue
        parts = [part for part in folders_in(images) if part.name.casefold() in SPLITS and (masks / part.name).is_dir()]
        found += [(SPLITS[part.name.casefold()], part, masks / part.name) for part in parts] or [(split, images, masks)]
    return found


def _holds_images(folder: Path) -> bool:
    return folder.is_dir() and bool(images_in(folder, deep=True))


def _names(path: Path) -> list[str]:
    file = path / "classes.txt"
    return [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()] if file.is_file() else []


def _values(masks: list[Path]) -> tuple[dict[int, str], int | None]:
    """Return what the values stand for where nobody says, and which of them is to be ignored."""
    seen: set[int] = set()
    for mask in masks:
        try:
            seen |= set(np.unique(decode(one_channel(mask)).pixels).tolist())
        except ImageError:
            continue  # whoever trains on it is told
    if seen <= TWO.keys():
        return dict(TWO), None
    return {0: "background"} | {value: str(value) for value in sorted(seen - {0, IGNORE})}, IGNORE


def one_channel(path: Path) -> bytes:
    """Return a mask as an encoded image of one channel whose values are exact.

    Grey that was saved in colour is grey again; the shades that JPEG leaves around an edge become black or white.

    Raises:
        ImageError: It cannot be read, or is a picture in colours.
    """
    data = read(path)
    image = decode(data)
    lossy = data[:3] == b"\xff\xd8\xff"
    if image.mode in _ONE_CHANNEL and not lossy:
        return data
    pixels = image.rgb8()
    if np.any(pixels != pixels[..., :1]) and not lossy:
        raise ImageError(
            f"{path} is a mask in colours.",
            expected="one channel whose values are the classes",
            got=f"mode {image.mode}",
            hint="write the number of the class into each pixel, as a grey or palette PNG",
        )
    grey = pixels[..., 0] if not lossy else np.where(pixels.mean(axis=2) > 127, 255, 0).astype(np.uint8)
    out = io.BytesIO()
    Pillow.fromarray(np.ascontiguousarray(grey)).save(out, "PNG", compress_level=1)
    return out.getvalue()
