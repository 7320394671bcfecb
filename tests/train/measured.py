"""Tiny images of many channels and of many bits, as satellites, microscopes and scanners take them."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from lucida.data import Boxes, Sample, Samples
from lucida.data.sample import Mask

METRES = [(33550, "d", 3, (10.0, 20.0, 0.0)), (34735, "H", 8, (1, 1, 0, 1, 1024, 0, 1, 1))]
FIFTH = 4


def tiff(pixels: np.ndarray, **options: Any) -> bytes:
    """Return a TIFF of pixels (height, width, channels)."""
    tifffile = pytest.importorskip("tifffile")
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, photometric="minisblack", planarconfig="contig", **options)
    return out.getvalue()


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def field(kind: str, seed: int, side: int = 40, channels: int = 6) -> np.ndarray:
    """Return noise of 16 bits, uint16 (side, side, channels): "wet" has a higher fifth channel, and nothing else."""
    random = np.random.default_rng(seed)
    level = random.uniform(900, 1100, channels)
    pixels = level + random.normal(0, 40, (side, side, channels))
    if kind == "wet":
        pixels[..., FIFTH] += 400
    return pixels.clip(0, 65535).astype(np.uint16)


def low_bits(kind: str, seed: int, side: int = 40) -> np.ndarray:
    """Return grey of 16 bits, uint16 (side, side), whose classes differ by 60 of 65,536: less than one of 256."""
    random = np.random.default_rng(seed)
    return (30_000 + 60 * (kind == "wet") + random.integers(-20, 20, (side, side))).astype(np.uint16)


def write_fields(folder: Path, per_kind: int, first_seed: int = 0, make: Any = field, **options: Any) -> None:
    """Write class folders "dry" and "wet" of TIFFs."""
    for number, kind in enumerate(("dry", "wet")):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for k in range(per_kind):
            pixels = make(kind, first_seed + 2 * k + number)
            (folder / kind / f"{k}.tif").write_bytes(tiff(pixels, **options))


def _give(data: bytes) -> bytes:
    return data


def sample(name: str, data: bytes, target: Any, split: str = "train") -> Sample:
    return Sample(name, partial(_give, data), target, split)


def fields(train: int = 12, validation: int = 6, **options: Any) -> Samples:
    """Return samples of both kinds."""
    items = []
    for k in range(train + validation):
        kind = ("dry", "wet")[k % 2]
        data = tiff(field(kind, k), **options)
        items.append(sample(f"{k}.tif", data, kind, "train" if k < train else "validation"))
    return Samples("classify", ("dry", "wet"), tuple(items), "made")


def pools(train: int = 16, validation: int = 6, task: str = "detect", **options: Any) -> Samples:
    """Return fields with a square pool that only the fifth channel shows, with its box or its mask."""
    items = []
    for k in range(train + validation):
        random = np.random.default_rng(k)
        pixels = field("dry", k, 64)
        side = int(random.integers(18, 28))
        left, top = random.integers(2, 62 - side, 2).tolist()
        pixels[top : top + side, left : left + side, FIFTH] += 800
        target: Any = Boxes(np.array([[left, top, left + side, top + side]], np.float32), ("pool",))
        if task == "segment":
            mask = np.zeros((64, 64), np.uint8)
            mask[top : top + side, left : left + side] = 1
            target = Mask(partial(_give, png(mask)), {0: "background", 1: "pool"}, None)
        items.append(sample(f"{k}.tif", tiff(pixels, **options), target, "train" if k < train else "validation"))
    classes = ("background", "pool") if task == "segment" else ("pool",)
    return Samples(task, classes, tuple(items), "made")  # type: ignore[arg-type]
