"""What is behind all addresses: models, places at work, answers that are kept, and whether the server is ready."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from lucida.errors import InputError, LucidaError, ModelError, UnknownName
from lucida.serve.answers import Answers
from lucida.serve.answers import Gone as Gone
from lucida.serve.finding import Finder
from lucida.serve.intake import Intake, Sent
from lucida.serve.keys import ASKING, REQUEST, Holder, Keys, NoKeys
from lucida.serve.looking import Job
from lucida.serve.making import Bench
from lucida.serve.planner import plan
from lucida.serve.records import Records
from lucida.serve.refusal import Refused, refusal_of
from lucida.serve.routing.router import Router
from lucida.serve.texts import has_text_vectors, no_text_vectors
from lucida.serve.work import Pool

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.runs.seeing import Wish
    from lucida.screen.policy import Policy
    from lucida.serve.bodies import Ask
    from lucida.serve.config import Settings
    from lucida.serve.headers import Exchange
    from lucida.serve.routing.plan import RoutePlan
    from lucida.serve.served import Served, Shelf
    from lucida.serve.services import Service
    from lucida.serve.watch.readings import Reading

_log = logging.getLogger("lucida.serve")
State = Literal["loading", "ready", "stopping", "failed"]


class Desk(Answers):
    """Serves requests of one server; its methods are called in the event loop.

    Args:
        shelf: The models.
        settings: How much is taken on.
        catalog: Whose images may be named; None for none.
        keys: Who may ask.
        policy: By which images are screened; None for none.
        routes: Names that several models answer to.

    Attributes:
        watchers: Called with every request that was answered; they may be added at any time.
        gauges: What parts of the server say of themselves, whenever somebody reads the metrics; in any thread.
        records: What outlives the process: in the catalog, else until the end.
        tell: Is told how each model is run, and why.
    """

    def __init__(
        self,
        shelf: Shelf,
        settings: Settings,
        catalog: Catalog | None = None,
        keys: Keys | None = None,
        policy: Policy | None = None,
        routes: Sequence[RoutePlan] = (),
    ) -> None:
        super().__init__(settings, catalog)
        self.shelf, self.keys, self.intake = shelf, keys or NoKeys(), Intake(settings)
        self.state: State = "loading"
        self.failure: LucidaError | None = None
        self.bench, self.finder = Bench(self), Finder(self, policy)
        self.watchers: list[Callable[[Exchange], None]] = []
        self.gauges: list[Callable[[], Iterable[Reading]]] = []
        self.records = Records(catalog.path if catalog is not None else None)
        self.router = Router(self, routes)
        self.tell: Callable[[str], None] = _log.info
        self.open, self.idle = 0, asyncio.Event()
        self.idle.set()

    async def load(self) -> None:
        """Load all models; the server is ready after that, or has failed."""
        try:
            await asyncio.to_thread(self.finder.load)
            for one in self.shelf.models.values():
                await asyncio.to_thread(self.prepare, one)
            self.put(self.shelf.models)
            await self.router.load()
        except Exception as error:
            self.failure, self.state = refusal_of(error).error, "failed"
            raise
        if self.state == "loading":
            self.state = "ready"

    def prepare(self, one: Served) -> None:
        """Load a model and have it run as is best here; in any thread.

        Raises:
            LucidaError: It cannot be loaded.
        """
        one.load()
        if told := plan(one, self.settings.plan):
            self.tell(told)

    def put(self, models: Mapping[str, Served]) -> list[Pool]:
        """Serve these models from now on, and no others; who was taken keeps the model that it was promised.

        Args:
            models: By name, loaded.

        Returns:
            Places that nobody takes any more: close them once they are idle.
        """
        before, self._talking = self._talking, {}
        for one in models.values():
            if not one.talks:
                continue
            kept = before.get(one.name)
            if kept is None or kept.workers != one.together:
                kept = Pool(one.together, self.settings.waiting, one.name, self.settings.deadline)
            self._talking[one.name] = kept
        self.shelf.models = dict(models)
        return [pool for name, pool in before.items() if self._talking.get(name) is not pool]

    def stop(self) -> None:
        """Take no more; what was taken is finished."""
        self.state = "stopping"

    def close(self) -> None:
        """Let all threads end."""
        for pool in (self.pool, *self._talking.values()):
            pool.close()
        self.bench.close()
        self.router.close()
        self.records.close()

    @contextmanager
    def taken(self, authorization: str, scope: str) -> Iterator[Holder]:
        """Take a request, before its body is read; it is finished when the context ends.

        Returns:
            Who asks.

        Raises:
            Refused: The server is not ready, or full, or its sender may not ask.
        """
        if self.state != "ready":
            raise _not_ready(self.state, self.failure)
        holder = self.keys.admit(authorization, scope)
        if not self._talking:
            # To read a body that cannot be served would slow down those that are.
            self.pool.check()
        self.open += 1
        self.idle.clear()
        asking = ASKING.set(holder)
        try:
            yield holder
        finally:
            ASKING.reset(asking)
            self.open -= 1
            if not self.open:
                self.idle.set()

    def job(self, service: Service, asked: Ask, sent: Sent, user: str = "") -> Job:
        """Return what is to be done for an image.

        Args:
            service: The task.
            asked: What is asked of the model, or route.
            sent: The image.
            user: Whom it is for, if the request itself does not say it.

        Raises:
            Refused: 404, no such model; 403, whoever asks may not ask this of it.
            ModelError: The model cannot.
            InputError: It must be told classes, or does not know them.
        """
        wish = service.wish(asked)
        if len(wish.classes) > self.settings.classes:
            raise InputError(
                "These are too many classes.",
                expected=f"at most {self.settings.classes:,}",
                got=f"{len(wish.classes):,}",
                hint="ask for fewer",
            )
        if asked.model in self.router.routes:
            return self.router.job(asked.model, service, wish, sent, asked.user or user)
        return Job(service, self.model_for(service, wish, asked.model, service.name), wish, sent, REQUEST.get())

    def model_for(self, service: Service, wish: Wish, name: str | None, scope: str) -> Served:
        """Return the model that is asked.

        Args:
            service: The task.
            wish: What is asked of it.
            name: Of the model; None for the first that can.
            scope: What whoever asks must be allowed.

        Raises:
            Refused: 404, no such model; 403, whoever asks may not ask this of it; 422, it cannot.
            InputError: It must be told classes, or does not know them.
        """
        self.router.refuse(name, scope)
        try:
            served = self.shelf.choose(service, wish, name)
        except InputError as error:
            raise Refused(404, error) from error
        ASKING.get().check(scope, served.name)
        try:
            service.check(served.spec, wish)
        except ModelError as error:
            raise Refused(422, error) from error
        return served

    def text_model(self, name: str | None) -> Served:
        """Return the model that gives vectors of texts.

        Raises:
            Refused: 404, no such model; 403, whoever asks may not ask it; 422, it cannot.
        """
        self.router.refuse(name, "texts")
        models = self.shelf.models
        if name is None:
            name = next((one.name for one in models.values() if has_text_vectors(one.spec)), next(iter(models)))
        if name not in models:
            raise Refused(404, UnknownName("model", name, models, hint="GET /v1/models lists what is served"))
        ASKING.get().check("embed", name)
        if not has_text_vectors(models[name].spec):
            raise Refused(422, no_text_vectors(name))
        return models[name]

    @property
    def pools(self) -> dict[str, Pool]:
        """All places where something is done, by what it is."""
        return {"looks": self.pool, **self._talking, **self.bench.pools}


def _not_ready(state: State, failure: LucidaError | None) -> Refused:
    error = failure or ModelError(
        "The server is stopping." if state == "stopping" else "The models are being loaded.",
        expected="a server that is ready",
        got=state,
        hint="ask another server" if state == "stopping" else "come again in a few seconds; GET /readyz tells",
    )
    return Refused(503, error, retry=None if failure else 2, hang_up=state == "stopping")
