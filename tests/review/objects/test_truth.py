"""Answers from a COCO file: the whole verb without a person, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lucida.errors import InputError
from lucida.review.objects.truth import match, read_truth
from lucida.review.plan import Quote
from lucida.studio.verb import ReviewResult, review


def truth_of(world: Any, path: Path) -> Path:
    """Write what is true of a world: the boxes that are not wrong, and one more in some images."""
    catalog = world.catalog
    images, notes = [], []
    for id, image in enumerate(world.images):
        images.append({"id": id, "file_name": Path(catalog.images.name(image)).name})
        for row in catalog.annotations.rows(image=image, run=world.run, kind="proposal"):
            if row.item and (image, row.item) not in world.wrong:
                left, top, right, bottom = row.detail["box"]
                box = [left, top + 1, right - left, bottom - top - 1]  # nearly the same
                notes.append({"id": len(notes), "image_id": id, "category_id": 1 + row.item % 2, "bbox": box})
        if world.missed[image]:
            notes.append({"id": len(notes), "image_id": id, "category_id": 2, "bbox": [1, 14, 8, 8]})
    classes = [{"id": 1, "name": "disc"}, {"id": 2, "name": "cell"}]
    path.write_text(json.dumps({"images": images, "annotations": notes, "categories": classes}))
    return path


def test_a_whole_review_without_a_person(world: Any, tmp_path: Path) -> None:
    world.label(boxes=3)
    path = truth_of(world, tmp_path / "truth.json")
    place = tmp_path / "catalog"
    plan = review(plan=True, max_error=0.15, catalog=place)
    assert isinstance(plan, Quote)
    assert "of 360 boxes" in str(plan)
    assert plan.images is not None
    assert f"missed: {plan.images} if nothing was" in str(plan)
    result = review(answers=path, max_error=0.15, max_missed=0.15, seed=3, catalog=place)
    assert isinstance(result, ReviewResult)
    assert "boxes kept" in str(result)
    values = result.to_json()
    assert values["found"]["errors_found"] > 0
    assert values["missed"]["looked"] > 10
    later = review(plan=True, max_error=0.15, catalog=place)
    assert isinstance(later, Quote)
    assert later.answers_known == len(values["found"]["reviewed"])


def test_each_true_object_is_taken_once() -> None:
    truth = [("a", (0.0, 0.0, 10.0, 10.0)), ("b", (20.0, 0.0, 30.0, 10.0))]
    drawn = [("a", (0, 0, 10, 9)), ("a", (0, 0, 9, 10)), ("a", (20, 0, 30, 10)), ("b", (21, 0, 30, 10))]
    assert match(drawn, truth) == [0, None, None, 1]
    assert match([], truth) == []
    assert match(drawn, []) == [None] * 4


def test_a_file_that_is_none_is_refused(world: Any, tmp_path: Path) -> None:
    world.label()
    place = tmp_path / "catalog"
    (tmp_path / "a.csv").write_text("path,label\n000.png,cell\n")
    with pytest.raises(InputError, match="no true boxes"):
        review(answers=tmp_path / "a.csv", catalog=place)
    (tmp_path / "b.json").write_text(json.dumps({"images": [], "annotations": [], "categories": []}))
    with pytest.raises(InputError, match="No image"):
        read_truth(tmp_path / "b.json", world.catalog)
    with pytest.raises(InputError, match="max_missed"):
        review(answers=tmp_path / "b.json", max_missed=1.5, catalog=place)
    assert not [run for run in world.catalog.runs.all() if run.verb == "review"]
