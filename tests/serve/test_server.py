"""A server with a socket: it starts, finishes what it took when it is told to stop, and leaves the silent."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import uvicorn
from uvicorn.server import ServerState

from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.served import Shelf
from lucida.serve.server import DrainingServer, patient
from lucida.serve.verb import _listen
from served_models import held, png, upload


def test_it_finishes_what_it_took_and_refuses_the_rest() -> None:
    served, model = held()
    model.go.set()
    desk = Desk(Shelf([served]), Settings(port=0, workers=1, notice=0.0))
    listener, up = _listen("127.0.0.1", 0), threading.Event()
    server = DrainingServer(build(desk), desk, ready=up.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert up.wait(20)
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=20) as client:
            while client.get("/readyz").status_code != 200:
                assert desk.failure is None
            assert model.begun.acquire(timeout=20)  # it was warmed
            model.go.clear()
            with ThreadPoolExecutor(1) as other:
                asked = other.submit(httpx.post, f"{client.base_url}/v1/detect", timeout=20, **upload(png()))
                assert model.begun.acquire(timeout=20)
                server.stop()
                assert client.get("/readyz").status_code == 503
                assert client.get("/healthz").status_code == 200
                refused = client.post("/v1/detect", **upload(png(seed=1)))
                assert (refused.status_code, refused.headers["connection"]) == (503, "close")
                model.go.set()
                assert asked.result(20).status_code == 200
    finally:
        model.go.set()
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()


class _Line(asyncio.Transport):
    """A connection that notes when it is closed, and what was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.closed, self.written = asyncio.Event(), b""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def close(self) -> None:
        self.closed.set()

    def write(self, data: Any) -> None:
        self.written += data

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


def test_who_does_not_say_what_it_wants_is_left() -> None:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def body() -> None:
        config = uvicorn.Config(answer, lifespan="off", timeout_keep_alive=1000)
        config.load()

        def connect(seconds: float, *data: bytes) -> _Line:
            line = _Line()
            protocol = patient(seconds)(config=config, server_state=ServerState(), app_state={})
            protocol.connection_made(line)
            for piece in data:
                protocol.data_received(piece)
            return line

        for line in (connect(0.01), connect(0.01, b"GET / HTTP/1.1\r\n", b"host: x\r\n")):
            await line.closed.wait()
            assert line.written == b""
        # One that has asked is waited for.
        patience = connect(0.01, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await connect(0.02).closed.wait()
        assert not patience.closed.is_set()
        assert patience.written.startswith(b"HTTP/1.1 200")

    asyncio.run(asyncio.wait_for(body(), 20))
