"""Where relevance ends, asked in the shell."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from lucida import cli
from lucida.catalog import Catalog
from lucida.search.judging import Judging
from lucida.search.query import Query
from lucida.search.searcher import Searcher
from lucida.search.shell import judge
from search.colours import COLOURS


def test_answers_prove_where_relevance_ends_and_are_kept(coloured: Catalog) -> None:
    result = Searcher(coloured, COLOURS).search(Query("red", by="vectors"), 16)
    asked: list[str] = []

    def read(prompt: str) -> str:
        asked.append(prompt)
        return "maybe" if len(asked) == 2 else "Y" if "/red " in prompt else "n"

    claim = judge(Judging(coloured, result, share=0.9), read)
    assert (claim.results, claim.relevant, claim.confidence) == (4, 4, 1.0)
    assert asked[1] == asked[2], "what was not understood is asked again"
    assert claim.answers == len(asked) - 1 == len(coloured.annotations.current("search: 'red'"))
    # The same search again has nothing left to ask.
    assert judge(Judging(coloured, result, share=0.9), lambda prompt: pytest.fail(prompt)) == claim


def test_the_command_asks_until_somebody_stops(
    coloured: Catalog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["search", "green", "--by", "text", "--judge", "--json", "--catalog", str(coloured.path)]
    monkeypatch.setattr("sys.stdin", io.StringIO("y\nq\n"))
    assert cli.run(command) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["claim"]["answers"] == 1
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 9))
    assert cli.run([word for word in command if word != "--json"]) == 0
    shown = capsys.readouterr()
    assert "Of the first 4 results at least 4 are relevant (100%), with 100% confidence" in shown.out
    assert "[2] " in shown.out + shown.err
    assert Path(body["results"][0]["path"]).name.startswith("green")
