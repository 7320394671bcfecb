"""Faces cut out and turned upright, so that eyes, nose and mouth lie where the network expects them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.models.opencv_zoo.layouts import CROP

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Right eye, left eye, nose, right and left corner of the mouth in the cut-out. Source: `FaceRecognizerSF` of OpenCV.
PLACES: Final = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float64
)


def similarity(points: NDArray[np.float32], places: NDArray[np.float64] = PLACES) -> NDArray[np.float64]:
    """Return the turn, scale and shift that brings points nearest to places, float64 (2, 3).

    Args:
        points: (n, 2), across and down.
        places: Where they should lie, (n, 2).

    Source: Umeyama 1991, Least-squares estimation of transformation parameters between two point patterns.
    """
    own = points.astype(np.float64)
    source, target = own - own.mean(axis=0), places - places.mean(axis=0)
    left, stretch, right = np.linalg.svd(target.T @ source / len(own))
    # A mirrored face is no face: where only a reflection would fit better, the best turn is taken.
    sign = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right)) or 1.0])
    spread = float((source**2).sum() / len(own))
    scale = float(stretch @ sign) / spread if spread > 0 else 0.0
    turn = scale * (left * sign) @ right
    return np.column_stack([turn, places.mean(axis=0) - turn @ own.mean(axis=0)])


def cut_out(pixels: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a face as the network takes it, uint8 (112, 112, 3); black where the image ends.

    Args:
        pixels: uint8 (height, width, 3).
        points: Its five points, (5, 2), in pixels of the image.

    Source: `alignCrop` of OpenCV's FaceRecognizerSF, within two grey levels: bilinear, without averaging.
    """
    matrix = similarity(points)
    if abs(np.linalg.det(matrix[:, :2])) < 1e-12:
        return np.zeros((CROP, CROP, 3), np.uint8)
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    down, across = np.mgrid[0:CROP, 0:CROP]
    x, y = (back[row, 0] * across + back[row, 1] * down + back[row, 2] for row in (0, 1))
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    out = np.zeros((CROP, CROP, 3), np.float64)
    for step_down in (0, 1):
        for step_across in (0, 1):
            share = np.abs(1 - step_across - (x - left)) * np.abs(1 - step_down - (y - top))
            out += share[..., None] * _at(pixels, top + step_down, left + step_across)
    return np.asarray(np.rint(out), np.uint8)


def _at(pixels: NDArray[np.uint8], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return pixels at places, black beyond the edges."""
    height, width = pixels.shape[:2]
    there = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    found = pixels[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)].astype(np.float64)
    return np.asarray(found * there[..., None], np.float64)
