"""Which precision to run at: decided by measurement, once for a model on a machine."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lucida.errors import ModelError
from lucida.models import engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lucida.models.engine import Session
    from lucida.models.needs import ImageNeeds
    from lucida.models.spec import Precision

    Read = Callable[[Session, NDArray[np.float32]], NDArray[np.float32]]

FAITHFUL = 0.99
SAMPLE = 16


def centred_cosine(ours: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Return the mean cosine of rows after subtracting each set's mean: -1 to 1.

    Vectors of one model share a large common direction, which makes a plain cosine near 1 whatever happens.

    Args:
        ours: float32 (n, d).
        reference: float32 (n, d), the same images at full precision.
    """
    a = ours - ours.mean(axis=0)
    b = reference - reference.mean(axis=0)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(np.mean((a * b).sum(axis=1) / np.maximum(norms, 1e-12)))


def made_sample(needs: ImageNeeds, n: int = SAMPLE) -> NDArray[np.float32]:
    """Make images with the spectrum of photos (power falling with the square of frequency), always the same.

    Returns:
        float32 (n, channels, size, size), prepared.
    """
    from lucida.images import Image

    draw = np.random.default_rng(0)
    size = needs.size
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = 1 / size
    spectrum = np.fft.rfft2(draw.standard_normal((n, 3, size, size))) / frequency
    waves = np.fft.irfft2(spectrum, s=(size, size))
    waves /= waves.std(axis=(2, 3), keepdims=True)
    pixels = np.clip(waves * 55 + draw.uniform(60, 190, (n, 3, 1, 1)), 0, 255).astype(np.uint8)
    return np.stack([needs.prepare(Image(p.transpose(1, 2, 0).copy(), "RGB")) for p in pixels])


def choose(
    path: Path,
    wanted: Precision,
    needs: ImageNeeds,
    read: Read,
    *,
    identity: str,
    sample: NDArray[np.float32] | None = None,
) -> Session:
    """Load an ONNX file at the precision that was asked for, or that proves faithful.

    Args:
        path: The ONNX file.
        wanted: "fp32", "bf16" or "auto".
        needs: The model's input, to make a sample where none is given.
        read: Runs a session on prepared images and returns the output to compare, float32 (n, d).
        identity: What changes whenever the file does.
        sample: Prepared images to measure on, float32 (n, channels, height, width).

    Raises:
        ModelError: bf16 was asked for where the machine has none.
    """
    if wanted == "bf16" and not engine.has_bf16():
        raise ModelError(
            "This machine cannot run bf16.",
            expected="OpenVINO on a processor with AVX-512 BF16 or AMX",
            got=engine.describe(),
            hint="--precision auto picks what the machine has",
        )
    if wanted != "auto" or not engine.has_bf16():
        return engine.open_session(path, "fp32" if wanted == "auto" else wanted)
    key = f"{identity} on {engine.describe()}"
    known = _recall().get(key)
    if known is not None:
        return engine.open_session(path, "bf16" if known >= FAITHFUL else "fp32")
    exact, fast = engine.open_session(path, "fp32"), engine.open_session(path, "bf16")
    images = sample if sample is not None and len(sample) >= SAMPLE // 2 else made_sample(needs)
    cosine = centred_cosine(read(fast, images), read(exact, images))
    _remember(key, cosine)
    return fast if cosine >= FAITHFUL else exact


def cache_file() -> Path:
    """Return where choices are kept: LUCIDA_CACHE, else the user's cache folder."""
    own = os.environ.get("LUCIDA_CACHE")
    if own:
        return Path(own) / "precision.json"
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "camera-lucida" / "precision.json"


def _recall() -> dict[str, float]:
    try:
        known = json.loads(cache_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _remember(key: str, cosine: float) -> None:
    file = cache_file()
    text = json.dumps({**_recall(), key: round(cosine, 5)}, indent=1)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=file.parent, delete=False, encoding="utf-8") as partial:
            partial.write(text)
        Path(partial.name).replace(file)
    except OSError:
        # A home that cannot be written to costs one measurement a start, nothing else.
        return
