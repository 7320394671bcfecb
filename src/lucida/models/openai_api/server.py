"""One address, many threads: send a request, wait where it is busy, learn what it does not understand."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lucida.errors import MissingExtra
from lucida.models.chat import STOPPED, Usage
from lucida.models.openai_api import failures
from lucida.models.openai_api.completion import Choice, read_completion
from lucida.models.openai_api.cost import usage_of
from lucida.models.openai_api.dialect import Dialect
from lucida.models.openai_api.failures import Failure, Next
from lucida.models.openai_api.stoppable import StoppedError, create

if TYPE_CHECKING:
    from lucida.models.openai_api.address import Address
    from lucida.models.openai_api.options import ApiOptions
    from lucida.models.openai_api.providers import Price
    from lucida.models.openai_api.wording import Message

TIMEOUT, LOCAL_TIMEOUT = 120.0, 600.0  # seconds; a model on a laptop takes its time
FIRST_WAIT, LAST_WAIT = 1.0, 60.0  # seconds; doubled at each attempt
FIRST_ATTEMPTS = 2
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


class Server:
    """A client of one address; safe to be called from several threads.

    The client's own attempts are switched off: it would wait on a used-up quota as on a busy server, and hide requests
    that may have to be paid.

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
        try:
            import openai
        except ImportError as error:
            raise MissingExtra("openai", "vlm", f"Asking {address.model!r}") from error
        self._key = os.environ.get(address.key, "").strip() if address.key else ""
        if address.needs_key and not self._key:
            raise failures.missing_key(address)
        self.address, self._options, self._price = address, options, price
        self._sleep, self._stopped = sleep, stopped
        self._openai = openai
        # Images for this machine must not take the way over a proxy.
        direct = openai.DefaultHttpxClient(trust_env=False) if address.local else None
        self._settings: dict[str, Any] = {
            "api_key": self._key or "none",
            "base_url": address.url,
            "timeout": options.timeout or (LOCAL_TIMEOUT if address.local else TIMEOUT),
            "max_retries": 0,
        }
        self._client = self._private(openai.OpenAI(**self._settings, http_client=direct))
        self._dialect = Dialect.of(address)
        self._lock = threading.Lock()
        self._reached = False

    @property
    def dialect(self) -> Dialect:
        """What the server is known to understand by now."""
        return self._dialect

    def _private(self, client: Any) -> Any:
        if self.address.provider.name != "openai":
            # Read from the environment for OpenAI; nobody else is to know them.
            client.organization = client.project = None
        return client

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
            if not found.sent and tried >= self._attempts:
                return self._gave_up(found, tried)
            (asked.stop.wait if asked.stop else self._sleep)(_wait(tried, found.wait))
            if (self._stopped() or (asked.stop and asked.stop.is_set())) and not found.sent:
                return Outcome(problem=f"Stopped after {tried} attempts: {found.what}", hopeless=True)
            if found.sent:
                return Outcome(usage=guess, problem=found.what)

    @property
    def _attempts(self) -> int:
        """How often to try: a server that never answered is not busy but off, and nobody waits a minute for that."""
        return self._options.attempts if self._reached else min(FIRST_ATTEMPTS, self._options.attempts)

    def models(self) -> list[str]:
        """Return the models that the server lists; none where it lists none."""
        try:
            return sorted(model.id for model in self._client.models.list())[:1000]
        except Exception:
            return []

    def _send(
        self, asked: Asking, parameters: dict[str, Any]
    ) -> tuple[tuple[Choice, ...], tuple[int, int] | None] | Failure:
        openai = self._openai
        request = {"model": self.address.model, "messages": list(asked.messages), **parameters}
        try:
            raw = self._post(request, asked.stop)
            self._reached = True
            return self._read(raw.content, raw.headers.get("content-type", ""))
        except StoppedError:
            return Failure(Next.STOP, STOPPED)
        except openai.APITimeoutError as error:
            return Failure(Next.WAIT, "no answer in time", sent=not _never_sent(error))
        except openai.APIConnectionError as error:
            cause = failures.scrub(f"{type(error.__cause__).__name__}: {error.__cause__}", [self._key])
            return Failure(Next.WAIT, f"the connection failed ({cause})", sent=not _never_sent(error))
        except openai.APIStatusError as error:
            self._reached = True
            return failures.status_failure(error, self.address, self._key, asked.classes, self.models)
        except openai.OpenAIError as error:
            return Failure(Next.WAIT, failures.scrub(str(error), [self._key]), sent=True)

    def _post(self, request: dict[str, Any], stop: threading.Event | None) -> Any:
        if stop is None:
            return self._client.chat.completions.with_raw_response.create(**request)
        return create(
            self._openai, self._private, self._settings, direct=self.address.local, stop=stop, request=request
        )

    def _read(self, content: bytes, kind: str) -> tuple[tuple[Choice, ...], tuple[int, int] | None] | Failure:
        if "html" in kind or content.lstrip()[:1] == b"<":
            return Failure(Next.STOP, "", error=failures.no_api(self.address, "a web page"))
        try:
            return read_completion(json.loads(content))
        except (ValueError, RecursionError) as error:
            said = failures.scrub(str(error), [self._key])
            return Failure(Next.WAIT, f"the server's answer could not be read ({said})", sent=True)

    def _gave_up(self, failure: Failure, attempts: int) -> Outcome:
        if failure.what.startswith("status 429"):
            raise failures.too_busy(self.address, failure.what, attempts)
        if not failure.what.startswith("status"):
            raise failures.unreachable(self.address, failure.what, attempts)
        # A server that breaks at one image may answer about the next.
        return Outcome(problem=f"The server failed {attempts} times: {failure.what}", hopeless=True)

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


def _never_sent(error: Exception) -> bool:
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol")


def _wait(tried: int, asked: float | None) -> float:
    """Return how long to wait: as asked and a little more, else doubled each time, less a random part."""
    if asked is not None:
        return asked * (1 + 0.1 * random.random())
    return min(LAST_WAIT, FIRST_WAIT * 2.0 ** min(tried - 1, 10)) * (0.5 + 0.5 * random.random())
