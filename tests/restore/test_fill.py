"""What a mask covers is filled, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lucida.errors import InputError, UnknownName
from lucida.models import find
from lucida.restore import Restorer, Wish
from lucida.restore.fill import fill, read_mask
from lucida.restore.holes import Holes


@pytest.fixture
def mask() -> np.ndarray:
    found = np.zeros((45, 70), bool)
    found[10:14, 5:30] = True
    found[30:36, 50:56] = True
    return found


def test_holes_are_filled_from_their_edges_and_the_rest_is_the_same(photo: np.ndarray, mask: np.ndarray) -> None:
    model = find("embedded-fill").load()
    spoilt = np.where(mask[..., None], 255, photo).astype(np.uint8)
    for kind in (np.uint8, np.uint16):
        factor = 257 if kind is np.uint16 else 1
        found = fill(model, spoilt.astype(kind) * kind(factor), mask)
        assert np.array_equal(found[~mask], spoilt[~mask].astype(kind) * factor)
        error = np.abs(found[mask] / factor - photo[mask]).mean()
        assert error < 0.2 * np.abs(spoilt[mask].astype(float) - photo[mask]).mean()
    # What OpenCV itself makes of the whole image, in 8 bits.
    reference = cv2.inpaint(spoilt, mask.astype(np.uint8), 3, cv2.INPAINT_NS)
    assert np.abs(found[mask] / 257 - reference[mask]).mean() < 3
    grey = fill(model, spoilt[..., :1], mask)
    assert grey.shape == (45, 70, 1)


def test_a_thick_hole_larger_than_the_model_takes_is_filled_smaller(photo: np.ndarray, mask: np.ndarray) -> None:
    model = find("embedded-fill").load()
    thick = np.zeros_like(mask)
    thick[5:40, 10:60] = True
    found = fill(model, photo, thick, side=32)
    assert np.array_equal(found[~thick], photo[~thick])
    assert (found[thick] != photo[thick]).any()


def test_a_long_thin_hole_is_filled_piece_by_piece_nearly_as_in_one() -> None:
    model = find("embedded-fill").load()
    down, across = np.mgrid[:200, :240]
    colour = np.stack([down, across, (down + across) // 2], axis=2).astype(np.uint8)
    wire = np.abs(down - across) < 3
    spoilt = np.where(wire[..., None], 0, colour).astype(np.uint8)
    whole, pieces = fill(model, spoilt, wire), fill(model, spoilt, wire, side=64)
    assert np.array_equal(pieces[~wire], spoilt[~wire])
    assert np.abs(pieces.astype(int) - whole).max() <= 2
    # In place, and once more on what is filled in part: as where memory ran out.
    assert np.array_equal(fill(model, pieces, wire, side=64, out=pieces), pieces)
    assert np.abs(pieces.astype(int) - whole).max() <= 2


def test_holes_near_each_other_are_one_and_each_knows_its_pixels(mask: np.ndarray) -> None:
    holes = Holes(mask, 2)
    assert [holes.box(number) for number in range(len(holes))] == [
        (slice(10, 14), slice(5, 30)),
        (slice(30, 36), slice(50, 56)),
    ]
    assert len(Holes(mask, 20)) == 1
    assert Holes(mask, 20).box(0) == (slice(10, 36), slice(5, 56))
    whole = (slice(0, 45), slice(0, 70))
    assert np.array_equal(holes.own(0, whole) | holes.own(1, whole), mask)
    assert not (holes.own(0, whole) & holes.own(1, whole)).any()
    assert holes.thickness(0) <= 7


def test_a_mask_that_does_not_fit_is_refused(tmp_path: Path, mask: np.ndarray) -> None:
    file = tmp_path / "mask.png"
    for pixels, words in (
        (mask[:, :60], "another size"),
        (np.zeros_like(mask), "covers nothing"),
        (np.ones_like(mask), "covers everything"),
    ):
        Image.fromarray(pixels.astype(np.uint8) * 255).save(file)
        with pytest.raises(InputError, match=words) as caught:
            read_mask(file, "photo.png", 70, 45)
        assert caught.value.hint
    assert caught.value.got == "all white"


def test_masks_of_a_folder_go_by_name(tmp_path: Path, photo: np.ndarray, mask: np.ndarray) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    Image.fromarray(mask).save(masks / "a.png")
    Image.fromarray(photo).save(tmp_path / "a.png")
    restorer = Restorer(Wish(fill=masks))
    done = restorer.file(tmp_path / "a.png", tmp_path / "out.png")
    found = np.asarray(Image.open(done.written))
    assert np.array_equal(found[~mask], photo[~mask])
    assert not np.array_equal(found[mask], photo[mask])
    with pytest.raises(UnknownName, match="mask"):
        restorer.file((tmp_path / "a.png").read_bytes(), tmp_path / "out.png", name="b.png")
