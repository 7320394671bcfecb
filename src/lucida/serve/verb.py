"""The verb `serve`."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lucida.errors import CatalogError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lucida.catalog import Catalog
    from lucida.serve.config import Settings
    from lucida.serve.key_file import KeyMade
    from lucida.serve.keys import Keys
    from lucida.serve.serve_file import Plan
    from lucida.serve.supervisor import Supervised


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
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
    queue: int | None = None,
    deadline: float | None = None,
    plan: str | None = None,
    processes: int | None = None,
    config: Path | None = None,
    keys: Path | None = None,
    audit: Path | None = None,
    cert: Path | None = None,
    cert_key: Path | None = None,
    insecure: bool = False,
    catalog: Path | None = None,
    policy: Path | None = None,
    route: list[str] | None = None,
    log: Literal["json", "plain", "off"] | None = None,
    traces: str | None = None,
    watch: str | None = None,
    make_key: str | None = None,
    scopes: str = "",
    old_days: float = 7.0,
) -> ServeEnded | Supervised | KeyMade:
    """Serve models to programs: POST an image to /v1/classify, /v1/detect and so on; /docs shows all.

    Ctrl-C, or SIGTERM, stops it: it takes no more, finishes what it took, and leaves. SIGHUP has it read the models
    anew, those of the file as well, while it serves.

    Args:
        models: Any that `lucida models` knows, and runs of `lucida train`; NAME=MODEL has clients call it NAME. The
            first that can is asked where a request names none.
        host: Address to listen on; 127.0.0.1 by default, which is reachable from this machine only.
        port: Port, 8000 by default; 0 for a free one.
        workers: Threads that decode and infer, each on one core; as many as there are cores by default.
        queue: Images that may wait, 32 a worker by default; more are refused with 429 and Retry-After.
        deadline: Seconds within which an image is answered, or refused; 30 by default.
        plan: How models are run: "measured", the default, tries at the start what is best here, and keeps it for the
            next time; "default" looks at one image at a time; a number has so many that wait looked at together.
        processes: So many processes serve, under one that starts another when one of them dies. Each has its own
            models and its own memory of answers. None by default: this one serves.
        config: serve.yaml, which may say all of this; what is said here as well counts more.
        keys: File of keys: whoever asks needs one of them.
        audit: File in which it is written who asked what, when, and with which result; no images, no words.
        cert: Certificate in PEM: the server speaks HTTPS.
        cert_key: Key of the certificate, where it is in a file of its own.
        insecure: Listen where others can reach it although nobody needs a key.
        catalog: Whose images may be named by content id, and whose models are known as well; LUCIDA_CATALOG or
            ./lucida-catalog by default, where there is one.
        policy: By which /v1/screen judges images, as of `lucida screen`: "privacy", or a YAML file.
        route: NAME=MODEL,MODEL has clients call NAME what the first answers, or the next where that one fails;
            NAME=MODEL:90,MODEL:10 splits the clients; serve.yaml can say more.
        log: A line on standard error for every request: JSON or plain; none by default. Nothing that was sent stands in
            it, only how much, by whom, and what came of it.
        traces: Address of a collector of OpenTelemetry that gets a span for every request, such as
            http://localhost:4318; OTEL_EXPORTER_OTLP_ENDPOINT by default, and none without.
        watch: Compare live images with those of a certificate, of a run or of a folder, or, with "live", with the first
            that come; GET /v1/watch says whether they have changed, and how often answers are right.
        make_key: Serve nothing, but make a key for somebody of this name, show it once, and append its hash to the
            file of keys, lucida-keys.yaml by default; a server that runs takes it at once.
        scopes: What that key is for, such as "classify,embed,model:siglip2"; everything by default.
        old_days: For how long earlier keys of the same name stay valid.

    Raises:
        InputError: A file is not what it must be, there is no model, the address cannot be listened on, or others
            could reach it without a key.
        UnknownName: No such model.
        ModelError: A model cannot be loaded.
    """
    from lucida.serve.serve_file import make_plan

    given = {
        "host": host, "port": port, "workers": workers, "queue": queue, "deadline": deadline, "plan": plan,
        "processes": processes,
        "keys": keys, "audit": audit, "cert": cert, "cert_key": cert_key, "insecure": insecure or None,
        "catalog": catalog, "policy": policy, "routes": route, "log": log, "traces": traces, "watch": watch,
    }  # fmt: skip
    found = make_plan(config, models, given)
    if make_key is not None:
        from lucida.serve.key_file import make_key as make

        wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
        return make(found.keys or Path("lucida-keys.yaml"), make_key, wanted, old_days=old_days)
    if scopes:
        raise InputError("Scopes are of a key that is made.", expected="--make-key NAME", got="none",
                         hint="what a key in the file is for is changed there")  # fmt: skip
    return _serve(found, None if models or config is None else lambda: make_plan(config).models)


def _serve(plan: Plan, names: Callable[[], tuple[str, ...]] | None = None) -> ServeEnded | Supervised:
    settings = replace(plan.settings, plan=plan.settings.plan or "measured")
    check_host(settings, insecure=plan.insecure, keys=plan.keys is not None)
    from lucida.serve.supervisor import inherited

    held = inherited()
    if settings.processes and held is None:
        return _supervise(plan)
    from lucida.screen.policy import read_policy
    from lucida.serve.audit import Audit
    from lucida.serve.served import open_shelf
    from lucida.serve.tls import check_tls
    from lucida.serve.watch.log import log_request, logging_to
    from lucida.serve.watch.traces import open_traces

    check_tls(settings)
    rules = read_policy(plan.policy, images=False) if plan.policy is not None else None
    with contextlib.ExitStack() as stack:
        stack.enter_context(logging_to(plan.log))
        traces = open_traces(plan.traces)
        if traces is not None:
            stack.callback(traces.close)
        opened = stack.enter_context(_catalog(plan.catalog))
        shelf = open_shelf(plan.models, opened.models if opened else None)
        listener = held or _listen(settings.host, settings.port)
        with contextlib.closing(listener):
            # The web framework is imported here: most of a second that nobody else has to wait.
            from lucida.serve.application import build
            from lucida.serve.desk import Desk
            from lucida.serve.reloading import Reloader
            from lucida.serve.server import DrainingServer

            desk = Desk(shelf, settings, opened, _keys(plan), policy=rules, routes=plan.routes)
            if plan.log.form != "json":
                desk.tell = _tell
            if plan.audit is not None:
                written = Audit(plan.audit)
                stack.callback(written.close)
                desk.watchers.append(written)
            if plan.watch is not None:
                from lucida.serve.watch.watcher import Watcher

                desk.watch = Watcher(desk, plan.watch)
            if plan.log.form != "off":
                desk.watchers.append(log_request)
            shown = f"[{settings.host}]" if ":" in settings.host else settings.host
            scheme = "https" if settings.cert else "http"
            address = f"{scheme}://{shown}:{listener.getsockname()[1]}"
            reloader = Reloader(desk, names)
            server = DrainingServer(
                build(desk, reloader, traces),
                desk,
                ready=lambda: _say(address, tuple(shelf.models)),
                reload=reloader.hang_up,
            )
            with contextlib.suppress(KeyboardInterrupt):
                server.run(sockets=[listener])
            if desk.failure is not None:
                raise desk.failure
            return ServeEnded(tuple(shelf.models), (desk.cache.hits, desk.looked))


def _supervise(plan: Plan) -> Supervised:
    from lucida.serve.supervisor import Supervisor

    settings = plan.settings
    counted = [name for name in ("keys", "audit", "routes", "watch") if getattr(plan, name)]
    if os.name != "posix" or (settings.processes > 1 and counted):
        raise InputError(
            "This cannot be served by several processes.",
            expected="one process where requests are counted, compared or written down; none above it on Windows",
            got=f"--processes {settings.processes}" + (f" with {', '.join(counted)}" if counted else ""),
            hint="--processes 1 still starts another when it dies; --workers uses all cores",
        )
    with contextlib.closing(_listen(settings.host, settings.port)) as listener:
        command = [sys.executable, "-m", "lucida", *sys.argv[1:]]
        return Supervisor(command, listener, settings.processes, settings.notice + settings.grace + 5).run()


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
            hint="--make-key NAME makes one, --keys FILE asks for it; or say --insecure in a network that you trust",
        )


def _keys(plan: Plan) -> Keys | None:
    if plan.keys is None:
        return None
    from lucida.serve.key_ring import KeyRing

    if not (plan.settings.local or plan.settings.cert):
        print("Keys and images cross the network in the clear: --cert and --cert-key speak HTTPS.", file=sys.stderr)
    return KeyRing(plan.keys)


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


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _say(address: str, models: tuple[str, ...]) -> None:
    print(f"Serving {', '.join(models)} at {address}; {address}/docs shows how to ask.", file=sys.stderr)
    print("Ctrl-C stops.", file=sys.stderr, flush=True)
