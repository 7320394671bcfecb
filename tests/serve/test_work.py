"""Places at work: bounded, with a deadline, given back by whoever leaves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from lucida.errors import ImageError
from lucida.serve.refusal import Refused
from lucida.serve.work import SPARE, Pool


def run(body: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(body, 20))


def far() -> float:
    return asyncio.get_running_loop().time() + 20


def test_work_is_done_by_threads_and_its_errors_are_raised() -> None:
    async def body() -> None:
        pool = Pool(2, 2)
        with pool.take() as place:
            assert await place.do(lambda: threading.current_thread().name, far()) in ("work 0", "work 1")
        with pool.take() as place, pytest.raises(ImageError):
            await place.do(broken, far())
        assert (pool.taken, pool.idle.is_set()) == (0, True)
        pool.close()

    def broken() -> None:
        raise ImageError("no")

    run(body())


def test_a_full_pool_refuses_and_says_when_to_come_again() -> None:
    async def body() -> None:
        pool = Pool(1, 1)
        with pool.take(), pool.take() as second:
            with pytest.raises(Refused) as refused:
                pool.take()
            assert (refused.value.status, refused.value.headers["retry-after"]) == (429, "1")
            second.leave()
            second.leave()
            assert pool.taken == 1
            with pytest.raises(Refused) as never:
                pool.check(3)
            assert never.value.status == 413
        assert pool.taken == 0
        pool.close()

    run(body())


def test_who_would_wait_past_the_deadline_is_refused_at_once() -> None:
    async def body() -> None:
        pool = Pool(2, 100, longest=4.0)
        pool.seconds = 3.0  # a piece of work takes
        with pool.take(), pool.take(), pool.take():
            assert (pool.wait, pool.retry) == (3.0, 3)
            with pool.take(), pytest.raises(Refused) as refused:
                pool.take()
        assert (refused.value.status, refused.value.retry) == (429, 5)
        pool.close()

    run(body())


def test_who_leaves_frees_the_place_at_once_unless_work_has_begun() -> None:
    async def body() -> None:
        pool, go, begun = Pool(1, 3), threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def work() -> str:
            loop.call_soon_threadsafe(begun.set)
            assert go.wait(20)
            return "done"

        async def ask(until: float, gone: asyncio.Future[None] | None = None) -> str:
            with pool.take() as place:
                return await place.do(work, until, gone)

        first = asyncio.create_task(ask(far()))
        await begun.wait()
        left: asyncio.Future[None] = loop.create_future()
        second = asyncio.create_task(ask(far(), left))
        third = asyncio.create_task(ask(loop.time()))
        with pytest.raises(Refused) as late:
            await third
        assert late.value.status == 503  # its turn never came
        left.set_result(None)
        with pytest.raises(Refused) as gone:
            await second
        assert (gone.value.status, pool.taken) == (499, 1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert pool.taken == 1  # the thread still works
        go.set()
        await pool.idle.wait()
        assert await ask(far()) == "done"
        pool.close()

    run(body())


def test_work_that_takes_too_long_is_not_waited_for() -> None:
    async def body() -> None:
        pool, go = Pool(1, 0), threading.Event()
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()
        gone = loop.create_future()

        def work() -> None:
            loop.call_soon_threadsafe(begun.set)
            go.wait(20)

        with pool.take() as place:
            doing = asyncio.create_task(place.do(work, loop.time() + 0.2, gone))
            await begun.wait()
            with pytest.raises(Refused) as late:
                await doing
            assert late.value.status == 504
        go.set()
        await pool.idle.wait()
        pool.close()

    run(body())


def test_a_thread_that_hangs_is_replaced_up_to_a_bound() -> None:
    async def body() -> None:
        pool, go = Pool(1, 0), threading.Event()
        loop = asyncio.get_running_loop()

        async def hang() -> bool:
            begun = asyncio.Event()

            def work() -> None:
                loop.call_soon_threadsafe(begun.set)
                go.wait(20)

            with pool.take() as place:
                doing = asyncio.create_task(place.do(work, far()))
                await begun.wait()
                doing.cancel()
                replaced = pool.replace(place)
                assert not pool.replace(place)
            return replaced

        for number in range(SPARE):
            assert await hang()
            assert (pool.hung, pool.taken) == (number + 1, 0)
        with pool.take() as place:
            assert await place.do(lambda: "done", far()) == "done"
            assert not pool.replace(place)
        assert not await hang()
        assert pool.taken == 1  # it keeps its place
        assert pool.seconds < 1
        go.set()
        await pool.idle.wait()
        pool.close()
        assert pool.hung == 0

    run(body())
