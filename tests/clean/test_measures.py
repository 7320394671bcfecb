"""Limits hold in any set; outliers are judged by what the others are like."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageFilter

from lucida.clean.measures import MEASURES, beyond, measure
from lucida.images import Image

COLUMN = {one.kind: number for number, one in enumerate(MEASURES)}
USUAL = [200.0, 40.0, 0.6, 50.0, 200.0, 1.3]


def figures(count: int, **changed: float) -> np.ndarray:
    """Return usual figures of many images; the first has others in the columns named."""
    rng = np.random.default_rng(0)
    table = np.array(USUAL) * rng.uniform(0.9, 1.1, (count, len(USUAL)))
    for kind, value in changed.items():
        table[0, COLUMN[kind.replace("_", " ")]] = value
    return table


@pytest.mark.parametrize("one", MEASURES, ids=lambda one: one.kind)
def test_beyond_the_hard_limit_is_found_even_alone(one) -> None:
    value = one.hard * (0.9 if one.low else 1.1)
    [(row, found, score, reason)] = beyond(figures(1, **{one.kind.replace(" ", "_"): value}))
    assert (row, found.kind) == (0, one.kind)
    assert 0.5 < score <= 1
    assert format(value, one.digits) in reason


@pytest.mark.parametrize("one", MEASURES, ids=lambda one: one.kind)
def test_between_the_limits_only_an_outlier_is_found(one) -> None:
    value = (one.hard + one.soft) / 2
    name = one.kind.replace(" ", "_")
    assert [found.kind for _, found, _, _ in beyond(figures(50, **{name: value}))] == [one.kind]
    # Where all are like that, it is how these images are.
    same = figures(50)
    same[:, COLUMN[one.kind]] = value
    assert beyond(same) == []


def test_images_that_could_not_be_decoded_are_passed_over() -> None:
    table = figures(5)
    table[1] = np.nan
    assert beyond(table) == []
    assert beyond(np.full((3, len(MEASURES)), np.nan)) == []


def test_sharpness_hangs_on_blur_and_not_on_contrast() -> None:
    rng = np.random.default_rng(1)
    drawn = Pillow.fromarray(rng.integers(0, 255, (300, 300, 3)).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))

    def sharpness(picture: Pillow.Image) -> float:
        return float(measure(Image(np.asarray(picture), "RGB"), picture.size)[COLUMN["blurred"]])

    dim = drawn.point(lambda v: 60 + v // 4)
    assert sharpness(dim) == pytest.approx(sharpness(drawn), rel=0.15)
    assert sharpness(drawn.filter(ImageFilter.GaussianBlur(3))) < 0.3 * sharpness(drawn)
