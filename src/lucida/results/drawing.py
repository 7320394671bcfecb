"""Results drawn onto their image."""

from __future__ import annotations

import colorsys
import math
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from lucida.results.classes import Classification, Tags
from lucida.results.embedding import Embedding
from lucida.results.objects import Detections, Oddness, Segmentation
from lucida.results.screening import Screening
from lucida.results.text import Description, Reading, Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lucida.results.item import Result

    Colour = tuple[int, int, int]

FILL: Final = 0.45  # how much a mask covers
# Names that systems know; the first that is there draws what the built-in font has no letters for.
FONTS: Final = ("NotoSansCJK-Regular.ttc", "NotoSansSC-Regular.otf", "msyh.ttc", "PingFang.ttc", "simhei.ttf")


def draw(result: Result, pixels: NDArray[np.uint8]) -> PIL.Image.Image:
    """Return an image with what a model says of it.

    Args:
        result: What it says.
        pixels: uint8 (height, width, 3), RGB; not changed.
    """
    return _DRAWN[type(result)](result, pixels)


def colour_of(number: int) -> Colour:
    """Return the colour of a class by its number: neighbours differ much, and all are seen on dark and light."""
    # Steps of the golden ratio around the circle keep all hues apart, however many there are.
    red, green, blue = colorsys.hls_to_rgb((0.02 + number * 0.618034) % 1, 0.55, 0.85)
    return round(red * 255), round(green * 255), round(blue * 255)


def paint(pixels: NDArray[np.uint8], mask: NDArray[np.bool_], colour: Colour, share: float = FILL) -> NDArray[np.uint8]:
    """Return pixels (height, width, 3) with a mask (height, width) in a colour over them."""
    painted = pixels.copy()
    painted[mask] = (painted[mask] * (1 - share) + np.array(colour) * share).astype(np.uint8)
    return painted


def overlay(pixels: NDArray[np.uint8], heat: NDArray[np.float32], strength: float = 0.6) -> NDArray[np.uint8]:
    """Return a photo with a heat map over it: nothing is clear, much is yellow.

    Args:
        pixels: uint8 (height, width, 3).
        heat: float32 (height, width), 0 to 1.
        strength: Share of the colour where the heat is 1.
    """
    level = np.clip(heat, 0, 1)[..., None]
    cold, warm, hot = (np.array(colour, np.float32) for colour in ((68, 1, 84), (216, 76, 62), (252, 234, 72)))
    colour = np.where(level < 0.5, cold + (warm - cold) * 2 * level, warm + (hot - warm) * (2 * level - 1))
    share = strength * np.sqrt(level)
    return np.asarray((pixels * (1 - share) + colour * share).clip(0, 255), np.uint8)


def _objects(found: Detections, pixels: NDArray[np.uint8]) -> PIL.Image.Image:
    for row in range(len(found)) if found.masks else ():
        mask = found.mask(row)
        if mask.shape == pixels.shape[:2]:
            pixels = paint(pixels, mask, colour_of(int(found.class_id[row])))
    picture = PIL.Image.fromarray(pixels)
    # The best last, so that they lie on top.
    for row in reversed(range(len(found))):
        name = found.labels[row] + ("" if found.tracks is None else f" #{int(found.tracks[row])}")
        text, colour = f"{name} {found.confidence[row]:.2f}", colour_of(int(found.class_id[row]))
        _box(picture, found.xyxy[row].tolist(), text, colour)
    return picture


def _box(picture: PIL.Image.Image, box: list[float], text: str, colour: Colour) -> None:
    pen, wide = PIL.ImageDraw.Draw(picture), _line(picture)
    left, top, right, bottom = box
    pen.rectangle((left, top, max(left, right), max(top, bottom)), outline=colour, width=wide)
    _words(picture, (left, top), text, colour, above=True)


def _words(
    picture: PIL.Image.Image, place: tuple[float, float], text: str, colour: Colour, *, above: bool = False
) -> None:
    pen, font = PIL.ImageDraw.Draw(picture), _font(_letter(picture), text.isascii())
    left, top, right, bottom = pen.multiline_textbbox((0, 0), text, font=font)
    width, height = right - left + 4, bottom - top + 4
    x = min(max(0, place[0]), max(0, picture.width - width))
    y = place[1] - height if above and place[1] >= height else place[1]
    y = min(max(0, y), max(0, picture.height - height))
    pen.rectangle((x, y, x + width, y + height), fill=colour)
    light = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 140
    pen.multiline_text((x + 2 - left, y + 2 - top), text, fill=(0, 0, 0) if light else (255, 255, 255), font=font)


def _letter(picture: PIL.Image.Image) -> int:
    return max(10, round(math.sqrt(picture.width * picture.height) / 45))


def _line(picture: PIL.Image.Image) -> int:
    return max(1, round(math.sqrt(picture.width * picture.height) / 300))


