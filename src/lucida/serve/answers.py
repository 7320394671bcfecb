"""How images are answered: from memory, by a model in a thread that works, or on a route of several models."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from lucida.errors import InputError, LucidaError
from lucida.images import Limits
from lucida.serve.cache import Cache
from lucida.serve.keys import ASKING
from lucida.serve.looking import Job, Look, Looked
from lucida.serve.refusal import CLIENT_GONE, Refused
from lucida.serve.work import Place, Pool

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.serve.config import Settings
    from lucida.serve.routing.router import Router
    from lucida.serve.sharing import Served
    from lucida.serve.watch.watcher import Watcher

Gone = asyncio.Future[None]


class Answers:
    """Answers images; its methods are called in the event loop.

    Args:
        settings: How much is taken on.
        catalog: Whose images may be named; None for none.

    Attributes:
        cache: Answers that are kept.
        pool: Where models work, but for those that talk.
        looked: Images that a model looked at.
        router: Answers what is asked of several models.
        observers: Called with every image that was answered, in the event loop: they must be quick.
        watch: Watches over drift and accuracy; None where nothing does.
    """

    router: Router

    def __init__(self, settings: Settings, catalog: Catalog | None) -> None:
        self.settings, self.catalog = settings, catalog
        self.cache = Cache(settings.cache_bytes)
        self.limits = Limits(settings.pixels, settings.body_bytes)
        self.pool = Pool(settings.threads, settings.waiting, longest=settings.deadline)
        self._talking: dict[str, Pool] = {}
        self.looked = 0
        self.observers: list[Callable[[Looked], None]] = []
        self.watch: Watcher | None = None

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
        if job.trip is not None:
            self.pool_of(job.served).check()
            ASKING.get().take(1)
            return await self.router.answer(job, gone, fresh=fresh)
        key = job.key
        if not fresh and (kept := self.cache.get(key)) is not None:
            ASKING.get().take(1)
            self.observe(Looked(job, kept, True, 0.0))
            return kept, True
        with self.pool_of(job.served).take() as place:
            ASKING.get().take(1)
            return await self._do(place, job, key, gone)

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
            alone = isinstance(job, Job) and job.trip is None
            kept = self.cache.get(job.key) if isinstance(job, Job) and alone and not fresh else None
            if isinstance(job, Job) and kept is None:
                waiting.append((row, job))
            if isinstance(job, Job) and kept is not None:
                self.observe(Looked(job, kept, True, 0.0))
            found.append(job if isinstance(job, LucidaError) else (kept or b"", True))
        with ExitStack() as stack:
            if waiting:
                self.pool_of(waiting[0][1].served).check(len(waiting))
            ASKING.get().take(sum(isinstance(job, Job) for job in jobs))
            doing = [self._begin(stack, job, gone, fresh) for _, job in waiting]
            for (row, _), one in zip(waiting, await asyncio.gather(*doing, return_exceptions=True), strict=True):
                if isinstance(one, Refused) and one.status == CLIENT_GONE:
                    raise one
                if isinstance(one, BaseException) and not isinstance(one, Exception):
                    raise one
                found[row] = one
        return found

    def _begin(self, stack: ExitStack, job: Job, gone: Gone | None, fresh: bool) -> Awaitable[tuple[bytes, bool]]:
        if job.trip is not None:
            return self.router.answer(job, gone, fresh=fresh, held=True)
        return self._do(stack.enter_context(self.pool_of(job.served).take()), job, job.key, gone)

    async def _do(self, place: Place, job: Job, key: bytes, gone: Gone | None) -> tuple[bytes, bool]:
        began = asyncio.get_running_loop().time()
        try:
            answer = await place.do(Look(job, self.limits, self.read), began + self.settings.deadline, gone)
        except Refused as refused:
            if refused.status == 504:
                self.pool_of(job.served).replace(place)
            raise
        self.looked += 1
        self.cache.keep(key, answer)
        self.observe(Looked(job, answer, False, asyncio.get_running_loop().time() - began))
        return answer, False

    def observe(self, looked: Looked) -> None:
        """Tell whoever watches over answers."""
        for observe in self.observers:
            observe(looked)

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
