"""Running models that give images: what they need of a piece, and what all of them do alike around the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.errors import InputError
from lucida.models.needs import ImageNeeds
from lucida.models.spec import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.spec import Spec

# What engines say when they run out of memory; none of them raises MemoryError itself.
_EXHAUSTED: Final = ("out of memory", "bad_alloc", "bad allocation", "not enough memory", "alloc_failed",
                     "failed to allocate", "cannot allocate memory", "can't allocate memory")  # fmt: skip


@dataclass(frozen=True)
class RestoreNeeds:
    """What a model that restores needs of a piece of an image.

    Attributes:
        channels: Planes that it takes and gives: 3 (RGB) or 1.
        luma: Of one plane: it is luma, and colour is brought to its size by bicubic; else colours go one by one.
        multiple: Height and width are brought to a multiple of this, by reflection, where they are none.
        grid: Tiles begin at multiples of it, which are multiples of `multiple`: of networks that divide what they see
            into windows, from its corner. 0 where `multiple` will do.
        halo: Pixels on each side that a pixel of the result depends on: these are cut off what a tile gives.
        tile: Side in pixels of the tiles that it is fastest with, without their halo.
        blend: Pixels over which neighbouring tiles fade into each other, for models that see farther than the halo.
        least: Smallest height and width.
        whole: It looks at the image as a whole, so tiles are the last resort.
        square: Height and width must be equal.
        noise: It is told how much noise there is.
    """

    channels: int = 3
    luma: bool = False
    multiple: int = 1
    grid: int = 0
    halo: int = 16
    tile: int = 256
    blend: int = 0
    least: int = 1
    whole: bool = False
    square: bool = False
    noise: bool = False

    @property
    def image(self) -> ImageNeeds:
        """The same as other models say it."""
        return ImageNeeds(self.tile, resize="fit", channels="RGB" if self.channels == 3 else "L",
                          mean=(0.0,) * self.channels, std=(1.0,) * self.channels)  # fmt: skip

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width that a piece is brought to."""
        high, wide = (-(-max(side, self.least) // self.multiple) * self.multiple for side in (height, width))
        return (max(high, wide),) * 2 if self.square else (high, wide)


class RestoringModel(Model):
    """Checks and pads a batch, runs the network, and cuts and clips what comes out."""

    def restore(
        self, batch: NDArray[np.float32], noise: float | None = None, mask: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        needs, scale = needs_of(self.spec), self.spec.gives.scale
        check(batch, needs)
        if "fill" in self.spec.tasks:
            check_mask(mask, batch)
        elif mask is not None:
            raise InputError(
                f"The model {self.spec.name!r} fills no holes.",
                expected="no mask",
                got=f"one of {mask.shape}",
                hint="leave the mask out",
            )
        height, width = batch.shape[2:]
        high, wide = needs.padded(height, width)
        if not batch.size:
            return np.zeros((len(batch), batch.shape[1], height * scale, width * scale), np.float32)
        more = ((0, 0), (0, 0), (0, high - height), (0, wide - width))
        pixels = np.pad(batch, more, mode="reflect") if (high, wide) != (height, width) else batch
        holes = np.pad(mask, more, mode="reflect") if mask is not None and pixels is not batch else mask
        try:
            found = self._run(pixels, noise, holes)
        except Exception as error:
            if is_exhausted(error):
                raise MemoryError(f"a piece of {wide} x {high} pixels") from error
            raise
        return np.clip(np.nan_to_num(found[:, :, : height * scale, : width * scale], nan=0.0), 0.0, 1.0)

    def _run(
        self, batch: NDArray[np.float32], noise: float | None, mask: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return what the network makes of a batch of a size that it takes."""
        raise NotImplementedError


def needs_of(spec: Spec) -> RestoreNeeds:
    """Return what a model that restores needs of a piece of an image.

    Raises:
        ModelError: It does not restore.
    """
    if spec.restores is None:
        raise spec.cannot("upscale", "restore images")
    return spec.restores


def check(batch: NDArray[np.float32], needs: RestoreNeeds) -> None:
    """Refuse anything but a finite float32 batch (n, channels, height, width).

    Raises:
        InputError: The array's dtype, shape or values are others.
    """
    expected = f"float32 (n, {needs.channels}, height, width) in 0..1"
    if not isinstance(batch, np.ndarray) or batch.dtype != np.float32 or batch.ndim != 4:
        got = f"{batch.dtype} {batch.shape}" if isinstance(batch, np.ndarray) else type(batch).__name__
        raise InputError("The batch is not what the model needs.", expected=expected, got=got)
    if batch.shape[1] != needs.channels or 0 in batch.shape[2:]:
        raise InputError("The batch is not what the model needs.", expected=expected, got=f"{batch.shape}")
    if not np.isfinite(batch).all():
        raise InputError("The batch holds values that are not finite.", expected=expected, got="NaN or inf")


def check_mask(mask: NDArray[np.float32] | None, batch: NDArray[np.float32]) -> None:
    """Refuse anything but a float32 mask of the size of its batch.

    Raises:
        InputError: There is none, or of another size.
    """
    expected = (len(batch), 1, *batch.shape[2:])
    if mask is None or mask.dtype != np.float32 or mask.shape != expected:
        raise InputError(
            "The model has to be told what to fill.",
            expected=f"a mask float32 {expected}",
            got="none" if mask is None else f"{mask.dtype} {mask.shape}",
            hint="--fill MASK.png, white where is to be filled",
        )


def is_exhausted(error: BaseException) -> bool:
    """Tell whether an engine's error means that there was no memory."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError) or type(seen).__name__ == "OutOfMemoryError":
            return True
        if any(text in str(seen).lower() for text in _EXHAUSTED):
            return True
        seen = seen.__cause__
    return False
