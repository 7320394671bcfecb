"""Traces of requests for OpenTelemetry: a span each, with what it read, waited and worked as children.

Nothing that a client sent becomes an attribute, but for its request id. Where nothing is traced, nothing of this is
imported.

Source: https://opentelemetry.io/docs/specs/semconv/http/http-spans/ and https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from lucida import __version__
from lucida.errors import InputError, MissingExtra
from lucida.models.openai_api.tracing import TRACEPARENT

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

    from lucida.serve.headers import Exchange
    from lucida.serve.stages import Name

# Asked every few seconds by what watches over the server.
UNTRACED: Final = ("/healthz", "/readyz", "/metrics")
ASKED_FOR: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_STAGES: Final[dict[Name, str]] = {
    "read": "read the body",
    "wait": "wait for a worker",
    "work": "decode and infer",
}
_log = logging.getLogger("lucida.serve")


class Traces:
    """Turns requests into spans; called in the event loop.

    Args:
        provider: Where the spans go.
    """

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider, self._tracer = provider, provider.get_tracer("lucida.serve", __version__)
        self._extract = TraceContextTextMapPropagator().extract
        self._within, self._server = set_span_in_context, SpanKind.SERVER
        self._failed = Status(StatusCode.ERROR)

    def begin(self, path: str, headers: dict[bytes, bytes]) -> Span | None:
        """Begin the span of a request, as a part of the trace that its client names.

        Args:
            path: Of the address.
            headers: Of the request.

        Returns:
            The span; None where it is not traced.
        """
        if path in UNTRACED:
            return None
        names = (b"traceparent", b"tracestate")
        carrier = {name.decode(): headers[name].decode("latin-1") for name in names if name in headers}
        span = self._tracer.start_span("request", self._extract(carrier) if carrier else None, kind=self._server)
        found = span.get_span_context()
        TRACEPARENT.set(f"00-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}")
        return span

    def end(self, span: Span, exchange: Exchange) -> None:
        """End the span of a request that was answered."""
        if span.is_recording():
            self._tell(span, exchange)
        span.end()

    def _tell(self, span: Span, exchange: Exchange) -> None:
        if exchange.service:
            span.update_name(exchange.service)
        span.set_attributes(
            {
                "http.response.status_code": exchange.status,
                "http.request.body.size": exchange.received,
                "http.response.body.size": exchange.sent,
                "lucida.request_id": exchange.id,
                "lucida.service": exchange.service,
                "lucida.model": exchange.model,
                "lucida.images.looked": exchange.looked,
                "lucida.images.cached": exchange.cached,
            }
        )
        if exchange.errors:
            span.set_attribute("error.type", exchange.errors[0][0])
        if exchange.status >= 500 or not exchange.status:
            span.set_status(self._failed)
        within, now, since = self._within(span), time.time_ns(), time.monotonic()
        for stage in exchange.stages:
            began, ended = (now - int((since - moment) * 1e9) for moment in (stage.began, stage.ended))
            self._tracer.start_span(_STAGES[stage.name], within, start_time=began).end(ended)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def open_traces(url: str | None) -> Traces | None:
    """Return what traces requests; None where nobody asks for it.

    Args:
        url: Of a collector that speaks OTLP over HTTP; None for that of the environment, where there is one.

    Raises:
        InputError: It is no address.
        MissingExtra: The packages are not installed.
    """
    asked = url is not None or any(os.environ.get(name) for name in ASKED_FOR)
    if not asked or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        return Traces(_provider(_endpoint(url)))
    except MissingExtra as error:
        if url is not None:
            raise
        # The environment may be meant for others.
        _log.warning("nothing is traced: %s %s", error.what, error.hint)
        return None


def _endpoint(url: str | None) -> str | None:
    """Return where spans are sent; None for what the environment says."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InputError(
            "This is no address of a collector.",
            expected="http://HOST:PORT of one that takes OTLP over HTTP",
            got=url[:100],
            hint="--traces http://localhost:4318",
        )
    return url if parts.path.strip("/") else f"{url.rstrip('/')}/v1/traces"


def _provider(endpoint: str | None) -> TracerProvider:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise MissingExtra("opentelemetry-sdk", "telemetry", "Tracing requests") from error
    told: dict[str, Any] = {"service.version": __version__}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        told["service.name"] = "lucida"
    provider = TracerProvider(resource=Resource.create(told), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
    return provider