@cache
def _font(size: int, ascii_only: bool) -> Any:
    for name in () if ascii_only else FONTS:
        try:
            return PIL.ImageFont.truetype(name, size)
        except OSError:
            continue
    return PIL.ImageFont.load_default(size)


def _pixels(found: Segmentation, pixels: NDArray[np.uint8]) -> PIL.Image.Image:
    numbers = np.unique(found.mask).tolist()
    shown = [k for k in numbers if found.classes[k].casefold() not in ("background", "__background__")]
    for number in shown:
        pixels = paint(pixels, found.mask == number, colour_of(number))
    picture = PIL.Image.fromarray(pixels)
    for row, number in enumerate(shown):
        _words(picture, (0, row * (_letter(picture) + 8)), found.classes[number], colour_of(number))
    return picture


def _odd(found: Oddness, pixels: NDArray[np.uint8]) -> PIL.Image.Image:
    if found.heat.shape == pixels.shape[:2]:
        pixels = overlay(pixels, found.heat / max(float(found.heat.max(initial=0.0)), 1.0))
    return _captioned(f"{'odd' if found.score >= 1 else 'normal'}: {found.score:.2f} (odd from 1)", pixels)


def _captioned(text: str, pixels: NDArray[np.uint8]) -> PIL.Image.Image:
    """Return an image with words below it, so that they cover nothing."""
    picture = PIL.Image.fromarray(pixels)
    font = _font(max(12, _letter(picture)), text.isascii())
    pen = PIL.ImageDraw.Draw(picture)
    lines = _wrapped(text, max(1, int(picture.width / max(1.0, pen.textlength("n", font=font)))))
    height = round(sum(pen.textbbox((0, 0), line or " ", font=font)[3] + 3 for line in lines)) + 8
    whole = PIL.Image.new("RGB", (picture.width, picture.height + height), (20, 20, 20))
    whole.paste(picture)
    PIL.ImageDraw.Draw(whole).multiline_text((4, picture.height + 3), "\n".join(lines), (240, 240, 240), font=font)
    return whole


def _wrapped(text: str, most: int) -> list[str]:
    """Return lines of at most so many letters; letters of Chinese count twice and break anywhere."""
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        line, length = "", 0
        for word in _breakable(paragraph):
            width = sum(1 if letter.isascii() else 2 for letter in word)
            if length and length + width > most:
                lines.append(line.rstrip())
                line, length = "", 0
            line, length = line + word, length + width
        lines.append(line.rstrip())
    return lines


def _breakable(text: str) -> list[str]:
    parts: list[str] = []
    for letter in text:
        if parts and letter.isascii() and not parts[-1].endswith(" ") and parts[-1].isascii():
            parts[-1] += letter
        else:
            parts.append(letter)
    return parts


def _class(found: Classification, pixels: NDArray[np.uint8]) -> PIL.Image.Image:
    return _captioned(f"{found.label} {found.score:.2f}", pixels)


def _tags(found: Tags, pixels: NDArray[np.uint8]) -> PIL.Image.Image:
    pairs = zip(found.labels, found.scores, strict=True)
    return _captioned(", ".join(f"{label} {score:.2f}" for label, score in pairs) or "(no tag)", pixels)


def _said(found: Text, pixels: NDArray[np.uint8]) -> PIL.Image.Image:
    lines = [f"{question} {answer}" for question, answer in found.before]
    return _captioned("\n".join([*lines, found.text]), pixels)


def _described(found: Description, pixels: NDArray[np.uint8]) -> PIL.Image.Image:
    return _captioned("\n".join((found.title, found.alternative, ", ".join(found.keywords))), pixels)


def _read(found: Reading, pixels: NDArray[np.uint8]) -> PIL.Image.Image:
    picture = PIL.Image.fromarray(pixels)
    pen, colour = PIL.ImageDraw.Draw(picture), (226, 82, 36)
    for line in found.lines:
        pen.polygon([(round(x), round(y)) for x, y in line.corners], outline=colour, width=_line(picture))
    for line in found.lines:
        left, _, _, bottom = line.box
        _words(picture, (left, bottom), line.text, colour)
    return picture


def _screened(found: Screening, pixels: NDArray[np.uint8]) -> PIL.Image.Image:
    picture = PIL.Image.fromarray(pixels)
    for number, one in enumerate(found.findings):
        for box in one.boxes:
            _box(picture, list(box), one.rule, colour_of(number))
    return _captioned("\n".join((f"{found.label} {found.score:.2f}", found.reason)).strip(), np.asarray(picture))


_DRAWN: Final[dict[type, Callable[[Any, NDArray[np.uint8]], PIL.Image.Image]]] = {
    Classification: _class,
    Tags: _tags,
    Detections: _objects,
    Segmentation: _pixels,
    Oddness: _odd,
    Text: _said,
    Reading: _read,
    Description: _described,
    Screening: _screened,
    Embedding: lambda result, pixels: PIL.Image.fromarray(pixels),  # there is nothing to see of it
}
