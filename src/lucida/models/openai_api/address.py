"""From a name to an address: which provider, at which base URL, with which key."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from lucida.errors import ModelError
from lucida.models.openai_api.providers import Drawer, Offer, Provider, providers

PREFIX = "api"
URL_VARIABLES = ("LUCIDA_API_URL", "OPENAI_BASE_URL")
_HINT = "--model api:MODEL@http://host:8000/v1, or openai:MODEL, gemini:MODEL, claude:MODEL, ollama:MODEL, vllm:MODEL"


@dataclass(frozen=True)
class Address:
    """Where a model is asked. It never holds a key, only the name of the variable that does.

    Attributes:
        name: The model's name in full; it is found again under it on any machine.
        provider: Whom to ask.
        model: What the provider calls the model.
        url: Base URL.
        key: Environment variable of the key, "" where none is known.
        needs_key: Nothing is answered without a key.
    """

    name: str
    provider: Provider
    model: str
    url: str
    key: str
    needs_key: bool

    @property
    def host(self) -> str:
        """Where images are sent."""
        return urlsplit(self.url).hostname or self.url

    @property
    def local(self) -> bool:
        """Whether that is this machine."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def offer(self) -> Offer:
        """What is known of the model."""
        return self.provider.offer(self.model)

    @property
    def drawer(self) -> Drawer | None:
        """What is known of the model as one that draws; None of one that does not."""
        return self.provider.drawer(self.model)

    @property
    def only_draws(self) -> bool:
        """Whether it is known as a model that draws, and not as one that talks."""
        return self.drawer is not None and self.provider.draws_by_name(self.model)


def is_address(name: str) -> bool:
    """Tell whether a name is that of a model behind an address."""
    before, colon, _ = name.partition(":")
    return (bool(colon) and before in providers()) or any(name in each.known for each in providers().values())


def read_address(name: str) -> Address:
    """Return where a model is asked.

    Args:
        name: "openai:gpt-4o", "gpt-4o", "api:MODEL" or "api:MODEL@URL".

    Raises:
        ModelError: The name has no model, or the URL is none, or holds a key or password.
    """
    table = providers()
    before, colon, model = name.partition(":")
    if not colon or before not in table:
        before, model = next(key for key, each in table.items() if name in each.known), name
    if before == PREFIX:
        return _elsewhere(name, model)
    provider = table[before]
    if not model.strip():
        raise _unclear(name, "a model's name after the colon", "nothing")
    return Address(f"{before}:{model}", provider, model, provider.url, provider.key, bool(provider.key))


def _elsewhere(name: str, rest: str) -> Address:
    at = max(rest.rfind("@http://"), rest.rfind("@https://"))
    model, url = (rest[:at], rest[at + 1 :]) if at >= 0 else (rest, "")
    set_here = next((variable for variable in URL_VARIABLES if os.environ.get(variable, "").strip()), "")
    url = (url or os.environ.get(set_here, "").strip() or providers()["openai"].url).rstrip("/")
    if not model.strip():
        raise _unclear(name, "a model's name after the colon", "nothing")
    _check_url(name, url)
    same = (each for each in providers().values() if each.url and each.url.rstrip("/") == url)
    provider = next(same, providers()[PREFIX])
    known = provider.name != PREFIX
    # The key for OpenAI goes to OpenAI, or to where a person has pointed OpenAI's own variable, and nowhere else.
    redirected = os.environ.get("OPENAI_BASE_URL", "").strip().rstrip("/") == url
    key = "OPENAI_API_KEY" if redirected and not os.environ.get(provider.key or "-") else provider.key
    return Address(f"{PREFIX}:{model}@{url}", provider, model, url, key, known and bool(provider.key))


def _check_url(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        secret = parts.username is not None or parts.password is not None or bool(parts.query)
        host = parts.hostname
        parts.port  # noqa: B018  # raises where it is no number
    except ValueError:
        host, secret = None, False
    if host is None or parts.scheme not in ("http", "https"):
        raise _unclear("the model's address", "a base URL such as http://host:8000/v1", repr(url))
    if secret:
        raise ModelError(
            "The model's URL holds a key or a password.",
            expected="a plain URL: names of models are kept in the catalog",
            got=f"{parts.scheme}://…@{host}" if "@" in parts.netloc else f"{parts.scheme}://{host}…?…",
            hint="put the key into the environment: export LUCIDA_API_KEY=…",
        )


def _unclear(name: str, expected: str, got: str) -> ModelError:
    return ModelError(f"It is not clear which model {name!r} is.", expected=expected, got=got, hint=_HINT)
