"""Masks as run lengths, packed into text as the COCO API packs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def encode(mask: NDArray[np.bool_]) -> dict[str, Any]:
    """Return a mask bool (height, width) as {"size": [height, width], "counts": text}.

    Source: `rleToString` of the COCO API's maskApi.c; columns first, the first run is of zeros.
    """
    flat = np.asarray(mask, bool).T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    if flat.size and flat[0]:
        runs = [0, *runs]
    return {"size": list(mask.shape), "counts": _pack(runs)}


def decode(shape: dict[str, Any], size: tuple[int, int] | None = None) -> NDArray[np.bool_]:
    """Decode run lengths into bool (height, width).

    Args:
        shape: {"size": [height, width], "counts": numbers, or text that packs them}.
        size: Width and height of the image; None to believe `shape`.

    Raises:
        ValueError: They do not fill the image.

    Source: `rleFrString` of the COCO API's maskApi.c.
    """
    width, height = size or (int(shape["size"][1]), int(shape["size"][0]))
    counts = shape["counts"]
    runs = np.array(_unpack(counts) if isinstance(counts, str) else counts, np.int64)
    if list(shape.get("size", (height, width))) != [height, width]:
        raise ValueError(f"run lengths of {shape['size']} on an image of {[height, width]}")
    if (runs < 0).any() or int(runs.sum()) != width * height:
        raise ValueError(f"run lengths of {int(runs.sum()):,} pixels on an image of {width * height:,}")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape(width, height).T


def extent(shape: dict[str, Any]) -> tuple[int, tuple[float, float, float, float]]:
    """Return how many pixels a mask has, and left, top, right, bottom around them; zeros where it has none.

    Reads the runs alone, so that a mask of a very large image costs no memory.

    Args:
        shape: {"size": [height, width], "counts": numbers, or text that packs them}.
    """
    height = int(shape["size"][0])
    counts = shape["counts"]
    runs = np.array(_unpack(counts) if isinstance(counts, str) else counts, np.int64)
    ends = np.cumsum(runs)
    begin, end = (ends - runs)[1::2], ends[1::2]
    begin, end = begin[end > begin], end[end > begin]
    if not len(end):
        return 0, (0.0, 0.0, 0.0, 0.0)
    first, last = begin // height, (end - 1) // height
    whole = first < last  # it goes on in the next column, so it has its foot in the one and its head in the other
    top = np.where(whole, 0, begin % height).min()
    bottom = np.where(whole, height, (end - 1) % height + 1).max()
    return int((end - begin).sum()), (float(first.min()), float(top), float(last.max() + 1), float(bottom))


def checked(shape: object, width: int, height: int) -> dict[str, Any]:
    """Return a mask that somebody else has made in the one form that `encode` gives, without decoding it.

    Args:
        shape: What should be {"size": [height, width], "counts": numbers, or text that packs them}.
        width, height: Of the image.

    Raises:
        ValueError: It is none, or does not fill the image.
    """
    if not isinstance(shape, dict) or shape.get("size") not in ([height, width], (height, width)):
        raise ValueError("a mask of another size")
    counts = shape.get("counts")
    try:
        runs = _unpack(counts) if isinstance(counts, str) else [int(run) for run in counts or ()]
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("run lengths that cannot be read") from error
    if any(run < 0 for run in runs) or sum(runs) != width * height:
        raise ValueError(f"run lengths of {sum(runs):,} pixels")
    tidy: list[int] = []
    for place, run in enumerate(runs):
        if run == 0 and place:
            continue
        # After a run that is left out, the next one is of the same kind as the last that stays.
        if tidy and (len(tidy) - 1) % 2 == place % 2:
            tidy[-1] += run
        else:
            tidy.append(run)
    return {"size": [height, width], "counts": _pack(tidy)}


def _pack(counts: list[int]) -> str:
    """Return text of counts: five bits a character, differences from the last but one."""
    out = bytearray()
    for number, count in enumerate(counts):
        value = count - counts[number - 2] if number > 2 else count
        while True:
            code, value = value & 31, value >> 5
            # The last character's highest bit is the sign.
            more = value != -1 if code & 16 else value != 0
            out.append((code | 32 if more else code) + 48)
            if not more:
                break
    return out.decode("ascii")


def _unpack(text: str) -> list[int]:
    """Return the counts that a text packs."""
    counts: list[int] = []
    value = shift = 0
    for character in text.encode("ascii"):
        code = character - 48
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    return counts
