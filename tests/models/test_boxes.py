"""Boxes from scores and boxes of places: what overlaps is left out, the rest lies in the image's own pixels."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lucida.errors import InputError, UnknownName
from lucida.models.needs import Frame, ImageNeeds
from lucida.models.onnx.boxes import CANDIDATES, BoxDecoder, decode_boxes, intersection_over_union, suppress

WHOLE = Frame(100, 100, (1.0, 1.0))


def boxes(*rows: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32)


def random_boxes(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 60, (n, 2))
    found = np.hstack([corners, corners + random.uniform(5, 40, (n, 2))]).astype(np.float32)
    return found, np.sort(random.random(n).astype(np.float32))[::-1].copy(), random.integers(0, 3, n)


def test_overlap_of_boxes_is_that_of_their_areas():
    one = boxes((0, 0, 10, 10))
    other = boxes((0, 0, 10, 10), (5, 0, 15, 10), (20, 20, 30, 30), (3, 3, 3, 9))
    assert intersection_over_union(one, other)[0].tolist() == pytest.approx([1, 1 / 3, 0, 0])


def test_of_two_boxes_on_one_object_the_better_one_stays():
    found = boxes((0, 0, 10, 10), (1, 0, 11, 10), (50, 50, 60, 60))
    assert suppress(found, np.array([0, 0, 0]), 0.5).tolist() == [0, 2]


def test_boxes_of_two_classes_may_lie_on_each_other():
    found = boxes((0, 0, 10, 10), (0, 0, 10, 10))
    assert suppress(found, np.array([0, 1]), 0.5).tolist() == [0, 1]


def test_a_box_that_was_left_out_leaves_out_none():
    # A chain: the middle one overlaps both ends, which do not overlap each other.
    found = boxes((0, 0, 10, 10), (4, 0, 14, 10), (8, 0, 18, 10))
    assert suppress(found, np.zeros(3, np.int64), 0.3).tolist() == [0, 2]


def test_networks_that_find_each_object_once_keep_all_boxes():
    found, _, labels = random_boxes(40)
    assert suppress(found, labels, 1.0).tolist() == list(range(40))


@pytest.mark.torch
@pytest.mark.parametrize("overlap", [0.3, 0.5, 0.7])
def test_the_same_boxes_stay_as_in_torchvision(overlap: float):
    torch = pytest.importorskip("torch")
    ops = pytest.importorskip("torchvision.ops")
    for seed in range(5):
        found, scores, labels = random_boxes(150, seed)
        kept = ops.batched_nms(*(torch.from_numpy(part) for part in (found, scores, labels)), overlap)
        assert suppress(found, labels, overlap).tolist() == kept.tolist()


def test_boxes_come_best_first_in_pixels_of_the_image():
    frame = ImageNeeds(100, "pad").frame(400, 200)  # a quarter of the size, 25 pixels above and below
    scores = np.array([[0.2, 0.0], [0.0, 0.9], [0.01, 0.01]], np.float32)
    found = BoxDecoder(("cell", "clot"), least=0.1).image(
        scores, boxes((10, 25, 20, 50), (0, 0, 100, 100), (5, 5, 9, 9)), frame
    )
    assert found.to_json() == {
        "objects": [
            {"box": [0.0, 0.0, 400.0, 200.0], "score": 0.9, "label": "clot"},
            {"box": [40.0, 0.0, 80.0, 100.0], "score": 0.2, "label": "cell"},
        ]
    }


def test_a_box_that_lies_beside_the_image_is_none():
    scores = np.full((2, 1), 0.9, np.float32)
    found = BoxDecoder(("cell",)).image(scores, boxes((-50, 0, -10, 20), (10, 10, 20, 20)), WHOLE)
    assert found.xyxy.tolist() == [[10, 10, 20, 20]]


def test_no_more_than_the_most_are_kept_and_they_are_the_best():
    n = CANDIDATES + 50
    scores = np.random.default_rng(1).random((n, 1)).astype(np.float32)
    place = np.arange(n, dtype=np.float32)[:, None] % 99
    found = BoxDecoder(("cell",), overlap=1.0, least=0.0, most=7).image(
        scores, np.hstack([place, place, place + 1, place + 1]), WHOLE
    )
    assert found.confidence.tolist() == np.sort(scores[:, 0])[::-1][:7].tolist()


def test_an_image_without_objects_has_no_boxes():
    found = BoxDecoder(("cell",)).image(np.zeros((5, 1), np.float32), np.zeros((5, 4), np.float32), WHOLE)
    assert len(found) == 0
    assert found.xyxy.shape == (0, 4)
    assert found.to_json() == {"objects": []}


def test_a_batch_is_as_its_images_one_by_one():
    parts = [random_boxes(30, seed) for seed in range(3)]
    scores = np.stack([np.eye(3, dtype=np.float32)[labels] * s[:, None] for _, s, labels in parts])
    stacked = np.stack([found for found, _, _ in parts])
    decode = BoxDecoder(("a", "b", "c"))
    for row, found in enumerate(decode((scores, stacked), [WHOLE] * 3)):
        alone = decode((scores[row : row + 1], stacked[row : row + 1]), [WHOLE])[0]
        assert found.to_json() == alone.to_json()


def test_a_card_says_how():
    card = SimpleNamespace(
        path=Path("model.toml"), classes=("cell",), decode={"kind": "boxes", "overlap": 0.4, "most": 5}
    )
    assert decode_boxes(card) == BoxDecoder(("cell",), 0.4, 0.05, 5)


def test_a_card_with_other_keys_or_values_is_refused():
    def card(**decode: object) -> SimpleNamespace:
        return SimpleNamespace(path=Path("model.toml"), classes=("cell",), decode={"kind": "boxes", **decode})

    with pytest.raises(UnknownName, match="overlapp"):
        decode_boxes(card(overlapp=0.5))
    with pytest.raises(InputError, match="most"):
        decode_boxes(card(most=0))
