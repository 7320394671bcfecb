"""Training images that a photo resembles: no PyTorch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from lucida.catalog import Catalog
from lucida.data import read_data
from lucida.errors import InputError
from lucida.explain import nearest
from lucida.explain.job import Explainer, photos
from lucida.explain.look import look_odd, placed
from lucida.explain.nearest import Index, build, index_of
from lucida.explain.verb import explain
from lucida.models.needs import ImageNeeds
from lucida.models.registry import find
from lucida.results import Oddness
from pictures import write_pictures


def test_the_likest_come_first() -> None:
    vectors = nearest.unit(np.array([[1, 0], [0, 2], [3, 3]], np.float32)).astype(np.float16)
    index = Index("m@1", np.array(["a", "b", "c"]), np.array(["x", "y", "z"]), vectors)
    found = index.nearest(np.array([5.0, 1.0], np.float32), 2)
    assert [near.name for near in found] == ["a", "c"]
    assert found[0].likeness == pytest.approx(5 / np.sqrt(26), abs=1e-3)


def test_an_image_is_most_like_itself_and_broken_ones_are_left_out(tmp_path: Path) -> None:
    write_pictures(tmp_path / "data", 3, by_class=True)
    (tmp_path / "data" / "disc" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    spec = find("embedded")
    data, model = read_data(tmp_path / "data", "classify"), spec.load("fp32")
    index = build(spec, model, data)
    assert len(index.names) == 9
    for row in (0, 4, 8):
        vector = index.vectors[row].astype(np.float32)
        assert index.nearest(vector)[0].name == index.names[row]


def test_the_index_is_kept_and_made_again_for_another_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "data", 3, by_class=True)
    spec = find("embedded")
    data, model = read_data(tmp_path / "data", "classify"), spec.load("fp32")
    asked = []
    monkeypatch.setattr(nearest, "training_images", lambda *_: asked.append(1) or data)
    first = index_of(tmp_path, spec, model, "classify", None)
    again = index_of(tmp_path, spec, model, "classify", None)
    assert len(asked) == 1
    assert (first.vectors == again.vectors).all()
    (tmp_path / nearest.FILE).write_bytes(b"damaged")
    assert len(index_of(tmp_path, spec, model, "classify", None).names) == 9
    assert len(asked) == 2


def test_only_a_training_of_classes_can_be_explained() -> None:
    with pytest.raises(InputError, match="cannot be explained"):
        Explainer.open("embedded")


def test_a_segmenter_is_refused_with_what_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lucida.explain.job.find", lambda name, home: replace(find("tile-defects"), family="trained"))
    with pytest.raises(InputError, match="cannot be explained") as caught:
        Explainer.open("train-1")
    assert "detect" in caught.value.expected
    assert "segment" in caught.value.got
    assert "a mask says by itself where it is" in caught.value.hint


@pytest.mark.parametrize(("resize", "empty"), [("pad", 0), ("squash", 0), ("crop", 40)])
def test_a_map_lies_where_the_model_saw_the_photo(resize: str, empty: int) -> None:
    """Of a photo twice as wide as high: what a crop leaves out has no heat."""
    needs = ImageNeeds(32, resize, "bilinear")  # type: ignore[arg-type]
    frame = needs.frame(80, 40)
    heat = np.zeros((32, 32), np.float32)
    left, top, right, bottom = frame.part(32)
    heat[top:bottom, left:right] = 1
    found = placed(heat, frame, 32)
    assert found.shape == (40, 80)
    assert int((found == 0).all(axis=0).sum()) == empty


def test_an_oddity_is_shown_as_the_model_draws_it() -> None:
    class Odd:
        def predict(self, images):
            return [Oddness(1.5, np.full((4, 6), 1.5, np.float32))]

    found = look_odd(SimpleNamespace(model=Odd()), None)  # type: ignore[arg-type]
    assert (found.label, found.score) == ("odd", 1.5)
    assert found.heat.tolist() == np.ones((4, 6)).tolist()
    assert found.dependence is None


def test_photos_are_read_when_they_are_explained(tmp_path: Path) -> None:
    assert [photo.name for photo in photos([tmp_path / "a.jpg", tmp_path / "b.jpg"])] == [
        str(tmp_path / "a.jpg"),
        str(tmp_path / "b.jpg"),
    ]


def test_without_a_run_the_latest_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "photos", 1)
    photo = next((tmp_path / "photos").glob("*.png"))
    with Catalog.open(create=True) as catalog:
        with pytest.raises(InputError, match="No training has finished"):
            explain(str(photo))
        run = catalog.runs.start("train", question="label").id
        catalog.runs.finish(run)
    asked = []
    monkeypatch.setattr(Explainer, "open", lambda run, opened: asked.append(run))
    monkeypatch.setattr("lucida.explain.job.explain_samples", lambda explainer, samples, folder: list(samples))
    assert [sample.name for sample in explain(str(photo))] == [str(photo)]
    assert asked == [run]
