"""Whatever OpenAPI allows is asked of every address: nothing fails, and answers are what they are promised to be.

    FUZZ_EXAMPLES=50 pytest tests/serve/fuzz_openapi.py

Not among the tests that are run every time: it takes minutes, and needs schemathesis.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from starlette.testclient import TestClient

from lucida.catalog import Catalog
from lucida.models import find
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.served import Served, Shelf
from served_models import boxes, lines, pixels, ready, talker, told

schemathesis = pytest.importorskip("schemathesis")
jsonschema = pytest.importorskip("jsonschema_rs")

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))


@pytest.fixture(scope="module")
def client(catalog: Catalog) -> Iterator[TestClient]:
    """A client of a server that can do everything."""
    models = [
        Served("embedded", find("embedded")),
        told("tag", ("bright", "dark"), lambda n: (3.0, -3.0), "tagger"),
        told("detect", ("bolt", "nut"), boxes, "bolts"),
        told("segment", ("sky", "sea"), pixels, "coast"),
        told("read", (), lines, "reader"),
        talker(),
        Served("embedded-generator", find("embedded-generator")),
        Served("embedded-x2", find("embedded-x2")),
    ]
    desk = Desk(Shelf(models), Settings(workers=1, images=4, deadline=60), catalog)
    with TestClient(build(desk), base_url="http://localhost", raise_server_exceptions=False) as opened:
        ready(opened)
        yield opened


def test_what_openapi_allows_is_answered_as_it_promises(client: TestClient) -> None:
    raw = client.get("/openapi.json").json()
    found: dict[tuple[str, ...], str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for result in schemathesis.openapi.from_dict(raw).get_all_operations():
            fuzz(client, raw, result.ok(), found)
    assert not found, "\n".join(f"{key}\n  {value}" for key, value in found.items())


def fuzz(client: TestClient, raw: dict[str, Any], operation: Any, found: dict[tuple[str, ...], str]) -> None:
    """Ask an address, and note what is wrong with its answers."""

    @seed(1)
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        sent = {
            name: value
            for name, value in case.as_transport_kwargs(base_url="http://localhost").items()
            if name in ("method", "url", "params", "headers", "json", "data", "files") and value is not None
        }
        if "files" in sent:
            sent["files"] = [(name, _text(value)) for name, value in sent["files"]]
        got = client.request(**sent)
        if problem := _problem(raw, case.method.lower(), case.path, got):
            key = (operation.label, str(got.status_code), problem)
            found.setdefault(key, f"{str(sent)[:500]}\n  {got.text[:500]}")

    ask()


def _text(value: Any) -> Any:
    """Return what a client can send in a form: numbers are written out."""
    if isinstance(value, tuple):
        return tuple(_text(one) for one in value)
    return value if isinstance(value, (bytes, str)) or value is None else str(value)


def _problem(raw: dict[str, Any], method: str, path: str, got: Any) -> str:
    """Return what is wrong with an answer; "" if it is as promised."""
    if got.status_code >= 500 and got.status_code not in (501, 503, 504):
        return "it failed"
    promised = raw["paths"][path][method]["responses"].get(str(got.status_code))
    if promised is None:
        return "nobody promised this status"
    kind = got.headers.get("content-type", "").partition(";")[0]
    content = promised.get("content", {})
    if content and kind not in content:
        return f"nobody promised {kind}"
    if kind != "application/json":
        return ""
    # Of its own, schemathesis turns the tuples of OpenAPI 3.1 into what no draft knows.
    schema = {**content.get(kind, {}).get("schema", {}), "components": raw["components"]}
    errors = [f"{list(one.instance_path)}: {one.message[:200]}"
              for one in jsonschema.Draft202012Validator(schema).iter_errors(got.json())]  # fmt: skip
    return "; ".join(errors[:3])
