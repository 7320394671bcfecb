"""Is this name a model behind an address, and what is known of it before it is asked?"""

from __future__ import annotations

from pathlib import Path

from lucida.models.needs import ImageNeeds
from lucida.models.openai_api.address import Address, is_address, read_address
from lucida.models.openai_api.drawing_needs import drawing_needs, drawing_note
from lucida.models.openai_api.options import USUAL, ApiOptions
from lucida.models.openai_api.providers import Price, providers, read_price
from lucida.models.openai_api.wording import WORDING
from lucida.models.spec import Gives, Model, Precision, Spec, Task, Trial

TALKS: tuple[Task, ...] = ("ask", "caption", "answer")
SIDE = 1024  # px of the longer side of an image as sent: more is cut into more tokens, or scaled down by the server


class OpenAiFamily:
    """Any model behind an OpenAI-compatible address: "openai:gpt-4o", "ollama:llava", "api:MODEL@URL"."""

    name = "openai_api"

    def names(self) -> list[str]:
        """Return none: nothing that has to be sent for is at hand."""
        return []

    def suggestions(self) -> list[str]:
        """Return the models of the table that talk; others of the same providers go by name as well."""
        return [f"{name}:{model}" for name, provider in providers().items() for model in provider.models]

    def drawers(self) -> list[str]:
        """Return the models of the table that draw."""
        return [f"{name}:{model}" for name, provider in providers().items() for model in provider.draws]

    def claims(self, name: str) -> bool:
        """Tell whether a name is a model of this family."""
        return is_address(name)

    def spec(self, name: str, home: Path | None = None) -> Spec:
        """Return the spec of a model of this family, asked in the usual way.

        Raises:
            ModelError: The name or its URL is not clear.
        """
        return api_spec(name)

    def licence(self, name: str, home: Path | None = None) -> str:
        """Return the licence of a model's weights."""
        return self.spec(name, home).licence


def api_spec(name: str, options: ApiOptions = USUAL) -> Spec:
    """Return the spec of a model behind an address; nothing is sent.

    Args:
        name: "openai:gpt-4o", "gpt-4o", "gemini:…", "claude:…", "ollama:…", "vllm:…", "api:MODEL", "api:MODEL@URL",
            "gpt-image-1".
        options: How it is asked.

    Raises:
        ModelError: The name or its URL is not clear.
        InputError: The price is not one.
    """
    address = read_address(name)
    price, drawer = price_of(address, options), address.drawer

    def build(spec: Spec, precision: Precision, trial: Trial | None) -> Model:
        from lucida.models.openai_api.model import OpenAiModel

        return OpenAiModel(spec, address, options, price=price)

    return Spec(
        name=address.name,
        family=OpenAiFamily.name,
        tasks=("generate",) if address.only_draws else TALKS + (("generate",) if drawer else ()),
        needs=ImageNeeds(size=SIDE, resize="fit"),
        gives=Gives(),
        licence="terms of the provider",
        source=address.url,
        revision=f"{address.model}+w{WORDING}",
        note=drawing_note(address, options) if address.only_draws else _note(address, price, options),
        generates=drawing_needs(address, drawer) if drawer else None,
        configure=lambda other: api_spec(name, other),
        build=build,
    )


def price_of(address: Address, options: ApiOptions) -> Price | None:
    """Return what tokens cost: as given, nothing on this machine, else by the table; None where it is not known.

    Raises:
        InputError: The price given is not one.
    """
    if options.price is not None:
        return read_price(options.price)
    return Price(0.0, 0.0) if address.local else address.offer.price


def _note(address: Address, price: Price | None, options: ApiOptions) -> str:
    if address.local:
        return f"Asked at {address.url}: images do not leave this machine."
    sent = f"Images are sent to {address.host}."
    if price is None:
        return f"{sent} Its price is not known: --price IN/OUT, US dollars per million tokens."
    when = "as given" if options.price else f"as of {address.provider.as_of}"
    return f"{sent} ${price.input:g} per million tokens in, ${price.output:g} out, {when}."
