"""The verb `predict`: any task on any image."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lucida import cli
from lucida.catalog import add
from lucida.errors import InputError, UnknownName
from lucida.images import decode
from lucida.label.verb import label
from lucida.models import find
from lucida.predict.verb import predict
from lucida.results import Classification, Detections, Embedding
from lucida.runs.asking import read_wish
from pictures import picture


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for seed, kind in enumerate(("disc", "square", "stripes")):
        picture(kind, seed, 64).save(folder / f"{kind}.png")
    return folder


def test_images_are_named_by_the_words_that_are_asked_for(photos: Path) -> None:
    found = predict(photos, classes="dog, car")
    assert [Path(one.path).name for one in found.results] == ["disc.png", "square.png", "stripes.png"]
    assert all(isinstance(one.result, Classification) and one.size == (64, 64) for one in found.results)
    assert {one.result.to_json()["label"] for one in found.results} <= {"dog", "car"}
    assert (found.model, found.task, found.images) == ("embedded", "classify", 3)


def test_vectors_are_those_that_a_search_compares(photos: Path) -> None:
    spec = find("embedded")
    found = predict(photos, task="embed")
    for one in found.results:
        assert isinstance(one.result, Embedding)
        prepared = spec.needs.prepare(decode(Path(one.path).read_bytes()))[None]
        expected = spec.load("fp32").embed(prepared)[0]
        cosine = one.result.vector @ expected / np.linalg.norm(one.result.vector) / np.linalg.norm(expected)
        assert cosine > 0.99  # the precision that is usual here
        assert one.result.key == spec.key
    add([photos], catalog=(catalog := photos.parent / "vectors"))
    with pytest.raises(InputError, match="no statements"):
        label(task="embed", catalog=catalog)


def test_objects_are_drawn_and_written(photos: Path, tmp_path: Path) -> None:
    out, folder = tmp_path / "deep" / "found.jsonl", tmp_path / "drawn"
    found = predict(photos / "disc.png", photos / "disc.png", model="blood-cells", save=folder, out=out)
    assert found.results == ()
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["task"] for row in rows] == ["detect", "detect"]
    assert sorted(path.name for path in folder.iterdir()) == ["disc-2.png", "disc.png"]
    assert Image.open(folder / "disc.png").size == (64, 64)
    whole = tmp_path / "found.json"
    predict(photos, model="blood-cells", out=whole)
    assert len(json.loads(whole.read_text())) == 3


def test_what_cannot_be_read_is_said_and_the_rest_is_done(photos: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(photos / "disc.png", "in/disc.png")
    found = predict(tmp_path / "broken.jpg", photos / "disc.png", tmp_path / "more.zip", tmp_path / "missing.png")
    assert len(found.results) == 2
    assert {Path(path).name for path in found.skipped} == {"broken.jpg", "missing.png"}
    assert found.exit_code == 0
    assert cli.run(["predict", str(tmp_path / "broken.jpg"), "--json"]) == 1
    body = json.loads(capsys.readouterr().out)
    assert (body["results"], body["images"]) == ([], 1)


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (1, 500)])
def test_odd_sizes_are_seen(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("L", size, 90).save(tmp_path / "odd.png")
    for model in ("embedded", "blood-cells", "tile-defects"):
        found = predict(tmp_path / "odd.png", model=model, save=tmp_path / model)
        assert found.results[0].size == size
        if isinstance(found.results[0].result, Detections):
            assert (found.results[0].result.xyxy <= np.array([*size, *size])).all()


def test_nothing_to_look_at_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to look at"):
        predict()
    with pytest.raises(InputError, match="Which model is to detect"):
        predict(tmp_path, task="detect")
    with pytest.raises(UnknownName, match="model"):
        predict(tmp_path, model="bood-cells")
    assert predict(tmp_path).skipped == {tmp_path.as_posix(): "a folder without images"}


def test_points_and_boxes_are_read_as_hints() -> None:
    wish = read_wish(points=["10,20", "-5,-6"], boxes=["1,2,30,40", "5,5,9,9"])
    assert wish.task == "outline"
    assert wish.hints[0].points == ((10, 20), (5, 6))
    assert wish.hints[0].inside == (True, False)
    assert [hint.box for hint in wish.hints] == [(1, 2, 30, 40), (5, 5, 9, 9)]
    for bad in ({"points": ["1"]}, {"points": ["a,b"]}, {"boxes": ["1,2,3"]}, {"boxes": ["9,9,1,1"]}):
        with pytest.raises(InputError):
            read_wish(**bad)


def test_what_is_asked_is_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no probability"):
        read_wish(least=2)
    with pytest.raises(InputError, match="no classes"):
        read_wish(classes=" , ")
    with pytest.raises(InputError, match="cannot be read"):
        read_wish(schema=tmp_path / "none.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(InputError, match="no schema"):
        read_wish(schema=tmp_path / "list.json")
    assert read_wish(questions=["How many?"]).task == "answer"
