"""Search: what comes first, what is left out, what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from lucida import cli
from lucida.catalog import Annotation, Catalog, add
from lucida.errors import ImageError, InputError, ModelError, UnknownName
from lucida.search.query import Query
from lucida.search.result import SearchResult
from lucida.search.searcher import Searcher
from lucida.search.verb import read_query
from search.colours import COLOURS, DIVIDER, MUTE, Seer


def names(result: SearchResult) -> list[str]:
    return [Path(hit.path).name for hit in result.hits]


def kinds(result: SearchResult) -> list[str]:
    return [name.split()[0] for name in names(result)]


def say(catalog: Catalog, question: str, labels: dict[str, str], kind: str = "proposal") -> None:
    """Say something of images, by their file names."""
    run = catalog.runs.start("label", question=question, parameters={"n": len(labels)})
    actor = "me" if kind == "answer" else ""
    images = {name: catalog.images.resolve(name)[0] for name in labels}
    catalog.annotations.append(
        Annotation(images[name], question, run.id, label=label, kind=kind, actor=actor)  # type: ignore[arg-type]
        for name, label in labels.items()
    )
    catalog.runs.finish(run.id)


@pytest.mark.parametrize("model", [COLOURS, DIVIDER])
def test_words_find_what_they_name(coloured: Catalog, model: object) -> None:
    searcher = Searcher(coloured, model)  # type: ignore[arg-type]
    for word in ("red", "green", "blue", "violet"):
        result = searcher.search(Query(word, by="vectors"), 4)
        assert set(kinds(result)) == {word}
        assert [found.by for found in result.hits[0].found] == ["words"]
        assert result.notes == ("it sees colours only",)
    assert len(searcher.search(Query("red", by="vectors"), 100).hits) == 16


def test_an_image_of_the_catalog_comes_back_first(coloured: Catalog, tmp_path: Path) -> None:
    searcher = Searcher(coloured, COLOURS)
    for name in ("green 2.png", str(tmp_path / "pictures" / "green 2.png")):
        result = searcher.search(read_query(coloured, image=[name]), 4)
        assert names(result)[0] == "green 2.png"
        assert set(kinds(result)) == {"green"}
        assert result.hits[0].score == pytest.approx(1, abs=1e-5)
    copy = tmp_path / "elsewhere.png"
    copy.write_bytes((tmp_path / "pictures" / "blue 1.png").read_bytes())
    assert names(searcher.search(read_query(coloured, image=[copy]), 1)) == ["blue 1.png"]


def test_an_image_from_elsewhere_finds_its_like(coloured: Catalog, tmp_path: Path) -> None:
    Image.new("RGB", (9, 7), (9, 240, 12)).save(tmp_path / "x.jpg")
    result = Searcher(coloured, COLOURS).search(read_query(coloured, image=[tmp_path / "x.jpg"]), 4)
    assert set(kinds(result)) == {"green"}
    assert coloured.images.count() == 16


def test_an_image_and_words_must_both_fit(coloured: Catalog) -> None:
    result = Searcher(coloured, COLOURS).search(read_query(coloured, "blue", ["red 0.png"], by="vectors"), 5)
    assert names(result)[0] == "red 0.png"
    assert kinds(result)[1:] == ["violet"] * 4
    assert result.hits[1].found[0].by == "image and words"
    assert "image 0." in result.hits[1].found[0].why


def test_like_these_and_not_like_those(coloured: Catalog) -> None:
    searcher = Searcher(coloured, COLOURS)
    like = ["violet 0.png", "red 0.png"]
    plain = searcher.search(read_query(coloured, like=like), 16)
    steered = searcher.search(read_query(coloured, like=like, unlike=["blue 0.png", "blue 1.png"]), 16)
    assert names(plain)[:2] == like
    assert names(steered)[:2] == like
    assert not {"blue 0.png", "blue 1.png"} & set(names(steered))
    scores = {
        one: {Path(hit.path).name: hit.score for hit in found.hits}
        for one, found in (("plain", plain), ("steered", steered))
    }
    for name in ("red 3.png", "blue 3.png"):
        assert (scores["steered"][name] > scores["plain"][name]) is name.startswith("red")


def test_conditions_choose_among_all_images(coloured: Catalog) -> None:
    searcher = Searcher(coloured, COLOURS)
    say(coloured, "size", {"red 0.png": "small", "red 1.png": "large", "blue 0.png": "small"})
    say(coloured, "size", {"red 1.png": "small"}, kind="answer")

    def found(*where: str, **more: str) -> list[str]:
        return names(searcher.search(read_query(coloured, "red", by="vectors", where=where, **more)))  # type: ignore[arg-type]

    assert set(found("size=small")) == {"red 0.png", "red 1.png", "blue 0.png"}
    assert found("size=small")[2] == "blue 0.png"
    assert found("size = small", state="reviewed") == ["red 1.png"]
    assert found("size=small", glob="blue*") == ["blue 0.png"]
    assert len(found("size!=small")) == 13
    assert len(found("size")) == 3
    assert found(state="reviewed") == ["red 1.png"]
    assert found(glob="*/green ?.png")
    assert not found(glob="nothing")
    assert "no image meets" in str(searcher.search(Query("red", glob="nothing")))


def test_objects_within_images_meet_conditions(coloured: Catalog) -> None:
    run = coloured.runs.start("label", question="things")
    image = coloured.images.resolve("blue 2.png")[0]
    coloured.annotations.append(
        Annotation(image, "things", run.id, item=item, label=label) for item, label in ((1, "car"), (2, "dog"))
    )
    result = Searcher(coloured, COLOURS).search(Query("red", by="vectors", where=("things=dog",)))
    assert names(result) == ["blue 2.png"]


def test_what_was_written_and_what_is_seen_are_fused(coloured: Catalog) -> None:
    say(coloured, "caption", {"green 3.png": "a red boat at sea", "blue 0.png": "a dog"})
    result = Searcher(coloured, COLOURS).search(Query("red boat"), 16)
    # Four red pictures are found by both; the others of the two lists come after them.
    assert kinds(result)[:5] == ["red"] * 4 + ["green"]
    by = {found.by: found for found in result.hits[4].found}
    assert by["text"].rank == 1
    assert by["text"].why == "caption: a red boat at sea"
    assert by["words"].rank > 4
    only = Searcher(coloured, MUTE).search(Query("boat", by="text"))
    assert names(only) == ["green 3.png"]
    assert only.model == ""


def test_images_are_seen_once_and_new_ones_are_seen_then(coloured: Catalog, tmp_path: Path) -> None:
    Seer.seen = 0
    searcher = Searcher(coloured, COLOURS)
    searcher.search(Query("red"))
    assert Seer.seen == 16
    searcher.search(Query("blue"))
    Searcher(coloured, COLOURS).search(Query("green"))
    assert Seer.seen == 16
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "pictures" / "new.png")
    add([tmp_path / "pictures"], catalog=coloured.path)
    assert names(searcher.search(Query("red", by="vectors"), 1)) == ["new.png"]
    assert Seer.seen == 17


def test_an_image_whose_file_is_gone_is_reported_and_not_tried_again(coloured: Catalog, tmp_path: Path) -> None:
    (tmp_path / "pictures" / "red 0.png").unlink()
    searcher = Searcher(coloured, COLOURS)
    result = searcher.search(Query("red", by="vectors"), 16)
    assert len(result.hits) == 15
    assert any("1 images cannot be read" in note for note in result.notes)
    Seer.seen = 0
    searcher.search(Query("blue", by="vectors"))
    assert Seer.seen == 0


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({}, "nothing to look for"),
        ({"text": "   "}, "nothing to look for"),
        ({"unlike": ["red 0.png"]}, "nothing to look for"),
        ({"text": "x" * 10_000}, "too long"),
        ({"text": "red " * 7}, "longer than the model reads"),
        ({"image": ["nope.jpg"]}, "no image 'nope.jpg'"),
        ({"text": "red", "where": ["size"]}, "Unknown question"),
        ({"text": "red", "where": ["=small"]}, "condition"),
        ({"text": "red", "where": ["size="]}, "condition"),
        ({"image": ["red 0.png"], "by": "text"}, "by words"),
        ({"text": "red", "by": "magic"}, "way to search"),
        ({"text": "red", "state": "maybe"}, "Unknown state"),
    ],
)
def test_what_cannot_be_asked_is_refused(coloured: Catalog, given: dict, what: str) -> None:
    with pytest.raises(InputError, match=what):
        Searcher(coloured, COLOURS).search(read_query(coloured, **given))


def test_an_unknown_label_names_those_that_there_are(coloured: Catalog) -> None:
    say(coloured, "size", {"red 0.png": "small"})
    with pytest.raises(UnknownName, match="small"):
        Searcher(coloured, COLOURS).search(Query("red", where=("size=smal",)))


def test_a_name_that_several_images_have_is_refused(coloured: Catalog, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "more" / "red 0.png")
    add([tmp_path / "more"], catalog=coloured.path)
    with pytest.raises(InputError, match="Several"):
        read_query(coloured, image=["red 0.png"])


def test_what_is_no_image_is_refused_by_name(coloured: Catalog, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"hello")
    with pytest.raises(ImageError, match=r"bad\.jpg"):
        read_query(coloured, image=[tmp_path / "bad.jpg"])


def test_a_model_without_words_says_how_to_go_on(coloured: Catalog) -> None:
    searcher = Searcher(coloured, MUTE)
    assert names(searcher.search(read_query(coloured, image=["red 0.png"]), 1)) == ["red 0.png"]
    with pytest.raises(ModelError, match="--by text"):
        searcher.search(Query("red"))


def test_an_empty_catalog_says_so(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "c", create=True) as catalog, pytest.raises(InputError, match="no images"):
        Searcher(catalog, COLOURS).search(Query("red"))


def test_the_verb_answers_as_one_object(coloured: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say(coloured, "caption", {"blue 1.png": "一条红色的连衣裙"})
    place = ["--catalog", str(coloured.path)]
    assert cli.run(["search", "红色连衣裙", "--by", "text", "--json", *place]) == 0
    body = json.loads(capsys.readouterr().out)
    assert [Path(one["path"]).name for one in body["results"]] == ["blue 1.png"]
    assert body["results"][0]["found"][0]["why"] == "caption: 一条红色的连衣裙"
    folder, table, listing = tmp_path / "copies", tmp_path / "out.csv", tmp_path / "out.txt"
    for out in (folder, table, listing):
        assert cli.run(["search", "blue", "--by", "text", "-o", str(out), *place]) == 0
    assert len(list(folder.iterdir())) == 4
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in folder.iterdir())
    with table.open(encoding="utf-8", newline="") as file:
        assert [row["rank"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]
    assert all("blue" in line for line in listing.read_text(encoding="utf-8").splitlines())
    assert cli.run(["search", "blue", "--by", "text", "-o", str(folder), *place]) == 1
    assert "not empty" in capsys.readouterr().err


def test_the_shipped_model_searches_by_words_and_by_images(coloured: Catalog) -> None:
    like = ["red 0.png", "red 1.png"]
    result = Searcher(coloured).search(read_query(coloured, "circle", like=like, unlike=["blue 0.png"]), 5)
    assert names(result)[:2] == like
    assert len(result.hits) == 5
