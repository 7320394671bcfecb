"""One address, many threads: what every request to it has in common, whatever it asks."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from lucida.errors import MissingExtra
from lucida.models.chat import STOPPED
from lucida.models.openai_api import failures
from lucida.models.openai_api.failures import Failure, Next
from lucida.models.openai_api.stoppable import BrokenOffError, StoppedError

if TYPE_CHECKING:
    from lucida.models.openai_api.address import Address
    from lucida.models.openai_api.options import ApiOptions

TIMEOUT, LOCAL_TIMEOUT = 120.0, 600.0  # seconds; a model on a laptop takes its time
FIRST_WAIT, LAST_WAIT = 1.0, 60.0  # seconds; doubled at each attempt
FIRST_ATTEMPTS = 2

Came = TypeVar("Came")


class Connection:
    """A client of one address; safe to be called from several threads.

    The client's own attempts are switched off: it would wait on a used-up quota as on a busy server, and hide requests
    that may have to be paid.

    Args:
        address: Whom to ask.
        options: Time-outs and attempts.
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
        sleep: Callable[[float], object],
        stopped: Callable[[], bool],
    ) -> None:
        try:
            import openai
        except ImportError as error:
            raise MissingExtra("openai", "vlm", f"Asking {address.model!r}") from error
        self.key = os.environ.get(address.key, "").strip() if address.key else ""
        if address.needs_key and not self.key:
            raise failures.missing_key(address)
        self.address, self._options = address, options
        self._sleep, self._stopped = sleep, stopped
        self.openai = openai
        # Images for this machine must not take the way over a proxy.
        direct = openai.DefaultHttpxClient(trust_env=False) if address.local else None
        self.settings: dict[str, Any] = {
            "api_key": self.key or "none",
            "base_url": address.url,
            "timeout": options.timeout or (LOCAL_TIMEOUT if address.local else TIMEOUT),
            "max_retries": 0,
        }
        self.client = self.private(openai.OpenAI(**self.settings, http_client=direct))
        self._reached = False

    def private(self, client: Any) -> Any:
        """Take from a client what the server is not to know, and return it."""
        if self.address.provider.name != "openai":
            # Read from the environment for OpenAI; nobody else is to know them.
            client.organization = client.project = None
        return client

    @property
    def attempts(self) -> int:
        """How often to try: a server that never answered is not busy but off, and nobody waits a minute for that."""
        return self._options.attempts if self._reached else min(FIRST_ATTEMPTS, self._options.attempts)

    def models(self) -> list[str]:
        """Return the models that the server lists; none where it lists none."""
        try:
            return sorted(model.id for model in self.client.models.list())[:1000]
        except Exception:
            return []

    def reach(self, send: Callable[[], Came], classes: int = 0) -> Came | Failure:
        """Send a request once, and return what came of it.

        Args:
            send: Sends it.
            classes: How many classes a question has; 0 for anything else.
        """
        try:
            came = send()
            self._reached = True
            return came
        except StoppedError:
            return Failure(Next.STOP, STOPPED)
        except BrokenOffError as error:
            self._reached = True
            return Failure(Next.WAIT, f"the connection failed ({failures.scrub(str(error), [self.key])})", sent=True)
        except self.openai.APITimeoutError as error:
            return Failure(Next.WAIT, "no answer in time", sent=not _never_sent(error))
        except self.openai.APIConnectionError as error:
            cause = failures.scrub(f"{type(error.__cause__).__name__}: {error.__cause__}", [self.key])
            return Failure(Next.WAIT, f"the connection failed ({cause})", sent=not _never_sent(error))
        except self.openai.APIStatusError as error:
            self._reached = True
            return failures.status_failure(error, self.address, self.key, classes, self.models)
        except self.openai.OpenAIError as error:
            return Failure(Next.WAIT, failures.scrub(str(error), [self.key]), sent=True)

    def gave_up(self, failure: Failure, attempts: int) -> None:
        """Raise what ends all work after so many attempts; a server that breaks at one request does not.

        Raises:
            ModelError: It is too busy, or cannot be reached.
        """
        if failure.what.startswith("status 429"):
            raise failures.too_busy(self.address, failure.what, attempts)
        if not failure.what.startswith("status"):
            raise failures.unreachable(self.address, failure.what, attempts)


def _never_sent(error: Exception) -> bool:
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol")


def wait_of(tried: int, asked: float | None) -> float:
    """Return how long to wait: as asked and a little more, else doubled each time, less a random part."""
    if asked is not None:
        return asked * (1 + 0.1 * random.random())
    return min(LAST_WAIT, FIRST_WAIT * 2.0 ** min(tried - 1, 10)) * (0.5 + 0.5 * random.random())
