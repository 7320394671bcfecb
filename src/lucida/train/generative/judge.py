"""How near drawn pictures come to held-out ones, by the features of the embedded encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.images import Image
from lucida.models.registry import find
from lucida.progress import track

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEATURES: Final = "embedded"  # named beside every distance
PART: Final = "shape"  # of its vector: what a thing is rather than where its colours lie
CLOSE: Final = 0.01  # share of held-out images that lie as near to a training image by chance


class Judge:
    """The embedded encoder, for pictures of any size."""

    def __init__(self) -> None:
        spec = find(FEATURES)
        self._model, self._part = spec.load("fp32"), spec.gives.parts[PART]

    def features(self, pixels: NDArray[np.uint8], what: str = "") -> NDArray[np.float32]:
        """Return vectors float32 (n, 384) of pictures uint8 (n, h, w, 3).

        Args:
            pixels: The pictures.
            what: Said beside the progress bar; "" for none.
        """
        needs, found = self._model.spec.needs, []
        with track(what or "Comparing", len(pixels)) as step:
            for start in range(0, len(pixels), 64):
                some = pixels[start : start + 64]
                batch = np.stack([needs.prepare(Image(one, "RGB")) for one in some])
                found.append(self._model.embed(batch)[:, self._part])
                step(len(some))
        return np.concatenate(found) if found else np.zeros((0, self._part.stop), np.float32)


def nearest(ours: NDArray[np.float32], known: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the row of the known vector nearest to each of ours, and its cosine.

    Args:
        ours: float32 (n, d).
        known: float32 (m, d).
    """
    unit = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (ours, known)]
    rows, cosines = [], []
    for start in range(0, len(ours), 256):
        alike = unit[0][start : start + 256] @ unit[1].T
        rows.append(alike.argmax(1))
        cosines.append(alike.max(1))
    return np.concatenate(rows), np.concatenate(cosines)


def copies(
    drawn: NDArray[np.float32], held_out: NDArray[np.float32], known: NDArray[np.float32]
) -> tuple[float, NDArray[np.int64], NDArray[np.float32]]:
    """Return the share of pictures that lie nearer to a training image than all but 1 % of held-out images do.

    A share of 1 % is what chance gives; much more means that training images were learned by heart.

    Args:
        drawn: Vectors of pictures, float32 (n, d).
        held_out: Of held-out images, float32 (k, d).
        known: Of training images, float32 (m, d).

    Returns:
        The share; and for each picture the row of the nearest training image, and its cosine.
    """
    usual = np.quantile(nearest(held_out, known)[1], 1 - CLOSE)
    rows, cosines = nearest(drawn, known)
    return float((cosines > usual).mean()), rows, cosines
