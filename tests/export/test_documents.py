"""The examples of docs/catalog.md and docs/export.md are true: they are run here as they stand."""

from __future__ import annotations

import re
import shlex
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from lucida.cli import run

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(name: str, language: str) -> list[str]:
    text = (DOCS / name).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(4))
def test_the_queries_run_and_find_something(labelled: Any, number: int) -> None:
    labelled.answer(labelled.ids[0], "right")
    back = labelled.answer(labelled.ids[1], "right")
    labelled.undo(labelled.ids[1], back)
    queries = blocks("catalog.md", "sql")
    assert len(queries) == 4
    with sqlite3.connect(f"file:{labelled.home}/catalog/catalog.sqlite?mode=ro", uri=True) as connection:
        found = connection.execute(queries[number]).fetchall()
    connection.close()
    expected = {0: 2, 1: 20, 2: 1, 3: 0}  # runs; the least sure; answers that stand; images nobody spoke of
    assert len(found) == expected[number]


@pytest.mark.parametrize("name", ["catalog.md", "export.md"])
def test_the_python_runs(labelled: Any, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = [block for block in blocks(name, "python") if "from lucida" in block]
    assert code
    for block in code:
        exec(compile(block, name, "exec"), {})
    assert capsys.readouterr().out


def test_the_commands_run(labelled: Any) -> None:
    labelled.review()
    lines = [line for block in blocks("export.md", "bash") for line in block.splitlines()]
    assert len(lines) == 8
    for line in lines:
        command, *words = shlex.split(line, comments=True)
        assert command == "lucida"
        assert run(words) == 0, line
