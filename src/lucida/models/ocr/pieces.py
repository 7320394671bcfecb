"""Lines cut out of an image, and large images looked at in pieces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.results import Line

TILE: Final = 1600  # px of a piece, with its margins
LEAST: Final = 480  # px of a side below which the detector would enlarge it
MARGIN: Final = 128  # px at each side that only help to see the rest
FLAT: Final = 24  # grey levels within which a piece holds no text
FINEST: Final = 8192  # px of the longer side of the largest image that is looked at in full size


def cut_out(
    pixels: NDArray[np.uint8], quad: NDArray[np.float32], height: int, cv2: Any
) -> tuple[NDArray[np.uint8], bool] | None:
    """Return a line as it is read, and whether it was turned to lie; None where it has no size.

    Args:
        pixels: BGR uint8.
        quad: Its corners.
        height: Pixels that it is scaled to; averaged where it shrinks, so that thin strokes stay.
        cv2: The module.
    """
    wide = max(np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[2] - quad[3]))
    high = max(np.linalg.norm(quad[0] - quad[3]), np.linalg.norm(quad[1] - quad[2]))
    if min(wide, high) < 3:
        return None
    across, down = max(1, round(float(wide))), max(1, round(float(high)))
    target = np.array([[0, 0], [across, 0], [across, down], [0, down]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), target)
    line = cv2.warpPerspective(pixels, matrix, (across, down), borderMode=cv2.BORDER_REPLICATE, flags=cv2.INTER_CUBIC)
    turned = down >= 1.5 * across
    if turned:
        # Text that runs from bottom to top or top to bottom, as PaddleOCR takes it.
        line = np.rot90(line)
    ratio = height / line.shape[0]
    size = (max(1, round(line.shape[1] * ratio)), height)
    how = cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC
    return cv2.resize(np.ascontiguousarray(line), size, interpolation=how), turned


def find(detector: Any, pixels: NDArray[np.uint8], cv2: Any) -> list[NDArray[np.float32]]:
    """Return the corners of all lines of a large image, looked at in pieces whose maps are joined.

    Args:
        detector: RapidOCR's.
        pixels: BGR uint8.
        cv2: The module.
    """
    height, width = pixels.shape[:2]
    if max(height, width) > FINEST:
        ratio = FINEST / max(height, width)
        pixels = cv2.resize(
            pixels, (max(1, round(width * ratio)), max(1, round(height * ratio))), interpolation=cv2.INTER_AREA
        )
    high, wide = pixels.shape[:2]
    chances = np.zeros((high, wide), np.float32)
    prepare = detector.get_preprocess()
    tall, broad = _step(high), _step(wide)
    for top in range(0, high, tall):
        for left in range(0, wide, broad):
            piece = _piece(pixels, top, left, tall, broad)
            if int(piece.max()) - int(piece.min()) < FLAT:
                continue
            seen = detector.session(prepare(piece))[0, 0]
            down, across = min(tall, high - top), min(broad, wide - left)
            chances[top : top + down, left : left + across] = seen[MARGIN : MARGIN + down, MARGIN : MARGIN + across]
    quads, _ = detector.postprocess_op(chances[None, None], (height, width))
    return [np.asarray(quad, np.float32) for quad in quads]


def _step(size: int) -> int:
    """Return from piece to piece, so that all are alike and, with their margins, in steps of 32 as the network has."""
    count = -(-size // (TILE - 2 * MARGIN))
    each = -(-size // count)
    return max(-(-each // 32) * 32, LEAST - 2 * MARGIN)


def _piece(pixels: NDArray[np.uint8], top: int, left: int, tall: int, broad: int) -> NDArray[np.uint8]:
    """Return a part of an image with its margins; what lies beyond the edges is as the edge is."""
    rows = np.clip(np.arange(top - MARGIN, top + tall + MARGIN), 0, pixels.shape[0] - 1)
    columns = np.clip(np.arange(left - MARGIN, left + broad + MARGIN), 0, pixels.shape[1] - 1)
    return np.ascontiguousarray(pixels[rows][:, columns])


def merged(coarse: Sequence[Line], fine: Sequence[Line]) -> list[Line]:
    """Return the lines of an image seen twice, small and in full size, each once.

    Large text is whole in the small one and in fragments in the other, small text is the other way round: where
    both have lines, those stay that have more signs, each counted by the square of its line's probability: fragments
    are many and unsure.
    """
    left = list(fine)
    found = []
    for line in coarse:
        same = [other for other in left if _shared(line, other) > 0.5]
        if _right(line) >= sum(map(_right, same)):
            left = [other for other in left if other not in same]
            found.append(line)
    return [*found, *left]


def _right(line: Line) -> float:
    return line.score**2 * len(line.text.replace(" ", ""))


def _shared(one: Line, other: Line) -> float:
    """Return the share of the smaller of two boxes that lies in the other."""
    a, b = one.box, other.box
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    smaller = min((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return max(0.0, across) * max(0.0, down) / smaller if smaller > 0 else 0.0
