"""Filling what a mask covers: each hole with its surroundings goes through the model, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image as Pillow
from scipy import ndimage

from lucida.errors import InputError, UnknownName
from lucida.images import decode
from lucida.models.restorer import needs_of
from lucida.restore.tiles import SMALLEST, as_floats

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lucida.models.spec import Model

SOFT: Final = 32  # of 255, from which a mask covers: the soft edges of a brush are meant as well, noise of JPEG is not
AROUND: Final = 0.5  # of a hole's sides that is looked at on each side of it


def read_mask(path: Path, name: str, width: int, height: int) -> NDArray[np.bool_]:
    """Return what is to be filled of an image, (height, width).

    Args:
        path: An image, white where is to be filled; or a folder with one named like the image.
        name: File name of the image.
        width: Of the image.
        height: Of the image.

    Raises:
        InputError: It has another size, or covers nothing or everything.
        ImageError: It is no image.
    """
    file = _named(path, name) if path.is_dir() else path
    shown = decode(file)
    white: NDArray[np.bool_] = shown.rgb8().max(axis=2) >= SOFT
    if white.shape != (height, width):
        raise InputError(
            f"The mask {file} has another size than the image {name}.",
            expected=f"{width} x {height} pixels",
            got=f"{white.shape[1]} x {white.shape[0]} pixels",
            hint="draw the mask on a copy of the image itself; a photo's size is meant upright",
        )
    if white.all() or not white.any():
        raise InputError(
            f"The mask {file} covers {'everything' if white.all() else 'nothing'}.",
            expected="white where is to be filled, black where the image stays",
            got="all white" if white.all() else "all black",
            hint="invert the mask, if it is the other way round" if white.all() else "is it white, and not grey?",
        )
    return white


def _named(folder: Path, name: str) -> Path:
    stem = Path(name).stem
    found = sorted(path for path in folder.iterdir() if path.stem == stem and path.is_file())
    if not found:
        raise UnknownName("mask", stem, sorted(path.stem for path in folder.iterdir()), hint=f"in {folder}")
    return found[0]


def fill(
    model: Model,
    colour: NDArray[Any],
    mask: NDArray[np.bool_],
    *,
    side: int = 0,
    step: Callable[[float], None] | None = None,
) -> NDArray[Any]:
    """Return an image with what the mask covers filled; its other pixels are the same, bit by bit.

    Args:
        model: A model that fills.
        colour: (height, width, 1 or 3) uint8 or uint16.
        mask: (height, width), true where is to be filled.
        side: Longest side that the model is given; a larger hole is filled smaller and enlarged. 0 for its own.
        step: Called with the share that is done.

    Raises:
        MemoryError: There is none for this side.
    """
    needs = needs_of(model.spec)
    side = side or needs.tile + 2 * needs.halo
    out = colour.copy()
    pieces = regions(mask, needs.halo)
    for number, (rows, columns) in enumerate(pieces):
        hole = mask[rows, columns]
        found = _filled(model, as_floats(out[rows, columns]), hole, max(side, SMALLEST))
        top = np.iinfo(colour.dtype).max
        out[rows, columns][hole] = np.rint(np.clip(found[hole], 0, 1) * top).astype(colour.dtype)
        if step is not None:
            step((number + 1) / len(pieces))
    return out


def regions(mask: NDArray[np.bool_], halo: int) -> list[tuple[slice, slice]]:
    """Return windows that hold all holes with their surroundings; holes near each other share one."""
    height, width = mask.shape
    boxes = []
    # Holes closer than this would see each other as surroundings.
    near = ndimage.maximum_filter(mask, 2 * halo + 1)
    labels, _ = ndimage.label(near)
    for rows, columns in ndimage.find_objects(np.where(mask, labels, 0)):
        down = max(halo, int(AROUND * (rows.stop - rows.start)))
        across = max(halo, int(AROUND * (columns.stop - columns.start)))
        boxes.append((
            slice(max(0, rows.start - down), min(height, rows.stop + down)),
            slice(max(0, columns.start - across), min(width, columns.stop + across)),
        ))  # fmt: skip
    return boxes


def _filled(model: Model, pixels: NDArray[np.float32], hole: NDArray[np.bool_], side: int) -> NDArray[np.float32]:
    """Return a piece filled, float32 (height, width, channels)."""
    height, width, channels = pixels.shape
    ratio = min(1.0, side / max(height, width))
    needs = needs_of(model.spec)
    small = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    planes = [_resized(pixels[..., c], small) for c in range(channels)]
    covered = hole if ratio == 1 else _resized(hole.astype(np.float32), small) > 0
    batch = np.stack(planes * (3 if needs.channels == 3 and channels == 1 else 1))
    mask = covered[None, None].astype(np.float32)
    if needs.channels == 1:
        found = model.restore(batch[:, None], None, mask.repeat(len(batch), axis=0))[:, 0]
    else:
        found = model.restore(batch[None], None, mask)[0]
    if channels == 1:
        found = found.mean(axis=0, keepdims=True)
    return np.stack([_resized(plane, (width, height)) for plane in found], axis=2)


def _resized(plane: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    if plane.shape == size[::-1]:
        return np.ascontiguousarray(plane)
    picture = Pillow.fromarray(np.ascontiguousarray(plane)).resize(size, Pillow.Resampling.BICUBIC)
    return np.asarray(picture, np.float32)
