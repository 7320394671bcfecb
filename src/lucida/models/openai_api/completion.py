"""A chat completion as it came, read without trust: servers differ in what they leave out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lucida.models.json_text import one_line
from lucida.models.openai_api.confidence import Token


@dataclass(frozen=True)
class Choice:
    """One answer.

    Attributes:
        text: What the model wrote.
        problem: Why it wrote nothing usable, as far as the server says: a refusal, a filter, a limit; "" for none.
        cut: It came to the limit of its length.
        tokens: Its tokens with their probabilities; none where the server gives none.
    """

    text: str
    problem: str = ""
    cut: bool = False
    tokens: tuple[Token, ...] = ()


def read_completion(body: Any) -> tuple[tuple[Choice, ...], tuple[int, int] | None]:
    """Return the answers and the tokens in and out, or None for these where the server does not count.

    Raises:
        ValueError: It is no chat completion.
    """
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or not choices:
        error = body.get("error") if isinstance(body, dict) else None
        said = error.get("message", error) if isinstance(error, dict) else error
        raise ValueError(one_line(str(said)) if said else "no choices in it")
    return tuple(_choice(each) for each in choices), _usage(body.get("usage"))


def _choice(found: Any) -> Choice:
    message = found.get("message") if isinstance(found, dict) else None
    if not isinstance(message, dict):
        return Choice("", "The answer had no message.")
    text = _text(message.get("content"))
    finish, refusal = found.get("finish_reason"), message.get("refusal")
    problem = ""
    if isinstance(refusal, str) and refusal.strip():
        problem = f"The model refused: {one_line(refusal)[:200]}"
    elif finish == "content_filter":
        problem = "The provider's filter held the answer back."
    return Choice(text, problem, finish == "length", _tokens(found.get("logprobs")))


def _text(content: Any) -> str:
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _usage(found: Any) -> tuple[int, int] | None:
    if not isinstance(found, dict):
        return None
    counts = [found.get("prompt_tokens"), found.get("completion_tokens")]
    total = found.get("total_tokens")
    if not all(isinstance(count, int) and not isinstance(count, bool) and count >= 0 for count in counts):
        return None
    sent, back = int(counts[0] or 0), int(counts[1] or 0)
    # Some count the thoughts in the total only; they are paid as answers.
    return sent, max(back, total - sent) if isinstance(total, int) else back


def _tokens(found: Any) -> tuple[Token, ...]:
    content = found.get("content") if isinstance(found, dict) else None
    if not isinstance(content, list):
        return ()
    try:
        return tuple(
            Token(*_pair(each), tuple(_pair(other) for other in each.get("top_logprobs") or ())) for each in content
        )
    except (AttributeError, TypeError, ValueError, KeyError):
        return ()


def _pair(found: Any) -> tuple[bytes, float]:
    raw = found.get("bytes")
    text = bytes(raw) if isinstance(raw, list) else str(found["token"]).encode()
    logarithm = float(found["logprob"])
    if math.isnan(logarithm):
        raise ValueError("a log-probability that is no number")
    return text, min(0.0, logarithm)
