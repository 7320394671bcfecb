"""A running detector of faces or number plates: images of any size in, boxes and points in their pixels out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.errors import ModelError
from lucida.models.engine import open_session
from lucida.models.onnx.dense import placed
from lucida.models.opencv_zoo.decode import Found, best_of, decode_grid, decode_priors, joined, priors
from lucida.models.opencv_zoo.layouts import GRID_NAMES, PRIOR_NAMES, PRIORS, check_shapes, grid_places
from lucida.models.opencv_zoo.pieces import cut, pieces
from lucida.models.spec import Model, Precision, Spec
from lucida.results import Detections

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lucida.images import Image
    from lucida.results import Result

LEAST: Final = 0.3  # what is less probable is never given
MOST: Final = 750  # things in an image
SIDE: Final = 640  # pixels, where the file leaves its size open
STEP: Final = 32  # both sides of an input are a multiple of it


class ZooDetector(Model):
    """Runs YuNet or LPD-YuNet.

    Args:
        spec: What it promises.
        file: The ONNX file.
        precision: "auto" is fp32.

    Raises:
        ModelError: The file gives another layout, or no engine can run it.
    """

    def __init__(self, spec: Spec, file: Path, precision: Precision = "auto") -> None:
        super().__init__(spec)
        self._session = open_session(file, "fp32" if precision == "auto" else precision)
        (self._input,) = self._session.inputs
        sides = (*self._session.inputs[self._input], None, None, None, None)[2:4]
        self._size = (sides[0] or SIDE, sides[1] or SIDE)
        self._grid = set(GRID_NAMES) <= set(self._session.outputs)
        self._names = GRID_NAMES if self._grid else PRIOR_NAMES
        self._check(file)

    @property
    def engine(self) -> str:
        return self._session.engine

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the input."""
        return self._size

    def predict(self, images: Sequence[Image]) -> list[Result]:
        return [placed(self._seen(image), image) for image in images]

    def find(self, batch: NDArray[np.float32]) -> Found:
        """Return what is found in one input, float32 (1, 3, height, width), BGR, 0 to 255: all of it, in its pixels."""
        decode = decode_grid if self._grid else decode_priors
        return decode(self._raw(batch), self._size, LEAST)

    def _seen(self, image: Image) -> Detections:
        pixels = image.rgb8()
        height, width = pixels.shape[:2]
        places, parts = pieces(width, height, self._size), []
        for place, batch in zip(places, cut(pixels, places, self._size), strict=True):
            found = self.find(batch)
            parts.append(found.take(place.whole(found.boxes)).moved(place.scale, place.left, place.top))
        found = joined(parts)
        # What lies far beyond an image is no place in it, and would not fit into whole numbers.
        found = found.take(np.flatnonzero((np.abs(np.nan_to_num(found.boxes, nan=np.inf)) < 1e6).all(axis=1)))
        found = found.take(best_of(found)[:MOST])
        boxes = np.clip(found.boxes, 0, np.array([width, height] * 2, np.float32))
        kept = np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1))
        found, boxes = found.take(kept), boxes[kept]
        labels = np.zeros(len(boxes), np.int64)
        return Detections(boxes, found.scores, labels, self.spec.gives.classes, points=found.points)

    def _raw(self, batch: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        return dict(zip(self._names, self._session({self._input: batch}, self._names), strict=True))

    def _check(self, file: Path) -> None:
        """Look at an empty image once: what a file says of its shapes is not always what it gives."""
        height, width = self._size
        try:
            found = self._raw(np.zeros((1, 3, height, width), np.float32))
        except Exception as error:
            # Each engine has its own error classes for an input of the wrong size.
            raise ModelError(
                f"{file} cannot be run on an image.",
                expected=f"an input of 1 x 3 x {height} x {width}",
                got=" ".join(str(error).split())[:200],
                hint="download the file again, whole",
            ) from error
        wanted = grid_places(height, width) if self._grid else {
            name: (len(priors(height, width)), values) for name, values in PRIORS.items()
        }  # fmt: skip
        check_shapes(wanted, {name: value.shape for name, value in found.items()}, file)
