"""Counts and times of all requests, in the text format of Prometheus.

Values of labels are the server's own words: what a client makes up would fill the memory of whoever reads them.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from lucida.serve.headers import Exchange
    from lucida.serve.looking import Looked
    from lucida.serve.watch.readings import Reading

SECONDS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
IMAGES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
LEFT: Final = "499"  # status of an answer that nobody waited for
# When each series began is known to whoever reads them; it would double their number.
disable_created_metrics()


class _Asked(NamedTuple):
    """What is counted of one service and model."""

    seconds: Any
    wait: Any
    work: Any


class Metrics:
    """Counts requests, and reads everything else when it is asked.

    Args:
        models: Gives the names that are served now.
        read: What the parts of the server say of themselves when the metrics are read.
    """

    def __init__(
        self, models: Callable[[], Collection[str]], read: Callable[[], Iterable[Reading]] = lambda: ()
    ) -> None:
        self._models = models
        self.registry = CollectorRegistry(auto_describe=False)
        self._known: set[str] = set()

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"lucida_{name}", about, labels, registry=self.registry)

        def histogram(name: str, about: str, labels: Sequence[str], buckets: Sequence[float] = SECONDS) -> Histogram:
            return Histogram(f"lucida_{name}", about, labels, buckets=buckets, registry=self.registry)

        both = ("service", "model")
        self._requests = counter("requests", "Requests that were answered.", *both, "status")
        self._errors = counter("errors", "What went wrong, by class of error and status.", "service", "type", "status")
        self._images = counter("images", "Images that were answered, by a model or from memory.", *both, "source")
        self._received = counter("received_bytes", "Bytes of the bodies of requests.", "service")
        self._sent = counter("sent_bytes", "Bytes of the bodies of answers.", "service")
        self._seconds = histogram("request_seconds", "From the head of a request to the end of its answer.", both)
        self._wait = histogram("wait_seconds", "That an image waited for a worker.", both)
        self._work = histogram("work_seconds", "That a worker took for an image: decoding and inference.", both)
        self._batch = histogram("batch_images", "Images in one request to /v1/batch.", (), IMAGES)
        ProcessCollector(registry=self.registry)
        self.registry.register(_Reader(read))
        # To find the series of some labels takes longer than to count.
        self._asked = cache(self._series)
        self._counted = cache(self._requests.labels)
        self._failed = cache(self._errors.labels)
        self._bytes = cache(lambda service: (self._received.labels(service), self._sent.labels(service)))
        self._looked = cache(self._images.labels)

    def watch(self, exchange: Exchange) -> None:
        """Count a request that was answered."""
        service, model = exchange.service, self._named(exchange.model)
        self._counted(service, model, str(exchange.status or LEFT)).inc()
        asked = self._asked(service, model)
        asked.seconds.observe(exchange.seconds)
        for stage in exchange.stages:
            if stage.name == "wait":
                asked.wait.observe(stage.ended - stage.began)
            elif stage.name == "work":
                asked.work.observe(stage.ended - stage.began)
        received, sent = self._bytes(service)
        received.inc(exchange.received)
        sent.inc(exchange.sent)
        if service == "batch" and exchange.status == 200:
            self._batch.observe(exchange.cached + exchange.looked + len(exchange.errors))
        for kind, status in exchange.errors:
            self._failed(service, kind, str(status)).inc()

    def observe(self, looked: Looked) -> None:
        """Count an image that was answered."""
        job = looked.job
        self._looked(job.service.name, self._named(job.served.name), "memory" if looked.kept else "model").inc()

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """Return all of it, and the type of its text.

        Args:
            accept: The header of this name.
        """
        encode, kind = choose_encoder(accept)
        return encode(self.registry), kind

    def _series(self, service: str, model: str) -> _Asked:
        return _Asked(*(each.labels(service, model) for each in (self._seconds, self._wait, self._work)))

    def _named(self, model: str) -> str:
        """Return a name that is or was served; nothing else becomes a label."""
        if model in self._known:
            return model
        self._known.update(self._models())
        return model if model in self._known else ""


class _Reader:
    """Turns readings into metrics when they are asked for."""

    def __init__(self, read: Callable[[], Iterable[Reading]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        found: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for one in self._read():
            if one.name not in found:
                family = CounterMetricFamily if one.kind == "counter" else GaugeMetricFamily
                found[one.name] = family(one.name, one.about, labels=list(one.labels))
            found[one.name].add_metric(list(one.labels.values()), one.value)
        yield from found.values()
