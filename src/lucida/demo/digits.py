"""Real images that come with a dependency: scikit-learn's 1,797 handwritten digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lucida.errors import MissingExtra

EXAMPLES_PER_CLASS = 10
SIDE = 64  # the scans are 8 x 8; enlarged so that a person can read them on a page


def write_digits(folder: Path) -> tuple[Path, Path, dict[str, str]]:
    """Write the digits as PNG files: some examples in a folder a class, the rest in one folder without labels.

    Args:
        folder: Where to write.

    Returns:
        The folder of photos, the folder of examples, and the key: label by file name.

    Raises:
        MissingExtra: If scikit-learn is not installed.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998; the copy in scikit-learn.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtra("scikit-learn", "demo", "The demo on handwritten digits") from error
    from PIL import Image

    digits = load_digits()
    photos, examples, key = folder / "digits", folder / "examples", dict[str, str]()
    photos.mkdir(parents=True, exist_ok=True)
    shown = _spread(digits.target)
    for i, (scan, target) in enumerate(zip(digits.images, digits.target, strict=True)):
        ink = 255 - np.round(scan * (255 / 16)).astype(np.uint8)
        name, label = f"scan-{i:04d}.png", int(target)
        if i in shown:
            path = examples / str(label) / name
            path.parent.mkdir(parents=True, exist_ok=True)
        else:
            path = photos / name
            key[name] = str(label)
        Image.fromarray(ink).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path)
    return photos, examples, key


def _spread(targets: np.ndarray) -> set[int]:
    """Choose the examples of each class evenly over the set: neighbours were written by the same hand."""
    rows = (np.flatnonzero(targets == label) for label in range(10))
    return {int(r[i]) for r in rows for i in np.linspace(0, len(r) - 1, EXAMPLES_PER_CLASS).astype(int)}
