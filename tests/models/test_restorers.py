"""The restorers that come with the package: small, and better than what needs no training."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from lucida.images.bicubic import resize
from lucida.models import find
from lucida.models.restorers.family import CARD, folder

SET5 = Path(__file__).parents[3] / "shared" / "data" / "super_resolution" / "set5.parquet"
LUMA = np.asarray([65.481, 128.553, 24.966]) / 255
FSRCNN = {2: 37.05, 4: 30.72}  # on Set5, as published


def psnr(found: np.ndarray, good: np.ndarray, border: int) -> float:
    """Return PSNR on luma of images (h, w, 3) in grey levels."""
    inside = tuple(slice(border, length - border) for length in good.shape[:2])
    off = (np.rint(found.clip(0, 255)) - good)[inside] @ LUMA
    return float(10 * np.log10(255**2 / (off**2).mean()))


def test_files_are_small() -> None:
    files = {card.parent.name: (card.parent / "model.onnx").stat().st_size for card in folder().glob(f"*/{CARD}")}
    assert max(files.values()) < 2_000_000
    assert sum(files.values()) < 6_000_000
    assert set(files) == {"embedded-x2", "embedded-x4", "embedded-denoise", "embedded-real-x2", "embedded-real-x4"}


@pytest.mark.skipif(not SET5.exists(), reason="Set5 is not in ../shared/data")
@pytest.mark.parametrize("scale", [2, 4])
def test_upscalers_are_above_fsrcnn_on_set5(scale: int) -> None:
    import pyarrow.parquet as pq

    model, found = find(f"embedded-x{scale}").load("fp32"), []
    for row in pq.read_table(SET5).to_pylist():
        low, high = (np.asarray(PIL.Image.open(io.BytesIO(row[c]["bytes"]))) for c in (f"lr_x{scale}", "hr_x2"))
        image = np.ascontiguousarray(low.transpose(2, 0, 1)[None], np.float32) / 255
        restored = model.restore(image)[0].transpose(1, 2, 0) * 255
        found.append(psnr(restored, high[: low.shape[0] * scale, : low.shape[1] * scale].astype(float), scale))
    assert np.mean(found) > FSRCNN[scale]


def picture(side: int = 64) -> np.ndarray:
    """Return waves and edges, float32 (side, side, 3) on 0..255."""
    down, across = np.mgrid[0:side, 0:side] / side
    waves = 128 + 70 * np.sin(40 * across * down + 3 * across) + 40 * (across + down > 1)
    return np.clip(waves[..., None] * (0.9, 1.0, 0.8), 0, 255).astype(np.float32)


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("sigma", [15.0, 50.0])
def test_the_denoiser_takes_away_most_of_the_noise(depth: int, sigma: float) -> None:
    clean = picture() if depth == 3 else np.repeat(picture()[..., :1], 3, axis=2)
    noisy = clean + sigma * np.random.default_rng(0).standard_normal((*clean.shape[:2], depth))
    image = np.ascontiguousarray(noisy.transpose(2, 0, 1)[None] / 255, np.float32)
    restored = find("embedded-denoise").load("fp32").restore(image, sigma)[0].transpose(1, 2, 0) * 255
    assert psnr(restored, clean, 0) > psnr(noisy, clean, 0) + 5


def leaves(side: int = 192) -> np.ndarray:
    """Return discs that lie over each other, uint8 (side, side, 3): edges and sizes as photos have them."""
    chance = np.random.default_rng(3)
    down, across = np.mgrid[0:side, 0:side]
    found = np.zeros((side, side, 3), np.uint8)
    for _ in range(400):
        y, x = chance.uniform(0, side, 2)
        radius = 4 / np.sqrt(chance.uniform(0.004, 1))
        found[(down - y) ** 2 + (across - x) ** 2 < radius**2] = chance.uniform(40, 216, 3)
    return found


@pytest.mark.parametrize("scale", [2, 4])
def test_photos_saved_with_losses_are_better_than_bicubic_makes_them(scale: int) -> None:
    clean = leaves()
    small = resize(clean, 1 / scale) + 6 * np.random.default_rng(0).standard_normal((192 // scale, 192 // scale, 3))
    stored = io.BytesIO()
    PIL.Image.fromarray(np.rint(small).clip(0, 255).astype(np.uint8)).save(stored, "JPEG", quality=50)
    low = np.asarray(PIL.Image.open(stored))
    image = np.ascontiguousarray(low.transpose(2, 0, 1)[None], np.float32) / 255
    found = {
        name: find(f"{name}-x{scale}").load("fp32").restore(image)[0].transpose(1, 2, 0) * 255
        for name in ("embedded-real", "embedded")
    }
    plain = psnr(resize(low.astype(np.float32), scale), clean.astype(float), scale)
    real, clear = (psnr(one, clean.astype(float), scale) for one in found.values())
    assert real > plain + 0.3
    assert real > clear + 0.3
