"""Small pictures for reports, as data URIs: photos, boxes, masks and heat maps drawn on them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import PIL.Image
import PIL.ImageDraw

from lucida.images import decode
from lucida.results.drawing import overlay, paint

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.data import Sample
    from lucida.results import Detections

SIDE: Final = 240  # longest side of a picture in pixels
TRUE: Final = (36, 160, 96)  # what is there
FOUND: Final = (226, 82, 36)  # what was found
DIM: Final = 0.55  # how much a mask covers


def plain_picture(sample: Sample, side: int = SIDE) -> PIL.Image.Image:
    """Return the image of a sample, small.

    Raises:
        ImageError: It cannot be read.
    """
    return small(decode(sample.read(), cover=side).rgb8(), side)


def small(pixels: NDArray[np.uint8], side: int = SIDE) -> PIL.Image.Image:
    """Return pixels (height, width, 3) as a picture of at most this side; tiny ones are enlarged, pixel by pixel."""
    picture = PIL.Image.fromarray(pixels)
    longest = max(picture.size)
    if longest > side:
        picture.thumbnail((side, side), PIL.Image.Resampling.LANCZOS)
    elif longest * 2 <= side:
        factor = side // longest
        picture = picture.resize((picture.width * factor, picture.height * factor), PIL.Image.Resampling.NEAREST)
    return picture


def boxed_picture(
    sample: Sample, truth: tuple[NDArray[np.float64], Sequence[str]], found: Detections, side: int = 2 * SIDE
) -> PIL.Image.Image:
    """Return the image of a sample with what is there (green) and what was found (orange).

    Args:
        sample: Whose image.
        truth: Boxes (k, 4) in pixels of the image, and their classes.
        found: What a model found.
        side: Longest side of the picture.
    """
    image = decode(sample.read())
    picture = small(image.rgb8(), side).convert("RGB")
    scale = picture.width / image.pixels.shape[1]
    draw = PIL.ImageDraw.Draw(picture)
    for box in truth[0]:
        draw.rectangle((box * scale).tolist(), outline=TRUE, width=2)
    for box, k in zip(found.xyxy, found.class_id.tolist(), strict=True):
        left, top, right, bottom = (box * scale).tolist()
        draw.rectangle((left, top, right, bottom), outline=FOUND, width=1)
        draw.text((left + 2, top + 1), found.classes[k], fill=FOUND)
    return picture


def masked_picture(
    pixels: NDArray[np.uint8],
    truth: NDArray[np.int64],
    found: NDArray[np.int64],
    background: int | None,
    side: int = SIDE,
) -> PIL.Image.Image:
    """Return the image twice, side by side: with what is there (green), and with what was found (orange).

    Args:
        pixels: uint8 (height, width, 3).
        truth: Number of the class of each pixel, (height, width); negative where it is ignored.
        found: Likewise.
        background: The class that is not painted; without one, pixels that are wrong are painted.
        side: Longest side of each.
    """
    if background is None:
        marked = [(truth != found) & (truth >= 0)] * 2
    else:
        marked = [(truth != background) & (truth >= 0), found != background]
    pair = [small(paint(pixels, mask, colour, DIM), side) for mask, colour in zip(marked, (TRUE, FOUND), strict=True)]
    return beside(pair)


def heated_picture(
    pixels: NDArray[np.uint8], heat: NDArray[np.float32], odd: NDArray[np.bool_] | None, side: int = SIDE
) -> PIL.Image.Image:
    """Return the image, with what is odd in it painted where that is known, beside its heat map."""
    left = pixels if odd is None or odd.shape != pixels.shape[:2] else paint(pixels, odd, TRUE, DIM)
    return beside([small(left, side), small(overlay(pixels, heat / max(float(heat.max()), 1.0)), side)])


def beside(pictures: Sequence[PIL.Image.Image], gap: int = 4) -> PIL.Image.Image:
    """Return pictures in a row."""
    width, height = sum(one.width for one in pictures) + gap * (len(pictures) - 1), max(p.height for p in pictures)
    row, left = PIL.Image.new("RGB", (width, height), (128, 128, 128)), 0
    for one in pictures:
        row.paste(one, (left, 0))
        left += one.width + gap
    return row


def data_uri(picture: PIL.Image.Image) -> str:
    """Return a picture as text that stands in an HTML file."""
    out = io.BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=82)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
