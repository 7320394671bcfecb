"""Servers with routes whose models do what a test tells them to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.testclient import TestClient

from lucida.catalog import Catalog
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.routing.plan import RoutePlan
from lucida.serve.served import Served, Shelf
from served_models import png, ready, told, upload

GREY = 127  # of the image that warms a model


class Model:
    """A model with two classes whose answer, or trouble, can be changed at any time."""

    def __init__(self, name: str, label: str = "cat") -> None:
        self.name, self.label, self.error = name, label, None
        self.hangs: threading.Event | None = None
        self.asked = 0

    error: Exception | None

    @property
    def served(self) -> Served:
        return told("classify", ("cat", "dog"), self._answer, self.name)

    def _answer(self, number: int) -> Any:
        if number != GREY:
            self.asked += 1
            if self.hangs is not None:
                assert self.hangs.wait(20)
            if self.error is not None:
                raise self.error
        return (3.0, -3.0) if self.label == "cat" else (-3.0, 3.0)


class Server:
    """A server, and what a client sends it."""

    def __init__(self, desk: Desk, client: TestClient) -> None:
        self.desk, self.client, self._seed = desk, client, 0

    def ask(self, model: str = "route", image: bytes | None = None, **headers: str) -> Any:
        """Send an image that was never sent before, and return what is answered."""
        self._seed += 1
        data = image if image is not None else png("square", self._seed)
        return self.client.post("/v1/classify", headers=headers, **upload(data, model=model))

    def feed(self, request: str, **fields: Any) -> Any:
        """Send feedback."""
        return self.client.post("/v1/feedback", json={"request_id": request, **fields})

    def route(self, name: str = "route") -> Any:
        """Return what is told of a route."""
        return self.client.get(f"/v1/routes/{name}").json()


@contextmanager
def server(
    models: list[Model], *plans: RoutePlan, catalog: Catalog | None = None,
    prepare: Callable[[Desk], None] | None = None, **settings: Any,
) -> Iterator[Server]:  # fmt: skip
    """Run a server without a socket."""
    desk = Desk(Shelf([one.served for one in models]), Settings(**{"workers": 2, **settings}), catalog, routes=plans)
    if prepare is not None:
        prepare(desk)
    with TestClient(build(desk), base_url="http://localhost") as client:
        ready(client)
        yield Server(desk, client)
        for one in models:
            if one.hangs is not None:
                one.hangs.set()
