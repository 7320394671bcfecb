"""Scene changes: cuts and fades are found, flashes and motion are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lucida.video import read_sampling
from pictures import scene
from videos import frame

RATE = 25


def shot(seed: int, count: int, *, speed: float = 1.0, noise: float = 3.0) -> list[np.ndarray[Any, Any]]:
    """Return frames of a camera that moves over a picture."""
    random = np.random.default_rng(seed)
    wide = np.asarray(scene(seed, 256))
    found = []
    for number in range(count):
        x = 96 - abs(96 - round(number * speed) % 192)
        grain = random.normal(0, noise, (90, 160, 3))
        found.append((wide[60:150, x : x + 160] + grain).clip(0, 255).astype(np.uint8))
    return found


def taken(pictures: list[np.ndarray[Any, Any]], rate: int = RATE) -> list[int]:
    """Return the numbers of frames that stand for scenes."""
    begins = read_sampling("scene").start()
    return [number for number, pixels in enumerate(pictures) if begins(frame(number / rate, pixels))]


@pytest.mark.parametrize("speed", [0, 1, 4])
def test_cuts_are_found_within_three_frames(speed: float) -> None:
    film = [*shot(1, 40, speed=speed), *shot(2, 30, speed=speed), *shot(3, 50, speed=speed), *shot(4, 20, speed=speed)]
    found = taken(film)
    assert len(found) == 4
    for number, cut in zip(found, (0, 40, 70, 120), strict=True):
        assert cut <= number <= cut + 3


def test_a_flash_is_no_scene() -> None:
    film = shot(1, 60)
    film[30] = np.full_like(film[30], 255)
    assert taken(film) == [0]


def test_a_fade_is_one_scene_more() -> None:
    one, other = shot(1, 90, speed=0), shot(2, 90, speed=0)
    share = np.clip((np.arange(90) - 30) / 30, 0, 1)
    film = [(a * (1 - s) + b * s).astype(np.uint8) for a, b, s in zip(one, other, share, strict=True)]
    found = taken(film)
    assert len(found) == 2
    assert 40 <= found[1] <= 70


def test_a_still_picture_is_one_scene() -> None:
    assert taken(shot(1, 200, speed=0, noise=8)) == [0]


def test_slides_are_all_found() -> None:
    film = [pixels for seed in range(5) for pixels in shot(seed, 3, speed=0)]
    found = taken(film, rate=1)
    assert len(found) == 5
