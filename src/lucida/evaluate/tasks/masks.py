"""The true class of every pixel, in the numbers of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import PIL.Image

from lucida.data.sample import Mask
from lucida.errors import ImageError, InputError
from lucida.images import decode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.data import Sample, Samples

IGNORED = -1
UNNAMED: Final = {"background", "foreground"}  # what masks of two values hold where nobody named them


def named_as(samples: Samples, classes: Sequence[str]) -> tuple[Samples, list[str]]:
    """Let masks of two values that nobody named mean what a model of two classes marks, and say so."""
    marked = [name for name in classes if name != "background"]
    labels = {label for sample in samples for label in sample.labels}
    if "foreground" not in labels or not labels <= UNNAMED or len(marked) != 1 or marked == ["foreground"]:
        return samples, []
    names = {"background": "background", "foreground": marked[0]}
    items = tuple(
        replace(one, target=replace(one.target, values={k: names[v] for k, v in one.target.values.items()}))
        if isinstance(one.target, Mask)
        else one
        for one in samples
    )
    note = f"Masks of two values without names: what is not background is taken for {marked[0]!r}."
    return replace(samples, classes=tuple(classes), items=items), [note]


def truth_of(sample: Sample, classes: Sequence[str], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the number of the class of each pixel, int64 of a shape (height, width), -1 where it counts nowhere.

    Raises:
        ImageError: The mask cannot be read, or is of another size than the image.
        InputError: It holds a value that stands for nothing.
    """
    mask = sample.target
    if not isinstance(mask, Mask):
        raise InputError("An image has no mask.", expected="data to segment", got=sample.name)
    values = decode(mask.read()).pixels
    values = values[..., 0] if values.ndim == 3 else values
    if values.shape != shape:
        raise ImageError(f"The mask is of {values.shape[1]} x {values.shape[0]} pixels, not {shape[1]} x {shape[0]}.")
    found = np.full(values.shape, IGNORED, np.int64)
    for value in np.unique(values).tolist():
        if value == mask.ignore:
            continue
        if value not in mask.values:
            raise InputError(
                f"The mask of {sample.name} holds the value {value}, which stands for nothing.",
                expected=f"values {', '.join(map(str, mask.values))}",
                got=str(value),
                hint="classes.txt names the values 0, 1, … of masks",
            )
        found[values == value] = classes.index(mask.values[value])
    return found


def enlarge(heat: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a map (h, w) at a shape (height, width)."""
    if heat.shape == shape:
        return heat
    picture = PIL.Image.fromarray(np.asarray(heat, np.float32), "F")
    return np.asarray(picture.resize((shape[1], shape[0]), PIL.Image.Resampling.BILINEAR), np.float32)
