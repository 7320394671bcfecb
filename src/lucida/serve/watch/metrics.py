"""Counts and times of all requests, in the text format of Prometheus.

Values of labels are the server's own words: what a client makes up would fill the memory of whoever reads them.
Counting is done here, in the event loop and without locks, since every request pays for it; the package of Prometheus
writes the text.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from lucida.serve.watch.histogram import IMAGES, Histogram

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from lucida.serve.headers import Exchange
    from lucida.serve.looking import Looked
    from lucida.serve.watch.readings import Reading

LEFT: Final = 499  # status of an answer that nobody waited for
_BOTH: Final = ("service", "model")
_FAMILIES: Final[dict[str, Any]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


class _Asked:
    """What is counted of one service and model."""

    __slots__ = ("seconds", "status", "wait", "work")

    def __init__(self) -> None:
        self.status = Counter[int]()
        self.seconds, self.wait, self.work = Histogram(), Histogram(), Histogram()


class Metrics:
    """Counts requests, and reads everything else when it is asked.

    Args:
        models: Gives the names that are served now.
        read: What the parts of the server say of themselves when the metrics are read.
        process: Names this process, where several answer at one address; "" where there is only one.
    """

    def __init__(
        self,
        models: Callable[[], Collection[str]],
        read: Callable[[], Iterable[Reading]] = lambda: (),
        process: str = "",
    ) -> None:
        self._models, self._read, self._process = models, read, process
        self._known: set[str] = set()
        self._asked: dict[tuple[str, str], _Asked] = {}
        self._errors, self._images = Counter[tuple[str, str, int]](), Counter[tuple[str, str, str]]()
        self._received, self._sent = Counter[str](), Counter[str]()
        self._batch = Histogram(IMAGES)
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(self)

    def watch(self, exchange: Exchange) -> None:
        """Count a request that was answered; in the event loop."""
        if exchange.probe:
            return
        service = exchange.service
        key = (service, self._named(exchange.model))
        asked = self._asked.get(key) or self._asked.setdefault(key, _Asked())
        asked.status[exchange.status or LEFT] += 1
        asked.seconds.observe(exchange.seconds)
        for name, began, ended in exchange.stages:
            if name != "read":
                (asked.wait if name == "wait" else asked.work).observe(ended - began)
        self._received[service] += exchange.received
        self._sent[service] += exchange.sent
        if service == "batch" and exchange.status == 200:
            self._batch.observe(exchange.cached + exchange.looked + len(exchange.errors))
        for kind, status in exchange.errors:
            self._errors[service, kind, status] += 1

    def observe(self, looked: Looked) -> None:
        """Count an image that was answered; in the event loop."""
        job = looked.job
        self._images[job.service.name, self._named(job.served.name), "memory" if looked.kept else "model"] += 1

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """Return all of it, and the type of its text; in any thread.

        Args:
            accept: The header of this name.
        """
        encode, kind = choose_encoder(accept)
        return encode(_Told(self.registry, self._process) if self._process else self.registry), kind

    def _named(self, model: str) -> str:
        """Return a name that is or was served; nothing else becomes a label."""
        if model in self._known:
            return model
        self._known.update(self._models())
        return model if model in self._known else ""

    def describe(self) -> list[Metric]:
        """Tell the registry nothing before it asks for values."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give all metrics, for the registry."""
        asked = list(self._asked.items())
        statuses = {(*key, status): n for key, one in asked for status, n in list(one.status.items())}
        yield _counter("requests", "Requests that were answered.", (*_BOTH, "status"), statuses)
        kinds = ("service", "type", "status")
        yield _counter("errors", "What went wrong, by class of error and status.", kinds, self._errors)
        about = "Images that were answered, by a model or from memory."
        yield _counter("images", about, (*_BOTH, "source"), self._images)
        for name, about, counts in (
            ("received_bytes", "Bytes of the bodies of requests.", self._received),
            ("sent_bytes", "Bytes of the bodies of answers.", self._sent),
        ):
            yield _counter(name, about, ("service",), {(service,): n for service, n in list(counts.items())})
        for name, about, rows in (
            ("request", "From the head of a request to the end of its answer.", [(k, o.seconds) for k, o in asked]),
            ("wait", "That an image, or other work, waited for a worker.", [(k, o.wait) for k, o in asked]),
            (
                "work",
                "That a worker took for it: for an image, decoding and inference.",
                [(k, o.work) for k, o in asked],
            ),
        ):
            yield _histogram(f"{name}_seconds", about, _BOTH, rows)
        yield _histogram("batch_images", "Images in one request to /v1/batch.", (), [((), self._batch)])
        yield from _read(self._read())


class _Told(Collector):
    """All metrics of one process of several: whoever reads them meets now one of them and now another."""

    def __init__(self, registry: CollectorRegistry, process: str) -> None:
        self._registry, self._process = registry, process

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            own = {"process": self._process}
            metric.samples = [sample._replace(labels={**sample.labels, **own}) for sample in metric.samples]
            yield metric


def _counter(name: str, about: str, labels: Sequence[str], counts: Mapping[Any, int]) -> Metric:
    family = CounterMetricFamily(f"lucida_{name}", about, labels=labels)
    for key, count in list(counts.items()):
        family.add_metric([str(part) for part in key], count)
    return family


def _histogram(
    name: str, about: str, labels: Sequence[str], rows: Iterable[tuple[tuple[str, ...], Histogram]]
) -> Metric:
    family = HistogramMetricFamily(f"lucida_{name}", about, labels=labels)
    for key, one in rows:
        if labels and not any(one.counts):
            continue
        family.add_metric(key, _buckets(one), one.sum)
    return family


def _buckets(one: Histogram) -> list[tuple[str, float]]:
    return list(zip((*map(floatToGoString, one.bounds), "+Inf"), accumulate(one.counts), strict=True))


def _read(readings: Iterable[Reading]) -> Iterator[Metric]:
    found: dict[str, Any] = {}
    for one in readings:
        labels = list(one.labels.values())
        if one.name not in found:
            found[one.name] = _FAMILIES[one.kind](one.name, one.about, labels=list(one.labels))
        if isinstance(one.value, Histogram):
            found[one.name].add_metric(labels, _buckets(one.value), one.value.sum)
        else:
            found[one.name].add_metric(labels, one.value)
    yield from found.values()
