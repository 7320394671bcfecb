"""What is logged of requests and errors, and what never is."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from lucida.errors import InputError, ModelError
from lucida.models.chat import Said, Talk
from lucida.models.spec import Model, Spec
from lucida.results import Text
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.headers import Exchange
from lucida.serve.key_file import KeyMade, make_key
from lucida.serve.key_ring import KeyRing
from lucida.serve.served import Served, Shelf
from lucida.serve.stages import Stage
from lucida.serve.watch.log import LogSettings, log_request, logging_to
from served_models import png, ready
from told_models import model

SECRET = "Where does Ms Muster live"


class _Tells(Model):
    """Fails, and repeats in its errors whatever it was asked."""

    def say(self, talk: Talk) -> Said:
        text = talk.turns[-1].text
        if "kindly" in text:
            raise ModelError("The model failed.", expected="an answer", got=text, hint=text)
        if "problem" in text:
            return Said(problem=f"no answer to {text}")
        raise RuntimeError(text, [turn.images for turn in talk.turns])


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, KeyMade]:
    """The log of a server that was sent secrets in every place there is."""
    folder = tmp_path_factory.mktemp("log")
    made = make_key(folder / "keys.yaml", "anna")
    assert isinstance(made, KeyMade)
    base = model("answer", (), lambda _: Text(""), "talker")
    spec = Spec("tells", "test", ("caption", "answer"), base.needs, base.gives, "MIT", "a test", "1",
                build=lambda spec, precision, trial: _Tells(spec))  # fmt: skip
    desk = Desk(Shelf([Served("tells", spec)]), Settings(workers=1), keys=KeyRing(folder / "keys.yaml"))
    desk.watchers.append(log_request)
    file = folder / "serve.log"
    with (
        logging_to(LogSettings("json", file)),
        TestClient(build(desk), base_url="http://localhost", raise_server_exceptions=False) as client,
    ):
        ready(client)
        _send(client, made.key)
        logging.getLogger("asyncio").error("an exception was never retrieved: %r", SECRET)
        logging.getLogger("httpx").warning(f"POST {SECRET} {made.key}")
    return file.read_text(), made


def _send(client: TestClient, key: str) -> None:
    good = {"authorization": f"Bearer {key}"}
    url = f"data:image/png;base64,{base64.b64encode(png()).decode()}"

    def ask(path: str = "/v1/ask", headers: dict[str, str] | None = None, **fields: Any) -> None:
        body = {"image": url, "question": SECRET, "model": "tells"} | fields
        client.post(path, json=body, headers=good | (headers or {}))

    for said in ("", " kindly", " problem"):
        ask(question=SECRET + said, headers={"x-request-id": f"mine{len(said)}"})
    ask(model=SECRET)
    ask(model=key)
    ask(**{SECRET: key})
    ask(image=SECRET)
    ask(image=url[:-5])
    ask(reason=SECRET)
    ask(headers={"x-request-id": key, "user-agent": SECRET, "cookie": key, "x-api-key": key})
    ask(headers={"authorization": f"Basic {base64.b64encode(f':{key}'.encode()).decode()}"})
    ask(headers={"authorization": f"Bearer {key[:-1]}x"})
    ask(headers={"origin": f"http://{key}"})
    ask(headers={"host": key})
    ask(f"/v1/ask?key={key}&prompt={SECRET}")
    ask(f"/v1/{key}/{SECRET}")
    ask("/v1/chat/completions", messages=[{"role": "user", "content": SECRET}])
    ask("/v1/generate", prompt=SECRET)
    client.request(key.replace("-", ""), "/v1/ask", headers=good)
    files = [("image", (f"/home/{SECRET}/x.png", data)) for data in (png(), b"%PDF" + SECRET.encode())]
    client.post("/v1/batch", headers=good, data={"task": "ask", "question": SECRET}, files=files)
    client.post("/v1/ask", content=b"\xff" + SECRET.encode(), headers=good | {"content-type": SECRET})


def test_nothing_that_was_sent_is_logged(log: tuple[str, KeyMade]) -> None:
    text, made = log
    image = base64.b64encode(png()).decode()
    for secret in (made.key, made.key[-20:], SECRET, "Muster", image[100:130], "PNG", "/home", "Bearer", "x.png"):
        assert secret not in text, secret


def test_a_line_says_who_asked_what_and_what_came_of_it(log: tuple[str, KeyMade]) -> None:
    lines = [json.loads(line) for line in log[0].splitlines()]
    first = next(line for line in lines if line.get("id") == "mine0" and "status" in line)
    assert (first["holder"], first["service"], first["model"], first["status"]) == ("anna", "ask", "tells", 500)
    assert first["received"] > 100
    assert first["work_seconds"] >= 0
    assert first["errors"] == ["LucidaError"]


def test_an_error_has_the_id_of_its_request_and_says_where_it_was_raised(log: tuple[str, KeyMade]) -> None:
    lines = [json.loads(line) for line in log[0].splitlines()]
    failed, kindly, problem = (
        next(line for line in lines if line.get("id") == f"mine{n}" and line["level"] == "error")
        for n in (0, len(" kindly"), len(" problem"))
    )
    assert failed["error"] == "RuntimeError"
    assert failed["where"][-1].endswith(" say")
    assert kindly["message"].endswith("ModelError: The model failed.")
    assert problem["message"].endswith("ModelError: tells gave no answer.")
    assert [line.get("message") for line in lines if line.get("logger") in ("asyncio", "httpx")] == [None, None]


def test_plain_lines_are_one_line_each(tmp_path: Path) -> None:
    file = tmp_path / "plain.log"
    with logging_to(LogSettings("plain", file)):
        log_request(Exchange("one", "ask", "talker", 200, 0.25, holder="anna", stages=[Stage("wait", 0, 1)]))
        logging.getLogger("lucida.serve").error("a name\nwith a line break")
    first, second = file.read_text().splitlines()
    assert first[9:] == "one anna ask talker 200 0.2500 s"
    assert second[9:] == "error a name with a line break"


def test_off_is_silent_but_for_errors_and_a_full_disk_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_to(LogSettings()):
        log_request(Exchange("one"))
        logging.getLogger("lucida.serve").error("oh")
    assert capsys.readouterr().err.endswith("error oh\n")
    with logging_to(LogSettings("json", Path("/dev/full"))):
        for id in ("one", "two"):
            log_request(Exchange(id))
    assert capsys.readouterr().err.count("cannot be written") == 1
    with pytest.raises(InputError, match="cannot be written"), logging_to(LogSettings("json", tmp_path / "no" / "x")):
        pass
