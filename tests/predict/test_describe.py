"""Titles, alternative texts and keywords, written into copies of images."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chat_server import ChatServer, said, serve
from lucida.errors import InputError
from lucida.images.xmp import packet_of
from lucida.predict.verb import predict
from lucida.results import Description
from lucida.runs.describing import SCHEMA, of_caption
from pictures import picture

pytest.importorskip("openai")
SAID = {
    "title": "A  disc",
    "alternative": "A red disc on grey.",
    "keywords": ["disc", "red", "Disc", ""],
    "scene": "studio",
}


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serve() as served:
        served.respond = lambda request: said(json.dumps(SAID))
        yield served


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    picture("disc", 0, 64).save(tmp_path / "disc.jpg")
    return tmp_path / "disc.jpg"


def test_an_image_is_described_by_a_schema(server, photo):
    found = predict(photo, model=f"api:m@{server.url}", task="describe", question=["In French, please."])
    assert found.results[0].result == Description("A disc", "A red disc on grey.", ("disc", "red"), "studio")
    (request,) = server.requests
    assert "In French, please." in request.text
    assert request.body["response_format"]["json_schema"] == {"name": "answer", "strict": True, "schema": SCHEMA}
    server.respond = lambda request: said('{"title": "A disc"}')
    assert "lacks 'alternative'" in predict(photo, model=f"api:m@{server.url}", task="describe").skipped[str(photo)]


def test_copies_hold_the_description_and_originals_stay(server, photo, tmp_path):
    before = photo.read_bytes()
    beside = predict(photo, model=f"api:m@{server.url}", task="describe", write="copy").results[0].saved
    under = predict(photo, model=f"api:m@{server.url}", task="describe", write="copy", save=tmp_path / "out")
    assert beside == tmp_path / "disc-described.jpg"
    assert under.results[0].saved == tmp_path / "out" / "disc.jpg"
    assert photo.read_bytes() == before
    for copy in (beside, under.results[0].saved):
        body = copy.read_bytes()
        assert all(word in packet_of(body) for word in (b"A red disc on grey.", b"studio"))
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(body))), np.asarray(Image.open(photo)))


def test_the_original_is_written_only_where_that_is_asked_for(server, photo, tmp_path):
    pixels = np.asarray(Image.open(photo)).copy()
    found = predict(photo, model=f"api:m@{server.url}", task="describe", write="in-place")
    assert found.results[0].saved == photo
    assert b"A red disc" in packet_of(photo.read_bytes())
    assert np.array_equal(np.asarray(Image.open(photo)), pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["disc.jpg"], "no half-written file is left"


def test_a_kind_of_file_that_holds_no_description_is_said(server, tmp_path):
    picture("disc", 0, 64).save(tmp_path / "disc.gif")
    found = predict(tmp_path / "disc.gif", model=f"api:m@{server.url}", task="describe", write="copy")
    assert isinstance(found.results[0].result, Description)
    assert found.results[0].saved is None
    assert "of this kind" in found.notes[-1]


@pytest.mark.parametrize("options", [{"task": "caption"}, {"save": Path("x"), "write": "in-place"}])
def test_what_cannot_be_written(server, photo, options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        predict(photo, **{"model": f"api:m@{server.url}", "task": "describe", "write": "copy", **options})
    assert not server.requests


def test_a_caption_makes_a_plain_description():
    found = of_caption("two cats sleeping on a couch with the remote-control")
    assert found.title == "Two cats sleeping on a couch with the remote-control"
    assert found.alternative == found.title
    assert found.keywords == ("cats", "sleeping", "couch", "remote-control")
    long = of_caption("a " + "very long caption " * 9 + ".")
    assert len(long.title) <= 60
    assert long.title.endswith("…")
    assert of_caption("").keywords == ()
