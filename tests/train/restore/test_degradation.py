"""How good images are made worse."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.images.bicubic import resize
from lucida.train.restore.degradation import Real, real, with_noise

GOOD = resize(np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8), 16)
NOTHING = Real(blurred=0, twice=0, noisy=0, saved=0)


@pytest.mark.parametrize("scale", [2, 4])
def test_chance_alone_decides_and_nothing_moves(scale: int) -> None:
    small = resize(GOOD, 1 / scale)
    found = [real(GOOD, scale, np.random.default_rng(seed)) for seed in (0, 0, 1, 2, 3, 4)]
    assert all(one.shape == small.shape and one.dtype == np.uint8 for one in found)
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    moved = np.roll(small, 1, axis=1).astype(float)
    mean = np.mean([one.astype(float) for one in found[1:]], axis=0)
    assert np.abs(mean - small).mean() < 0.5 * np.abs(mean - moved).mean()


def test_each_part_makes_it_worse() -> None:
    def off(**how: object) -> float:
        whole = [real(GOOD, 2, np.random.default_rng(seed), Real(**{**vars(NOTHING), **how})) for seed in range(4)]
        return float(np.mean([np.abs(one.astype(float) - resize(GOOD, 0.5)).mean() for one in whole]))

    plain = off()
    assert all(
        off(**how) > plain + 0.3
        for how in ({"blurred": 1, "blur": (0.5, 0.5)}, {"noisy": 1}, {"saved": 1, "quality": (30, 30)}, {"twice": 1})
    )


def test_noise_is_of_the_level_that_is_told_grey_or_coloured() -> None:
    grey = 0
    for seed in range(12):
        noisy, clean = with_noise(GOOD, np.random.default_rng(seed), 25.0)
        assert float((noisy - clean).std()) == pytest.approx(25 / 255, rel=0.05)
        equal = np.array_equal(noisy[..., 0], noisy[..., 1])
        assert equal == np.array_equal(clean[..., 0], clean[..., 2])
        grey += equal
    assert 3 < grey < 12
