"""What a model needs of an image, and the one place where pixels are brought to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np
import PIL.Image

from lucida.errors import ImageError, InputError
from lucida.models.planes import filled, resize_known

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from lucida.images import Image, Spacing

Resize = Literal["squash", "crop", "pad", "fit"]
Interpolation = Literal["area", "bilinear", "bicubic", "lanczos", "nearest"]
Centre = Literal["floor", "round"]
Channels = Literal["RGB", "BGR", "L", "raw"]
Layout = Literal["NCHW", "NHWC"]

RESIZES: tuple[str, ...] = ("squash", "crop", "pad")  # those that give every image the same shape
INTERPOLATIONS: tuple[str, ...] = get_args(Interpolation)
CHANNELS: tuple[str, ...] = get_args(Channels)
RAW: Final = "raw"
LAYOUTS: tuple[str, ...] = get_args(Layout)
CENTRES: tuple[str, ...] = get_args(Centre)

# Pillow's filters average over the whole source pixel when shrinking, as `antialias=True` does elsewhere.
_SHRINK = {
    "area": PIL.Image.Resampling.BOX,
    "bilinear": PIL.Image.Resampling.BILINEAR,
    "bicubic": PIL.Image.Resampling.BICUBIC,
    "lanczos": PIL.Image.Resampling.LANCZOS,
    "nearest": PIL.Image.Resampling.NEAREST,
}
# A box filter that enlarges repeats pixels: hard edges that no photo has.
_ENLARGE = {**_SHRINK, "area": PIL.Image.Resampling.BILINEAR}
_PAD = 127  # mid-grey: nearest to the mean, so that borders say least


@dataclass(frozen=True)
class Frame:
    """Where the pixels of an image lie in what was prepared of it.

    Attributes:
        width: Of the image, in pixels.
        height: Of the image, in pixels.
        scale: Prepared pixels a pixel of the image, across and down.
        left: Prepared pixels left of the image; negative where it was cut.
        top: Prepared pixels above the image; negative where it was cut.
    """

    width: int
    height: int
    scale: tuple[float, float]
    left: float = 0.0
    top: float = 0.0

    def back(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return boxes float32 (n, 4) of the prepared image as boxes of the image, cut to it."""
        across, down = self.scale
        found = (xyxy - np.array([self.left, self.top] * 2)) / np.array([across, down] * 2)
        limits = np.array([self.width, self.height] * 2)
        return np.asarray(np.clip(found, 0, limits), np.float32)

    def part(self, size: int) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom of the image within a prepared square of a side, in whole pixels."""
        left, top = max(0, round(self.left)), max(0, round(self.top))
        right = min(size, round(self.left + self.width * self.scale[0]))
        bottom = min(size, round(self.top + self.height * self.scale[1]))
        return left, top, max(right, left + 1), max(bottom, top + 1)


@dataclass(frozen=True)
class ImageNeeds:
    """The input contract of a model: size, colour order, range.

    Attributes:
        size: Height and width in pixels of the square input.
        resize: "squash" ignores the aspect ratio; "crop" scales the shorter side and cuts the middle out;
            "pad" scales the longer side and fills with grey; "fit" scales the longer side down and keeps the shape,
            for models that take images of any shape one at a time.
        edge: Pixels that the shorter side ("crop") or both sides ("squash") are scaled to before the middle is cut
            out; 0 for `size`.
        centre: With an edge: how half a pixel is rounded when the middle is found, as the libraries differ in it.
        interpolation: How pixels are resampled; all of them average over the source when shrinking.
        channels: Order of the colour channels; "L" is one channel of grey; "raw" all channels as the file has them,
            as many as `mean` has values, whatever their type: nothing is brought to 8 bits, and no window is looked
            through.
        layout: Order of the axes of the batch that the file takes.
        scale: Factor on 0..255 before `mean` and `std`; of "raw" on the values of the file.
        mean: One value a channel, subtracted after scaling.
        std: One value a channel, divided by after subtracting.
        deep: Of "raw": whether values have more than 8 bits; those of 8 bits are on another scale.
        spacing: How far apart pixels lie, usually, in the images that it learned from; None where nobody said.
    """

    size: int
    resize: Resize = "squash"
    interpolation: Interpolation = "area"
    channels: Channels = "RGB"
    layout: Layout = "NCHW"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    edge: int = 0
    centre: Centre = "floor"
    deep: bool = False
    spacing: Spacing | None = None

    @property
    def depth(self) -> int:
        """Number of channels."""
        return len(self.mean) if self.channels == RAW else 1 if self.channels == "L" else 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one prepared image: (channels, height, width)."""
        return self.depth, self.size, self.size

    @property
    def cover(self) -> int:
        """Shorter side in pixels that a decoder may shrink to without loss to this model."""
        return max(self.size, self.edge)

    @property
    def fine(self) -> bool:
        """Whether that decoder may choose among all eighths: filters that weigh their pixels do not mind."""
        return self.interpolation != "area"

    def prepare(self, image: Image) -> NDArray[np.float32]:
        """Bring an image to what the model takes.

        Args:
            image: Decoded image, any size and mode.

        Returns:
            float32 (channels, height, width), scaled and normalised; the image is not changed.

        Raises:
            ImageError: Of "raw": it has other channels.
        """
        return self.normalise(self.fit(image))

    def fit(self, image: Image) -> NDArray[Any]:
        """Bring an image to the model's size, not normalised yet.

        Returns:
            uint8 (height, width, 3), or (height, width) grey; of "raw" float32 (height, width, channels), all finite.

        Raises:
            ImageError: Of "raw": it has other channels.
        """
        if self.channels != RAW:
            return np.asarray(_FITS[self.resize](PIL.Image.fromarray(image.rgb8()), self))
        self.check_image(image)
        planes = np.moveaxis(image.stored().astype(np.float32), 2, 0)
        found = [np.asarray(_FITS[self.resize](PIL.Image.fromarray(plane), self)) for plane in planes]
        return filled(np.stack(found, axis=2), self._means)

    def check_image(self, image: Image) -> None:
        """Refuse an image of other channels, where all channels of the file are looked at.

        Raises:
            ImageError: It has more or fewer of them, or values of another depth.
        """
        if self.channels != RAW:
            return
        pixels = image.stored()
        if (pixels.shape[2], pixels.dtype.itemsize > 1) != (self.depth, self.deep):
            raise ImageError(
                "The image has other channels than those that the model has learned from.",
                expected=in_words(self.depth, self.deep),
                got=in_words(pixels.shape[2], pixels.dtype.itemsize > 1),
                hint="convert it as the images were that the model was trained on, or leave it out",
            )

    @property
    def _means(self) -> tuple[float, ...]:
        """The values that become 0."""
        return tuple(value / self.scale for value in self.mean)

    def frame(self, width: int, height: int) -> Frame:
        """Return where an image of this size comes to lie in what `fit` makes of it."""
        size, edge = self.size, max(self.edge, self.size)
        if self.resize == "squash":
            cut = (edge - size) / 2
            return Frame(width, height, (edge / width, edge / height), -cut, -cut)
        scale = edge / min(width, height) if self.resize == "crop" else size / max(width, height)
        left, top = (size - width * scale) / 2, (size - height * scale) / 2
        if self.resize == "pad":
            # An image is laid on whole pixels.
            left, top = float(int(left)), float(int(top))
        return Frame(width, height, (scale, scale), left, top)

    def check(self, batch: NDArray[np.float32]) -> None:
        """Refuse anything but a finite float32 batch (n, channels, height, width).

        Raises:
            InputError: The array's dtype, shape or values are not what `prepare` gives.
        """
        expected = f"float32 (n, {', '.join(map(str, self.shape))}), as ImageNeeds.prepare gives"
        if not isinstance(batch, np.ndarray) or batch.dtype != np.float32 or batch.shape[1:] != self.shape:
            got = f"{batch.dtype} {batch.shape}" if isinstance(batch, np.ndarray) else type(batch).__name__
            raise InputError(
                "The batch is not what the model needs.",
                expected=expected,
                got=got,
                hint="np.stack([spec.needs.prepare(image) for image in images])",
            )
        if not np.isfinite(batch).all():
            raise InputError("The batch holds values that are not finite.", expected=expected, got="NaN or inf")

    def _middle(self, picture: PIL.Image.Image, width: int, height: int) -> PIL.Image.Image:
        """Return the middle of a picture that is brought to this size."""
        left, top = (
            round(half) if self.centre == "round" else int(half)
            for half in ((width - self.size) / 2, (height - self.size) / 2)
        )
        box = (left, top, left + self.size, top + self.size)
        # Of other filters the middle alone is not, pixel for pixel, what it is in the whole.
        if self.interpolation != "bilinear" or picture.mode == "F" or picture.size == (width, height):
            return self._resample(picture, width, height).crop(box)
        across, down = picture.width / width, picture.height / height
        source = (
            box[0] * across,
            box[1] * down,
            min(box[2] * across, picture.width),
            min(box[3] * down, picture.height),
        )
        return self._convert(picture).resize((self.size, self.size), self._filter(picture, width, height), source)

    def _filter(self, picture: PIL.Image.Image, width: int, height: int) -> PIL.Image.Resampling:
        return (_SHRINK if width <= picture.width and height <= picture.height else _ENLARGE)[self.interpolation]

    def _convert(self, picture: PIL.Image.Image) -> PIL.Image.Image:
        return picture.convert("L") if self.channels == "L" else picture

    def _resample(self, picture: PIL.Image.Image, width: int, height: int) -> PIL.Image.Image:
        by = self._filter(picture, width, height)
        if picture.mode == "F":
            return resize_known(picture, (width, height), by)
        return self._convert(picture).resize((width, height), by)

    def normalise(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Return pixels, as `fit` gives them but of any size, as float32 (channels, height, width) for the model.

        Of "raw", values that are no numbers become 0, as what is mean does.
        """
        planes = np.atleast_3d(pixels)
        if self.channels == RAW:
            # The mean goes first: of heights in the thousands little would be left of a few metres.
            values = filled(planes.astype(np.float32), self._means) - np.asarray(self._means, np.float32)
            return np.ascontiguousarray((values * (self.scale / np.asarray(self.std, np.float32))).transpose(2, 0, 1))
        if self.channels == "BGR":
            planes = planes[:, :, ::-1]
        std = np.asarray(self.std, np.float64)
        gain = (self.scale / std).astype(np.float32)
        shift = (np.asarray(self.mean) / std).astype(np.float32)
        out = np.empty((self.depth, *planes.shape[:2]), np.float32)
        np.multiply(planes.transpose(2, 0, 1), gain[:, None, None], out=out)
        out -= shift[:, None, None]
        return out

    def restore(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Undo the normalisation of a prepared batch.

        Returns:
            float32 (n, height, width, 3), RGB in 0..1; of "raw" (n, height, width, channels), the values of the file.
        """
        std = np.asarray(self.std, np.float32)[None, :, None, None]
        mean = np.asarray(self.mean, np.float32)[None, :, None, None]
        if self.channels == RAW:
            return np.asarray(((batch * std + mean) / self.scale).transpose(0, 2, 3, 1), np.float32)
        planes = (batch * std + mean) * np.float32(1 / (255 * self.scale))
        if self.channels == "BGR":
            planes = planes[:, ::-1]
        if self.channels == "L":
            planes = planes.repeat(3, axis=1)
        return np.asarray(np.clip(planes.transpose(0, 2, 3, 1), 0, 1), np.float32)


def in_words(channels: int, deep: bool) -> str:
    """Return "6 channels of more than 8 bits", or the like."""
    return f"{channels} channel{'' if channels == 1 else 's'} of {'more than 8' if deep else '8'} bits"


def _squash(picture: PIL.Image.Image, needs: ImageNeeds) -> PIL.Image.Image:
    edge = max(needs.edge, needs.size)
    return needs._middle(picture, edge, edge)


def _crop(picture: PIL.Image.Image, needs: ImageNeeds) -> PIL.Image.Image:
    short, long = sorted(picture.size)
    edge = max(needs.edge, needs.size)
    # Whole pixels are cut off, not rounded, as in torchvision and transformers.
    scaled = max(edge, edge * long // short)
    width, height = (edge, scaled) if picture.width <= picture.height else (scaled, edge)
    return needs._middle(picture, width, height)


def _fit(picture: PIL.Image.Image, needs: ImageNeeds) -> PIL.Image.Image:
    ratio = min(1.0, needs.size / max(picture.size))
    return needs._resample(picture, max(1, round(picture.width * ratio)), max(1, round(picture.height * ratio)))


def _pad(picture: PIL.Image.Image, needs: ImageNeeds) -> PIL.Image.Image:
    ratio = needs.size / max(picture.width, picture.height)
    width, height = max(1, round(picture.width * ratio)), max(1, round(picture.height * ratio))
    picture = needs._resample(picture, width, height)
    # Of measured values nothing is grey: what is unknown becomes the mean.
    fill = float("nan") if picture.mode == "F" else (_PAD,) * len(picture.getbands())
    square = PIL.Image.new(picture.mode, (needs.size, needs.size), fill)
    square.paste(picture, ((needs.size - width) // 2, (needs.size - height) // 2))
    return square


_FITS = {"squash": _squash, "crop": _crop, "pad": _pad, "fit": _fit}
