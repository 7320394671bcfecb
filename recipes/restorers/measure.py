"""What an exported restorer reaches on images that it was not trained on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pyarrow.parquet as pq

from lucida.models.engine import Session, open_session
from lucida.train.restore.degradation import GREY
from lucida.train.restore.measure import luma_psnr, mean_psnr, rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

NOISES = (15, 25, 50)
STEP = 20  # every so many-th image of the Berkeley set was held out


def measure_restorer(model: Path, scale: int, data: Path) -> dict[str, float]:
    """Return figures in dB.

    Args:
        model: The ONNX file.
        scale: How many times larger its images are; 1 for a denoiser.
        data: Folder of super_resolution/ (Set5 with its published small images) and bsds400/.

    Returns:
        PSNR of luma on Set5, without a border of `scale` pixels; or of grey images with Gaussian noise, which is told.
    """
    session = open_session(model, "fp32")
    if scale > 1:
        pairs = [(_read(row[f"lr_x{scale}"]), _read(row["hr_x2"])) for row in _rows(data, "super_resolution/set5")]
        found = [luma_psnr(_run(session, low), _cut(high, low, scale), scale) for low, high in pairs]
        return {"set5": round(float(np.mean(found)), 3)}
    images = [_read(row["image"]) for row in _rows(data, "bsds400/train")[::STEP]]
    return {f"grey_{sigma}": _denoised(session, images, sigma) for sigma in NOISES}


def _denoised(session: Session, images: list[NDArray[np.uint8]], sigma: int) -> float:
    found = []
    for number, pixels in enumerate(images):
        height, width = (length // 2 * 2 for length in pixels.shape[:2])
        grey = np.rint(pixels[:height, :width].astype(np.float32) @ np.asarray(GREY, np.float32))
        noise = np.random.default_rng(number).standard_normal(grey.shape)
        given = np.repeat((grey + sigma * noise)[..., None], 3, axis=2).astype(np.float32) / 255
        restored = _run(session, given, np.full((1, 1, 1, 1), sigma / 255, np.float32))
        found.append(mean_psnr(restored[..., 1], grey.astype(np.uint8)))
    return round(float(np.mean(found)), 3)


def _run(session: Session, pixels: NDArray[Any], noise: NDArray[np.float32] | None = None) -> NDArray[np.uint8]:
    image = pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels
    feeds = {"image": np.ascontiguousarray(image.transpose(2, 0, 1)[None], np.float32)}
    if noise is not None:
        feeds["noise"] = noise
    return rounded(session(feeds, ("restored",))[0][0].transpose(1, 2, 0))


def _cut(high: NDArray[np.uint8], low: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    return high[: low.shape[0] * scale, : low.shape[1] * scale]


def _rows(data: Path, name: str) -> list[dict[str, dict[str, bytes]]]:
    rows: list[dict[str, dict[str, bytes]]] = pq.read_table(data / f"{name}.parquet").to_pylist()
    return rows


def _read(cell: dict[str, bytes]) -> NDArray[np.uint8]:
    return np.asarray(PIL.Image.open(io.BytesIO(cell["bytes"])).convert("RGB"))
