"""One call of one model of a route: with a time-out of its own, and a breaker that learns how it ended.

How a call ended is told by the thread that made it, whoever still waits for it: a client that goes away does not hide a
model that hangs. The time-out begins with the work: to wait for a free thread is no fault of the model.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lucida.errors import CatalogError, ImageError, InputError, LucidaError, ModelError
from lucida.serve.looking import Job, Look
from lucida.serve.refusal import CLIENT_GONE, Refused

if TYPE_CHECKING:
    from lucida.serve.answers import Answers, Gone
    from lucida.serve.batching import Batching
    from lucida.serve.routing.breaker import Breaker, Pass
    from lucida.serve.work import Place


class BreakerOpen(ModelError):
    """A model that is left alone for a while."""


def is_fault(error: BaseException) -> bool:
    """Tell whether an error is the model's, so that another may do better: not the image's, nor the request's."""
    if isinstance(error, Refused):
        return error.status >= 500 and is_fault(error.error)
    return not isinstance(error, (InputError, ImageError, CatalogError, BreakerOpen))


class Call:
    """Asks one model about one image; also the work that a thread does, alone or together with others of its kind.

    Args:
        desk: Where it works.
        job: What is asked.
        breaker: Of the model.
        given: Its leave.
        within: Seconds of work.
    """

    _place: Place

    def __init__(self, desk: Answers, job: Job, breaker: Breaker, given: Pass, within: float) -> None:
        self._job, self._breaker, self._pass, self._within = job, breaker, given, within
        self._look = Look(job, desk.limits, desk.read)
        self._loop = asyncio.get_running_loop()
        self._pool = desk.pool_of(job.served)
        self._leave: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._begun = self._over = self._hangs = False

    async def make(self, until: float, gone: Gone | None, *, held: bool) -> bytes:
        """Return the answer.

        Args:
            until: Time of the event loop by which it must be there.
            gone: Is done once nobody waits any more.
            held: Whether the request has a place already.

        Raises:
            Refused: There is no place, no time, or nobody who waits.
            BreakerOpen: The breaker opened while it waited for its turn.
            Exception: Whatever the model raises.
        """
        if gone is not None:
            gone.add_done_callback(self._stop)
        try:
            with self._pool.take(held=held) as self._place:
                return await self._place.do(self, until, self._leave)
        except Refused as refused:
            if refused.status == CLIENT_GONE and self._hangs:
                raise self._too_long() from refused
            raise
        finally:
            if gone is not None:
                gone.remove_done_callback(self._stop)
            if not self._begun:
                self._end(None, told=False)

    # What follows is called in a thread.

    def __call__(self) -> bytes:
        """Look at the image alone."""
        self.before()
        self.among([self])
        return self.after()

    @property
    def kin(self) -> Hashable:
        """The same is asked of the same model, on a route."""
        return "route", self._look.kin

    @property
    def batching(self) -> Batching:
        """How many are looked at together."""
        return self._look.batching

    def before(self) -> None:
        """Begin, unless the breaker has opened since."""
        self._begun = True
        with self._telling():
            if not self._breaker.holds(self._pass):
                raise open_error(self._job.served.name, self._breaker)
            self._later(self._begin)
            self._look.before()

    def among(self, works: Sequence[Call]) -> None:
        """Have the model look at several; if that fails, each is tried alone, and only that is told."""
        with self._telling() if len(works) == 1 else contextlib.nullcontext():
            self._look.among([one._look for one in works])

    def after(self) -> bytes:
        """Write the answer."""
        with self._telling():
            answer = self._look.after()
        self._later(self._end, None)
        return answer

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            self._later(self._end, error)
            raise

    def _later(self, call: Callable[..., None], *given: Any) -> None:
        # The loop may have ended: then nobody counts any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *given)

    # And this in the event loop.

    def _begin(self) -> None:
        if not self._over:
            self._timer = self._loop.call_later(self._within, self._overdue)

    def _overdue(self) -> None:
        if self._over:
            return
        self._hangs = True
        self._breaker.hung += 1
        self._pool.replace(self._place)
        self._breaker.failed(self._pass, f"no answer within {self._within:g} s")
        self._stop()

    def _end(self, error: BaseException | None, *, told: bool = True) -> None:
        """Take note of how the call ended; `told` says whether it tells anything of the model."""
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        if self._hangs:
            self._breaker.hung -= 1
        elif told and error is None:
            self._breaker.succeeded(self._pass)
        elif error is not None and is_fault(error):
            self._breaker.failed(self._pass, why(error))
        else:
            self._breaker.left(self._pass)

    def _stop(self, _: object = None) -> None:
        if not self._leave.done():
            self._leave.set_result(None)

    def _too_long(self) -> Refused:
        return Refused(
            504,
            ModelError(
                f"{self._job.served.name} did not answer in time.",
                expected=f"an answer within {self._within:g} s",
                got="work that is still under way",
                hint="come again later, or give the route a longer timeout",
            ),
        )


def why(error: BaseException) -> str:
    """Return why a call failed, in a line that may be told to anybody."""
    if isinstance(error, Refused):
        return error.error.line()
    # What other errors say may be of use to a stranger alone.
    return error.line() if isinstance(error, LucidaError) else f"an unexpected {type(error).__name__}"


def open_error(model: str, breaker: Breaker) -> BreakerOpen:
    """Return the error for a model that is left alone."""
    return BreakerOpen(
        f"{model} is left alone for a while: it failed.",
        expected="a model that answers",
        got=f"a circuit breaker that is {breaker.state}",
        hint=f"come again in {max(1, round(breaker.wait))} s",
    )
