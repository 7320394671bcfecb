"""Which arms of the routes are better, read beside the requests, and what follows for a roll-out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from lucida.serve.routing.judging import Verdict, compare, hear

if TYPE_CHECKING:
    from lucida.serve.desk import Desk
    from lucida.serve.routing.route import Route

FRESH: Final = 2.0  # seconds for which a verdict is told again, at least
REST: Final = 20  # times as long as it took to read is rested: feedback without end takes a twentieth of a core


class Verdicts:
    """Reads feedback with one thread; its methods are called in the event loop.

    Args:
        desk: Whose records are read.
        routes: All routes.
    """

    def __init__(self, desk: Desk, routes: Mapping[str, Route]) -> None:
        self._desk, self._routes = desk, routes
        self._reader = ThreadPoolExecutor(1, "routes-read") if routes else None
        self._told: dict[str, tuple[float, list[Verdict]]] = {}
        self._judging: dict[str, asyncio.Task[None]] = {}
        self._news: set[str] = set()

    def close(self) -> None:
        """Read no more."""
        if self._reader is not None:
            self._reader.shutdown(wait=False, cancel_futures=True)

    async def of(self, route: Route, *, newest: bool = False) -> list[Verdict]:
        """Say which arms of a route are better than the first; of a chain, nothing.

        Args:
            route: The route.
            newest: Whether what was read a moment ago will not do.

        Raises:
            CatalogError: The records cannot be read.
        """
        name, loop = route.plan.name, asyncio.get_running_loop()
        if len(route.plan.arms) < 2:
            return []
        if not newest and name in self._told and loop.time() < self._told[name][0]:
            return self._told[name][1]
        began = loop.time()
        found = await loop.run_in_executor(self._reader, self._compare, route)
        self._told[name] = (loop.time() + max(FRESH, REST * (loop.time() - began)), found)
        return found

    def _compare(self, route: Route) -> list[Verdict]:
        models = self._desk.shelf.models
        arms = [arm for arm in route.plan.arms if arm in models]
        with self._desk.records.read() as connection:
            heard = hear(connection, route.plan.name, {arm: models[arm].spec.key for arm in arms})
        confidence, others = route.plan.confidence, max(1, len(arms) - 1)
        return [compare(heard, arms[0], arm, confidence=confidence, others=others) for arm in arms[1:]]

    def heard(self, name: str) -> None:
        """Have the feedback on a route decide on its roll-out, if it has one."""
        route = self._routes.get(name)
        if route is None or route.rollout is None:
            return
        self._news.add(name)
        if name not in self._judging:
            task = asyncio.get_running_loop().create_task(self._judge(route))
            self._judging[name] = task
            task.add_done_callback(lambda _: self._judging.pop(name, None))

    async def _judge(self, route: Route) -> None:
        # What comes while it is read is read once more: the last feedback counts as well.
        loop = asyncio.get_running_loop()
        while route.plan.name in self._news:
            self._news.discard(route.plan.name)
            began = loop.time()
            with suppress(Exception):
                for found in await self.of(route, newest=True):
                    route.judge(found.difference, found.judged[1])
            await asyncio.sleep(REST * (loop.time() - began))
