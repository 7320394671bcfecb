"""serve.yaml: how a server is to be, in a file; what the command line says as well counts more."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, get_args

from lucida.errors import InputError
from lucida.screen.nodes import Node, read_nodes
from lucida.serve.audit import AuditSettings
from lucida.serve.config import BOUNDS, Settings
from lucida.serve.routing.plan import RoutePlan, parse_routes, read_routes
from lucida.serve.watch.log import Form, LogSettings
from lucida.serve.watch.settings import WatchSettings, read_watch
from lucida.serve.yaml_rules import Rule, choice, number, path, read_table, size, switch, text, whole

_HINT: Final = "docs/serving.md shows one"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Plan:
    """What is to be served, and how.

    Attributes:
        settings: Bounds, and where to listen.
        models: As `open_shelf` takes them.
        catalog: Whose images may be named; None for the usual one, where there is one.
        keys: A file of keys; None where nobody needs one.
        audit: Where it is written who asked what; None for nowhere.
        insecure: Whether others may ask without a key.
        policy: By which images are judged: a file, or the name of one of ours.
        log: What is logged, and where.
        traces: Address of a collector of spans; None for that of the environment, where there is one.
        routes: Names that several models answer to.
        watch: What is watched over; None for nothing.
    """

    settings: Settings = field(default_factory=Settings)
    models: tuple[str, ...] = ()
    catalog: Path | None = None
    keys: Path | None = None
    audit: AuditSettings | None = None
    insecure: bool = False
    policy: Path | None = None
    log: LogSettings = field(default_factory=LogSettings)
    traces: str | None = None
    routes: tuple[RoutePlan, ...] = ()
    watch: WatchSettings | None = None


def make_plan(file: Path | None, models: Sequence[str] = (), given: Mapping[str, Any] | None = None) -> Plan:
    """Return what a file and the command line say together.

    Args:
        file: serve.yaml; None for none.
        models: Of the command line, instead of those of the file.
        given: Fields of `Settings` and of `Plan`, audit as a path, log as a form, watch as a reference; what is
            None was not given.

    Raises:
        InputError: A value is not what it must be; says in which line.
        UnknownName: A key is not known; the nearest are given.
    """
    found = _read(file) if file is not None else {}
    said = {name: value for name, value in (given or {}).items() if value is not None}
    if "audit" in said:
        kept = found.get("audit")
        said["audit"] = replace(kept, file=said["audit"]) if kept else AuditSettings(said["audit"])
    if "log" in said:
        said["log"] = replace(found.get("log", LogSettings()), form=said["log"])
    if "watch" in said:
        said["watch"] = replace(found.get("watch") or WatchSettings(), reference=said["watch"])
    if "routes" in said:
        said["routes"] = (*found.get("routes", ()), *parse_routes(said["routes"]))
    if models:
        said["models"] = tuple(models)
    found |= said
    own = {name: found.pop(name) for name in Plan.__dataclass_fields__ if name in found}
    try:
        return Plan(Settings(**found), **own)
    except InputError as error:
        if file is None:
            raise
        hint = f"correct it in {file.name}, or on the command line"
        raise InputError(error.what, expected=error.expected, got=error.got, hint=hint) from None


def _read(file: Path) -> dict[str, Any]:
    root = read_nodes(file, "configuration", _HINT)
    found = read_table(root, _FILE, file.name)
    for name in _TABLES:
        found |= found.pop(name, {})
    home = file.absolute().parent
    for name in ("catalog", "keys", "cert", "cert_key"):
        if name in found:
            found[name] = home / found[name]
    if "policy" in found and (home / found["policy"]).exists():
        # Else it is the name of one of ours.
        found["policy"] = home / found["policy"]
    if "audit" in found:
        found["audit"] = replace(found["audit"], file=home / found["audit"].file)
    if "log" in found and found["log"].file is not None:
        found["log"] = replace(found["log"], file=home / found["log"].file)
    if "watch" in found and found["watch"].reference.startswith(("./", "../")):
        found["watch"] = replace(found["watch"], reference=str(home / found["watch"].reference))
    if "models" in found:
        found["models"] = tuple(_from_home(name, home) for name in found["models"])
    return found


def _from_home(model: str, home: Path) -> str:
    """Return a model of which a path that begins with a dot leads on from the file's folder."""
    name, equals, spec = model.rpartition("=") if _NAME.fullmatch(model.partition("=")[0]) else ("", "", model)
    return f"{name}{equals}{home / spec}" if spec.startswith(("./", "../")) else model


