"""Models that are replaced while they are served: the new one is loaded beside the old one, and no request is lost.

Requests that were taken keep the model that they were promised. The old one is let go, with its memory, once the last
of them is answered. If anything fails, nothing changes.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lucida.errors import LucidaError, ModelError, UnknownName
from lucida.serve.refusal import Refused, refusal_of
from lucida.serve.renewing import all_models, renewed
from lucida.serve.watch.readings import Reading

if TYPE_CHECKING:
    from lucida.serve.desk import Desk
    from lucida.serve.served import Served
    from lucida.serve.work import Pool

_log = logging.getLogger("lucida.serve.reloading")


@dataclass(frozen=True)
class Reloaded:
    """What became of a model.

    Attributes:
        model: Its name.
        before: Revision that was served; "" where it was not.
        revision: Revision that is served now; "" where it is not any more.
        seconds: That the loading took.
    """

    model: str
    before: str
    revision: str
    seconds: float = 0.0

    @property
    def changed(self) -> bool:
        """Whether another revision is served."""
        return self.before != self.revision

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "model": self.model,
            "before": self.before,
            "revision": self.revision,
            "changed": self.changed,
            "seconds": round(self.seconds, 3),
        }


class Reloader:
    """Replaces models of a server, one reload at a time.

    Args:
        desk: What is served.
        names: Gives the models that are to be served, as `open_shelf` takes them; None for those that are served.
    """

    def __init__(self, desk: Desk, names: Callable[[], Sequence[str]] | None = None) -> None:
        self._desk, self._names = desk, names
        self._one = asyncio.Lock()
        self._counts = {"done": 0, "unchanged": 0, "failed": 0}
        self._leaving, self._counting = 0, threading.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        desk.gauges.append(self._read)

    async def reload(self, name: str) -> Reloaded:
        """Replace one model by what its files, or its address, hold now.

        Raises:
            Refused: 404, there is none of this name; 503, the server is not ready; 422, the new one cannot be served,
                and the old one still is.
        """
        async with self._one:
            self._check_ready()
            models = self._desk.shelf.models
            if name not in models:
                error = UnknownName("model", name[:200], models, hint="GET /v1/models lists what is served")
                raise Refused(404, error)
            old = models[name]
            with self._counted(name):
                new = await asyncio.to_thread(renewed, self._desk, old)
                return self._put({**models, name: new})[0] if new is not old else self._unchanged(old)

    async def reload_all(self) -> list[Reloaded]:
        """Serve what `names` says now: models are added, replaced and removed, all at once.

        Raises:
            Refused: The server is not ready, or one of them cannot be served, and nothing changes.
        """
        async with self._one:
            self._check_ready()
            with self._counted("the models"):
                models = await asyncio.to_thread(all_models, self._desk, self._names)
                return self._put(models)

    def hang_up(self) -> None:
        """Begin to reload all; called in the event loop, when the process is sent SIGHUP. What fails is logged."""

        async def reload() -> None:
            try:
                await self.reload_all()
            except Refused as refused:
                _log.debug("not reloaded: %s", refused.said)

        self._keep(asyncio.get_running_loop().create_task(reload()))

    # ---- parts -------------------------------------------------------------------------------------------

    def _check_ready(self) -> None:
        if self._desk.state != "ready":
            error = ModelError(
                "The server is not ready.",
                expected="a server that serves",
                got=self._desk.state,
                hint="GET /readyz tells when it is",
            )
            raise Refused(503, error, retry=2)

    @contextmanager
    def _counted(self, what: str) -> Iterator[None]:
        """Count what came of a reload, and log what fails.

        Raises:
            Refused: 422, it failed.
        """
        try:
            yield
        except Exception as error:
            self._counts["failed"] += 1
            refused = refusal_of(error)
            known = isinstance(error, LucidaError)
            _log.error("%s stay as they were: %s", what, refused.said, exc_info=None if known else error)
            # Nothing is wrong with the server: what was to be served is not what it must be.
            raise Refused(422, refused.error) from error

    def _unchanged(self, one: Served) -> Reloaded:
        self._counts["unchanged"] += 1
        return Reloaded(one.name, one.spec.revision, one.spec.revision)

    def _put(self, models: Mapping[str, Served]) -> list[Reloaded]:
        """Serve these models, and let the old ones go; in one step of the event loop."""
        desk, before = self._desk, self._desk.shelf.models
        idle = desk.put(models)
        done: list[Reloaded] = []
        for name in {**before, **models}:
            old, new = before.get(name), models.get(name)
            if old is new:
                continue
            if old is not None and new is not None:
                new.meter = old.meter
            if old is not None:
                self._retire(old)
            one = Reloaded(
                name,
                old.spec.revision if old is not None else "",
                new.spec.revision if new is not None else "",
                new.loading if new is not None else 0.0,
            )
            _log.info("%s: %s is served instead of %s", name, one.revision or "nothing", one.before or "nothing")
            done.append(one)
        self._counts["done" if done else "unchanged"] += 1
        for pool in idle:
            self._keep(asyncio.get_running_loop().create_task(_close(pool)))
        return done

    def _retire(self, old: Served) -> None:
        self._desk.finder.forget(old)
        self._desk.bench.forget(old)
        with self._counting:
            self._leaving += 1
        old.retire(self._left)

    def _left(self) -> None:
        with self._counting:
            self._leaving -= 1

    def _keep(self, task: asyncio.Task[None]) -> None:
        # The event loop holds on to a task no longer than it likes.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _read(self) -> Iterator[Reading]:
        for result, count in self._counts.items():
            yield Reading(
                "lucida_reloads_total", "Reloads, by what came of them.", count, {"result": result}, "counter"
            )
        about = "Models that were replaced, and finish what they took."
        yield Reading("lucida_models_leaving", about, self._leaving)


async def _close(pool: Pool) -> None:
    """Let the threads of a pool end once nobody needs them."""
    await pool.idle.wait()
    await asyncio.to_thread(pool.close)
