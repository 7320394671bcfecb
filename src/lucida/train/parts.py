"""Which images are trained on, and which judge it: a test part is neither."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lucida.data.division import divide, see_samples, training_part
from lucida.data.sample import TRAIN, VALIDATION

if TYPE_CHECKING:
    from lucida.data import Sample, Samples


FEW = 20  # labelled images


def parts(samples: Samples, *, some: bool = False) -> Samples:
    """Return the training and the validation part.

    Where nobody has set a validation part aside, 15 % of the training images become one, and near-identical images are
    never in both. Parts that came divided stay so: of the training part only images that are identical to one of
    another part are left out, and a note counts the near-identical ones, since figures are then too good.

    Args:
        samples: All images.
        some: Only some have a label: those judge, where they are not too few, and the others are only learned from.

    Raises:
        InputError: There is no training part: a test part is never trained on.
    """
    samples = _settled(samples) if some else samples
    seen = see_samples(samples)
    divided = divide(samples, seen=seen)
    train = training_part(divided, near=False, seen=seen)
    named = tuple(replace(sample, split=TRAIN) for sample in train)
    return replace(train, items=(*named, *divided.of(VALIDATION)))


def _settled(samples: Samples) -> Samples:
    """Give images without a label to the training part, where they were nobody's, and share the others anew."""
    known = [sample for sample in samples if sample.target is not None]
    held = any(sample.split == VALIDATION for sample in known)
    # A share of fewer than these judges nothing: then all images are shared out.
    if len(known) == len(samples) or not (held or len(known) >= FEW):
        return samples

    def settle(sample: Sample) -> Sample:
        if sample.target is None:
            return sample if sample.split else replace(sample, split=TRAIN)
        return sample if held or sample.split != TRAIN else replace(sample, split="")

    return replace(samples, items=tuple(map(settle, samples)))