def _models(node: Node, what: str) -> tuple[str, ...]:
    if not isinstance(node.value, dict):
        return node.texts(what)
    for name, spec in node.value.items():
        if not _NAME.fullmatch(name):
            raise spec.wrong(
                f"{name[:100]!r} is no name for a model.", "letters, digits and . _ -", "classifier: siglip2"
            )
    return tuple(f"{name}={spec.text(f'the model {name!r}')}" for name, spec in node.value.items())


def _audit(node: Node, what: str) -> AuditSettings:
    if not isinstance(node.value, dict):
        return AuditSettings(path(node, what))
    return AuditSettings(**read_table(node, _AUDIT, what, required=("file",)))


def _log(node: Node, what: str) -> LogSettings:
    if not isinstance(node.value, dict):
        return LogSettings(_form(node, what))
    return LogSettings(**{"form": "json", **read_table(node, _LOG, what)})


def _bounded(kind: Callable[[float, float], Rule], name: str) -> Rule:
    return kind(*BOUNDS[name])


def _table(rows: Mapping[str, tuple[str, Rule]]) -> Rule:
    """Return what reads a table into fields of `Settings`, which have longer names."""

    def read(node: Node, what: str) -> dict[str, Any]:
        values = read_table(node, {key: rule for key, (_, rule) in rows.items()}, what)
        return {rows[key][0]: value for key, value in values.items()}

    return read


_TABLES: Final[dict[str, Rule]] = {
    "limits": _table(
        {
            "body": ("body_bytes", _bounded(size, "body_bytes")),
            "held": ("held_bytes", _bounded(size, "held_bytes")),
            "cache": ("cache_bytes", _bounded(size, "cache_bytes")),
            **{name: (name, _bounded(whole, name)) for name in ("pixels", "images", "classes")},
        }
    ),
    "clients": _table(
        {
            "header_seconds": ("header_seconds", _bounded(number, "header_seconds")),
            "body_seconds": ("body_seconds", _bounded(number, "body_seconds")),
            "body_rate": ("body_rate", _bounded(size, "body_rate")),
        }
    ),
    "jobs": _table(
        {
            "queue": ("job_queue", _bounded(whole, "job_queue")),
            "items": ("job_items", _bounded(whole, "job_items")),
            "inputs": ("job_inputs", _bounded(size, "job_inputs")),
            "results": ("job_results", _bounded(size, "job_results")),
            "days": ("job_days", _bounded(number, "job_days")),
        }
    ),
    "stop": _table({name: (name, _bounded(number, name)) for name in ("notice", "grace")}),
    "tls": _table({"cert": ("cert", path), "key": ("cert_key", path)}),
}
_AUDIT: Final[dict[str, Rule]] = {
    "file": path,
    "bytes": size(10_000, 2**40),
    "files": whole(1, 1000),
    "prompts": switch,
}
_form: Final = choice(*get_args(Form))
_LOG: Final[dict[str, Rule]] = {
    "form": _form,
    "file": path,
    "bytes": size(10_000, 2**40),
    "files": whole(2, 1000),
}
_FILE: Final[dict[str, Rule]] = {
    "models": _models,
    "host": text,
    "plan": text,
    "routes": read_routes,
    **{name: _bounded(whole, name) for name in ("port", "workers", "processes", "queue")},
    "deadline": _bounded(number, "deadline"),
    "catalog": path,
    "keys": path,
    "audit": _audit,
    "insecure": switch,
    "watch": read_watch,
    "policy": path,
    "log": _log,
    "traces": text,
    **_TABLES,
}
