"""Small pictures of three kinds, made by the tests themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter


def picture(kind: str, seed: int, side: int = 48) -> Image.Image:
    """Draw a noisy picture that even a thumbnail tells apart: a bright disc, a dark square, or stripes."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    cx, cy = rng.uniform(0.4, 0.6, 2)
    shapes = {
        "disc": ((x - cx) ** 2 + (y - cy) ** 2 < 0.08) * 180.0,
        "square": 200.0 - 170.0 * ((abs(x - cx) < 0.25) & (abs(y - cy) < 0.25)),
        "stripes": 110.0 + 90.0 * np.sign(np.sin(x * 28 + rng.uniform(0, 6))),
    }
    tint = {"disc": (1.0, 0.7, 0.5), "square": (0.6, 1.0, 0.7), "stripes": (0.6, 0.7, 1.0)}[kind]
    noisy = shapes[kind][..., None] * np.array(tint) + rng.normal(20, 12, (side, side, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


KINDS = ("disc", "square", "stripes")


def write_pictures(folder: Path, per_kind: int, *, first_seed: int = 0, by_class: bool = False) -> dict[str, str]:
    """Write pictures as PNG files and return their labels by file name."""
    folder.mkdir(parents=True, exist_ok=True)
    key: dict[str, str] = {}
    for k, kind in enumerate(KINDS):
        for i in range(per_kind):
            seed = first_seed + i * len(KINDS) + k
            name = f"picture {seed:05d}.png"
            path = (folder / kind if by_class else folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            picture(kind, seed).save(path)
            key[name] = kind
    return key


def scene(seed: int, side: int = 96) -> Image.Image:
    """Draw random colours at several scales, weaker as they get finer, as in a photo; no two seeds look alike."""
    random = np.random.default_rng(seed)
    total = np.full((side, side, 3), 128.0)
    for cells, strength in ((3, 60), (6, 30), (12, 15), (24, 8)):
        coarse = random.uniform(-1, 1, (cells, cells, 3))
        index = np.arange(side) * cells // side
        total += strength * coarse[index][:, index]
    return Image.fromarray(total.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(2))


def inside(boxes: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return boxes (n, 4) cut to an image."""
    height, width = pixels.shape[:2]
    return np.clip(boxes, 0, [width, height, width, height])
