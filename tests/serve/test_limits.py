"""A server under more than it can take, one whose model fails, and what those who watch are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from lucida.errors import ModelError
from lucida.images import content_id
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.served import Shelf
from served_models import Held, boxes, held, png, told, upload


def ask(settings: Settings, body: Callable[[httpx.AsyncClient, Held, Desk], Coroutine[Any, Any, None]]) -> None:
    """Run requests at once against a model that holds whoever asks."""
    served, model = held()

    async def all_of_it() -> None:
        desk = Desk(Shelf([served]), settings)
        model.go.set()
        await desk.load()
        assert model.begun.acquire(blocking=False)
        model.go.clear()
        transport = httpx.ASGITransport(build(desk))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            try:
                await body(client, model, desk)
            finally:
                model.go.set()
                await desk.pool.idle.wait()
                desk.close()

    asyncio.run(asyncio.wait_for(all_of_it(), 20))


async def begun(model: Held) -> None:
    assert await asyncio.to_thread(model.begun.acquire, timeout=20)


def test_a_full_server_says_so_before_it_reads_an_image() -> None:
    async def body(client: httpx.AsyncClient, model: Held, desk: Desk) -> None:
        first = asyncio.create_task(client.post("/v1/detect", **upload(png())))
        await begun(model)
        both = await client.post("/v1/batch", **upload(png(seed=1), png(seed=2)))
        assert both.status_code == 429  # a batch takes all its places or none
        second = asyncio.create_task(client.post("/v1/detect", **upload(png(seed=1))))
        while desk.pool.taken < 2:
            await asyncio.sleep(0)
        third = await client.post("/v1/detect", content=b"not even looked at")
        assert (third.status_code, third.headers["retry-after"]) == (429, "1")
        model.go.set()
        assert [one.status_code for one in await asyncio.gather(first, second)] == [200, 200]

    ask(Settings(workers=1, queue=1), body)


def test_a_deadline_is_kept_before_and_while_a_model_works() -> None:
    async def body(client: httpx.AsyncClient, model: Held, desk: Desk) -> None:
        first = asyncio.create_task(client.post("/v1/detect", **upload(png())))
        await begun(model)
        second = asyncio.create_task(client.post("/v1/batch", **upload(png(seed=1), b"%PDF")))
        assert (await first).status_code == 504
        assert [one["error"]["type"] for one in (await second).json()["results"]] == ["ModelError", "ModelError"]
        # Another thread works instead of the one that hangs; those who waited have left.
        assert desk.pool.taken == 0
        assert desk.pool.hung >= 1

    ask(Settings(workers=1, deadline=0.3), body)


class _Broken(ValueError):
    pass


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (ModelError("The network is damaged."), 503, "ModelError"),
        (MemoryError(), 503, "ModelError"),
        (_Broken("a secret"), 500, "LucidaError"),
    ],
)
def test_a_model_that_fails_is_no_fault_of_the_image(error: Exception, status: int, kind: str) -> None:
    def fail(number: int) -> Any:
        if number != 127:  # the grey of the image that warms it
            raise error
        return boxes(0)

    desk, exchanges = Desk(Shelf([told("detect", ("bolt", "nut"), fail, "bolts")]), Settings(workers=1)), []
    desk.watchers.append(exchanges.append)
    with TestClient(build(desk), base_url="http://localhost") as client:
        while client.get("/readyz").status_code != 200:
            assert desk.failure is None
        got = client.post("/v1/detect", headers={"x-request-id": "one"}, **upload(png()))
        assert (got.status_code, got.json()["error"]["type"]) == (status, kind)
        assert "secret" not in got.text
        client.post("/v1/batch", **upload(png(), b""))
    one, batch = (exchange for exchange in exchanges if exchange.service)
    assert (one.id, one.service, one.model, one.status) == ("one", "detect", "bolts", status)
    assert (one.holder, one.images, one.errors) == ("anyone", (content_id(png()),), ((kind, status),))
    assert (batch.service, batch.status, batch.looked) == ("batch", 200, 0)


def test_a_model_that_cannot_be_loaded_is_told_to_all() -> None:
    def fail(_: int) -> Any:
        raise ModelError("The network is damaged.", hint="download it again")

    desk = Desk(Shelf([told("detect", ("bolt",), fail, "bolts")]), Settings(workers=1))
    with TestClient(build(desk), base_url="http://localhost") as client:
        while desk.state == "loading":
            assert client.get("/readyz").status_code == 503
        assert client.get("/readyz").json() == {"status": "failed"}
        assert client.post("/v1/detect", **upload(png())).json()["error"]["hint"] == "download it again"
        assert client.get("/healthz").status_code == 200
