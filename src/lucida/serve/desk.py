"""What is behind all addresses: models, places at work, answers that are kept, and whether the server is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Literal

from lucida.errors import InputError, LucidaError, ModelError, UnknownName
from lucida.images import Limits
from lucida.serve.cache import Cache
from lucida.serve.finding import Finder
from lucida.serve.intake import Intake, Sent
from lucida.serve.keys import ASKING, REQUEST, Holder, Keys, NoKeys
from lucida.serve.looking import Job, Looked, look
from lucida.serve.making import Bench
from lucida.serve.records import Records
from lucida.serve.refusal import CLIENT_GONE, Refused, refusal_of
from lucida.serve.texts import has_text_vectors, no_text_vectors
from lucida.serve.work import Place, Pool

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.runs.seeing import Wish
    from lucida.screen.policy import Policy
    from lucida.serve.bodies import Ask
    from lucida.serve.config import Settings
    from lucida.serve.headers import Exchange
    from lucida.serve.served import Served, Shelf
    from lucida.serve.services import Service
    from lucida.serve.watch.readings import Reading

State = Literal["loading", "ready", "stopping", "failed"]
Gone = asyncio.Future[None]


class Desk:
    """Serves requests of one server; its methods are called in the event loop.

    Args:
        shelf: The models.
        settings: How much is taken on.
        catalog: Whose images may be named; None for none.
        keys: Who may ask.
        policy: By which images are screened; None for none.

    Attributes:
        watchers: Called with every request that was answered; they may be added at any time.
        observers: Called with every image that was answered, in the event loop: they must be quick.
        gauges: What parts of the server say of themselves, whenever somebody reads the metrics; in any thread.
        records: What outlives the process: in the catalog, else until the end.
    """

    def __init__(
        self,
        shelf: Shelf,
        settings: Settings,
        catalog: Catalog | None = None,
        keys: Keys | None = None,
        policy: Policy | None = None,
    ) -> None:
        self.shelf, self.settings, self.catalog, self.keys = shelf, settings, catalog, keys or NoKeys()
        self.intake, self.cache = Intake(settings), Cache(settings.cache_bytes)
        self.state: State = "loading"
        self.failure: LucidaError | None = None
        self.limits = Limits(settings.pixels, settings.body_bytes)
        self.pool = Pool(settings.threads, settings.waiting, longest=settings.deadline)
        self._talking: dict[str, Pool] = {}
        self.bench, self.finder = Bench(self), Finder(self, policy)
        self.looked = 0
        self.watchers: list[Callable[[Exchange], None]] = []
        self.observers: list[Callable[[Looked], None]] = []
        self.gauges: list[Callable[[], Iterable[Reading]]] = []
        self.records = Records(catalog.path if catalog is not None else None)
        self.open, self.idle = 0, asyncio.Event()
        self.idle.set()

    async def load(self) -> None:
        """Load all models; the server is ready after that, or has failed."""
        try:
            await asyncio.to_thread(self.finder.load)
            for one in self.shelf.models.values():
                await asyncio.to_thread(one.load)
                if one.talks:
                    self._talking[one.name] = Pool(
                        one.together, self.settings.waiting, one.name, self.settings.deadline
                    )
        except Exception as error:
            self.failure, self.state = refusal_of(error).error, "failed"
            raise
        if self.state == "loading":
            self.state = "ready"

    def stop(self) -> None:
        """Take no more; what was taken is finished."""
        self.state = "stopping"

    def close(self) -> None:
        """Let all threads end."""
        for pool in (self.pool, *self._talking.values()):
            pool.close()
        self.bench.close()
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

    def job(self, service: Service, asked: Ask, sent: Sent) -> Job:
        """Return what is to be done for an image.

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
        models = self.shelf.models
        if name is None:
            name = next((one.name for one in models.values() if has_text_vectors(one.spec)), next(iter(models)))
        if name not in models:
            raise Refused(404, UnknownName("model", name, models, hint="GET /v1/models lists what is served"))
        ASKING.get().check("embed", name)
        if not has_text_vectors(models[name].spec):
            raise Refused(422, no_text_vectors(name))
        return models[name]

    async def answer(self, job: Job, gone: Gone | None = None, *, fresh: bool = False) -> tuple[bytes, bool]:
        """Return the JSON of an answer, and whether it was given before.

        Args:
            job: What is asked.
            gone: Is done once nobody waits for it any more.
            fresh: Whether an answer that is kept will not do.

        Raises:
            Refused: There is no place, no time, or nobody who waits.
            LucidaError: The image, or the model, is not what it must be.
        """
        key = job.key
        if not fresh and (kept := self.cache.get(key)) is not None:
            ASKING.get().take(1)
            self._observe(Looked(job, kept, True, 0.0))
            return kept, True
        with self.pool_of(job.served).take() as place:
            ASKING.get().take(1)
            return await self._do(place, job, key, gone), False

    async def answers(
        self, jobs: Sequence[Job | LucidaError], gone: Gone | None = None, *, fresh: bool = False
    ) -> list[tuple[bytes, bool] | Exception]:
        """Return for each of several jobs what `answer` does, or why there is no answer.

        Args:
            jobs: What is asked; an error stays where it is.
            gone: As of `answer`.
            fresh: As of `answer`.

        Raises:
            Refused: There are not enough places for all of them, or nobody waits.
        """
        found: list[tuple[bytes, bool] | Exception] = []
        waiting: list[tuple[int, Job]] = []
        for row, job in enumerate(jobs):
            kept = self.cache.get(job.key) if isinstance(job, Job) and not fresh else None
            if isinstance(job, Job) and kept is None:
                waiting.append((row, job))
            if isinstance(job, Job) and kept is not None:
                self._observe(Looked(job, kept, True, 0.0))
            found.append(job if isinstance(job, LucidaError) else (kept or b"", True))
        with ExitStack() as stack:
            if waiting:
                self.pool_of(waiting[0][1].served).check(len(waiting))
            ASKING.get().take(sum(isinstance(job, Job) for job in jobs))
            doing = [
                self._do(stack.enter_context(self.pool_of(job.served).take()), job, job.key, gone) for _, job in waiting
            ]
            for (row, _), one in zip(waiting, await asyncio.gather(*doing, return_exceptions=True), strict=True):
                if isinstance(one, Refused) and one.status == CLIENT_GONE:
                    raise one
                if isinstance(one, BaseException) and not isinstance(one, Exception):
                    raise one
                found[row] = one if isinstance(one, Exception) else (one, False)
        return found

    async def _do(self, place: Place, job: Job, key: bytes, gone: Gone | None) -> bytes:
        began = asyncio.get_running_loop().time()
        answer = await place.do(partial(look, job, self.limits, self.read), began + self.settings.deadline, gone)
        self.looked += 1
        self.cache.keep(key, answer)
        self._observe(Looked(job, answer, False, asyncio.get_running_loop().time() - began))
        return answer

    def _observe(self, looked: Looked) -> None:
        for observe in self.observers:
            observe(looked)

    @property
    def pools(self) -> dict[str, Pool]:
        """All places where something is done, by what it is."""
        return {"looks": self.pool, **self._talking, **self.bench.pools}

    def pool_of(self, served: Served) -> Pool:
        """Return where a model works."""
        return self._talking.get(served.name, self.pool)

    def read(self, id: str) -> bytes:
        """Return the bytes of an image of the catalog.

        Raises:
            Refused: 404, there is none.
            ImageError: Its file is gone.
        """
        if self.catalog is None:
            raise Refused(
                404,
                InputError(
                    "No catalog is served.",
                    expected="an image that is sent",
                    got=f"the content id {id[:12]}…",
                    hint="lucida serve MODEL --catalog FOLDER",
                ),
            )
        try:
            return self.catalog.images.read(id)
        except InputError as error:
            raise Refused(404, error) from error


def _not_ready(state: State, failure: LucidaError | None) -> Refused:
    error = failure or ModelError(
        "The server is stopping." if state == "stopping" else "The models are being loaded.",
        expected="a server that is ready",
        got=state,
        hint="ask another server" if state == "stopping" else "come again in a few seconds; GET /readyz tells",
    )
    return Refused(503, error, retry=None if failure else 2, hang_up=state == "stopping")
