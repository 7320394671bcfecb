"""A running network that turns a face into a vector: faces of one person point the same way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lucida.errors import ModelError
from lucida.models.engine import open_session
from lucida.models.opencv_zoo.align import cut_out
from lucida.models.spec import Model, Precision, Spec

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lucida.images import Image


class FaceVectors(Model):
    """Runs SFace.

    Args:
        spec: What it promises.
        file: The ONNX file.
        precision: "auto" is fp32.

    Raises:
        ModelError: No engine can run the file.
    """

    def __init__(self, spec: Spec, file: Path, precision: Precision = "auto") -> None:
        super().__init__(spec)
        self._session = open_session(file, "fp32" if precision == "auto" else precision)
        (self._input,), (self._output, *_) = self._session.inputs, self._session.outputs

    @property
    def engine(self) -> str:
        return self._session.engine

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return vectors float32 (n, dimensions) of cut-out faces, float32 (n, 3, 112, 112), RGB, 0 to 255."""
        if not len(batch):
            return np.zeros((0, self.spec.gives.dimensions), np.float32)
        # The file takes one face at a time.
        rows = [self._session({self._input: face[None]}, [self._output])[0].reshape(-1) for face in batch]
        found = np.stack(rows)
        if not np.isfinite(found).all():
            raise ModelError(
                f"{self.spec.name} gives vectors that are no numbers.",
                expected="finite values",
                got="NaN or infinity",
                hint="download its file again, whole",
            )
        return found

    def vectors(self, image: Image, points: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return vectors of the faces of an image, each of length one, float32 (n, dimensions).

        Args:
            image: A decoded image.
            points: The five points of each face, (5, 2), as YuNet gives them.
        """
        if not len(points):
            return np.zeros((0, self.spec.gives.dimensions), np.float32)
        pixels = image.rgb8()
        faces = np.stack([cut_out(pixels, each) for each in points]).astype(np.float32)
        found = self.embed(np.ascontiguousarray(faces.transpose(0, 3, 1, 2)))
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        return np.asarray(found / np.maximum(lengths, 1e-12), np.float32)
