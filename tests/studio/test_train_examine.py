"""The mistakes of a run, as `lucida.evaluate` and `lucida.explain` find them, made ready for the page."""

from __future__ import annotations

import base64
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lucida.catalog import Catalog
from lucida.data import Boxes
from lucida.errors import CatalogError, InputError, ModelError, UnknownName
from lucida.evaluate.tasks import judge_of
from lucida.results import Detections
from lucida.studio.training.examine import Examination, examine
from lucida.studio.verb import studio
from pictures import write_pictures
from told_models import model, sample, samples

CLASSES = ("cat", "dog")


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def examined(tmp_path: Path, task: Any, items: Any, answer: Any) -> Examination:
    """Return what comes of a model that says what it is told."""
    with Catalog.open(tmp_path / "catalog", create=True) as catalog:
        spec = model(task, CLASSES, answer)
        return Examination(catalog, spec, judge_of(task)(spec, samples(task, CLASSES, items)), ("A note.",))


def test_wrong_answers_come_the_surest_first(tmp_path: Path) -> None:
    items = [sample(10, "cat", side=300), sample(20, "cat"), sample(30, "cat"), sample(40, "dog")]
    sure = {10: [0.0, 1.0], 20: [0.0, 3.0], 30: [5.0, 0.0], 40: [0.0, 5.0]}
    found = examined(tmp_path, "classify", items, sure.__getitem__)
    told = found.to_json()
    assert (told["images"], told["count"], told["exact"], told["notes"][0]) == (4, 2, True, "A note.")
    assert told["metric"]["value"] == 0.5
    assert [one["name"] for one in told["mistakes"]] == ["image 020.png", "image 010.png"]
    first = told["mistakes"][0]
    assert (first["truth"], first["found"]) == ("cat", "dog")
    assert first["score"] == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-5)
    assert first["score"] + first["given"] == pytest.approx(1)
    content, media_type = found.picture(1, 100)
    assert (media_type, opened(content).size) == ("image/jpeg", (100, 100))
    for number in (-1, 2):
        with pytest.raises(UnknownName):
            found.picture(number, 100)


def test_a_model_that_is_always_right_has_no_mistakes(tmp_path: Path) -> None:
    found = examined(tmp_path, "classify", [sample(40, "dog")], lambda n: [0.0, 5.0])
    assert found.to_json()["mistakes"] == []


def test_mistakes_of_boxes_are_drawn(tmp_path: Path) -> None:
    box = np.array([[2, 2, 20, 20]], np.float32)
    items = [sample(number, Boxes(box, ("cat",)), side=64) for number in (10, 20)]
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), CLASSES)
    right = Detections(box, np.ones(1, np.float32), np.zeros(1, np.int64), CLASSES)
    found = examined(tmp_path, "detect", items, {10: nothing, 20: right}.__getitem__)
    told = found.to_json()
    assert told["explains"] is False
    worst = told["mistakes"][0]
    assert (worst["name"], worst["score"]) == ("image 010.png", None)
    assert len(np.unique(np.asarray(opened(found.picture(0, 400)[0])))) > 2, "the box is drawn"


def test_an_unfinished_run_cannot_be_examined(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "catalog", create=True) as catalog:
        run = catalog.runs.start("train", question="label", model="resnet")
        with pytest.raises(ModelError, match="has no model"):
            examine(catalog, run.id)


def test_the_studio_needs_a_catalog(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="There is no catalog"):
        studio(catalog=tmp_path / "nowhere", no_browser=True)


@pytest.mark.torch
def test_a_real_run_is_examined_and_explained(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("pytorch_grad_cam")
    from lucida.train.verb import train

    data = tmp_path / "data"
    write_pictures(data / "train", 8, by_class=True)
    write_pictures(data / "validation", 4, first_seed=500, by_class=True)
    # Somebody took discs for stripes: whatever the model says of them, some answers are wrong.
    (data / "validation" / "disc").rename(data / "validation" / "squares")
    shutil.move(data / "validation" / "stripes", data / "validation" / "disc")
    (data / "validation" / "squares").rename(data / "validation" / "stripes")
    tiny: dict[str, Any] = {"model": "test_resnet", "size": 32, "epochs": 3, "batch": 12, "rate": 5e-3, "workers": 0}
    done = train("classify", data=data, catalog=tmp_path / "catalog", **tiny)
    with Catalog.open(tmp_path / "catalog") as catalog:
        found = examine(catalog, done.run)
        told = found.to_json()
        assert told["count"] > 0
        assert told["metric"]["value"] == pytest.approx(done.metrics["accuracy"], abs=1e-6)
        seen = found.heat(0)
        content = base64.b64decode(seen["heat"].removeprefix("data:image/jpeg;base64,"))
        assert opened(content).size == (48, 48)
        near = found.nearest(0)["nearest"]
        assert {one["label"] for one in near} <= {"disc", "square", "stripes"}
        assert near[0]["likeness"] >= near[-1]["likeness"]
        assert all(one["picture"].startswith("data:image/jpeg") for one in near)
        shutil.rmtree(data)
        with pytest.raises(InputError):
            examine(catalog, done.run)
