"""Does jobs, item by item, in places that nobody else wants; each item is written down before the next begins."""

from __future__ import annotations

import asyncio
import json
import logging
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import CatalogError, LucidaError
from lucida.serve.intake import Sent
from lucida.serve.jobs.lanes import Lane, Work
from lucida.serve.jobs.rows import Ended, Turned
from lucida.serve.jobs.wanted import KINDS
from lucida.serve.keys import ASKING, REQUEST, Holder
from lucida.serve.refusal import CLIENT_GONE, error_json, refusal_of

if TYPE_CHECKING:
    from lucida.serve.desk import Desk
    from lucida.serve.jobs.ledger import Ledger
    from lucida.serve.jobs.rows import Entry, Item
    from lucida.serve.jobs.threads import Threads
    from lucida.serve.jobs.wanted import Ready
    from lucida.serve.work import Pool

AGAIN: Final = (1.0, 4.0)  # seconds after which an item is tried again whose model failed
FULL: Final = 0.05  # seconds after which it is looked again whether there is a place
SLOW: Final = 30.0  # seconds between tries to write, at most
LEAVING: Final = 4.0  # seconds in which what is under way is finished when the server leaves
YIELDS: Final = 0.5  # share of a picture up to which it is left for a live request; what is further is finished
_log = logging.getLogger("lucida.serve")


class Yielded(Exception):
    """Somebody waits for the place of this item, which has only just begun."""


