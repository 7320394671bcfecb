"""The datasheet says what the catalog knows, and leaves the rest to the owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lucida.export import datasheet, export


def text(out: str = "out") -> str:
    return Path(out, "datasheet.md").read_text("utf-8")


def table(sheet: str, first: str) -> dict[str, list[str]]:
    """Return the rows of the table whose first column is called `first`, by their first cell."""
    lines = sheet.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = {}
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        rows[name] = cells
    return rows


def test_before_a_review_nothing_is_claimed(labelled: Any) -> None:
    export(Path("out"))
    sheet = text()
    assert "Nothing is claimed" in sheet
    assert "Nobody has checked" in sheet
    assert table(sheet, "class")["dress"] == ["10", "0", "0", "10", "0", "10"]
    assert table(sheet, "class")["**all**"] == ["30", "0", "0", "30", "0", "30"]
    assert table(sheet, "folder")["`" + str(labelled.home / "photos") + "`"] == ["30"]
    assert "embedded@1" in sheet
    assert "Licence of embedded" in sheet
    assert sheet.count(datasheet.OWNER) >= 6


def test_it_has_the_seven_sections_and_the_claim(labelled: Any) -> None:
    export(Path("out"))
    headings = [line[3:] for line in text().splitlines() if line.startswith("## ")]
    assert [h for h in headings if h != "What is claimed"] == [
        "Motivation",
        "Composition",
        "Collection process",
        "Preprocessing, cleaning, labelling",
        "Uses",
        "Distribution",
        "Maintenance",
    ]


def test_after_a_review_it_has_the_words_of_the_certificate_and_who_answered(
    home: Path, make: Callable[..., Any]
) -> None:
    made = make(home, count=80)
    made.label()
    made.review(wrong=1)
    result = export(Path("out"))
    sheet = text()
    assert f"> {result.claim}" in sheet
    assert "SIMULATION" in sheet
    answers = made.catalog.annotations.rows(question="kind", kind="answer")
    right = sum(a.detail["verdict"] == "right" for a in answers)
    assert table(sheet, "who")["Ada"] == ["check", str(right), "1", "0"]
    assert "lucida verify certificate.json" in sheet


def test_answers_that_were_taken_back_are_not_counted(labelled: Any) -> None:
    first, second = labelled.ids[:2]
    number = labelled.answer(first, "right")
    labelled.undo(first, number)
    labelled.answer(second, "wrong", "dress", actor="Zoë")
    labelled.answer(second, "right", actor="Ada")
    export(Path("out"))
    who = table(text(), "who")
    assert set(who) == {"who", "---", "Ada", "Zoë"}
    assert who["Zoë"][1:] == ["0", "1", "0"]
    assert "disagreed about 1 image" in text()


def test_names_cannot_break_the_page(labelled: Any) -> None:
    labelled.answer(labelled.ids[0], "wrong", "a|b\n# `c` <img src=x>")
    export(Path("out"), format="csv")
    line = next(line for line in text().splitlines() if line.startswith("| a"))
    assert line.startswith(r"| a\|b \# \`c\` \<img src=x\> | 0 | 1 |")


def test_the_python_that_reads_it_names_every_split(labelled: Any) -> None:
    export(Path("out"), splits="train=0.5,test=0.5")
    assert '"train": "out/train/**", "test": "out/test/**"' in text()
    export(Path("pq"), format="parquet")
    assert '{"train": "pq/train.parquet"}' in text("pq")


def test_instructions_are_named_beside_the_model():
    from lucida.catalog import Run
    from lucida.export.datasheet import _model

    run = Run("r", "label", "q", "gpt", "1", {"instructions": {"name": "rules", "version": "2"}}, None, "p", 0.0, None)
    assert _model(run) == "gpt@1, told by rules 2"
    assert _model(replace(run, parameters={})) == "gpt@1"
