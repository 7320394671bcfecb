"""What a breaker learns of a call that nobody waits for any more."""

from __future__ import annotations

import asyncio
import threading

import pytest

from lucida.images import content_id
from lucida.serve.bodies import ClassifyRequest
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.intake import Sent
from lucida.serve.refusal import CLIENT_GONE, Refused
from lucida.serve.routing.plan import RoutePlan
from lucida.serve.served import Shelf
from lucida.serve.services import SERVICES
from serve.routing.desks import Model
from served_models import png


def test_a_client_that_leaves_does_not_hide_a_model_that_hangs() -> None:
    async def body() -> None:
        model = Model("a")
        plan = RoutePlan("route", {"a": 1.0}, timeouts={"a": 0.05})
        desk = Desk(Shelf([model.served]), Settings(workers=1), routes=[plan])
        await desk.load()
        breaker = desk.router.routes["route"].breakers["a"]
        model.hangs = threading.Event()
        gone = asyncio.get_running_loop().create_future()
        sent = Sent(content_id(png()), png())
        asking = asyncio.create_task(
            desk.answer(desk.job(SERVICES["classify"], ClassifyRequest(model="route"), sent), gone)
        )
        while model.asked == 0:
            await asyncio.sleep(0)
        gone.set_result(None)
        with pytest.raises(Refused) as refused:
            await asking
        assert (refused.value.status, breaker.failures, desk.pool.taken) == (CLIENT_GONE, 0, 1)
        while breaker.hung == 0:
            await asyncio.sleep(0)
        assert (breaker.failures, desk.pool.taken) == (1, 0)  # another thread works in its place
        model.hangs.set()
        # The route hears of the end from the work, the pool from its thread a moment later.
        while breaker.hung or desk.pool.hung:
            await asyncio.sleep(0)
        assert (breaker.hung, desk.pool.hung) == (0, 0)
        await asyncio.to_thread(desk.close)

    asyncio.run(asyncio.wait_for(body(), 30))
