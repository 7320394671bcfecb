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
