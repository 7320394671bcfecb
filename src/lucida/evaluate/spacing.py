"""Whether things are as large in these images as in those that a model has learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.errors import ImageError, InputError
from lucida.images import probe
from lucida.images.spacing import far_apart, in_words, usual_spacing

if TYPE_CHECKING:
    from lucida.data import Sample, Samples
    from lucida.images import Spacing
    from lucida.models.spec import Spec

ASKED: Final = 200  # images that are looked at


def spacing_notes(spec: Spec, samples: Samples) -> tuple[str, ...]:
    """Return a sentence where pixels lie much farther or nearer than in training; nothing where nobody knows."""
    learned = spec.needs.spacing
    if learned is None or not len(samples):
        return ()
    rows = np.unique(np.linspace(0, len(samples) - 1, min(ASKED, len(samples))).astype(int)).tolist()
    found = usual_spacing(_spacing(samples[row]) for row in rows)
    if found is None or not far_apart(learned, found):
        return ()
    said = f"Pixels lie {in_words(found)} apart in these images, {in_words(learned)} in those that it learned from"
    return (f"{said}: things have another size for it.",)


def _spacing(sample: Sample) -> Spacing | None:
    try:
        return probe(sample.read()).spacing
    except (ImageError, InputError, OSError):
        return None
