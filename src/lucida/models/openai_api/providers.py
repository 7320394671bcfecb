"""Who answers: the table of providers, their models, prices and limits."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from math import isfinite
from types import MappingProxyType
from typing import Any, Literal

from lucida.errors import InputError

Form = Literal["json_schema", "json_object", "text"]
FORMS: tuple[Form, ...] = ("json_schema", "json_object", "text")


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens, 0 or more."""

    input: float
    output: float

    def of(self, input_tokens: int, output_tokens: int) -> float:
        """Return what so many tokens cost, in US dollars."""
        return (input_tokens * self.input + output_tokens * self.output) / 1e6


@dataclass(frozen=True)
class Offer:
    """One model of a provider.

    Attributes:
        price: What it costs; None where that is not known.
        context: Tokens that a request may have; None where that is not known.
        thinks: It writes tokens that are paid for but not shown before it answers.
        image_tokens: Tokens of one image at most; 0 for the provider's.
    """

    price: Price | None = None
    context: int | None = None
    thinks: bool = False
    image_tokens: int = 0


@dataclass(frozen=True)
class Provider:
    """Whom to ask, and how.

    Attributes:
        name: What stands before the colon of a model's name.
        url: Base URL; "" where it comes from elsewhere.
        key: Environment variable that holds the key; "" where none is needed.
        as_of: Month of the prices.
        answers: The strictest form of answers that it can be held to.
        logprobs: Alternatives a token with log-probabilities, 0 for none.
        samples: It gives several answers to one request.
        images: Images a request at most.
        image_bytes: Bytes of one image at most, as sent.
        limit: Name of the parameter that limits an answer's length.
        image_tokens: Tokens of one image at most.
        models: What it offers, as far as known.
    """

    name: str
    url: str = ""
    key: str = ""
    as_of: str = ""
    answers: Form = "text"
    logprobs: int = 0
    samples: bool = False
    images: int = 1
    image_bytes: int = 400_000
    limit: str = "max_tokens"
    image_tokens: int = 2_600
    models: Mapping[str, Offer] = field(default_factory=dict)

    def offer(self, model: str) -> Offer:
        """Return what is known of a model; a dated name ("gpt-4o-2024-08-06") is its undated one's."""
        dated = [name for name in self.models if model == name or model.startswith((f"{name}-2", f"{name}@2"))]
        found = self.models[max(dated, key=len)] if dated else Offer()
        return found if found.image_tokens else replace(found, image_tokens=self.image_tokens)


@cache
def providers() -> Mapping[str, Provider]:
    """Return the table, by name; "api" is any other address."""
    table = tomllib.loads(files(__package__).joinpath("providers.toml").read_text("utf-8"))
    return MappingProxyType({name: _provider(name, entry) for name, entry in table.items()})


def _provider(name: str, entry: dict[str, Any]) -> Provider:
    models = {model: _offer(values) for model, values in entry.pop("models", {}).items()}
    return Provider(name, models=MappingProxyType(models), **entry)


def _offer(values: dict[str, Any]) -> Offer:
    return Offer(Price(*values.pop("price")), **values)


def read_price(words: str) -> Price:
    """Read "IN/OUT", US dollars per million tokens: "0.15/0.60".

    Raises:
        InputError: It is not that.
    """
    try:
        numbers = [float(part) for part in words.split("/")]
        if len(numbers) == 2 and all(isfinite(number) and number >= 0 for number in numbers):
            return Price(*numbers)
    except ValueError:
        pass
    raise InputError(
        "The price is not what it must be.",
        expected="IN/OUT, US dollars per million tokens of input and of output",
        got=repr(words),
        hint="--price 0.15/0.60",
    )
