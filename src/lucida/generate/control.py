"""Control images from photos: edges, rough lines, depth. What is one already is taken as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import MissingExtra, UnknownName
from lucida.models.generator import CONTROLS, Given
from lucida.notes import Note

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWN: Final = 0.93  # share of pixels that are nearly black or white, from which an image is a drawing
NEAR: Final = 40  # grey levels from black or white
LOW, HIGH = 100, 200  # gradient, of 8 bits: the thresholds that ControlNet's edges were made with
DEPTH: Final = "hf:depth-anything/Depth-Anything-V2-Small-hf"


def control_image(given: Given, kind: str) -> tuple[Given, Note]:
    """Return the control image of a photo or drawing, and how it came about, in a sentence.

    Args:
        given: A photo; or a drawing, dark on light or light on dark.
        kind: One of `CONTROLS`.

    Raises:
        UnknownName: There is no such kind.
        MissingExtra: A package is not installed.
        ModelError: The model of depth is not at hand.
    """
    if kind not in CONTROLS:
        raise UnknownName("control", kind, CONTROLS)
    grey = _grey(given.pixels)
    if kind != "depth" and is_drawing(grey):
        if grey.mean() > 127:
            said = Note("control_dark", "The image is a drawing already, dark on light: it was inverted.")
            return _given(255 - grey, given), said
        return _given(grey, given), Note("control_drawing", "The image is a drawing already.")
    return _given(_MAKE[kind](given.pixels), given), _MADE[kind]


def is_drawing(grey: NDArray[np.uint8]) -> bool:
    """Tell whether an image uint8 (height, width) is one of lines: nearly all of it black or white, mostly one of them.

    Blank paper is none.
    """
    black, white = float((grey <= NEAR).mean()), float((grey >= 255 - NEAR).mean())
    return black + white >= DRAWN and max(black, white) >= 0.6 and min(black, white) > 0


def canny(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return thin edges, 255 on 0.

    Source: Canny, A computational approach to edge detection (1986); as ControlNet's (Zhang et al. 2023).
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingExtra("opencv-python-headless", "generate", "Finding edges") from error
    return np.asarray(cv2.Canny(np.ascontiguousarray(pixels), LOW, HIGH), np.uint8)


def scribble(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return thick rough lines, 255 on 0, where a person would draw some.

    Source: Winnemöller et al., XDoG: an extended difference-of-Gaussians compendium (2012), without its tones.
    """
    from scipy import ndimage

    colours = pixels.astype(np.float32)
    # A pencil is as wide on a large photo as on a small one.
    sigma = max(1.0, min(pixels.shape[:2]) / 250)
    around, near = (ndimage.gaussian_filter(colours, (s * sigma, s * sigma, 0)) for s in (1.6, 1.0))
    # Even parts differ from their surround by next to nothing. Yellow and white are equally bright: any colour counts.
    lines = np.asarray((around - near > 3.0).any(axis=2))
    reach = max(1, round(1.5 * sigma))
    thick = ndimage.binary_dilation(_without_dots(lines, sigma), iterations=reach)
    return (thick * np.uint8(255)).astype(np.uint8)


def _without_dots(lines: NDArray[np.bool_], sigma: float) -> NDArray[np.bool_]:
    """Leave out what is too short to be a line: nobody draws grain."""
    from scipy import ndimage

    marks, count = ndimage.label(lines, np.ones((3, 3)))
    areas = np.bincount(marks.ravel(), minlength=count + 1)
    areas[0] = 0
    long: NDArray[np.bool_] = (areas >= 30 * sigma**2)[marks]
    return long


def depth(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return how near everything is, 255 for near.

    Source: Yang et al., Depth Anything V2 (2024).
    """
    from lucida.models.transformers.depth import depth_map

    return depth_map(DEPTH, pixels)


_MAKE: Final[dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]]] = {
    "canny": canny,
    "scribble": scribble,
    "depth": depth,
}


_MADE: Final[dict[str, Note]] = {
    "canny": Note("control_canny", "The control image is thin edges, white on black, made of the photo."),
    "scribble": Note("control_scribble", "The control image is thick rough lines, white on black, made of the photo."),
    "depth": Note("control_depth", "The control image is how near everything is, white for near, made of the photo."),
}


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    from PIL import Image as Pillow

    grey: NDArray[Any] = np.asarray(Pillow.fromarray(pixels).convert("L"))
    return grey


def _given(lines: NDArray[np.uint8], source: Given) -> Given:
    return Given(np.repeat(lines[..., None], 3, axis=2), source.id, source.path)
