"""Full text: English and Chinese, kept up to date, made again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lucida.catalog import Annotation, Catalog, ImageRecord
from lucida.catalog.fulltext import TextHit
from lucida.catalog.sources.found import Found
from lucida.catalog.terms import fold_text, read_terms

NAMES = ("photos/IMG_0001.jpg", "photos/beach-house.jpg", "照片/红色连衣裙.jpg", "shared/x.jpg", "a/dresses 2.png")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "c", create=True) as opened:
        put(opened, NAMES)
        yield opened


def put(catalog: Catalog, names: Sequence[str]) -> None:
    start = catalog.images.count()
    catalog.intake.record(
        [
            (
                Found(name, f"/{name}", name.split("/")[-1], i, 1),
                ImageRecord(f"{start + i:064x}", 1, 1, "JPEG", "RGB", i),
            )
            for i, name in enumerate(names)
        ]
    )


def say(catalog: Catalog, question: str, texts: dict[int, str], *, item: int = 0) -> None:
    run = catalog.runs.start("label", question=question, parameters={"texts": list(texts.values())})
    catalog.annotations.append(
        Annotation(f"{image:064x}", question, run.id, item=item, label=text) for image, text in texts.items()
    )
    catalog.runs.finish(run.id)


def places(hits: list[TextHit]) -> list[int]:
    return [int(hit.image, 16) for hit in hits]


def test_names_are_found(catalog: Catalog) -> None:
    assert places(catalog.text.search("beach")) == [1]
    assert places(catalog.text.search("0001")) == [0]
    assert places(catalog.text.search("dress")) == [4]
    assert places(catalog.text.search("img")) == [0]
    assert places(catalog.text.search("Ｂｅａｃｈ HOUSE")) == [1]
    assert catalog.text.search("submarine") == []
    assert catalog.text.search("...") == catalog.text.search("") == []
    assert catalog.text.search("beach")[0].source == ""


def test_short_words_are_not_found_within_others(catalog: Catalog) -> None:
    assert catalog.text.search("red") == []
    assert catalog.text.search("us") == []
    assert places(catalog.text.search("2")) == [4]


@pytest.mark.parametrize(
    ("query", "found"),
    [("红色", [2]), ("裙", [2]), ("连衣裙", [2]), ("红色的连衣裙", [2]), ("绿色的裤子", []), ('"红色裤子"', [])],
)
def test_chinese_is_found_by_any_part(catalog: Catalog, query: str, found: list[int]) -> None:
    assert places(catalog.text.search(query)) == found


def test_captions_and_labels_are_found_the_fullest_first(catalog: Catalog) -> None:
    say(catalog, "caption", {0: "A red dress on the beach", 3: "A red car", 4: "海滩上的一只狗"})
    say(catalog, "type", {3: "vehicle"})
    hits = catalog.text.search("red dress on a beach")
    assert places(hits)[0] == 0
    assert hits[0].score == pytest.approx(1)
    assert hits[0].source == "caption"
    assert hits[0].excerpt == "A red dress on the beach"
    assert places(catalog.text.search("vehicle")) == [3]
    assert places(catalog.text.search("海滩 狗")) == [4]
    assert places(catalog.text.search('"red car"')) == [3]
    assert places(catalog.text.search("red", among=[f"{3:064x}"])) == [3]
    assert len(catalog.text.search("red", 1)) == 1


def test_what_several_texts_say_adds_up(catalog: Catalog) -> None:
    say(catalog, "caption", {0: "a ship", 3: "a ship"})
    say(catalog, "text", {3: "OPEN"}, item=1)
    hits = catalog.text.search("ship open")
    assert places(hits) == [3, 0]
    assert hits[0].score == pytest.approx(1)


def test_only_what_is_said_today_is_found(catalog: Catalog) -> None:
    say(catalog, "caption", {0: "a submarine", 1: "a boat"})
    say(catalog, "text", {0: "first line"}, item=1)
    assert places(catalog.text.search("submarine")) == [0]
    say(catalog, "caption", {0: "a whale"})
    say(catalog, "text", {0: "other line"}, item=1)
    assert catalog.text.search("submarine") == []
    assert catalog.text.search("first") == []
    assert places(catalog.text.search("whale")) == [0]
    assert places(catalog.text.search("boat")) == [1]
    assert places(catalog.text.search("other")) == [0]


def test_images_that_are_added_are_found(catalog: Catalog) -> None:
    assert catalog.text.search("giraffe") == []
    put(catalog, ["zoo/giraffe.jpg"])
    assert places(catalog.text.search("giraffe")) == [5]


def test_an_image_whose_file_was_replaced_is_not_found(catalog: Catalog) -> None:
    say(catalog, "caption", {1: "the old picture"})
    assert places(catalog.text.search("beach")) == [1]
    found = Found(NAMES[1], f"/{NAMES[1]}", "beach-house.jpg", 77, 2)
    catalog.intake.record([(found, ImageRecord("e" * 64, 1, 1, "JPEG", "RGB", 77))])
    assert [hit.image for hit in catalog.text.search("beach")] == ["e" * 64]
    assert catalog.text.search("the old picture") == []


def test_nothing_is_written_where_nothing_is_new(catalog: Catalog) -> None:
    say(catalog, "caption", {0: "a whale"})
    catalog.text.refresh()
    before = [file.stat().st_mtime_ns for file in sorted(catalog.path.glob("text.sqlite*"))]
    assert places(catalog.text.search("whale")) == [0]
    assert next(file.stat().st_mtime_ns for file in sorted(catalog.path.glob("text.sqlite*"))) == before[0]


@pytest.mark.parametrize("damage", ["gone", "garbage", "empty", "rebuilt"])
def test_the_index_is_made_again(catalog: Catalog, damage: str) -> None:
    say(catalog, "caption", {0: "a whale"})
    assert places(catalog.text.search("whale")) == [0]
    file = catalog.text.file
    if damage == "rebuilt":
        catalog.text.rebuild()
    else:
        for other in file.parent.glob("text.sqlite-*"):
            other.unlink()
        file.unlink()
        if damage != "gone":
            file.write_bytes(b"garbage" * 1000 if damage == "garbage" else b"")
    assert places(catalog.text.search("whale")) == [0]
    assert places(catalog.text.search("beach")) == [1]


def test_a_long_text_is_cut_around_what_was_found(catalog: Catalog) -> None:
    say(catalog, "text", {0: "word " * 200 + "needle " + "word " * 200})
    hit = catalog.text.search("needle")[0]
    assert "needle" in hit.excerpt
    assert len(hit.excerpt) < 130
    assert hit.excerpt.startswith("… ")
    assert hit.excerpt.endswith(" …")


def test_a_query_is_read_as_terms() -> None:
    def texts(query: str) -> list[str]:
        return [term.text for term in read_terms(query)]

    assert texts("A red Dress on the beach, the red one") == ["red", "dress", "beach", "one"]
    assert texts("the") == ["the"]
    assert texts('"on the beach" dog') == ["on the beach", "dog"]
    assert texts("红色的连衣裙") == ["红色", "连衣", "衣裙"]
    assert texts("猫 iPhone手机") == ["猫", "iphone", "手机"]
    assert fold_text("ＡＢＣ Straße") == "abc strasse"


def test_words_of_a_query_cannot_be_commands(catalog: Catalog) -> None:
    for query in ('beach" OR "x', "beach AND NOT house", "beach*", "folded:beach", "'; DROP TABLE texts; --", "%_%"):
        catalog.text.search(query)
    assert places(catalog.text.search("beach")) == [1]
