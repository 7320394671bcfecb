"""Measure the embedded restorers: how near to the good image, how fast, and beside which peers.

    python -m benchmarks.restore --data ../shared/data                              # everything
    python -m benchmarks.restore quality speed --data ../shared/data --quick        # parts of it, few images
    python -m benchmarks.restore noise --data ../shared/data --bm3d-cache bm3d.jsonl   # goes on where it was stopped
    python -m benchmarks.restore pictures --data ../shared/data --pictures docs/images/restore-crops.png

`quality`: PSNR and SSIM of luma, `scale` pixels of border cut off, of what `lucida restore` writes; Set5 with its
published small images, and the held-out images of the Berkeley set, made smaller by MATLAB's bicubic, or blurred, noisy
and saved as JPEG by chance ("made worse"). `noise`: grey images with
the same Gaussian noise for both sides, its level told, not cut to 0..255. BM3D is the package `bm3d`, which is for
non-commercial use only: it is asked for here and nowhere else, and left out where it is not installed. `speed`: the
network of x4 by the engine that the planner picks, in every precision, beside the same weights in eager PyTorch, in
turns. `pictures`: crops side by side.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from lucida.evaluate.metrics.restoration import luma, psnr, shaved, ssim
from lucida.images.bicubic import resize
from lucida.models import find
from lucida.restore import Restorer, Wish
from lucida.restore.colours import through
from lucida.train.restore.degradation import GREY, real

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Enlarge = Callable[[Bytes], Bytes]

PARTS: Final = ("quality", "noise", "speed", "pictures")
HELD_OUT: Final = 20  # every so many-th image of the Berkeley set is not trained on
SIDE: Final = 320  # of the photos that are made worse by chance
LEVELS: Final = (15, 25, 50)
# Dong et al. 2016 and Kim et al. 2016, their tables; Set5 with the same small images, PSNR and SSIM.
PUBLISHED: Final = {
    2: {"FSRCNN (published)": (37.05, 0.9560), "VDSR (published)": (37.53, 0.9587)},
    4: {"FSRCNN (published)": (30.71, 0.8657), "VDSR (published)": (31.35, 0.8838)},
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--data", type=Path, required=True, help="folder of super_resolution/ and bsds400/")
    parser.add_argument("--quick", action="store_true", help="two images of each set, few rounds")
    parser.add_argument("--ensemble", action="store_true", help="quality: also the mean of eight turned images")
    parser.add_argument("--bm3d-cache", type=Path, help="noise: file of what BM3D reached, which takes long")
    parser.add_argument("--rounds", type=int, default=9, help="speed: turns")
    parser.add_argument("--pictures", type=Path, help="a PNG for the crops")
    options = parser.parse_args()
    wanted = options.parts or [part for part in PARTS if part != "pictures" or options.pictures]
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    names = ("camera-lucida", "numpy", "pillow", "onnxruntime", "openvino", "torch", "nncf", "bm3d")
    print({name: version for name in names if (version := _version(name))})
    if "quality" in wanted:
        quality(options.data, options.quick, options.ensemble)
    if "noise" in wanted:
        noise(options.data, options.quick, options.bm3d_cache)
    if "speed" in wanted:
        from benchmarks.restore_speed import speed

        speed(options.data, 3 if options.quick else options.rounds)
    if "pictures" in wanted:
        from benchmarks.restore_crops import crops

        crops(options.data, options.pictures or Path("restore-crops.png"))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


# Images


def set5(data: Path, scale: int) -> Iterator[tuple[Bytes, Bytes]]:
    """Yield the published small images of Set5, each with the good one."""
    for row in pq.read_table(data / "super_resolution" / "set5.parquet").to_pylist():
        low, high = opened(row[f"lr_x{scale}"]["bytes"]), opened(row["hr_x2"]["bytes"])
        yield low, high[: low.shape[0] * scale, : low.shape[1] * scale]


def held_out(data: Path) -> list[Bytes]:
    """Return the images of the Berkeley set that no shipped restorer was trained on."""
    table = pq.read_table(data / "bsds400" / "train.parquet")
    rows = table.take(list(range(0, len(table), HELD_OUT))).column("image").to_pylist()
    return [opened(row["bytes"]) for row in rows]


def trained_on(data: Path) -> list[Bytes]:
    """Return some of the images that all shipped restorers were trained on."""
    table = pq.read_table(data / "bsds400" / "train.parquet")
    rows = table.take([row for row in range(len(table)) if row % HELD_OUT == 1]).column("image").to_pylist()
    return [opened(row["bytes"]) for row in rows]


def smaller(image: Bytes, scale: int) -> tuple[Bytes, Bytes]:
    """Return an image made smaller by the published bicubic, and the part of it that this stands for."""
    high = image[: image.shape[0] // scale * scale, : image.shape[1] // scale * scale]
    return resize(high, 1 / scale), high


def worse(images: Sequence[Bytes], scale: int) -> Iterator[tuple[Bytes, Bytes]]:
    """Yield images blurred, noisy and saved with losses by chance, each with the good one."""
    random = np.random.default_rng(0)
    for image in images:
        high = np.ascontiguousarray(image[:SIDE, :SIDE])
        yield real(high, scale, random), high


def opened(data: bytes) -> Bytes:
    """Return an image as uint8 (height, width, 3)."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


# Ways to enlarge


def restored(model: str, scale: int) -> Enlarge:
    """Return what enlarges as `lucida restore` does, from file to file."""
    restorer = Restorer(Wish(upscale=float(scale), model=model))

    def enlarge(low: Bytes) -> Bytes:
        with tempfile.TemporaryDirectory() as folder:
            buffer = io.BytesIO()
            Image.fromarray(low).save(buffer, "PNG")
            done = restorer.file(buffer.getvalue(), Path(folder) / "image.png")
            return opened(done.written.read_bytes())

    return enlarge


