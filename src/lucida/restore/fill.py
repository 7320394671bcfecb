"""Filling what a mask covers: each hole with its surroundings goes through the model, and nothing else is touched."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image as Pillow

from lucida.errors import InputError, UnknownName
from lucida.images import decode
from lucida.models.restorer import needs_of
from lucida.restore.holes import Holes
from lucida.restore.tiles import SMALLEST, as_floats

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from lucida.images import Image
    from lucida.models.spec import Model
    from lucida.restore.holes import Window

SOFT: Final = 32  # of 255, from which a mask covers: the soft edges of a brush are meant as well, noise of JPEG is not
AROUND: Final = 0.5  # of a hole's sides that is looked at on each side of it
THIN: Final = 0.25  # of the side that a model is given, up to which a hole is filled piece by piece


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
    # Grey as it is: three times the same would be much memory.
    grey = shown.mode == "L" and shown.pixels.dtype == np.uint8 and shown.window is None
    white: NDArray[np.bool_] = (shown.pixels.reshape(shown.pixels.shape[:2]) if grey else _brightest(shown)) >= SOFT
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


def _brightest(shown: Image) -> NDArray[np.uint8]:
    red, green, blue = shown.rgb8().transpose(2, 0, 1)
    # Two passes over planes; along the last axis it would be many times slower.
    found: NDArray[np.uint8] = np.maximum(np.maximum(red, green), blue)
    return found


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
    out: NDArray[Any] | None = None,
    step: Callable[[float], None] | None = None,
) -> NDArray[Any]:
    """Return an image with what the mask covers filled; its other pixels are the same, bit by bit.

    Args:
        model: A model that fills.
        colour: (height, width, 1 or 3) uint8 or uint16.
        mask: (height, width), true where is to be filled.
        side: Longest side that the model is given; 0 for its own. A thin hole that is longer is filled piece by piece,
            a thick one smaller and enlarged.
        out: What the result is written into, which may be `colour` itself; a copy of it where it is None.
        step: Called with the share that is done.

    Raises:
        MemoryError: There is none for this side.
    """
    needs = needs_of(model.spec)
    side = max(side or needs.tile + 2 * needs.halo, SMALLEST)
    out = colour.copy() if out is None else out
    holes, left, top = Holes(mask, needs.halo), mask.copy(), np.iinfo(colour.dtype).max
    for number in range(len(holes)):
        window = around(holes.box(number), mask.shape, needs.halo)
        pieces = list(_pieces(window, side, thin=holes.thickness(number) <= THIN * side))
        for done, (seen, core) in enumerate(pieces):
            own = holes.own(number, core)
            if own.any():
                found = _filled(model, as_floats(out[seen]), left[seen], side)
                inner = tuple(slice(c.start - s.start, c.stop - s.start) for c, s in zip(core, seen, strict=True))
                out[core][own] = np.rint(np.clip(found[inner][own], 0, 1) * top).astype(colour.dtype)
                # The next piece goes on from here.
                left[core][own] = False
            if step is not None:
                step((number + (done + 1) / len(pieces)) / len(holes))
    return out


def around(box: Window, shape: tuple[int, ...], halo: int) -> Window:
    """Return a window that holds a hole with its surroundings."""
    rows, columns = (
        slice(max(0, part.start - reach), min(length, part.stop + reach))
        for part, length in zip(box, shape, strict=True)
        for reach in (max(halo, int(AROUND * (part.stop - part.start))),)
    )
    return rows, columns


def _pieces(window: Window, side: int, *, thin: bool) -> Iterator[tuple[Window, Window]]:
    """Yield windows that are seen, each with the part of it that is filled; one alone where the hole is not thin."""
    if not thin or max(part.stop - part.start for part in window) <= side:
        yield window, window
        return
    reach = side // 4
    for down, across in product(*(range(part.start, part.stop, side - 2 * reach) for part in window)):
        core = tuple(
            slice(first, min(first + side - 2 * reach, part.stop))
            for first, part in zip((down, across), window, strict=True)
        )
        seen = tuple(
            slice(max(inner.start - reach, part.start), min(inner.stop + reach, part.stop))
            for inner, part in zip(core, window, strict=True)
        )
        yield (seen[0], seen[1]), (core[0], core[1])


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
