import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageDraw, ImageEnhance, ImageOps

from lucida.data import duplicates
from lucida.data.duplicates import group
from lucida.data.looks import Looks, mirrored
from lucida.data.neighbours import near_hashes, nearest
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


@pytest.mark.parametrize("edit", ["cut", "turned", "written on", "smaller", "cut in the mirror"])
def test_a_picture_that_was_moved_or_written_on_is_the_same(draw: Draw, edit: str) -> None:
    edits: dict[str, Callable[[Pillow.Image], Pillow.Image]] = {
        "cut": lambda one: one.crop((7, 3, 93, 89)),
        "turned": lambda one: one.rotate(5, Pillow.Resampling.BICUBIC, fillcolor="grey"),
        "written on": write,
        "smaller": lambda one: one.resize((70, 70)),
        "cut in the mirror": lambda one: ImageOps.mirror(one.crop((4, 0, 92, 88))),
    }
    pictures = [v for seed in range(12) for v in (draw(seed), again(edits[edit](draw(seed)), 60))]
    assert group(looks(pictures)) == [seed for seed in range(12) for _ in range(2)]


def write(one: Pillow.Image) -> Pillow.Image:
    one = one.copy()
    ImageDraw.Draw(one).text((6, 76), "SALE 50 %", fill="white", stroke_width=1, stroke_fill="black")
    return one


def test_the_same_outline_with_another_pattern_is_another_picture() -> None:
    """As of shirts on one bed: at 16 pixels they agree entirely."""
    pictures = []
    for seed in range(6):
        folds = np.random.default_rng(seed).normal(0, 4, (96, 96))
        shirt = np.full((96, 96), 190.0)
        shirt[20:80, 24:72] = 60
        pictures.append(Pillow.fromarray((shirt + folds).clip(0, 255).astype(np.uint8)))
    assert group(looks(pictures)) == list(range(6))
    assert group(looks([pictures[0], again(pictures[0], 80)])) == [0, 0]


def test_what_people_said_counts_more_than_pixels(draw: Draw) -> None:
    pictures = looks([draw(0), again(draw(0), 30), draw(0).resize((60, 60)), draw(1)])
    assert group(pictures) == [0, 0, 0, 1]
    pair = np.array([[0, 1]])
    apart = group(pictures, different=pair)
    assert apart[0] != apart[1]
    assert apart[2] in apart[:2]  # with the one that it is more like
    assert group(pictures, same=np.array([[0, 3]])) == [0, 0, 0, 0]
    assert group(pictures, same=np.array([[0, 2]]), different=pair) == [0, 1, 0, 2]


def test_embeddings_find_candidates_that_still_must_look_alike(draw: Draw) -> None:
    pictures = looks([draw(0), draw(1)])
    assert group(pictures, vectors=np.ones((2, 3), np.float32)) == [0, 1]


def test_the_layout_of_a_mirror_image_is_the_mirrored_layout(draw: Draw) -> None:
    pictures = [draw(seed) for seed in range(3)]
    rows = np.arange(3)
    flipped = looks([ImageOps.mirror(one) for one in pictures]).layouts(rows)
    assert np.abs(mirrored(looks(pictures).layouts(rows)) - flipped).max() < 0.02


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 40), max_size=40), st.integers(0, 12))
def test_near_hashes_finds_exactly_the_pairs_within_the_distance(values: list[int], distance: int) -> None:
    hashes = np.array(values, np.uint64)
    found = {(int(a), int(b)) for pairs in near_hashes(hashes, distance=distance) for a, b in pairs}
    every = ((a, b) for a in range(len(values)) for b in range(a + 1, len(values)))
    assert found == {(a, b) for a, b in every if (values[a] ^ values[b]).bit_count() <= distance}


@pytest.mark.parametrize("inside", [False, True])
def test_nearest_finds_the_nearest_that_are_near_enough(inside: bool) -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(40, 8)).astype(np.float32)
    vectors[20:30] = 3 * vectors[:10] + 0.05 * random.normal(size=(10, 8))
    vectors[39] = 0
    asked = -vectors if inside else vectors
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    cosines = (-unit if inside else unit) @ unit.T
    np.fill_diagonal(cosines, -1)
    best = np.argsort(-cosines, axis=1)[:, :2]
    expected = {tuple(sorted((i, int(j)))) for i in range(40) for j in best[i] if cosines[i, j] >= 0.7}
    found = nearest(vectors, asked, count=2, similarity=0.7)
    assert {tuple(pair) for pair in found.tolist()} == expected
    assert len(found) == len(expected) >= 5
    assert not len(nearest(vectors[:1], count=2, similarity=0.1))


def test_a_series_is_joined_without_looking_at_every_pair(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    compare = duplicates.as_they_lie

    def count(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nonlocal looked
        looked += len(first)
        return compare(first, second)

    monkeypatch.setattr(duplicates, "as_they_lie", count)
    one = looks([draw(0)])
    many = np.zeros(300, np.int64)
    same = Looks(one.hashes[many], one.thumbs[many], one.greys[many], one.seen[many])
    assert set(group(same)) == {0}
    assert looked < 300 * 299 / 20
