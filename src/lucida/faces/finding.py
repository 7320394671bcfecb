"""Faces of an image and their vectors: a detector that gives five points, and what turns a face into a vector."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lucida.errors import ModelError
from lucida.faces.records import SMALLEST, Face
from lucida.models.opencv_zoo.recogniser import FaceVectors
from lucida.models.registry import find
from lucida.results import Detections

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.images import Image
    from lucida.models.spec import Model, Spec


class FaceFinder:
    """Finds faces, and tells them apart.

    Args:
        detector: Name of the model that finds them.
        recogniser: Name of the model that turns a face into a vector.
        home: Where a catalog keeps models of its own.
        smallest: Pixels of the shorter side of a face, from which it gets a vector.

    Raises:
        UnknownName: No such model.
        ModelError: One is not on this machine and cannot be had, or cannot do this.
    """

    def __init__(self, detector: str, recogniser: str, home: Path | None = None, smallest: int = SMALLEST) -> None:
        self._detecting, self._smallest = find(detector, home), smallest
        self._telling = telling_spec(recogniser, home)
        if "detect" not in self._detecting.tasks:
            raise self._detecting.cannot("detect", "find faces")
        self._models: tuple[Model, FaceVectors] | None = None

    @property
    def detector(self) -> str:
        """Name of the model that finds faces."""
        return self._detecting.name

    @property
    def recogniser(self) -> Spec:
        """The model that tells faces apart."""
        return self._telling

    @property
    def name(self) -> str:
        """Both models."""
        return f"{self._detecting.name}+{self._telling.name}"

    @property
    def revision(self) -> str:
        """What changes whenever vectors may."""
        return f"{self._detecting.revision}+{self._telling.revision}"

    def load(self) -> None:
        """Make both run; before threads call `find`, which would do it several times."""
        if self._models is None:
            telling = self._telling.load()
            assert isinstance(telling, FaceVectors), "checked by its spec"
            self._models = self._detecting.load(), telling

    def find(self, id: str, image: Image) -> list[Face]:
        """Return the faces of an image.

        Args:
            id: Its content id.
            image: Decoded.
        """
        self.load()
        assert self._models is not None
        detector, telling = self._models
        (result,) = detector.predict([image])
        assert isinstance(result, Detections)
        result = result.above(self._detecting.gives.least)
        points = points_of(result, self._detecting)
        sides = (result.xyxy[:, 2:] - result.xyxy[:, :2]).min(axis=1) if len(result) else np.zeros(0)
        large = np.flatnonzero(sides >= self._smallest)
        vectors = dict(zip(large.tolist(), telling.vectors(image, list(points[large])), strict=True))
        return [
            Face(id, row + 1, float(result.confidence[row]), _box(result, row), points[row], vectors.get(row))
            for row in range(len(result))
        ]


def points_of(found: Detections, spec: Spec) -> NDArray[np.float32]:
    """Return the five points of each face, float32 (n, 5, 2).

    Raises:
        ModelError: The detector gives boxes alone.
    """
    if found.points is None or found.points.shape[1] != 5:
        raise ModelError(
            f"{spec.name} does not say where eyes, nose and mouth of a face lie.",
            expected="a detector that gives five points a face",
            got="boxes alone" if found.points is None else f"{found.points.shape[1]} points each",
            hint="yunet",
        )
    return found.points


def telling_spec(name: str, home: Path | None = None) -> Spec:
    """Return the spec of a model that tells faces apart.

    Raises:
        UnknownName: No such model.
        ModelError: It is not on this machine and cannot be had, or does something else.
    """
    spec = find(name, home)
    if "faces" not in spec.tasks:
        raise spec.cannot("faces", "tell faces apart")
    return spec


def _box(found: Detections, row: int) -> tuple[float, float, float, float]:
    left, top, right, bottom = found.xyxy[row].round(2).tolist()
    return left, top, right, bottom
