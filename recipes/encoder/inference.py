"""Run an exported encoder from its ONNX file and TOML alone, without PyTorch."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from recipes.encoder.data import Pixels

Floats = npt.NDArray[np.float32]
Engine = Callable[[Floats], tuple[Floats, Floats]]
GREY = (127, 127, 127)
_FILTERS = {
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def resample(image: Image.Image, width: int, height: int, interpolation: str) -> Image.Image:
    """Resize; "area" means bilinear where it enlarges, since a box filter would repeat pixels."""
    enlarges = width > image.width or height > image.height
    chosen = "bilinear" if interpolation == "area" and enlarges else interpolation
    return image.resize((width, height), _FILTERS[chosen])


def fit(image: Image.Image, size: int, resize: str, interpolation: str = "area") -> Pixels:
    """Bring an RGB image to uint8 (size, size, 3) by "squash", "crop" or "pad"."""
    if resize == "squash":
        return np.asarray(resample(image, size, size, interpolation))
    side = min(image.size) if resize == "crop" else max(image.size)
    width, height = (max(1, round(length * size / side)) for length in image.size)
    image = resample(image, width, height, interpolation)
    square = Image.new("RGB", (size, size), GREY)
    # A crop pastes at a negative offset, which cuts both sides alike.
    square.paste(image, ((size - width) // 2, (size - height) // 2))
    return np.asarray(square)


def onnxruntime_engine(path: Path, threads: int = 1) -> Engine:
    """Load the file in ONNX Runtime, in float32."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(batch: Floats) -> tuple[Floats, Floats]:
        embedding, logits = session.run(["embedding", "logits"], {"image": batch})
        return np.asarray(embedding), np.asarray(logits)

    return run


def openvino_engine(path: Path, precision: str = "bf16", threads: int = 1) -> Engine:
    """Load the file in OpenVINO with a hint of the precision to compute in: "f32" or "bf16"."""
    import openvino

    hints = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads}
    compiled = openvino.Core().compile_model(str(path), "CPU", hints)

    def run(batch: Floats) -> tuple[Floats, Floats]:
        result = compiled(batch)
        return np.asarray(result["embedding"]), np.asarray(result["logits"])

    return run


@dataclass(frozen=True)
class OnnxEncoder:
    """An exported encoder and its input contract."""

    engine: Engine
    size: int
    resize: str
    interpolation: str
    mean: Floats
    std: Floats

    def fit(self, image: Image.Image) -> Pixels:
        """Bring an image to the size that the encoder takes."""
        return fit(image, self.size, self.resize, self.interpolation)

    def normalise(self, pixels: Pixels) -> Floats:
        """Bring uint8 (n, h, w, 3) to the float32 (n, 3, h, w) that the file takes."""
        scaled = (pixels.astype(np.float32) / 255 - self.mean) / self.std
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), dtype=np.float32)

    def __call__(self, pixels: Pixels, batch: int = 64) -> tuple[Floats, Floats]:
        """Encode uint8 (n, h, w, 3): embedding float32 (n, d) and logits float32 (n, classes)."""
        starts = range(0, len(pixels), batch)
        parts = [self.engine(self.normalise(pixels[start : start + batch])) for start in starts]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def load(folder: Path, engine: Engine | None = None) -> OnnxEncoder:
    """Load ``encoder.toml`` and the file it names."""
    card: dict[str, Any] = tomllib.loads((folder / "encoder.toml").read_text(encoding="utf-8"))
    given = card["input"]
    return OnnxEncoder(
        engine or onnxruntime_engine(folder / card["file"]),
        given["size"],
        given["resize"],
        given["interpolation"],
        np.asarray(given["mean"], np.float32),
        np.asarray(given["std"], np.float32),
    )


def images_per_cpu_second(engine: Engine, size: int, batch: int = 32, repeats: int = 5) -> float:
    """Time a one-thread engine by CPU time, which other work on the machine hardly disturbs; the best run."""
    images = np.random.default_rng(0).standard_normal((batch, 3, size, size)).astype(np.float32)
    engine(images)
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        for _ in range(4):
            engine(images)
        seconds.append(time.process_time() - started)
    return 4 * batch / min(seconds)


def centred_cosine(ours: Floats, theirs: Floats) -> float:
    """Give the mean cosine of two sets of embeddings, each less its mean over the images."""
    a, b = ours - ours.mean(axis=0), theirs - theirs.mean(axis=0)
    products: Sequence[float] = (a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return float(np.mean(products))
