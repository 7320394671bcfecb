"""What it costs a request that it is counted, logged and traced: microseconds each, on one core.

python benchmarks/watching.py
"""

from __future__ import annotations

import timeit
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from lucida.serve.headers import Exchange
from lucida.serve.looking import Looked
from lucida.serve.stages import Stage
from lucida.serve.watch.log import LogSettings, log_request, logging_to
from lucida.serve.watch.metrics import Metrics
from lucida.serve.watch.traces import Traces

STAGES = [Stage("read", 0.0, 0.001), Stage("wait", 0.001, 0.003), Stage("work", 0.003, 0.012)]
ONE = Exchange(
    "0" * 16, "classify", "mobilenet-clothes", 200, 0.0123, looked=1, holder="anna", received=50_000, sent=800,
    stages=STAGES,
)  # fmt: skip


def microseconds(work: Callable[[], Any], number: int = 5000) -> float:
    """Return what one call takes at best: other work on the machine only adds to it."""
    work()
    return min(timeit.repeat(work, number=number, repeat=9)) / number * 1e6


def main() -> None:
    """Print the costs."""
    metrics = Metrics(lambda: ["mobilenet-clothes"])
    job: Any = SimpleNamespace(service=SimpleNamespace(name="classify"), served=SimpleNamespace(name=ONE.model))
    looked = Looked(job, b"", False, 0.01)
    print(f"count a request            {microseconds(lambda: metrics.watch(ONE)):8.1f} us")
    print(f"count an image             {microseconds(lambda: metrics.observe(looked)):8.1f} us")
    print(f"write all metrics          {microseconds(metrics.text, 50):8.1f} us, once a scrape")
    with TemporaryDirectory() as folder:
        for form in ("json", "plain"):
            with logging_to(LogSettings(form, Path(folder) / form)):
                print(f"log a request, {form:5}       {microseconds(lambda: log_request(ONE)):8.1f} us")
    try:
        from opentelemetry.sdk.trace import TracerProvider
    except ImportError:
        print("trace a request                   - (pip install camera-lucida[telemetry])")
        return
    traces, headers = Traces(TracerProvider()), {b"host": b"localhost"}

    def trace() -> None:
        span = traces.begin("/v1/classify", headers)
        assert span is not None
        traces.end(span, ONE)

    print(f"trace a request            {microseconds(trace, 1000):8.1f} us, beside what sends the spans")


if __name__ == "__main__":
    main()
