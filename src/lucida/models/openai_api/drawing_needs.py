"""What a model behind an address can draw, and what that costs, before anything is sent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lucida.models.chat import Usage
from lucida.models.generator import GenerateNeeds
from lucida.models.openai_api.cost import text_tokens
from lucida.models.openai_api.providers import read_price
from lucida.notes import Note

if TYPE_CHECKING:
    from lucida.models.generator import GenerationRequest
    from lucida.models.openai_api.address import Address
    from lucida.models.openai_api.options import ApiOptions
    from lucida.models.openai_api.providers import Drawer

UNKNOWN_SIZE = (1024, 1024)


@dataclass(frozen=True)
class ApiNeeds(GenerateNeeds):
    """What a model can do that draws a few sizes only.

    Attributes:
        sizes: All widths and heights that it draws; empty for any within the bounds.
    """

    sizes: tuple[tuple[int, int], ...] = ()

    @property
    def drawn(self) -> str:
        """The sizes that the model draws, in words."""
        return ", ".join(f"{width} x {height}" for width, height in self.sizes) or super().drawn

    def nearest(self, width: int, height: int) -> tuple[int, int]:
        """Return the size nearest to this one that the model draws: that of the nearest shape, then of the area."""

        def far(size: tuple[int, int]) -> tuple[float, float]:
            shape = math.log(size[0] / size[1]) - math.log(max(1, width) / max(1, height))
            return abs(shape), abs(math.log(size[0] * size[1]) - math.log(max(1, width) * max(1, height)))

        return min(self.sizes, key=far) if self.sizes else super().nearest(width, height)


def drawing_needs(address: Address, drawer: Drawer) -> ApiNeeds:
    """Return what a model behind an address can draw."""
    own = drawer.sizes[0] if drawer.sizes else UNKNOWN_SIZE
    sides = [side for size in drawer.sizes for side in size]
    return ApiNeeds(
        size=own,
        multiple=math.gcd(*sides) if sides else drawer.multiple,
        least=min(sides, default=64),
        most=max(sides, default=drawer.most),
        steps=1,
        most_steps=1,
        guidance=0.0,
        negative=False,
        image=drawer.edits,
        mask=drawer.edits,
        together=drawer.together,
        terms=_terms(address),
        remote=not address.local,
        sizes=drawer.sizes,
    )


def drawing_usage(address: Address, options: ApiOptions, request: GenerationRequest, pictures: int) -> Usage:
    """Return what so many pictures take at most.

    Args:
        address: Where they are asked for.
        options: What tokens cost, where a person says so.
        request: What is to be drawn.
        pictures: How many.
    """
    drawer = address.drawer
    assert drawer is not None, "asked of models that draw"
    images = sum(given is not None for given in (request.image, request.mask))
    return usage_of_pictures(
        address, options, text_tokens(request.prompt), images * drawer.image_tokens, drawer.tokens * pictures, pictures
    )


def usage_of_pictures(
    address: Address, options: ApiOptions, words: int, images: int, back: int, pictures: int
) -> Usage:
    """Return what tokens of words and images in, and of pictures out, cost; None where that is not known."""
    prices, drawer = prices_of(address, options), address.drawer
    each = drawer.each if drawer and options.price is None else None
    cost = pictures * each if each is not None and not address.local else None
    if prices is not None:
        cost = (words * prices[0] + images * prices[1] + back * prices[2]) / 1e6
    return Usage(words + images, back, cost)


def prices_of(address: Address, options: ApiOptions) -> tuple[float, float, float] | None:
    """Return US dollars per million tokens of words in, images in and pictures out; None where they are not known.

    Raises:
        InputError: The price that a person gives is none.
    """
    if options.price is not None:
        given = read_price(options.price)
        return given.input, given.input, given.output
    return (0.0, 0.0, 0.0) if address.local else address.drawer.price if address.drawer else None


def price_words(address: Address, options: ApiOptions, request: GenerationRequest) -> Note | None:
    """Return in a sentence what a picture costs at most; None where it costs nothing."""
    if address.local:
        return None
    cost = drawing_usage(address, options, request, 1).cost
    if cost is None:
        return Note("price_unknown", "What a picture costs is not known here.")
    if options.price:
        return Note("price_given", "A picture costs at most ${cost}, the price as given.", cost=f"{cost:.2f}")
    when = address.provider.as_of
    return Note("price_of", "A picture costs at most ${cost}, prices of {when}.", cost=f"{cost:.2f}", when=when)


def drawing_note(address: Address, options: ApiOptions) -> str:
    """Return what a person must know before relying on a model that draws."""
    if address.local:
        return f"Asked at {address.url}: prompts and images do not leave this machine."
    from lucida.models.generator import GenerationRequest

    return f"Prompts and images are sent to {address.host}. {price_words(address, options, GenerationRequest())}"


def _terms(address: Address) -> str:
    if address.local:
        return f"Whatever the model served at {address.url} asks for."
    return (
        f"Prompts and images are sent to {address.host}. Its terms say what may be asked for, and what may be done with"
        " the pictures."
    )
