"""Who answers: the table of providers, their models, prices and limits."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from math import isfinite
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from lucida.errors import InputError

Form = Literal["json_schema", "json_object", "text"]
Known = TypeVar("Known")
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
class Drawer:
    """One model of a provider that draws.

    Attributes:
        price: US dollars per million tokens of words in, images in, and pictures out; None where it is not known, or
            pictures have a price each.
        each: US dollars a picture at most, where tokens are not what is paid.
        tokens: Tokens of one picture at most.
        image_tokens: Tokens of one image that is sent at most.
        sizes: Widths and heights that it draws, its own first; empty for any.
        together: Pictures that one request may ask for.
        edits: It changes images.
        format: It has to be told that the picture is to come with the answer.
        multiple: Where it draws any size, what width and height must be multiples of.
        most: Where it draws any size, the longest side.
    """

    price: tuple[float, float, float] | None = None
    each: float | None = None
    tokens: int = 6_240
    image_tokens: int = 1_000
    sizes: tuple[tuple[int, int], ...] = ()
    together: int = 1
    edits: bool = True
    format: bool = True
    multiple: int = 8
    most: int = 4096


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
        models: What it offers that talks, as far as known.
        draws: What it offers that draws, as far as known.
        may_draw: A model that is in neither table may draw.
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
    draws: Mapping[str, Drawer] = field(default_factory=dict)
    may_draw: bool = True

    def offer(self, model: str) -> Offer:
        """Return what is known of a model that talks."""
        found = _undated(self.models, model) or Offer()
        return found if found.image_tokens else replace(found, image_tokens=self.image_tokens)

    @property
    def known(self) -> tuple[str, ...]:
        """The names of all its models that are in the tables."""
        return (*self.models, *self.draws)

    def draws_by_name(self, model: str) -> bool:
        """Tell whether a model is in the table of those that draw."""
        return _undated(self.draws, model) is not None

    def drawer(self, model: str) -> Drawer | None:
        """Return what is known of a model that draws; None of one that does not."""
        known = _undated(self.draws, model)
        return known or (Drawer() if self.may_draw and _undated(self.models, model) is None else None)


def _undated(table: Mapping[str, Known], model: str) -> Known | None:
    """Return the row of a model; a dated name ("gpt-4o-2024-08-06") has its undated one's."""
    dated = [name for name in table if model == name or model.startswith((f"{name}-20", f"{name}@20"))]
    return table[max(dated, key=len)] if dated else None


@cache
def providers() -> Mapping[str, Provider]:
    """Return the table, by name; "api" is any other address."""
    table = tomllib.loads(files(__package__).joinpath("providers.toml").read_text("utf-8"))
    return MappingProxyType({name: _provider(name, entry) for name, entry in table.items()})


def _provider(name: str, entry: dict[str, Any]) -> Provider:
    models = {model: _offer(values) for model, values in entry.pop("models", {}).items()}
    draws = {model: _drawer(values) for model, values in entry.pop("draws", {}).items()}
    return Provider(name, models=MappingProxyType(models), draws=MappingProxyType(draws), **entry)


def _offer(values: dict[str, Any]) -> Offer:
    return Offer(Price(*values.pop("price")), **values)


def _drawer(values: dict[str, Any]) -> Drawer:
    price = values.pop("price", None)
    sizes = tuple((width, height) for width, height in values.pop("sizes", ()))
    return Drawer(price=tuple(price) if price else None, sizes=sizes, **values)


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
