"""Restored images beside their references, by file name: PSNR, SSIM and, where its weights are at hand, LPIPS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import ImageError, InputError
from lucida.evaluate.metrics import restoration
from lucida.evaluate.resample import Metric
from lucida.images import decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.evaluate.figure import Figure

SHOWN: Final = 5  # worst images that are named
TITLES: Final = {"psnr_y": "PSNR on Y (dB)", "ssim_y": "SSIM on Y", "lpips": "LPIPS (AlexNet, less is better)"}


@dataclass(frozen=True)
class PairsEvaluation:
    """How near restored images are to their references.

    Attributes:
        figures: Means over the images with their intervals: "psnr_y", "ssim_y", "lpips".
        images: Those of each image, by name.
        border: Pixels that were cut off each side.
        skipped: Images that were not compared, and why.
    """

    figures: dict[str, Figure]
    images: dict[str, dict[str, float]]
    border: int
    skipped: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "metrics": {name: figure.to_json() for name, figure in self.figures.items()},
            "images": {name: {k: round(v, 4) for k, v in row.items()} for name, row in self.images.items()},
            "border": self.border,
            "skipped": self.skipped,
        }

    def __str__(self) -> str:
        lines = [f"{len(self.images):,} images, {self.border} pixels cut off each side"]
        lines += [f"  {TITLES[name]}: {figure}" for name, figure in self.figures.items()]
        worst = sorted(self.images, key=lambda name: self.images[name]["psnr_y"])[:SHOWN]
        lines += ["worst:", *(f"  {name}: {self.images[name]['psnr_y']:.2f} dB" for name in worst)]
        return "\n".join([*lines, *(f"{name}: {why}" for name, why in list(self.skipped.items())[:20])])


def evaluate_pairs(
    restored: Path, reference: Path, *, border: int = 0, lpips: bool = False, seed: int = 0
) -> PairsEvaluation:
    """Compare the images of a folder with those of the same name in another.

    Args:
        restored: Folder of images.
        reference: Folder of what they should be; suffixes may differ.
        border: Pixels that are cut off each side first; the papers of super-resolution cut off as many as the scale.
        lpips: Also measure LPIPS.
        seed: Of the intervals.

    Raises:
        InputError: There is no pair.
        ModelError: The weights of LPIPS are not at hand.
        MissingExtra: LPIPS needs a package that is not installed.
    """
    if border < 0:
        raise InputError("That is no border.", expected="0 or more pixels", got=str(border), hint="--border 4")
    measure = _lpips() if lpips else None
    theirs = _files(reference)
    images: dict[str, dict[str, float]] = {}
    skipped: dict[str, str] = {}
    for stem, file in _files(restored).items():
        if stem not in theirs:
            skipped[file.name] = f"no image of that name in {reference}"
            continue
        try:
            images[file.name] = compare(_shown(file), _shown(theirs[stem]), border, measure)
        except (ImageError, InputError) as error:
            skipped[file.name] = error.what
    if not images:
        raise InputError(
            "There is no pair to compare.",
            expected=f"images in {restored} named like those in {reference}",
            got="; ".join(f"{name}: {why}" for name, why in list(skipped.items())[:3]) or "no image",
            hint="lucida restore low/ --upscale 4 -o restored/, then --data restored/ --reference high/",
        )
    figures = {}
    for name in TITLES:
        values = np.array([row[name] for row in images.values() if np.isfinite(row.get(name, np.nan))])
        found = _mean(name, values).figure(seed=seed) if len(values) else None
        if found is not None:
            figures[name] = found
    return PairsEvaluation(figures, images, border, skipped)


def compare(
    ours: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    border: int = 0,
    lpips: Callable[[NDArray[np.uint8], NDArray[np.uint8]], float] | None = None,
) -> dict[str, float]:
    """Return the figures of one image.

    Args:
        ours: uint8 (height, width, 1 or 3).
        reference: Of the same size.
        border: Pixels that are cut off each side.
        lpips: Measures that distance of two images (height, width, 3).

    Raises:
        InputError: They are of different sizes, or nothing is left without the border.
    """
    if ours.shape[:2] != reference.shape[:2]:
        raise InputError(
            f"{ours.shape[1]} x {ours.shape[0]} pixels, the reference has {reference.shape[1]} x {reference.shape[0]}.",
            expected="images of one size",
            got="others",
            hint="the reference cut to a multiple of the scale, as the papers do",
        )
    if ours.shape[2] != reference.shape[2]:
        # Grey beside colour: grey is colour too.
        ours, reference = (np.broadcast_to(one, (*one.shape[:2], 3)) for one in (ours, reference))
    a, b = (restoration.shaved(restoration.luma(one), border) for one in (ours, reference))
    found = {"psnr_y": restoration.psnr(a, b), "ssim_y": restoration.ssim(a, b)}
    if lpips is not None:
        found["lpips"] = lpips(ours, reference)
    return found


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise InputError(
            f"{folder} is no folder.", expected="a folder of images", got=str(folder), hint="check the path"
        )
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in found}


def _shown(file: Path) -> NDArray[np.uint8]:
    """Return an image of 8 bits, one channel where it is grey."""
    image = decode(file)
    if image.mode == "L":
        return np.asarray(image.pixels[..., None])
    return np.asarray(image.rgb8()[..., : 1 if image.mode in ("I;16", "LA", "LA;16") else 3])


def _mean(name: str, values: NDArray[np.float64]) -> Metric:
    def of(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(counts @ values / counts.sum(axis=1))

    return Metric(name, TITLES[name], of, len(values), less=name == "lpips")


def _lpips() -> Callable[[NDArray[np.uint8], NDArray[np.uint8]], float]:
    from lucida.evaluate.lpips import Lpips

    return Lpips()
