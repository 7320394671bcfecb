"""A model behind a server of the tests' own, whose waiting is only written down."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from chat_server import ChatServer, serve
from lucida.models.chat import Prompt
from lucida.models.openai_api.address import read_address
from lucida.models.openai_api.family import api_spec, price_of
from lucida.models.openai_api.options import ApiOptions
from pictures import picture

pytest.importorskip("openai")

KEYS = ("LUCIDA_API_URL", "LUCIDA_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_KEY", "GEMINI_API_KEY", "ANTHROPIC_API_KEY")


@pytest.fixture(autouse=True)
def _no_keys_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's keys must not be used by tests."""
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    """A server that answers as it is told to."""
    with serve() as served:
        yield served


@dataclass
class Asked:
    """A running model, and how long it waited between its attempts."""

    model: Any
    waits: list[float] = field(default_factory=list)


@pytest.fixture
def running(server: ChatServer) -> Callable[..., Asked]:
    """A function that gives a running model with these options, behind the server."""
    from lucida.models.openai_api.model import OpenAiModel

    def make(name: str = "", **options: Any) -> Asked:
        address = read_address(name or f"api:m@{server.url}")
        chosen = ApiOptions(**options)
        waits: list[float] = []
        spec = api_spec(name or f"api:m@{server.url}", chosen)
        price = price_of(address, chosen)
        return Asked(OpenAiModel(spec, address, chosen, price=price, sleep=waits.append), waits)

    return make


@pytest.fixture
def prompt() -> Prompt:
    """A question with three classes."""
    return Prompt("What is drawn?", ("disc", "square", "stripes"))


def png(kind: str = "disc", seed: int = 0, side: int = 48) -> bytes:
    """Return a small picture as a PNG file."""
    buffer = io.BytesIO()
    picture(kind, seed, side).save(buffer, "PNG")
    return buffer.getvalue()
