"""That a model is no worse than another by more than so much: what the same images prove of it.

An image counts +1 if B alone has it right, -1 if A alone has, 0 otherwise. If the images are independent draws from
those the models will see, the mean of these values estimates the difference of accuracies, B - A, and the evidence
against "the difference is at most -d" is a bet that a false statement wins with small probability only: see
`lucida.evidence.paired`. The images are read in an order that their own digests fix, so nobody chooses it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from lucida.errors import InputError
from lucida.evidence.paired import Pairs, log_e_process, tally

STEP = 1e-4  # bounds are whole multiples of this, rounded up
ORDER_RULE = "images in ascending order of sha256(id); an id is the SHA-256 of the image file"


@dataclass(frozen=True)
class Outcome:
    """What both models said of one image.

    Attributes:
        id: SHA-256 of the image's bytes.
        truth: Its label; several tags as one text.
        a: What A said.
        b: What B said.
    """

    id: str
    truth: str
    a: str
    b: str


@dataclass(frozen=True)
class NoWorse:
    """What the outcomes prove of "B is less accurate than A by at most `worse_by`".

    Attributes:
        pairs: How the two fared on these images.
        worse_by: The promise asked for, within (0, 1).
        confidence: Within (0, 1).
        evidence: The e-value against a larger loss; the promise is proven from 1 / (1 - confidence) on.
        proven: The smallest loss that these images rule out exceeding, 0 to 1, rounded up.
    """

    pairs: Pairs
    worse_by: float
    confidence: float
    evidence: float
    proven: float

    @property
    def holds(self) -> bool:
        """Tell whether the promise asked for is proven."""
        return self.evidence >= 1 / (1 - self.confidence)


def ordered(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcomes in the order of `ORDER_RULE`."""
    return sorted(outcomes, key=lambda one: sha256(one.id.encode("ascii")).hexdigest())


def values_of(outcomes: Sequence[Outcome]) -> NDArray[np.int64]:
    """Return +1 where B alone is right, -1 where A alone is, 0 elsewhere, int64 (n,), in order."""
    found = [(one.b == one.truth) - (one.a == one.truth) for one in ordered(outcomes)]
    return np.array(found, dtype=np.int64)


def no_worse(outcomes: Sequence[Outcome], *, worse_by: float, confidence: float = 0.95) -> NoWorse:
    """Weigh what was seen on the same images.

    Args:
        outcomes: One an image, no image twice.
        worse_by: The largest loss of accuracy that may be, within (0, 1): 0.02 is two points.
        confidence: Within (0, 1).

    Raises:
        InputError: A number is out of range, an image is there twice, or there is none.
    """
    if not (0 < worse_by < 1 and 0 < confidence < 1):
        raise InputError(
            "This promise cannot be weighed.",
            expected="a loss and a confidence between 0 and 1, both excluded",
            got=f"--worse-by {worse_by!r}, confidence {confidence!r}",
            hint="two points of accuracy are --worse-by 0.02",
        )
    if not outcomes or len({one.id for one in outcomes}) < len(outcomes):
        raise InputError(
            "These outcomes cannot be compared.",
            expected="some images, each once: copies are no new evidence",
            got=f"{len(outcomes):,} outcomes of {len({one.id for one in outcomes}):,} images",
        )
    values = values_of(outcomes)
    right = [[getattr(one, side) == one.truth for one in outcomes] for side in "ab"]
    return NoWorse(
        tally(right[0], right[1]), worse_by, confidence, _evidence(values, worse_by), _proven(values, confidence)
    )


def _evidence(values: NDArray[np.int64], loss: float) -> float:
    """Return the largest e-value so far against "the mean is at most -loss"."""
    return math.exp(min(float(log_e_process(values, -loss).max(initial=0.0)), 700.0))


def _proven(values: NDArray[np.int64], confidence: float) -> float:
    """Return the smallest loss that is refuted; the evidence only grows with it, so bisection finds it."""
    refuted, standing = round(1 / STEP), 0
    while refuted - standing > 1:
        middle = (refuted + standing) // 2
        if _evidence(values, middle * STEP) >= 1 / (1 - confidence):
            refuted = middle
        else:
            standing = middle
    return round(refuted * STEP, 4)
