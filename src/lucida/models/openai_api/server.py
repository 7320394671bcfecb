"""A talk over the network: send it, wait where the server is busy, learn what it does not understand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lucida.models.chat import Usage
from lucida.models.openai_api import failures
from lucida.models.openai_api.completion import Choice, read_completion
from lucida.models.openai_api.connection import Connection, wait_of
from lucida.models.openai_api.cost import usage_of
from lucida.models.openai_api.dialect import Dialect
from lucida.models.openai_api.failures import Failure, Next
from lucida.models.openai_api.stoppable import create
from lucida.models.openai_api.tracing import trace_headers

if TYPE_CHECKING:
    from lucida.models.openai_api.address import Address
    from lucida.models.openai_api.options import ApiOptions
    from lucida.models.openai_api.providers import Price
    from lucida.models.openai_api.wording import Message

MOST_PLAINER = 12  # times that one request is put more plainly: servers may contradict themselves


@dataclass(frozen=True)
class Asking:
    """What one request asks.

    Attributes:
        messages: The messages.
        sent: Tokens of all of it, at most.
        schema: JSON schema of the answer; None for free text.
        name: What the schema is called.
        classes: How many classes are to be told apart; 0 where none are, and a question that is too long is then a
            problem of its own.
        stop: Set by another thread to end it; None where nobody does.
    """

    messages: Sequence[Message]
    sent: int
    schema: dict[str, Any] | None = None
    name: str = "labels"
    classes: int = 0
    stop: threading.Event | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of one request.

    Attributes:
        choices: The answers.
        usage: What it took; where the server may have answered but nothing came, what that takes at most.
        problem: Why there are none; "" where there are some.
        hopeless: Asking the same again would not help.
    """

    choices: tuple[Choice, ...] = ()
    usage: Usage = field(default_factory=Usage)
    problem: str = ""
    hopeless: bool = False


class Server(Connection):
    """What is asked of one address in words; safe to be called from several threads.

    Args:
        address: Whom to ask.
        options: Time-outs and attempts.
        price: What tokens cost.
        sleep: Waits so many seconds.
        stopped: Tells whether nothing is to be tried again.

    Raises:
        MissingExtra: The package `openai` is not installed.
        ModelError: A key is needed and not there.
    """

    def __init__(
        self,
        address: Address,
        options: ApiOptions,
        price: Price | None,
        sleep: Callable[[float], object] = time.sleep,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(address, options, sleep, stopped)
        self._price = price
        self._dialect = Dialect.of(address)
        self._lock = threading.Lock()

    @property
    def dialect(self) -> Dialect:
        """What the server is known to understand by now."""
        return self._dialect

    def complete(self, asked: Asking, *, longest: int, answers: int = 1, heat: float = 0.0) -> Outcome:
        """Send one request, and again for as long as nothing of it can have been answered.

        Args:
            asked: What is asked.
            longest: Tokens that an answer may have.
            answers: Answers wanted; fewer may come.
            heat: Randomness of the answers, 0 for none.

        Raises:
            ModelError: The server cannot be reached, refuses the key or the model, has no quota left, reads no such
                question, or is none.
        """
        guess = usage_of(self._price, asked.sent, answers * longest)
        tried, plainer, used, trial = 0, 0, self._dialect, False
        while True:
            parameters = used.parameters(asked.schema, longest=longest, answers=answers, heat=heat, name=asked.name)
            found = self._send(asked, parameters)
            if not isinstance(found, Failure):
                if trial:
                    self._learn(used)
                usage = self._usage(found[1]) or guess
                return Outcome(found[0], usage)
            if found.error is not None:
                raise found.error from None
            if found.next is Next.PLAINER and not trial and plainer < MOST_PLAINER:
                plainer += 1
                used, trial = self._plainer(used, found.what)
                continue
            if found.next is not Next.WAIT:
                return Outcome(problem=f"The server refused it: {found.what}", hopeless=True)
            tried += 1
            if not found.sent and tried >= self.attempts:
                self.gave_up(found, tried)
                # A server that breaks at one image may answer about the next.
                return Outcome(problem=f"The server failed {tried} times: {found.what}", hopeless=True)
            (asked.stop.wait if asked.stop else self._sleep)(wait_of(tried, found.wait))
            if (self._stopped() or (asked.stop and asked.stop.is_set())) and not found.sent:
                return Outcome(problem=f"Stopped after {tried} attempts: {found.what}", hopeless=True)
            if found.sent:
                return Outcome(usage=guess, problem=found.what)

    def _send(
        self, asked: Asking, parameters: dict[str, Any]
    ) -> tuple[tuple[Choice, ...], tuple[int, int] | None] | Failure:
        request = {"model": self.address.model, "messages": list(asked.messages), **parameters, **trace_headers()}
        raw = self.reach(lambda: self._post(request, asked.stop), asked.classes)
        return raw if isinstance(raw, Failure) else self._read(raw.content, raw.headers.get("content-type", ""))

    def _post(self, request: dict[str, Any], stop: threading.Event | None) -> Any:
        if stop is None:
            return self.client.chat.completions.with_raw_response.create(**request)
        return create(self.openai, self.private, self.settings, direct=self.address.local, stop=stop, request=request)

    def _read(self, content: bytes, kind: str) -> tuple[tuple[Choice, ...], tuple[int, int] | None] | Failure:
        if "html" in kind or content.lstrip()[:1] == b"<":
            return Failure(Next.STOP, "", error=failures.no_api(self.address, "a web page"))
        try:
            return read_completion(json.loads(content))
        except (ValueError, RecursionError) as error:
            said = failures.scrub(str(error), [self.key])
            return Failure(Next.WAIT, f"the server's answer could not be read ({said})", sent=True)

    def _plainer(self, used: Dialect, said: str) -> tuple[Dialect, bool]:
        """Return the dialect to try next, and whether it is only a trial: the refusal named nothing that we know."""
        with self._lock:
            if self._dialect != used:
                return self._dialect, False
            plainer = used.plainer(said)
            if plainer is None:
                return used.plainest, True
            self._dialect = plainer
            return plainer, False

    def _learn(self, dialect: Dialect) -> None:
        with self._lock:
            self._dialect = dialect

    def _usage(self, tokens: tuple[int, int] | None) -> Usage | None:
        if tokens is None:
            return None
        return usage_of(self._price, *tokens)
