"""How a server is now: what has changed between two looks at its counters.

Requests are those of clients: the page's own, and those for metrics and health, are none.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lucida.studio.watching.prometheus import Metrics

OVER: Final = 60.0  # seconds that figures are of
POINTS: Final = 180  # of a curve
GAP: Final = 15.0  # seconds without a look, after which a curve begins anew
QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
# What watches over the server, and the page itself, asks these.
_NOT_CLIENTS: Final = frozenset({"", "jobs", "watch", "metrics", "routes", "reload"})

Buckets = Mapping[float, float]


@dataclass(frozen=True)
class Sample:
    """One look.

    Attributes:
        time: Seconds that never go back.
        status: Requests of clients so far, by model and status.
        seconds: How many took at most so long, by model.
        hits, misses: Of the memory.
        queue: What waits for a worker.
    """

    time: float
    status: Counter[tuple[str, str]]
    seconds: dict[str, Counter[float]]
    hits: float
    misses: float
    queue: float

    @property
    def total(self) -> float:
        """All requests."""
        return self.status.total()


@dataclass
class History:
    """The looks at one server, since the page was opened."""

    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=POINTS + 1))
    metrics: Metrics = field(default_factory=dict)

    def add(self, metrics: Metrics, time: float) -> None:
        """Take a look."""
        sample = _sample(metrics, time)
        before = self.samples[-1] if self.samples else None
        # Counters that fell are of a server that was started anew.
        if before is not None and (sample.total < before.total or time - before.time > GAP):
            self.samples.clear()
        self.samples.append(sample)
        self.metrics = metrics

    def to_json(self) -> dict[str, Any]:
        """Return figures and curves as plain values."""
        last = self.samples[-1]
        first = next((one for one in self.samples if one.time >= last.time - OVER), last)
        return {
            **_between(first, last),
            "total": last.total,
            "points": [
                {"ago": round(after.time - last.time, 1), **_between(before, after), "queue": after.queue}
                for before, after in self._steps()
            ],
            "queue": last.queue,
            "hits": _share(last.hits - first.hits, last.misses - first.misses) or _share(last.hits, last.misses),
            **_gauges(self.metrics),
            "models": self._models(first, last),
        }

    def _steps(self) -> list[tuple[Sample, Sample]]:
        """Return pairs of looks; each spans a few, so that single requests make no spikes."""
        samples = list(self.samples)
        return [(samples[max(0, place - 4)], samples[place]) for place in range(1, len(samples))]

    def _models(self, first: Sample, last: Sample) -> list[dict[str, Any]]:
        since = {one["model"]: value for one, value in self.metrics.get("lucida_model_since_timestamp_seconds", ())}
        cost = {one["model"]: value for one, value in self.metrics.get("lucida_model_cost_dollars_total", ())}
        images: Counter[str] = Counter()
        for one, value in self.metrics.get("lucida_images_total", ()):
            images[one.get("model", "")] += int(value)
        found = []
        for labels, _ in self.metrics.get("lucida_model_info", ()):
            name = labels.get("model", "")
            buckets = _less(last.seconds.get(name, Counter()), first.seconds.get(name, Counter()))
            if not max(buckets.values(), default=0):
                buckets = last.seconds.get(name, Counter())
            found.append(
                {
                    "name": name, "revision": labels.get("revision", ""), "family": labels.get("family", ""),
                    "since": since.get(name), "cost": cost.get(name),
                    "images": images[name],
                    "failed": sum(n for (one, status), n in last.status.items() if one == name and _failed(status)),
                    **{key: quantile(buckets, share) for key, share in QUANTILES.items()},
                }
            )  # fmt: skip
        return found


def quantile(buckets: Buckets, share: float) -> float | None:
    """Estimate a quantile from cumulative counts, as Prometheus does; None without any.

    Args:
        buckets: How many values there are up to each bound; the last bound is infinite.
        share: Within (0, 1).
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0
    if total <= 0:
        return None
    below, under = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= share * total:
            if math.isinf(bound):
                return below
            return below + (bound - below) * (share * total - under) / max(buckets[bound] - under, 1e-9)
        below, under = bound, buckets[bound]
    return below


def _between(before: Sample, after: Sample) -> dict[str, Any]:
    passed = after.time - before.time
    status = _less(after.status, before.status)
    asked = status.total()
    failed = sum(count for (_, one), count in status.items() if _failed(one))
    refused = sum(count for (_, one), count in status.items() if one.startswith("4") and not _failed(one))
    buckets: Counter[float] = Counter()
    for model, found in after.seconds.items():
        buckets.update(_less(found, before.seconds.get(model, Counter())))
    return {
        "requests": asked / passed if passed > 0 else None,
        "errors": failed / asked if asked else None,
        "refused": refused / asked if asked else None,
        **{name: quantile(buckets, share) for name, share in QUANTILES.items()},
    }


def _failed(status: str) -> bool:
    return status.startswith("5")


def _less(after: Counter[Any], before: Counter[Any]) -> Counter[Any]:
    return Counter({key: count - before[key] for key, count in after.items()})


def _share(part: float, rest: float) -> float | None:
    return part / (part + rest) if part + rest > 0 else None


def _sample(metrics: Metrics, time: float) -> Sample:
    status: Counter[tuple[str, str]] = Counter()
    for labels, value in metrics.get("lucida_requests_total", ()):
        if labels.get("service", "") not in _NOT_CLIENTS:
            status[labels.get("model", ""), labels.get("status", "")] += int(value)
    seconds: dict[str, Counter[float]] = {}
    for labels, value in metrics.get("lucida_request_seconds_bucket", ()):
        if labels.get("service", "") not in _NOT_CLIENTS:
            found = seconds.setdefault(labels.get("model", ""), Counter())
            found[float(labels["le"].replace("+Inf", "inf"))] += int(value)
    hits, misses = _sum(metrics, "lucida_cache_hits_total"), _sum(metrics, "lucida_cache_misses_total")
    return Sample(time, status, seconds, hits, misses, _sum(metrics, "lucida_queue_depth"))


def _gauges(metrics: Metrics) -> dict[str, Any]:
    version = next((labels.get("version", "") for labels, _ in metrics.get("lucida_server_info", ())), "")
    return {
        "version": version,
        "ready": _sum(metrics, "lucida_ready") > 0,
        "open": _sum(metrics, "lucida_requests_open"),
        "taken": _sum(metrics, "lucida_places_taken"),
        "places": _sum(metrics, "lucida_places"),
        "workers": _sum(metrics, "lucida_workers"),
        "memory": _sum(metrics, "process_resident_memory_bytes") or None,
    }


def _sum(metrics: Metrics, name: str) -> float:
    return sum(value for _, value in metrics.get(name, ()))
