"""What the parts of a server say of themselves when somebody reads the metrics; no part needs to know of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from lucida import __version__
from lucida.serve.watch.histogram import Histogram

if TYPE_CHECKING:
    from lucida.serve.desk import Desk
    from lucida.serve.work import Pool


@dataclass(frozen=True)
class Reading:
    """One value, now.

    Attributes:
        name: Of the metric, in the base unit: "lucida_jobs", "lucida_spent_dollars_total".
        about: A line on it.
        value: What it is.
        labels: By name; of each there are few values, none of which is a client's.
        kind: "counter" for what only grows, "histogram" where the value is one.
    """

    name: str
    about: str
    value: float | Histogram
    labels: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["gauge", "counter", "histogram"] = "gauge"


def read(desk: Desk) -> Iterator[Reading]:
    """Say how a server is, all its parts."""
    yield from _read_desk(desk)
    for gauge in list(desk.gauges):
        yield from gauge()


def _read_desk(desk: Desk) -> Iterator[Reading]:
    yield Reading("lucida_server_info", "The version that runs.", 1, {"version": __version__})
    yield Reading("lucida_ready", "Whether requests are served.", float(desk.state == "ready"))
    yield Reading("lucida_requests_open", "Requests that are being served.", desk.open)
    yield Reading("lucida_request_bytes_held", "Bytes of all requests that are being served.", desk.intake.held)
    for name, pool in desk.pools.items():
        yield from _read_pool(pool, {"pool": name})
    cache = desk.cache
    yield Reading("lucida_cache_hits_total", "Answers that were given from memory.", cache.hits, kind="counter")
    yield Reading("lucida_cache_misses_total", "Answers that were looked for there.", cache.misses, kind="counter")
    yield Reading("lucida_cache_bytes", "Bytes of the answers that are kept.", cache.bytes)
    yield Reading("lucida_cache_answers", "Answers that are kept.", len(cache))
    yield from _read_models(desk)
    yield from _read_routes(desk)


def _read_pool(pool: Pool, labels: Mapping[str, str]) -> Iterable[Reading]:
    return (
        Reading("lucida_queue_depth", "Images, or pieces of long work, that wait for a worker.", pool.depth, labels),
        Reading("lucida_places_taken", "Places that are taken, waiting or at work.", pool.taken, labels),
        Reading("lucida_places", "Places that there are.", pool.places, labels),
        Reading("lucida_workers", "Workers that there are.", pool.workers, labels),
        Reading("lucida_workers_hung", "Workers that hang, and were replaced.", pool.hung, labels),
        Reading("lucida_call_images", "Images that one call of a model looked at.", pool.sizes, labels, "histogram"),
    )


def _read_routes(desk: Desk) -> Iterator[Reading]:
    for name, route in desk.router.routes.items():
        weights = route.weights
        for model, counts in route.counts.items():
            labels = {"route": name, "model": model}
            yield Reading("lucida_route_share", "Share of the clients of a route.", weights.get(model, 0.0), labels)
            shut = float(route.breakers[model].state != "closed")
            yield Reading("lucida_route_breaker_open", "Whether a model is left alone for a while.", shut, labels)
            for outcome, count in (
                ("answered", counts.answered), ("fell_back", counts.fell_back), ("failed", counts.failed)
            ):  # fmt: skip
                about = "Images that a model of a route answered; its own that another answered, or nobody."
                yield Reading("lucida_route_images_total", about, count, {**labels, "outcome": outcome}, "counter")


def _read_models(desk: Desk) -> Iterator[Reading]:
    # A list: a reload may come between.
    for one in list(desk.shelf.models.values()):
        labels, usage = {"model": one.name}, one.meter.usage
        told = {**labels, "revision": one.spec.revision, "family": one.spec.family}
        yield Reading("lucida_model_info", "The models that are served, and their revisions.", 1, told)
        yield Reading(
            "lucida_model_since_timestamp_seconds", "When this revision began to be served.", one.since, labels
        )
        for kind, tokens in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if tokens:
                yield Reading("lucida_model_tokens_total", "Tokens of models that are paid for.", tokens,
                              {**labels, "direction": kind}, "counter")  # fmt: skip
        if usage.cost is not None:
            yield Reading("lucida_model_cost_dollars_total", "What models that are paid for cost, in US dollars.",
                          usage.cost, labels, "counter")  # fmt: skip
