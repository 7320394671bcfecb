"""Pages with text that is known, and how far from it a reading is."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from lucida.images import Image
from lucida.results import Reading

ENGLISH = (
    "The quick brown fox jumps over the lazy dog.",
    "Invoice No. 2048-7731, due 14 March 2026",
    "Total: $1,299.00 (incl. 19% VAT)",
    "Please keep this door closed at all times!",
    "Camera Lucida reads text in any image.",
)
CHINESE = (
    "快速的棕色狐狸跳过懒狗。",
    "发票号码：2048，日期：二〇二六年三月十四日",
    "请保持此门随时关闭！",
    "图像中的文字可以被搜索。",
    "北京市海淀区中关村大街二十七号",
)
_LATIN = ("DejaVuSans.ttf", "Arial.ttf", "Helvetica.ttc")
# Simplified Chinese is the third face of the collection.
_CJK = (("NotoSansCJK-Regular.ttc", 2), ("NotoSansCJKsc-Regular.otf", 0), ("PingFang.ttc", 0), ("msyh.ttc", 0))
Colour = tuple[int, int, int]
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


def latin(size: int) -> ImageFont.FreeTypeFont:
    """Return a font of this machine, or the one that comes with Pillow."""
    for name in _LATIN:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def cjk(size: int) -> ImageFont.FreeTypeFont | None:
    """Return a Chinese font of this machine; None where there is none."""
    for name, face in _CJK:
        try:
            return ImageFont.truetype(name, size, index=face)
        except OSError:
            continue
    for path in Path("/usr/share/fonts").rglob("*CJK*Regular.*"):
        return ImageFont.truetype(str(path), size, index=2 if path.suffix == ".ttc" else 0)
    return None


def page(
    lines: tuple[str, ...],
    font: ImageFont.FreeTypeFont,
    *,
    ink: Colour = BLACK,
    paper: Colour = WHITE,
    turn: float = 0.0,
) -> Pillow.Image:
    """Return a page with lines below one another, turned by some degrees."""
    step, pad = int(font.size * 1.7), 30
    width = int(max(font.getlength(line) for line in lines)) + 2 * pad
    made = Pillow.new("RGB", (width, len(lines) * step + 2 * pad), paper)
    pen = ImageDraw.Draw(made)
    for row, line in enumerate(lines):
        pen.text((pad, pad + row * step), line, fill=ink, font=font)
    return made.rotate(turn, expand=True, fillcolor=paper, resample=Pillow.Resampling.BICUBIC) if turn else made


def as_image(picture: Pillow.Image) -> Image:
    return Image(np.asarray(picture), "RGB")


def errors(read: Reading, lines: tuple[str, ...]) -> tuple[int, int]:
    """Return the edits from what was read to what stands there, and the signs of the latter.

    Spaces do not count, and full and half width are the same: no reader can tell them for sure.
    """
    wanted, got = _plain("".join(lines)), _plain(read.text)
    return _distance(wanted, got), len(wanted)


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


def _distance(one: str, other: str) -> int:
    before = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        now = [i]
        for j, b in enumerate(other, start=1):
            now.append(min(before[j] + 1, now[-1] + 1, before[j - 1] + (a != b)))
        before = now
    return before[-1]
