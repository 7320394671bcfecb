"""A server that others wrote: `transformers serve` with a tiny model of random weights, which answers nonsense."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lucida.errors import ModelError
from lucida.models.chat import Prompt
from lucida.models.openai_api import cost
from lucida.models.openai_api.family import api_spec
from lucida.models.openai_api.options import ApiOptions
from models.openai_api.conftest import png

pytestmark = pytest.mark.torch

PROMPT = Prompt("What is drawn?", ("disc", "square", "stripes"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny chat model that sees."""
    pytest.importorskip("torch")
    pytest.importorskip("num2words", reason="needs num2words, which SmolVLM's processor asks for")
    from models.tiny_chat import smolvlm

    folder = tmp_path_factory.mktemp("tiny") / "smolvlm"
    folder.mkdir()
    smolvlm(folder)
    return folder


@pytest.fixture(scope="module")
def url(weights: Path) -> Iterator[str]:
    """The base URL of the server while the tests of this file run."""
    program = Path(sys.executable).with_name("transformers")
    if not program.exists():
        pytest.skip("the command `transformers` is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        program,
        "serve",
        weights,
        "--device",
        "cpu",
        "--host",
        "127.0.0.1",
        "--port",
        port,
        "--log-level",
        "info",
    ]
    process = subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"},
    )
    ready, lines = threading.Event(), list[str]()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if "Uvicorn running" in line:
                ready.set()
        ready.set()

    reader = threading.Thread(target=listen, daemon=True)
    reader.start()
    try:
        assert ready.wait(120), "".join(lines)
        if process.poll() is not None:
            pytest.skip("`transformers serve` does not start: " + "".join(lines)[-300:])
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(30)
        reader.join(30)


@pytest.fixture(autouse=True)
def _short_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nonsense has no end of its own."""
    monkeypatch.setattr(cost, "ANSWER", 16)


def test_nonsense_becomes_a_problem_and_is_paid_for(weights: Path, url: str):
    model = api_spec(f"api:{weights}@{url}", ApiOptions(attempts=2, price="1/1")).load()
    (reply,) = model.ask(PROMPT, [png()])
    assert reply.problem
    assert not reply.probabilities
    assert reply.usage.input_tokens > 4 * 100, "the server counts tokens, and each of four tries is counted"
    assert 0 < (reply.usage.cost or 0.0) <= (model.quote(PROMPT).cost or 0.0)


def test_several_images_and_votes_are_no_crash_either(weights: Path, url: str):
    model = api_spec(f"api:{weights}@{url}", ApiOptions(attempts=2, together=2, votes=2)).load()
    replies = model.ask(PROMPT, [png("disc"), png("square", 1)])
    assert len(replies) == 2
    assert all(reply.problem for reply in replies)


def test_a_wrong_path_is_said_to_be_one(weights: Path, url: str):
    model = api_spec(f"api:{weights}@{url.removesuffix('/v1')}/other", ApiOptions(attempts=2)).load()
    with pytest.raises(ModelError) as caught:
        model.ask(PROMPT, [png()])
    assert all((caught.value.expected, caught.value.got, caught.value.hint))
