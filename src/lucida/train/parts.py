"""Which images are trained on, and which judge it: a test part is neither."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lucida.data.division import divide, see_samples, training_part
from lucida.data.sample import TRAIN, VALIDATION

if TYPE_CHECKING:
    from lucida.data import Samples


def parts(samples: Samples) -> Samples:
    """Return the training and the validation part; near-identical images are never in both.

    Where nobody has set a validation part aside, 15 % of the training images become one.

    Raises:
        InputError: There is no training part: a test part is never trained on.
    """
    seen = see_samples(samples)
    divided = divide(samples, seen=seen)
    train = training_part(divided, seen=seen)
    named = tuple(replace(sample, split=TRAIN) for sample in train)
    return replace(train, items=(*named, *divided.of(VALIDATION)))
