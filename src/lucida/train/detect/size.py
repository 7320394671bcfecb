"""How large images must be for their objects to be found."""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import TYPE_CHECKING

from lucida.data.sample import Boxes
from lucida.errors import ImageError, InputError
from lucida.images import probe

if TYPE_CHECKING:
    from lucida.data import Samples

STEP = 32  # sides are multiples of the coarsest stride
ACROSS = 24  # pixels that an object should be wide: three places of the finest stride
MOST = 640
ASKED = 500  # images that are looked at
FEW = 3  # objects of a class below which it does not decide


def fitting_size(samples: Samples, least: int) -> int:
    """Return the longer side, in pixels, at which usual objects of the smallest class are wide enough.

    Args:
        samples: Images with boxes; only their headers are read.
        least: Smallest size to return.
    """
    shares: dict[str, list[float]] = defaultdict(list)
    for sample in samples.items[:ASKED]:
        if not isinstance(sample.target, Boxes) or not len(sample.target.xyxy):
            continue
        try:
            header = probe(sample.read())
        except (ImageError, InputError):
            continue  # whoever reads its pixels counts it
        sides = (sample.target.xyxy[:, 2:] - sample.target.xyxy[:, :2]).clip(min=0)
        for label, (width, height) in zip(sample.target.labels, sides.tolist(), strict=True):
            if width and height:
                shares[label].append((width * height) ** 0.5 / max(header.width, header.height))
    usual = [statistics.median(found) for found in shares.values() if len(found) >= FEW]
    wanted = ACROSS / min(usual) if usual else least
    return int(min(max(least, -(-wanted // STEP) * STEP), max(MOST, least)))
