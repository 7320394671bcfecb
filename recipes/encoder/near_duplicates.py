"""Does an altered copy find its original? Retrieval by cosine among photos of several sets."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from lucida.models.onnx.text import unit
from recipes.encoder.inference import OnnxEncoder
from recipes.encoder.probe import proportion

Alteration = Callable[[Image.Image], Image.Image]


def soft(image: Image.Image) -> Image.Image:
    """Blur with a standard deviation of 1.2 pixels at 64 px."""
    return image.filter(ImageFilter.GaussianBlur(1.2 * max(image.size) / 64))


def upscaled(image: Image.Image) -> Image.Image:
    """Halve the resolution at 64 px and enlarge again."""
    return image.resize((32, 32), Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC)


def compressed(image: Image.Image) -> Image.Image:
    """Store as JPEG of quality 20."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=20)
    return Image.open(buffer).convert("RGB")


def cropped(image: Image.Image) -> Image.Image:
    """Cut a tenth of each side off two sides."""
    width, height = image.size
    return image.crop((width // 10, height // 10, width, height))


def brighter(image: Image.Image) -> Image.Image:
    """Raise brightness by 30 % and saturation by 40 %."""
    return ImageEnhance.Color(ImageEnhance.Brightness(image).enhance(1.3)).enhance(1.4)


def mirrored(image: Image.Image) -> Image.Image:
    """Swap left and right."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


DEGRADED: dict[str, Alteration] = {"soft": soft, "upscaled": upscaled, "compressed": compressed}
ALTERATIONS: dict[str, Alteration] = {**DEGRADED, "cropped": cropped, "brighter": brighter, "mirrored": mirrored}


def retrieval(encoder: OnnxEncoder, photos: list[Image.Image]) -> dict[str, Any]:
    """Measure how often the original is the nearest photo to its altered copy, for each alteration."""
    originals = encoder(np.stack([encoder.fit(photo) for photo in photos]))[0]
    mean = originals.mean(axis=0)
    gallery = unit(originals - mean)
    result: dict[str, Any] = {"photos": len(photos)}
    for name, alter in ALTERATIONS.items():
        copies = encoder(np.stack([encoder.fit(alter(photo)) for photo in photos]))[0] - mean
        nearest = (copies @ gallery.T).argmax(axis=1)
        result[name] = proportion(nearest == np.arange(len(photos)))
    return result
