"""Every result turns into statements, which is what the catalog keeps, and back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from lucida.results import (
    RESULTS,
    Classification,
    Description,
    Detections,
    Embedding,
    Finding,
    Item,
    Line,
    Oddness,
    Reading,
    Result,
    Screening,
    Segmentation,
    Tags,
    Text,
    run_lengths,
)

BOXES = np.array([[1, 2, 30.25, 40], [5, 5, 9, 9]], np.float32)
SURE = np.array([0.9, 0.25], np.float32)
PIXELS = np.eye(12, dtype=bool)
MASKS = (run_lengths.encode(PIXELS), run_lengths.encode(~PIXELS))
NOTHING = Detections(BOXES[:0], SURE[:0], np.zeros(0, np.int64), ("cat",))
KINDS = np.array([1, 0])

RESULTS_OF_ALL_KINDS: list[Result] = [
    Classification("cat", 0.75, (("dog", 0.2),)),
    Tags(("cat", "sofa"), (0.9, 0.6)),
    Tags((), ()),
    Embedding(np.array([0.25, -1.5, 3], np.float32), "embedded@1"),
    Detections(BOXES, SURE, KINDS, ("cat", "dog")),
    Detections(BOXES, SURE, KINDS, ("cat", "dog"), MASKS, np.array([7, 3])),
    NOTHING,
    Segmentation(np.arange(12, dtype=np.uint8).reshape(3, 4) % 3, ("background", "crack", "dent", "none")),
    Oddness(1.25, np.zeros((3, 3), np.float32)),
    Text("a red bicycle", 0.5, "it has two wheels", {"wheels": 2}, (("What is it?", "a vehicle"),)),
    Text("一辆红色的自行车"),
    Reading((Line("SALE 50 %", 0.98, ((1, 1), (20, 2), (20, 9), (1, 8))), Line("全场五折", 0.9, ((0, 0),) * 4))),
    Reading(()),
    Screening("ok", 0.9),
    Screening("weapons", 0.75, (Finding("weapons", 0.8, True, "block", "looks like 'a gun'", ((1, 2, 3, 4),)),)),
    Description("Beach", "A dog runs along a beach.", ("dog", "sea"), "beach"),
]


@pytest.mark.parametrize("result", RESULTS_OF_ALL_KINDS, ids=lambda one: type(one).__name__)
def test_statements_are_plain_and_come_back_as_the_result(result: Result) -> None:
    items = result.items()
    kept = [Item(**json.loads(json.dumps(item.__dict__, allow_nan=False))) for item in items]
    assert all(item.score is None or 0 <= item.score <= 1 for item in kept)
    again = type(result).of_items(kept)
    assert again.to_json() == result.to_json()
    assert [item.__dict__ for item in again.items()] == [item.__dict__ for item in kept]
    json.dumps(result.to_json(), allow_nan=False)


def test_every_task_names_its_result() -> None:
    assert {type(result) for result in RESULTS_OF_ALL_KINDS} == set(RESULTS.values())
    assert all(kind.task in RESULTS for kind in RESULTS.values())


def test_an_image_in_which_nothing_was_found_has_a_statement() -> None:
    assert [item.detail for item in NOTHING.items()] == [{"count": 0}]


def test_objects_are_chosen_with_all_that_is_known_of_them() -> None:
    found = Detections(BOXES, SURE, KINDS, ("cat", "dog"), MASKS, np.array([7, 3])).above(0.5)
    assert (len(found), found.labels, found.tracks.tolist()) == (1, ("dog",), [7])
    assert np.array_equal(found.mask(0), PIXELS)
    assert len(found.take([])) == 0
    assert found.take([]).masks == ()


def test_tags_are_those_that_are_probable_enough() -> None:
    rows = np.array([[0.2, 0.9, 0.6], [0.1, 0.2, 0.3]], np.float32)
    tags = Tags.from_probabilities(rows, ("a", "b", "c"))
    assert [tag.labels for tag in tags] == [("b", "c"), ()]


def test_objects_are_handed_to_supervision() -> None:
    pytest.importorskip("supervision")
    handed = Detections(BOXES, SURE, KINDS, ("cat", "dog"), MASKS).to_supervision()
    assert handed.xyxy.tolist() == BOXES.tolist()
    assert handed["class_name"].tolist() == ["dog", "cat"]
    assert np.array_equal(handed.mask[0], PIXELS)
