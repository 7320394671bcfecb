"""The verb `serve`."""

from __future__ import annotations

import contextlib
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucida.errors import CatalogError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lucida.catalog import Catalog
    from lucida.serve.config import Settings


@dataclass(frozen=True)
class ServeEnded:
    """What was served.

    Attributes:
        models: Names of the models.
        answered: Images that were answered from the cache, and by a model.
    """

    models: tuple[str, ...]
    answered: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"models": list(self.models), "cached": self.answered[0], "looked_at": self.answered[1]}

    def __str__(self) -> str:
        cached, looked = self.answered
        return f"Served {', '.join(self.models)}: {looked:,} images looked at, {cached:,} answered from memory."


def serve(
    *models: str,
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 0,
    queue: int = 0,
    deadline: float = 30.0,
    insecure: bool = False,
    catalog: Path | None = None,
) -> ServeEnded:
    """Serve models to programs: POST an image to /v1/classify, /v1/detect and so on; /docs shows all.

    Ctrl-C, or SIGTERM, stops it: it takes no more, finishes what it took, and leaves.

    Args:
        models: Any that `lucida models` knows, and runs of `lucida train`; NAME=MODEL has clients call it NAME. The
            first that can is asked where a request names none.
        host: Address to listen on; the default is reachable from this machine only.
        port: Port; 0 for a free one.
        workers: Threads that decode and infer, each on one core; 0 for as many as there are cores.
        queue: Images that may wait; more are refused with 429 and Retry-After. 0 for 32 a worker.
        deadline: Seconds within which an image is answered, or refused.
        insecure: Listen where others can reach it although nobody needs a key.
        catalog: Whose images may be named by content id, and whose models are known as well; LUCIDA_CATALOG or
            ./lucida-catalog by default, where there is one.

    Raises:
        InputError: There is no model, the address cannot be listened on, or others could reach it without a key.
        UnknownName: No such model.
        ModelError: A model cannot be loaded.
    """
    from lucida.serve.config import Settings

    settings = Settings(host, port, workers, queue, deadline)
    check_host(settings, insecure=insecure)
    from lucida.serve.served import open_shelf

    with _catalog(catalog) as opened:
        shelf = open_shelf(models, opened.models if opened else None)
        listener = _listen(host, port)
        with contextlib.closing(listener):
            # The web framework is imported here: most of a second that nobody else has to wait.
            from lucida.serve.application import build
            from lucida.serve.desk import Desk
            from lucida.serve.server import DrainingServer

            desk = Desk(shelf, settings, opened)
            shown = f"[{host}]" if ":" in host else host
            address = f"http://{shown}:{listener.getsockname()[1]}"
            server = DrainingServer(build(desk), desk, ready=lambda: _say(address, tuple(shelf.models)))
            with contextlib.suppress(KeyboardInterrupt):
                server.run(sockets=[listener])
            if desk.failure is not None:
                raise desk.failure
            return ServeEnded(tuple(shelf.models), (desk.cache.hits, desk.looked))


def check_host(settings: Settings, *, insecure: bool, keys: bool = False) -> None:
    """Refuse to listen where strangers could ask without a key.

    Raises:
        InputError: They could.
    """
    if not (settings.local or keys or insecure):
        raise InputError(
            f"Others could reach {settings.host}, and nobody would need a key.",
            expected="an address of this machine alone: 127.0.0.1",
            got=f"--host {settings.host}",
            hint="put a proxy that checks keys before 127.0.0.1; or say --insecure in a network that you trust",
        )


@contextlib.contextmanager
def _catalog(path: Path | None) -> Iterator[Catalog | None]:
    from lucida.catalog import Catalog

    try:
        opened = Catalog.open(path)
    except CatalogError:
        if path is not None:
            raise
        yield None
        return
    with opened:
        yield opened


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"Cannot listen on {host}, port {port}.",
            expected="an address of this machine and a free port",
            got=str(error),
            hint="--port 0 takes a free one",
        ) from error


def _say(address: str, models: tuple[str, ...]) -> None:
    print(f"Serving {', '.join(models)} at {address}; {address}/docs shows how to ask.", file=sys.stderr)
    print("Ctrl-C stops.", file=sys.stderr, flush=True)
