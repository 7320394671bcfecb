"""The local executor: whole batches on threads of this process, results in order.

Each worker decodes a batch and then runs the model on it, on one core. While one worker is in the decoder
another is in the engine, both outside the interpreter's lock: decoding overlaps inference without a queue
of pixels in between, and memory holds one decoded image a worker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_batches(
    work: Callable[[tuple[Item, ...]], Result], items: Sequence[Item], *, batch: int, workers: int
) -> Iterator[Result]:
    """Run a function over batches of items and yield its results in the order of the items.

    Args:
        work: Called with one batch; must be safe to call from several threads.
        items: What to do.
        batch: Items a call, at least 1.
        workers: Calls at a time, at least 1. At most twice as many batches wait to be taken, so that
            little is lost with the process.

    Raises:
        Exception: Whatever `work` raises, at the place of its batch; batches that wait are dropped.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="lucida-run")
    waiting: deque[Future[Result]] = deque()
    try:
        for start in range(0, len(items), batch):
            waiting.append(pool.submit(work, tuple(items[start : start + batch])))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
