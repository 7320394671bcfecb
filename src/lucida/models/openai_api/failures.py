"""What a server's refusal means: wait and try again, ask in a plainer way, give up on this image, or stop."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from lucida.errors import ModelError
from lucida.models.json_text import one_line

if TYPE_CHECKING:
    import openai

    from lucida.models.openai_api.address import Address

LONGEST_WAIT = 600.0  # seconds that a server may ask to wait; more is a quota that has run out
_BUSY = {408, 409, 425, 429}
_EXHAUSTED = ("insufficient_quota", "credit balance", "billing hard limit", "billing_hard_limit", "payment required")
_NO_KEY = ("api key", "api_key", "apikey")
_IN_WORDS = re.compile(r"(?:retry|try again) (?:in|after) ((?:[\d.]+ ?(?:ms|s|m|h)\w*[ ,]*)+)", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_TOO_LONG = (
    "context_length_exceeded", "context length", "context window", "maximum context", "prompt is too long",
    "too many tokens", "input token count", "max_model_len",
)  # fmt: skip

_MODERATED = (
    "moderation_blocked", "content_policy_violation", "safety system", "content policy", "content_filter",
    "responsible ai", "responsibleai",
)  # fmt: skip


class Next(Enum):
    """What to do after a failure."""

    WAIT = "try again after a while"
    PLAINER = "leave out what the server does not know"
    SKIP = "give this image up"
    STOP = "stop"


@dataclass(frozen=True)
class Failure:
    """One failed request.

    Attributes:
        next: What to do.
        what: What happened, in words without secrets.
        wait: Seconds that the server asks to wait; None where it says nothing.
        sent: The server may have answered, and so have to be paid.
        error: Where to stop: what to raise.
    """

    next: Next
    what: str
    wait: float | None = None
    sent: bool = False
    error: ModelError | None = None


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Return a text without keys, as one line."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "…")
    return one_line(text)


def status_failure(
    error: openai.APIStatusError, address: Address, key: str, classes: int, listed: Callable[[], list[str]]
) -> Failure:
    """Return what an answer with an error status means.

    Args:
        error: What came.
        address: Whom we asked.
        key: The key, to be kept out of messages.
        classes: How many classes the question has; 0 for a talk in words.
        listed: Gives the models that the server lists.
    """
    status = error.status_code
    said = scrub(_words(error), [key])
    if "text/html" in error.response.headers.get("content-type", "") and status < 500:
        return Failure(Next.STOP, said, error=no_api(address, f"status {status} and a web page"))
    lower = said.lower()
    if status in (401, 403) or (status == 400 and any(word in lower for word in _NO_KEY)):
        return Failure(Next.STOP, said, error=_refused(address, status, said))
    if status == 402 or (status == 429 and any(word in lower for word in _EXHAUSTED)):
        return Failure(Next.STOP, said, error=_exhausted(address, said))
    if status == 404:
        return Failure(Next.STOP, said, error=_unknown(address, said, listed()))
    if status in _BUSY or status >= 500:
        wait = retry_after(error.response.headers)
        wait = _wait_in_words(said) if wait is None else wait
        if wait is not None and wait > LONGEST_WAIT:
            return Failure(Next.STOP, said, error=_exhausted(address, f"it asks to wait {wait:,.0f} s: {said}"))
        return Failure(Next.WAIT, f"status {status}: {said}", wait)
    if any(word in lower for word in _TOO_LONG):
        if not classes:
            return Failure(Next.SKIP, f"it is longer than {address.model} reads: {said}")
        return Failure(Next.STOP, said, error=_too_long(address, classes, said))
    return Failure(Next.PLAINER if status in (400, 415, 422) else Next.SKIP, said)


def _words(error: openai.APIStatusError) -> str:
    """Return what the server says, with its code: servers name a cause in one or the other."""
    body = error.body[0] if isinstance(error.body, list) and error.body else error.body
    body = body.get("error", body) if isinstance(body, dict) else None
    message = body.get("message") if isinstance(body, dict) else None
    said = message if isinstance(message, str) else error.message
    return said if not error.code or error.code in said else f"{said} ({error.code})"


def retry_after(headers: object) -> float | None:
    """Return the seconds that a server asks to wait. Source: RFC 9110, section 10.2.3."""
    get = getattr(headers, "get", dict[str, str]().get)
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * scale
        except ValueError:
            moment = email.utils.parsedate_tz(value)
            if moment is None:
                continue
            seconds = email.utils.mktime_tz(moment) - time.time()
        return max(0.0, seconds) if seconds == seconds else None
    return None


def _wait_in_words(said: str) -> float | None:
    """Return the seconds that a message asks to wait: "try again in 1m12s"."""
    found = _IN_WORDS.search(said)
    try:
        parts = re.findall(r"([\d.]+) ?(ms|s|m|h)", found.group(1).lower()) if found else []
        return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else None
    except ValueError:
        return None


def is_moderated(said: str) -> bool:
    """Tell whether a refusal is one of what is asked for, by the rules of the provider."""
    return any(word in said.lower() for word in _MODERATED)


def will_not_draw(address: Address, said: str) -> ModelError:
    """Return the error for a picture that the provider's rules do not allow."""
    return ModelError(
        f"{address.host} will not draw this.",
        expected="a prompt, and images, that its rules allow",
        got=said,
        hint="put it in other words; no other picture is touched by it",
    )