def bicubic(scale: int) -> Enlarge:
    """Return what enlarges as MATLAB does."""
    return lambda low: resize(low, scale)


def lanczos(scale: int) -> Enlarge:
    """Return what enlarges by Pillow's Lanczos."""
    return lambda low: np.asarray(
        Image.fromarray(low).resize((low.shape[1] * scale, low.shape[0] * scale), Image.Resampling.LANCZOS)
    )


def of_eight(enlarge: Enlarge) -> Enlarge:
    """Return what enlarges an image in its eight turned and mirrored forms, and takes their mean."""

    def mean(low: Bytes) -> Bytes:
        total: NDArray[np.float64] | float = 0.0
        for turn in range(4):
            for mirror in (False, True):
                given = np.rot90(low, turn)
                found = enlarge(np.ascontiguousarray(given[:, ::-1] if mirror else given)).astype(np.float64)
                total = total + np.rot90(found[:, ::-1] if mirror else found, -turn)
        return np.asarray(np.floor(total / 8 + 0.5), np.uint8)

    return mean


# Quality


def quality(data: Path, quick: bool, ensemble: bool) -> None:
    """Print how near to the good images each way comes."""
    count = 2 if quick else None
    images = held_out(data)[:count]
    for scale in (2, 4):
        ways = {"bicubic": bicubic(scale), "Lanczos": lanczos(scale)}
        ways |= {name: restored(name, scale) for name in ("embedded", "embedded-real")}
        if ensemble:
            ways["embedded, mean of eight"] = of_eight(ways["embedded"])
        sets = {
            "Set5": list(set5(data, scale))[:count],
            "held out": [smaller(image, scale) for image in images],
            "made worse": list(worse(images, scale)),
        }
        counts = ", ".join(f"{name} {len(pairs)}" for name, pairs in sets.items())
        print(f"\nx{scale}, luma, {scale} pixels of border cut off; images: {counts}")
        print(f"{'PSNR dB / SSIM':26s}", *(f"{name:>16s}" for name in sets))
        for name, found in PUBLISHED[scale].items():
            print(f"{name:26s}", f"{found[0]:>8.2f} / {found[1]:.4f}")
        for name, way in ways.items():
            print(f"{name:26s}", *(f"{_both(way, pairs, scale):>16s}" for pairs in sets.values()), flush=True)


def _both(way: Enlarge, pairs: Sequence[tuple[Bytes, Bytes]], scale: int) -> str:
    planes = [(shaved(luma(way(low)), scale), shaved(luma(high), scale)) for low, high in pairs]
    return f"{np.mean([psnr(*pair) for pair in planes]):.2f} / {np.mean([ssim(*pair) for pair in planes]):.4f}"


# Noise


def noise(data: Path, quick: bool, cache: Path | None) -> None:
    """Print what the embedded denoiser and BM3D make of the same noisy images."""
    model = find("embedded-denoise").load()
    bm3d = Bm3d(cache) if _version("bm3d") else None
    print(f"\ngrey images with Gaussian noise, PSNR in dB, {model.engine}")
    if bm3d is None:
        print("bm3d is not installed (pip install bm3d; for non-commercial use only): left out")
    for sigma in LEVELS:
        rows = []
        for number, image in enumerate(held_out(data)[: 2 if quick else None]):
            clean = np.rint(image[: len(image) // 2 * 2, : image.shape[1] // 2 * 2] @ np.asarray(GREY, np.float32))
            given = clean + sigma * np.random.default_rng(number).standard_normal(clean.shape)
            ours = through(model, (given / 255).astype(np.float32)[..., None], float(sigma))[..., 0]
            theirs = bm3d(given, clean, sigma) if bm3d else float("nan")
            rows.append((_after(ours, clean), theirs))
        mine, other = np.mean(rows, axis=0)
        better = sum(a > b for a, b in rows)
        compared = f", BM3D {other:.2f}; better on {better} of {len(rows)} images" if bm3d else ""
        print(f"sigma {sigma}: embedded {mine:.2f}{compared}", flush=True)


def _after(restored: NDArray[Any], clean: NDArray[Any]) -> float:
    return psnr(np.clip(np.rint(restored * 255), 0, 255).astype(np.float64), clean.astype(np.float64))


class Bm3d:
    """Runs BM3D as published, and remembers in a file what it reached.

    Args:
        cache: A line for each image and level; None to forget.
    """

    def __init__(self, cache: Path | None) -> None:
        self._cache = cache
        lines = cache.read_text(encoding="utf-8").splitlines() if cache and cache.is_file() else []
        self._known = {(entry["noisy"], entry["sigma"]): entry["psnr"] for entry in map(json.loads, lines)}

    def __call__(self, noisy: NDArray[np.float64], clean: NDArray[Any], sigma: int) -> float:
        key = (f"{_version('bm3d')} {hashlib.sha256(noisy.tobytes()).hexdigest()[:16]}", sigma)
        if key not in self._known:
            import bm3d  # type: ignore[import-not-found, unused-ignore]

            began = time.perf_counter()
            self._known[key] = _after(bm3d.bm3d(noisy / 255, sigma / 255), clean)
            entry = {"noisy": key[0], "sigma": sigma, "psnr": self._known[key], "seconds": time.perf_counter() - began}
            if self._cache:
                with self._cache.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(entry) + "\n")
        return float(self._known[key])


if __name__ == "__main__":
    main()
