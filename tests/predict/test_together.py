"""Questions about several images at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat_server import ChatServer, said, serve
from lucida import cli
from lucida.errors import InputError
from lucida.predict.verb import predict
from lucida.results import Text
from pictures import picture

pytest.importorskip("openai")


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serve() as served:
        yield served


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    for seed, kind in enumerate(("disc", "square")):
        picture(kind, seed, 64).save(tmp_path / f"{kind}.png")
    return [tmp_path / "disc.png", tmp_path / "square.png"]


def test_one_answer_is_about_all_images(server, photos, tmp_path):
    server.in_turn(said("The shape."), said("By its corners."))
    found = predict(*photos, model=f"api:m@{server.url}", question=["What differs?", "How so?"], together=True)
    (one,) = found.results
    assert isinstance(one.result, Text)
    assert one.result.text == "By its corners."
    assert one.result.before == (("What differs?", "The shape."),)
    assert [Path(path).name for path in one.together] == ["disc.png", "square.png"]
    assert (found.images, found.cost, one.size) == (2, 0.0, (64, 64))
    assert [len(request.images) for request in server.requests] == [2, 2]
    assert "disc.png + " in str(one)


def test_the_command_gives_json_and_writes_a_file(server, photos, tmp_path, capsys):
    server.respond = lambda request: said('{"answer": {"same": false}, "reason": "One is round."}')
    (tmp_path / "schema.json").write_text('{"type": "object", "properties": {"same": {"type": "boolean"}}}')
    options = ["--model", f"api:m@{server.url}", "--question", "Are they the same?", "--together", "--reason"]
    options += ["--schema", str(tmp_path / "schema.json")]
    assert cli.run(["predict", *map(str, photos), *options, "--json"]) == 0
    (body,) = json.loads(capsys.readouterr().out)["results"]
    assert (body["data"], body["reason"], len(body["together"])) == ({"same": False}, "One is round.", 2)
    predict(*photos, model=f"api:m@{server.url}", question=["?"], together=True, out=tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text())["task"] == "answer"


def test_nothing_is_asked_that_could_cost_more_than_the_limit(server, photos, tmp_path):
    server.respond = lambda request: said("round")  # 1,000 tokens in, 50 out
    (tmp_path / "many").mkdir()
    for seed in range(12):
        picture("disc", seed, 32).save(tmp_path / "many" / f"{seed}.png")
    options = {"model": f"api:m@{server.url}", "question": ["What?"], "price": "100/100"}
    with pytest.raises(InputError, match="less than one image"):
        predict(tmp_path / "many", **options, max_cost=0.01)
    assert not server.requests
    found = predict(tmp_path / "many", **options, max_cost=1.5, workers=4)
    assert 0 < len(found.results) == len(server.requests) < 12
    assert found.cost == pytest.approx(0.105 * len(found.results))
    assert any(note.startswith("Stopped at $") for note in found.notes)


@pytest.mark.parametrize("option", [{"max_cost": 1.0}, {"price": "1/1"}, {"workers": 2}, {"timeout": 3.0}])
def test_options_of_other_models_are_refused(photos, option):
    with pytest.raises(InputError, match="for models behind an address"):
        predict(*photos, task="classify", classes="a,b", **option)


def test_a_price_must_be_known_for_a_limit(photos):
    with pytest.raises(InputError, match="price of this model is not known"):
        predict(*photos, model="api:m@http://192.0.2.1/v1", question=["What?"], max_cost=1.0)


def test_no_answer_is_said_of_all_images(server, photos):
    server.respond = lambda request: said("")
    found = predict(*photos, model=f"api:m@{server.url}", question=["What differs?"], together=True)
    assert list(found.skipped) == [path.as_posix() for path in photos]
    assert found.exit_code == 1
    photos[0].write_bytes(photos[0].read_bytes()[:60])
    broken = predict(*photos, model=f"api:m@{server.url}", question=["What differs?"], together=True)
    assert next(iter(broken.skipped.values())).startswith("Image 1: ")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"save": Path("drawn")}, "drawn onto none"),
        ({"model": "embedded", "question": None, "classes": "a,b"}, "only be talked about"),
        ({"schema": Path("bad.json")}, "no JSON schema"),
    ],
)
def test_what_cannot_be_done_together(server, photos, options, match, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("bad.json").write_text('{"type": "text"}')
    with pytest.raises(InputError, match=match):
        predict(*photos, **{"model": f"api:m@{server.url}", "question": ["?"], "together": True, **options})
    assert not server.requests


def test_an_image_that_is_not_there_stops_before_anything_is_asked(server, photos, tmp_path):
    with pytest.raises(InputError, match="cannot be looked at"):
        predict(*photos, tmp_path / "no.png", model=f"api:m@{server.url}", question=["?"], together=True)
    assert not server.requests
