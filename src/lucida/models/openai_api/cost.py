"""What a request may take at most, before it is sent, and what it took."""

from __future__ import annotations

from lucida.models.chat import Prompt, Usage
from lucida.models.openai_api.address import Address
from lucida.models.openai_api.providers import Price
from lucida.models.openai_api.wording import rules_text, schema, system_text

ANSWER = 200  # tokens that an answer about one image may have
THOUGHT = 4_000  # tokens that a model which thinks first may have beside it
FRAME = 50  # tokens of a chat's own marks, and of what is said beside an image


def answer_tokens(images: int, *, thinks: bool) -> int:
    """Return how many tokens the answer about so many images may have."""
    return ANSWER * images + (THOUGHT if thinks else 0)


def text_tokens(text: str) -> int:
    """Return how many tokens a text has at most: a token is at least 3 signs of English, half a sign of Chinese."""
    plain = sum(sign.isascii() for sign in text)
    return -(-plain // 3) + 2 * (len(text) - plain)


def request_tokens(address: Address, prompt: Prompt, images: int) -> int:
    """Return how many tokens one request has at most."""
    words = text_tokens(system_text(images)) + text_tokens(rules_text(prompt, images))
    words += text_tokens(str(schema(prompt, images)))
    each = address.offer.image_tokens + FRAME
    return words + FRAME + each * (images + len(prompt.shots))


def request_usage(
    address: Address, price: Price | None, prompt: Prompt, images: int, *, answers: int = 1, longest: int | None = None
) -> Usage:
    """Return what one request takes at most.

    Args:
        address: Where it goes.
        price: What tokens cost; None where that is not known.
        prompt: What is asked.
        images: Images asked about.
        answers: Answers drawn for it.
        longest: Tokens that one answer may have; None for the usual.
    """
    sent = request_tokens(address, prompt, images)
    back = answers * (longest or answer_tokens(images, thinks=address.offer.thinks))
    return usage_of(price, sent, back)


def usage_of(price: Price | None, sent: int, back: int) -> Usage:
    """Return what so many tokens cost."""
    return Usage(sent, back, None if price is None else price.of(sent, back))


def shared(usage: Usage, among: int) -> list[Usage]:
    """Return a usage in equal parts whose tokens sum to it."""
    parts = []
    for index in range(among):
        sent, back = (total // among + (index < total % among) for total in (usage.input_tokens, usage.output_tokens))
        parts.append(Usage(sent, back, None if usage.cost is None else usage.cost / among))
    return parts
