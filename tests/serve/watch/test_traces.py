"""Spans of requests: their parents, their children, what they say, and whom they are told of."""

from __future__ import annotations

import sys

import pytest
from starlette.testclient import TestClient

from chat_server import serve
from lucida.errors import InputError, MissingExtra
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.served import open_shelf
from lucida.serve.watch.traces import Traces, _endpoint, open_traces
from served_models import png, ready, upload

pytest.importorskip("opentelemetry.sdk")
pytest.importorskip("openai")

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}


def test_a_request_is_a_span_with_its_stages_and_goes_on_to_other_servers() -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with serve() as server:
        desk = Desk(open_shelf([f"paid=api:m@{server.url}"]), Settings(workers=1))
        with TestClient(build(desk, traces=Traces(provider)), base_url="http://localhost") as client:
            ready(client)
            exporter.clear()
            got = client.post("/v1/ask", headers=PARENT, **upload(png(), question="my secret?"))
            assert got.status_code == 200, got.text
            client.post("/v1/ask", **upload(png(), question="?", model="none"))
            client.get("/healthz")
            counted = client.get("/metrics").text
    spans = exporter.get_finished_spans()
    one, other = (span for span in spans if span.name == "ask")
    children = {span.name: span for span in spans if span.parent and span.parent.span_id == one.context.span_id}
    assert {"read the body", "wait for a worker", "decode and infer"} == set(children)
    assert f"{one.context.trace_id:032x}" == TRACE
    assert one.parent is not None
    assert f"{one.parent.span_id:016x}" == "b7ad6b7169203331"
    work = children["decode and infer"]
    assert one.start_time <= work.start_time <= work.end_time <= one.end_time
    assert one.attributes["lucida.model"] == "paid"
    assert one.attributes["http.response.status_code"] == 200
    assert other.attributes["error.type"] == "UnknownName"
    assert f"{other.context.trace_id:032x}" != TRACE
    assert {span.name for span in spans} == {"ask", *children}
    assert "secret" not in "".join(span.to_json() for span in spans)
    assert 'lucida_model_tokens_total{direction="output",model="paid"} 50.0' in counted
    assert server.requests[-1].headers["traceparent"] == f"00-{TRACE}-{one.context.span_id:016x}-01"


def test_nothing_is_traced_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    assert open_traces(None) is None
    assert _endpoint("http://localhost:4318") == "http://localhost:4318/v1/traces"
    assert _endpoint("http://localhost:4318/own") == "http://localhost:4318/own"
    with pytest.raises(InputError, match="no address"):
        open_traces("localhost:4318")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(MissingExtra, match="telemetry"):
        open_traces("http://localhost:4318")
    # What the environment says may be meant for other programs.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
    assert open_traces(None) is None
