"""Alike work that waits is done together: errors stay with their image, whoever leaves is left out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from lucida.errors import ImageError, ModelError
from lucida.serve.batching import Batching
from lucida.serve.refusal import Refused
from lucida.serve.work import Pool


class Piece:
    """Work that tells with whom it was done."""

    def __init__(self, kin: str, log: list[str], wrong: str = "", batching: Batching = Batching(4)) -> None:  # noqa: B008
        self.kin, self.batching, self._log, self.wrong = kin, batching, log, wrong

    def __call__(self) -> str:
        self.before()
        self.among([self])
        return self.after()

    def before(self) -> None:
        if self.wrong == "image":
            raise ImageError("no image")

    def among(self, works: Sequence[Piece]) -> None:
        self._log.append("".join(one.kin for one in works))
        if any(one.wrong == "model" for one in works):
            raise ModelError("the model cannot")

    def after(self) -> str:
        return self.kin


class Held(Piece):
    """Work that keeps its thread until it is let go."""

    def __init__(self) -> None:
        super().__init__("held", [])
        self.begun, self.go = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.go.wait(20)
        return "held"


def run(body: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(body, 20))


async def ask(pool: Pool, work: Any, until: float = 20.0) -> Any:
    with pool.take() as place:
        return await place.do(work, asyncio.get_running_loop().time() + until)


async def behind(pool: Pool, works: Sequence[Any]) -> list[Any]:
    """Ask for work while the only thread is held, and return what came of it."""
    held = Held()
    asking = [asyncio.create_task(ask(pool, held))]
    await asyncio.to_thread(held.begun.wait, 20)
    asking += [asyncio.create_task(ask(pool, work)) for work in works]
    while pool.depth < len(works):
        await asyncio.sleep(0)
    held.go.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    return found[1:]


def test_what_waits_is_done_together_with_its_like_and_no_more_than_the_plan_says() -> None:
    async def body() -> None:
        pool, log = Pool(1, 20), list[str]()
        found = await behind(pool, [Piece(kin, log) for kin in "aabaaab"] + [lambda: "plain"])
        assert found == [*"aabaaab", "plain"]
        assert log == ["aaaa", "bb", "a"]
        assert (pool.taken, pool.idle.is_set()) == (0, True)
        pool.close()

    run(body())


def test_what_is_wrong_with_one_image_stays_with_it() -> None:
    async def body() -> None:
        pool, log = Pool(1, 20), list[str]()
        wrong = ("", "image", "model", "")
        found = await behind(pool, [Piece("a", log, one) for one in wrong])
        assert [type(one) for one in found] == [str, ImageError, ModelError, str]
        assert log == ["aaa", "a", "a", "a"], "after a failure each is tried alone"
        pool.close()

    run(body())


def test_who_left_while_others_were_served_is_not_looked_at() -> None:
    async def body() -> None:
        pool, log, held = Pool(1, 20), list[str](), Held()
        first = asyncio.create_task(ask(pool, held))
        await asyncio.to_thread(held.begun.wait, 20)
        with pytest.raises(Refused) as refused:
            await ask(pool, Piece("a", log), 0.0)
        assert refused.value.status == 503
        held.go.set()
        assert (await first, await ask(pool, Piece("a", log))) == ("held", "a")
        assert log == ["a"]
        pool.close()

    run(body())


def test_an_accelerator_waits_for_company_and_no_longer_than_the_plan_says() -> None:
    async def body() -> None:
        pool, log = Pool(1, 20), list[str]()
        patient = Batching(2, 20.0)
        asking = [asyncio.create_task(ask(pool, Piece(kin, log, batching=patient))) for kin in "aa"]
        assert await asyncio.gather(*asking) == ["a", "a"]
        assert log == ["aa"], "the first waited for the second"
        assert await ask(pool, Piece("a", log, batching=Batching(2, 0.001))) == "a"
        pool.close()

    run(body())


def test_a_thread_that_rests_gets_its_share() -> None:
    async def body() -> None:
        pool, log = Pool(2, 20), list[str]()
        barrier = threading.Barrier(2, timeout=20)

        class Meeting(Piece):
            def before(self) -> None:
                barrier.wait()

        # Each waits for the other: one thread alone would never end.
        works = [Meeting("a", log) for _ in range(2)]
        asking = [asyncio.create_task(ask(pool, work)) for work in works]
        assert await asyncio.gather(*asking) == ["a", "a"]
        pool.close()

    run(body())