class Runner:
    """Does jobs.

    Args:
        desk: What is served.
        ledger: Where they are written down.
        threads: In which that is done.
        changed: Called with the id of a job of which something changed.

    Attributes:
        work: Jobs that are being done, by their numbers.
        waits: Why others are not.
        trouble: Why nothing can be written down; None where it can.
        ended: Items that ended since the start, by how.
    """

    def __init__(self, desk: Desk, ledger: Ledger, threads: Threads, changed: Callable[[str], None]) -> None:
        self._desk, self._ledger, self._threads, self._changed = desk, ledger, threads, changed
        self._lanes: dict[Pool, Lane] = {}
        self._hands: set[asyncio.Task[None]] = set()
        self.work: dict[int, Work] = {}
        self.waits: dict[int, LucidaError] = {}
        self.trouble: CatalogError | None = None
        self.ended = {"done": 0, "failed": 0}
        self._closing = False

    def add(self, entry: Entry, places: list[int]) -> None:
        """Begin, or go on with, a job; one that cannot be done now is left, and `waits` says why."""
        try:
            ready = self._ready(entry)
        except Exception as error:
            self.waits[entry.number] = refusal_of(error).error
            return
        self.waits.pop(entry.number, None)
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        work = Work(entry, ready, array("L", reversed(places)), gone)
        self.work[entry.number] = work
        self._enter(work)

    def check(self) -> None:
        """See to it that jobs are where their models are, which may have been replaced."""
        for work in list(self.work.values()):
            try:
                ready = self._ready(work.entry)
            except Exception as error:
                self._park(work, refusal_of(error).error)
                continue
            if ready.pool is not work.ready.pool:
                self._lanes[work.ready.pool].work.remove(work)
                work.ready = ready
                self._enter(work)
        for pool, lane in list(self._lanes.items()):
            if not lane.work and pool not in self._desk.pools.values():
                lane.over = True
                lane.woken.set()
                del self._lanes[pool]

    def drop(self, number: int) -> None:
        """Leave a job that is over."""
        self.waits.pop(number, None)
        work = self.work.pop(number, None)
        if work is not None:
            self._lanes[work.ready.pool].work.remove(work)
            del work.places[:]
            if not work.gone.done():
                work.gone.set_result(None)

    def _ready(self, entry: Entry) -> Ready:
        # Whoever sent it was allowed to, and counted, then.
        asking = ASKING.set(Holder(entry.holder))
        try:
            return KINDS[entry.task].ready(self._desk, entry)
        finally:
            ASKING.reset(asking)

    def _enter(self, work: Work) -> None:
        if (lane := self._lanes.get(work.ready.pool)) is None:
            lane = self._lanes[work.ready.pool] = Lane(work.ready.pool)
        lane.work.append(work)
        while lane.hands < lane.most:
            lane.hands += 1
            hand = asyncio.create_task(self._hand(lane))
            self._hands.add(hand)
            hand.add_done_callback(self._hands.discard)
        lane.woken.set()

    def _park(self, work: Work, why: LucidaError) -> None:
        """Leave a job until its model is there again."""
        left = [(work.entry.number, place) for place in work.shares]
        self.drop(work.entry.number)
        self.waits[work.entry.number] = why
        self._threads.later(lambda: self._ledger.not_begun(left))
        self._changed(work.entry.id)

    async def close(self) -> None:
        """Finish what is under way, if that is soon, and leave the rest for later."""
        self._closing = True
        busy = {hand for hand in self._hands if not hand.done()}
        for lane in self._lanes.values():
            lane.woken.set()
        if busy:
            await asyncio.wait(busy, timeout=LEAVING)
        left = [(number, place) for number, work in self.work.items() for place in work.shares]
        for hand in busy:
            hand.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
        with suppress(CatalogError):
            await self._threads.do(lambda: self._ledger.not_begun(left))

    async def _hand(self, lane: Lane) -> None:
        ended: Ended | None = None
        while not ((self._closing or lane.over) and ended is None):
            try:
                ended = await self._next(lane, ended)
            except Exception:
                ended = None
                _log.exception("what was done of some jobs is looked up anew")
                await asyncio.sleep(AGAIN[0])
                # They are picked up again, as they stand in the records.
                for work in list(lane.work):
                    self.drop(work.entry.number)

    async def _next(self, lane: Lane, ended: Ended | None) -> Ended | None:
        """Write down what ended, do another item, and return what becomes of that."""
        turn = lane.next() if lane.free and self._desk.state == "ready" and not self._closing else None
        item = await self._turn(lane, ended, turn)
        if turn is None:
            await self._wait(lane)
        if turn is None or item is None:
            return None
        lane.inside += 1
        try:
            return await self._do(turn[0], item)
        finally:
            lane.inside -= 1

    async def _wait(self, lane: Lane) -> None:
        if lane.waits:
            await asyncio.sleep(FULL)
        elif not (self._closing or lane.over):
            lane.woken.clear()
            await lane.woken.wait()

    async def _turn(self, lane: Lane, ended: Ended | None, turn: tuple[Work, int] | None) -> Item | None:
        """Write down what ended and what begins; where that is not possible now, try until it is."""
        if ended is None and turn is None:
            return None
        lane.entering += turn is not None
        begins = None if turn is None else (turn[0].entry.number, turn[1])
        try:
            turned = await self._written(ended, begins)
        finally:
            lane.entering -= turn is not None
        if ended is not None and (before := self.work.get(ended.job)) is not None:
            before.shares.pop(ended.place, None)
            self._changed(before.entry.id)
            if turned.over:
                self.drop(ended.job)
        if turn is not None and turned.item is None:
            await self._recheck(turn[0])
        elif turn is not None:
            turn[0].shares[turn[1]] = 0.0
            self._changed(turn[0].entry.id)
        return turned.item

    async def _written(self, ended: Ended | None, begins: tuple[int, int] | None) -> Turned:
        for wait in _slower():
            try:
                turned = await self._threads.do(lambda: self._ledger.turn(ended, begins))
            except CatalogError as error:
                if self.trouble is None:
                    _log.error("jobs wait, since what they did cannot be written down: %s", error.line())
                self.trouble = error
                if self._closing:
                    raise
                await asyncio.sleep(wait)
            else:
                self.trouble = None
                return turned
        raise AssertionError("it is tried for ever")

    async def _recheck(self, work: Work) -> None:
        """Leave a job that another process, or an item that cannot be begun, has ended."""
        entry = work.entry
        with suppress(Exception):
            now = await self._threads.do(lambda: self._ledger.get(entry.id, entry.holder))
            if now.finished is None:
                return
        self.drop(entry.number)
        self._changed(entry.id)

    async def _do(self, work: Work, item: Item) -> Ended | None:
        """Return what becomes of an item; None where it is left."""
        ASKING.set(Holder(work.entry.holder))
        REQUEST.set(f"{work.entry.id}.{item.place}")
        waits = list(AGAIN) if work.tries else []
        while True:
            try:
                answer = await work.ready.do(item, self._reader(work), work.gone, self._teller(work, item.place))
                work.tries = True
                return self._ended(work, item, answer, failed=False)
            except Yielded:
                self._put_back(work, item.place)
                return None
            except Exception as error:
                refused = refusal_of(error)
                if refused.status == CLIENT_GONE or work.gone.done():
                    return None
                if refused.status == 404 and (why := self._unable(work)) is not None:
                    self._park(work, why)
                    return None
                if refused.status == 429 and not self._closing:
                    # Somebody else was faster.
                    await asyncio.sleep(FULL)
                    continue
                if refused.status in (503, 504) and waits and not self._closing:
                    await asyncio.sleep(waits.pop(0))
                    continue
                if refused.status >= 500:
                    work.tries = False
                    unknown = error if refused.status == 500 else None
                    _log.error("%s, item %d: %s", work.entry.id, item.place, refused.said, exc_info=unknown)
                answer = json.dumps({"error": error_json(refused.error)}, ensure_ascii=False).encode()
                return self._ended(work, item, answer, failed=True)

    def _unable(self, work: Work) -> LucidaError | None:
        try:
            self._ready(work.entry)
        except Exception as error:
            return refusal_of(error).error
        return None

    def _ended(self, work: Work, item: Item, answer: bytes, *, failed: bool) -> Ended:
        work.ended.append(asyncio.get_running_loop().time())
        self.ended["failed" if failed else "done"] += 1
        return Ended(work.entry.number, item.place, answer, failed)

    def _reader(self, work: Work) -> Any:
        async def read(name: str) -> Sent:
            id = work.entry.fields["shared"][name]
            return Sent(id, await self._threads.do(lambda: self._ledger.input(work.entry.number, id)))

        return read

    def _teller(self, work: Work, place: int) -> Callable[[float], None]:
        pool = work.ready.pool

        def said(share: float) -> None:
            if place in work.shares:
                work.shares[place] = min(1.0, share)
            # Only live requests wait here: an item of a job begins where nobody does.
            if pool.depth and share < YIELDS:
                raise Yielded

        return said

    def _put_back(self, work: Work, place: int) -> None:
        work.shares.pop(place, None)
        if work.entry.number in self.work:
            work.places.append(place)
            self._threads.later(lambda: self._ledger.not_begun([(work.entry.number, place)]))


def _slower() -> Iterator[float]:
    wait = 0.5
    while True:
        yield wait
        wait = min(SLOW, wait * 2)