def cannot_draw(address: Address, said: str, hint: str = "") -> ModelError:
    """Return the error for a request for a picture that was refused."""
    return ModelError(
        f"{address.host} drew nothing.",
        expected="a picture",
        got=said,
        hint=hint
        or f"what {address.model} takes is in its provider's documents; another --size, or no --image, may do",
    )


def no_api(address: Address, got: str, expected: str = "JSON of a chat completion") -> ModelError:
    """Return the error for an address that answers, but not as this protocol does."""
    return ModelError(
        f"{address.url} does not answer as an OpenAI-compatible server does.",
        expected=expected,
        got=got,
        hint="give the base URL, which mostly ends in /v1: --model api:MODEL@http://host:8000/v1",
    )


def unreachable(address: Address, what: str, attempts: int) -> ModelError:
    """Return the error for a server that cannot be reached."""
    return ModelError(
        f"The model cannot be reached at {address.url}.",
        expected="a server that answers",
        got=f"{what}, {attempts} times",
        hint="start the server, or correct the address: --model api:MODEL@http://host:8000/v1"
        if address.local
        else "check the connection; the same command goes on where it stopped",
    )


def too_busy(address: Address, what: str, attempts: int) -> ModelError:
    """Return the error for a server that stays busy."""
    return ModelError(
        f"{address.host} is too busy for so many requests.",
        expected="an answer",
        got=f"{what}, {attempts} times",
        hint="fewer --workers, or the same command later: it goes on where it stopped",
    )


def missing_key(address: Address) -> ModelError:
    """Return the error for a key that is not set."""
    return ModelError(
        f"There is no key for {address.host}.",
        expected=f"the environment variable {address.key}",
        got="it is not set",
        hint=f"export {address.key}=…; keys are never written to a file",
    )


def _refused(address: Address, status: int, said: str) -> ModelError:
    variable = address.key or "the server's own settings"
    return ModelError(
        f"{address.host} refuses the key." if status != 403 else f"{address.host} does not allow {address.model!r}.",
        expected=f"a valid key in {variable}",
        got=f"status {status}: {said}",
        hint=f"export {variable}=…" if address.key else "look into the server's settings",
    )


def _exhausted(address: Address, said: str) -> ModelError:
    return ModelError(
        f"The quota at {address.host} is used up.",
        expected="credit for another request",
        got=said,
        hint="raise it there, then run the same command: it goes on where it stopped",
    )


def _unknown(address: Address, said: str, listed: list[str]) -> ModelError:
    import difflib

    if address.model in listed:
        return ModelError(
            f"{address.host} has the model {address.model!r}, and no way to ask it this.",
            expected="a model that does what is asked",
            got=f"status 404: {said}",
            hint="a model that talks does not draw, nor the other way round; look into the server's documents",
        )
    nearest = difflib.get_close_matches(address.model, listed, n=3, cutoff=0.3)
    shown = nearest or listed[:8]
    return ModelError(
        f"{address.host} has no model {address.model!r}.",
        expected=f"one of {', '.join(shown)}{' …' if len(listed) > len(shown) else ''}" if listed else "a known model",
        got=f"status 404: {said}",
        hint=f"did you mean {nearest[0]!r}?" if nearest else f"check the name, and that {address.url} is the base URL",
    )


def _too_long(address: Address, classes: int, said: str) -> ModelError:
    return ModelError(
        f"The question with its {classes} classes is longer than {address.model!r} reads.",
        expected="a question that fits its context",
        got=said,
        hint="fewer classes or shorter definitions, fewer examples, a smaller --together, or a model that reads more",
    )
