"""Tiles give what the whole image would."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.models import find
from lucida.models.restorer import RestoreNeeds
from lucida.restore import tiles
from lucida.restore.colours import through
from lucida.restore.tiles import run_tiles, spans, weights


@pytest.mark.parametrize("needs", [RestoreNeeds(halo=3), RestoreNeeds(halo=5, multiple=8, blend=6)])
@pytest.mark.parametrize("length", [1, 7, 31, 32, 33, 64, 100, 257])
def test_tiles_cover_an_axis_with_weights_of_one(needs: RestoreNeeds, length: int) -> None:
    total = np.zeros(2 * length)
    for span in spans(length, 32, needs):
        total[2 * span.start : 2 * span.stop] += weights(span, 2)
        assert span.first % needs.multiple == 0, "the model's grid begins where that of the whole image does"
        assert span.first <= max(0, span.start - needs.halo)
        assert span.last >= min(length, span.stop + needs.halo)
        assert span.last == length or (span.last - span.first) % needs.multiple == 0
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("name", "noise"), [("embedded-x2", None), ("embedded-x4", None), ("embedded-denoise", 20.0)])
def test_tiled_is_untiled(photo: np.ndarray, name: str, noise: float | None, workers: int) -> None:
    spec = find(name)
    model, scale = spec.load("fp32"), spec.gives.scale
    whole = through(model, photo.astype(np.float32) / 255, noise)
    rows: list[np.ndarray] = []
    run_tiles(
        photo, lambda piece: through(model, piece, noise), spec.restores, scale, rows.append,
        kind=np.uint8, side=16, workers=workers,
    )  # fmt: skip
    found = np.concatenate(rows)
    assert len(rows) == 3, "rows are written as they become whole"
    assert found.shape == (45 * scale, 70 * scale, 3)
    assert np.abs(found - whole * 255).max() <= 1.0


def test_a_model_that_sees_farther_than_its_halo_leaves_no_seam() -> None:
    # The mean of the whole piece is added: tiles differ as a whole, and nothing but fading hides it.
    draw = np.random.default_rng(0)
    image = np.clip(np.linspace(0, 200, 96)[None, :, None] + draw.normal(0, 1, (64, 96, 1)), 0, 255).astype(np.uint8)

    def steps(blend: int) -> float:
        rows: list[np.ndarray] = []
        needs = RestoreNeeds(channels=1, halo=4, blend=blend)
        run_tiles(image, lambda piece: piece * 0.2 + piece.mean() * 0.5, needs, 1, rows.append, kind=np.uint8, side=32)
        return float(np.abs(np.diff(np.concatenate(rows).astype(int), axis=1)).max())

    assert steps(8) < steps(0) / 3


def test_bands_of_a_very_wide_image_are_low(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "BAND", 4 * 4000 * 40)
    image = np.random.default_rng(0).integers(0, 255, (100, 4000, 1), dtype=np.uint8)
    heights: list[int] = []
    rows: list[np.ndarray] = []

    def piece(pixels: np.ndarray) -> np.ndarray:
        heights.append(len(pixels))
        return pixels

    run_tiles(image, piece, RestoreNeeds(channels=1, halo=2, tile=512), 1, rows.append, kind=np.uint8)
    assert max(heights) <= 40 + 4
    assert np.array_equal(np.concatenate(rows), image), "8 bits go through floats and back unharmed"


def test_sixteen_bits_go_through_unharmed() -> None:
    image = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    rows: list[np.ndarray] = []
    run_tiles(image, lambda piece: piece, RestoreNeeds(channels=1, halo=2, tile=100), 1, rows.append, kind=np.uint16)
    assert np.array_equal(np.concatenate(rows), image)
