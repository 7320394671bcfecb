"""A masked edit: the surroundings of the mask are drawn at the size that the model knows, and only the mask changes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.generator import GenerateNeeds

AROUND: Final = 0.5  # of the mask's sides that is seen beside it, so that what is drawn fits in
SOFT: Final = 0.01  # of the drawn place's side, over which the edge of the mask fades within it


@dataclass(frozen=True, eq=False)
class Patch:
    """A place in an image that is drawn anew.

    Attributes:
        whole: The image, uint8 (height, width, 3).
        covered: The mask, uint8 (height, width), 0 or 255.
        box: Left, top, right and bottom of the place in the image.
        size: Width and height at which it is drawn.
    """

    whole: NDArray[np.uint8]
    covered: NDArray[np.uint8]
    box: tuple[int, int, int, int]
    size: tuple[int, int]

    @property
    def small(self) -> bool:
        """Whether less is drawn than the photo has pixels there."""
        left, top, right, bottom = self.box
        return self.size[0] * self.size[1] * 4 < (right - left) * (bottom - top)

    @property
    def image(self) -> NDArray[np.uint8]:
        """The place as the model sees it."""
        return self.cut(self.whole)

    @property
    def mask(self) -> NDArray[np.uint8]:
        """The mask as the model sees it: what is touched by it is covered."""
        return (self.cut(self.covered) > 0) * np.uint8(255)

    def cut(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the place of an image of the size of the whole, at the size at which it is drawn."""
        from PIL import Image as Pillow

        left, top, right, bottom = self._of(pixels)
        part = Pillow.fromarray(np.ascontiguousarray(pixels[top:bottom, left:right]))
        found: NDArray[Any] = np.asarray(part.resize(self.size, Pillow.Resampling.LANCZOS))
        return found

    def _of(self, pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
        """Return the box in an image that may be another size of the same."""
        high, wide = (pixels.shape[i] / self.whole.shape[i] for i in (0, 1))
        left, top, right, bottom = self.box
        return round(left * wide), round(top * high), round(right * wide), round(bottom * high)

    def paste(self, drawn: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the whole image with what was drawn under the mask; what is not covered stays, byte for byte.

        Args:
            drawn: uint8 (height, width, 3) of `size`.
        """
        from PIL import Image as Pillow
        from scipy import ndimage

        left, top, right, bottom = self.box
        wide, high = right - left, bottom - top
        fitted = np.asarray(Pillow.fromarray(drawn).resize((wide, high), Pillow.Resampling.LANCZOS), np.float32)
        covered = self.covered[top:bottom, left:right] > 0
        # Distances to what is not covered; the edge of the image is none. Fades from inside: outside nothing changes.
        inside = ndimage.distance_transform_edt(np.pad(covered, 1, mode="edge"))[1:-1, 1:-1]
        # A thin line must not fade away whole.
        reach = max(1.0, min(SOFT * max(wide, high), float(inside.max()) / 4))
        share = np.clip(inside / reach, 0, 1)[..., None] if not covered.all() else np.float32(1)
        result = self.whole.copy()
        place = result[top:bottom, left:right]
        mixed = np.rint(place + (fitted - place) * share).astype(np.uint8)
        place[covered] = mixed[covered]
        return result


def patch_of(image: NDArray[np.uint8], mask: NDArray[np.uint8], needs: GenerateNeeds) -> Patch:
    """Return the place that is drawn anew: the mask with some of what lies around it, in a shape that the model draws.

    Args:
        image: uint8 (height, width, 3).
        mask: uint8 (height, width), 255 where is to be drawn anew, somewhere at least.
        needs: What the model draws.
    """
    height, width = mask.shape
    rows, columns = (np.flatnonzero((mask > 0).any(axis=axis)) for axis in (1, 0))
    (top, bottom), (left, right) = ((int(at[0]), int(at[-1]) + 1) for at in (rows, columns))
    wide, high = (right - left) * (1 + 2 * AROUND), (bottom - top) * (1 + 2 * AROUND)
    # At least as large as the model draws, where the photo has so much: nothing is enlarged without need.
    wide, high = max(wide, needs.size[0]), max(high, needs.size[1])
    if needs.least == needs.most:
        ratio = needs.size[0] / needs.size[1]
        wide, high = max(wide, high * ratio), max(high, wide / ratio)
    box_width, box_height = min(width, math.ceil(wide)), min(height, math.ceil(high))
    x = min(max(0, round((left + right) / 2 - box_width / 2)), width - box_width)
    y = min(max(0, round((top + bottom) / 2 - box_height / 2)), height - box_height)
    scale = math.sqrt(needs.size[0] * needs.size[1] / (box_width * box_height))
    size = needs.nearest(round(box_width * scale), round(box_height * scale))
    return Patch(image, mask, (x, y, x + box_width, y + box_height), size)
