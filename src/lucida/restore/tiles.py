"""Images of any size through a model: overlapping tiles, row by row, in bounded memory.

Every tile sees a halo of pixels around it, as many as a pixel of the result depends on, and gives only what they cannot
spoil; its origin lies on the grid of the model. So tiles give what the whole image would. Models that see farther than
their halo have their tiles fade into each other as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from lucida.runs.local import map_stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.restorer import RestoreNeeds

    Pixels = NDArray[Any]
    Piece = Callable[[NDArray[np.float32]], NDArray[np.float32]]
    Write = Callable[[Pixels], None]

BAND: Final = 192 * 2**20  # bytes of results that wait until their rows are whole
SMALLEST: Final = 32  # side of the smallest tile that is tried


class Span(NamedTuple):
    """One tile along one axis, in pixels of the image.

    Attributes:
        first: Of what is read.
        last: Of what is read, one behind.
        start: Of what is given.
        stop: Of what is given, one behind.
        core: Begin and end of what is its own.
        fade: Pixels on both sides of an inner end over which it fades into its neighbour.
    """

    first: int
    last: int
    start: int
    stop: int
    core: tuple[int, int]
    fade: int


def spans(length: int, side: int, needs: RestoreNeeds) -> list[Span]:
    """Divide an axis into tiles of about the same size, at most `side` pixels and their halo."""
    grid = needs.grid or needs.multiple
    count = max(1, math.ceil(length / max(side, grid)))
    step = math.ceil(math.ceil(length / count) / grid) * grid
    found = []
    for core in range(0, length, step):
        end = min(core + step, length)
        fade = min(needs.blend, step // 2)
        start, stop = (core - fade if core else 0), (end + fade if end < length else length)
        stop = min(stop, length)
        first = max(0, start - needs.halo) // grid * grid
        last = min(length, -(-(stop + needs.halo) // grid) * grid)
        found.append(Span(first, last, start, stop, (core, end), fade))
    return found


def weights(span: Span, scale: int) -> NDArray[np.float32]:
    """Return how much each pixel of what a tile gives counts, float32, one a pixel of the result.

    Where two tiles overlap theirs add up to 1.
    """
    at = np.arange(span.start * scale, span.stop * scale) + 0.5
    found = np.ones(len(at), np.float64)
    for edge, inner, sign in ((span.start, span.core[0], 1), (span.stop, span.core[1], -1)):
        if edge != inner:
            found = np.minimum(found, np.clip(0.5 + sign * (at - inner * scale) / (2 * span.fade * scale), 0, 1))
    return found.astype(np.float32)


def run_tiles(
    source: Pixels,
    piece: Piece,
    needs: RestoreNeeds,
    scale: int,
    write: Write,
    *,
    kind: type[np.uint8] | type[np.uint16],
    side: int = 0,
    workers: int = 1,
    step: Callable[[float], None] | None = None,
) -> None:
    """Bring an image through a model and write what comes out, rows from top to bottom.

    Args:
        source: (height, width, channels) uint8 or uint16; read in pieces, so it may lie on a disk.
        piece: What the model makes of a piece, float32 (h, w, channels) in 0..1, scaled.
        needs: What the model needs of a piece.
        scale: How many times larger its pieces come out.
        write: Takes rows (n, width * scale, channels) of `kind`.
        kind: Type of the values that are written.
        side: Of the tiles in pixels; 0 for what the model is fastest with.
        workers: Tiles at a time.
        step: Called with the share that is done.

    Raises:
        MemoryError: There is none for tiles of this side.
    """
    height, width, channels = source.shape
    side = side or needs.tile
    # Rows wait until their band is whole: of a very wide image bands are low.
    grid = needs.grid or needs.multiple
    low = max(SMALLEST, BAND // max(1, 4 * channels * width * scale * scale) // grid * grid)
    columns, rows = spans(width, side, needs), spans(height, min(side, low), needs)
    top = np.float32(np.iinfo(kind).max)
    waiting = np.zeros((0, width * scale, channels), np.float32)

    def make(place: tuple[Span, Span]) -> tuple[Span, NDArray[np.float32]]:
        down, across = place
        found = piece(as_floats(source[down.first : down.last, across.first : across.last]))
        top_row, left = (down.start - down.first) * scale, (across.start - across.first) * scale
        high, wide = (down.stop - down.start) * scale, (across.stop - across.start) * scale
        return across, found[top_row : top_row + high, left : left + wide]

    for number, down in enumerate(rows):
        band = np.zeros(((down.stop - down.start) * scale, width * scale, channels), np.float32)
        band[: len(waiting)] = waiting
        rise = weights(down, scale)[:, None, None]
        places: Iterator[tuple[Span, Span]] = ((down, across) for across in columns)
        for column, (across, found) in enumerate(_in_turn(make, places, workers)):
            share = weights(across, scale)[None, :, None]
            band[:, across.start * scale : across.stop * scale] += found * (rise * share)
            if step is not None:
                step((number + (column + 1) / len(columns)) / len(rows))
        # What the next band fades into is not whole yet.
        whole = (rows[number + 1].start - down.start) * scale if number + 1 < len(rows) else len(band)
        waiting = band[whole:].copy()
        write(as_integers(band[:whole], top, kind))


def _in_turn(
    make: Callable[[tuple[Span, Span]], tuple[Span, NDArray[np.float32]]],
    places: Iterator[tuple[Span, Span]],
    workers: int,
) -> Iterator[tuple[Span, NDArray[np.float32]]]:
    return map_stream(make, places, workers=workers, waiting=2 * workers) if workers > 1 else map(make, places)


def as_floats(pixels: Pixels) -> NDArray[np.float32]:
    """Return pixels of 8 or 16 bits as float32 in 0..1."""
    return np.asarray(pixels, np.float32) * np.float32(1 / np.iinfo(pixels.dtype).max)


def as_integers(pixels: NDArray[np.float32], top: np.float32, kind: type[np.uint8] | type[np.uint16]) -> Pixels:
    """Return pixels in 0..1 as integers, rounded, black to white."""
    np.clip(pixels, 0, 1, out=pixels)
    pixels *= top
    return np.rint(pixels, out=pixels).astype(kind)
