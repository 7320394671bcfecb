import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageEnhance, ImageOps

from lucida.data import duplicates
from lucida.data.duplicates import Looks, group, near_hashes, near_vectors
from lucida.images import Image

Draw = Callable[[int], Pillow.Image]


def looks(pictures: list[Pillow.Image]) -> Looks:
    found = Looks.empty(len(pictures))
    for row, one in enumerate(pictures):
        found.put(row, Image(np.asarray(one.convert("RGB")), "RGB"))
    return found


def again(one: Pillow.Image, quality: int) -> Pillow.Image:
    out = io.BytesIO()
    one.save(out, "JPEG", quality=quality)
    return Pillow.open(io.BytesIO(out.getvalue()))


def variants(one: Pillow.Image) -> list[Pillow.Image]:
    width, height = one.size
    return [
        one,
        again(one, 30),
        one.resize((width // 3, height // 2)),
        ImageEnhance.Brightness(one).enhance(0.9),
        one.crop((1, 1, width, height)),
    ]


def test_variants_of_a_picture_are_one_group_and_different_pictures_are_not(draw: Draw) -> None:
    pictures = [v for seed in range(20) for v in variants(draw(seed))]
    assert group(looks(pictures)) == [seed for seed in range(20) for _ in range(5)]


def test_a_mirror_image_is_the_same_picture(draw: Draw) -> None:
    pictures = [v for seed in range(20) for v in (draw(seed), again(ImageOps.mirror(draw(seed)), 40))]
    assert group(looks(pictures)) == [seed for seed in range(20) for _ in range(2)]
    # Upside down is another picture.
    assert group(looks([draw(0), ImageOps.flip(draw(0))])) == [0, 1]


def test_plain_pictures_are_told_apart_by_their_colour() -> None:
    plain = [Pillow.new("RGB", (40, 40), colour) for colour in ("black", "black", "white", "red", "#fe0000")]
    assert group(looks(plain)) == [0, 0, 1, 2, 2]


def test_an_image_that_was_not_seen_is_near_to_nothing(draw: Draw) -> None:
    found = looks([draw(0), draw(0), draw(0)])
    found.seen[1] = False
    assert group(found) == [0, 1, 0]
    assert group(Looks.empty(3)) == [0, 1, 2]
    assert group(Looks.empty(0)) == []


def test_vectors_find_candidates_that_still_must_look_alike(draw: Draw) -> None:
    one, other = draw(0), draw(1)
    shifted = one.crop((2, 1, 96, 96))
    pictures = looks([one, shifted, other])
    pictures.hashes[1] = ~pictures.hashes[0]  # the hash alone would miss this pair
    same = np.ones((3, 4), np.float32)
    assert group(pictures) == [0, 1, 2]
    assert group(pictures, vectors=same) == [0, 0, 1]


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 40), max_size=40), st.integers(0, 12))
def test_near_hashes_finds_exactly_the_pairs_within_the_distance(values: list[int], distance: int) -> None:
    hashes = np.array(values, np.uint64)
    found = {(int(a), int(b)) for pairs in near_hashes(hashes, distance=distance) for a, b in pairs}
    every = ((a, b) for a in range(len(values)) for b in range(a + 1, len(values)))
    assert found == {(a, b) for a, b in every if (values[a] ^ values[b]).bit_count() <= distance}


@pytest.mark.parametrize(("block", "dimensions"), [(1, 3), (7, 8), (64, 1), (64, 64)])
def test_near_vectors_finds_exactly_the_pairs_that_point_the_same_way(block: int, dimensions: int) -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(40, 8)).astype(np.float32)
    vectors[20:30] = 3 * vectors[:10] + 0.05 * random.normal(size=(10, 8))
    vectors[39] = 0
    unit = vectors[:39] / np.linalg.norm(vectors[:39], axis=1, keepdims=True)
    rows = np.argwhere(np.triu(unit @ unit.T >= 0.97, 1))
    found = np.concatenate(list(near_vectors(vectors, block=block, dimensions=dimensions)))
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, rows.tolist()))
    assert len(found) >= 10


def test_many_equal_images_are_joined_without_looking_at_every_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    agree = Looks.agree

    def count(self: Looks, pairs: duplicates.Pairs, agreement: float, *, mirror: bool = False) -> np.ndarray:
        nonlocal looked
        looked += len(pairs)
        return agree(self, pairs, agreement, mirror=mirror)

    monkeypatch.setattr(Looks, "agree", count)
    same = Looks(*np.zeros((2, 3000), np.uint64), np.zeros((3000, 16, 16, 3), np.uint8), np.ones(3000, np.bool_))
    assert set(group(same)) == {0}
    assert looked < 3000 * 2999 / 20
