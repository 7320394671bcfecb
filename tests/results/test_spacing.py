"""Boxes and masks of an image that says how far apart its pixels lie are told in that unit, too."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.results import Detections, Segmentation

MM = (0.5, 0.25, "mm")


def boxes(spacing: tuple[float, float, str] | None = MM) -> Detections:
    xyxy = np.array([[0, 0, 8, 4], [2, 2, 4, 12]], np.float32)
    return Detections(xyxy, np.array([0.9, 0.8], np.float32), np.array([0, 1]), ("a", "b"), spacing=spacing)


def mask(spacing: tuple[float, float, str] | None = MM) -> Segmentation:
    found = np.zeros((10, 20), np.uint8)
    found[:4, :5] = 1
    return Segmentation(found, ("background", "lesion"), spacing=spacing)


def test_sizes_of_boxes_are_across_and_down():
    assert boxes().sizes().tolist() == [[2.0, 2.0], [0.5, 5.0]]
    assert boxes(None).sizes().tolist() == [[8.0, 4.0], [2.0, 10.0]]
    found = boxes().to_json()
    assert found["spacing"] == [0.5, 0.25, "mm"]
    assert [one["size"] for one in found["objects"]] == [[2.0, 2.0], [0.5, 5.0]]
    assert boxes().above(0.85).spacing == MM


def test_areas_of_classes():
    assert mask().areas() == {"background": 180 * 0.125, "lesion": 20 * 0.125}
    assert mask().to_json()["areas"]["lesion"] == 2.5
    assert mask((1.0, 1.0, "degree")).areas() is None
    assert mask((1.0, 1.0, "degree")).to_json()["spacing"] == [1.0, 1.0, "degree"]


def test_without_a_spacing_nothing_is_added():
    assert set(boxes(None).to_json()) == {"objects"}
    assert "size" not in boxes(None).to_json()["objects"][0]
    assert set(mask(None).to_json()) == {"shares"}


@pytest.mark.parametrize("spacing", [MM, None])
def test_statements_keep_it(spacing: tuple[float, float, str] | None):
    assert Detections.of_items(boxes(spacing).items()).spacing == spacing
    assert Segmentation.of_items(mask(spacing).items()).spacing == spacing
