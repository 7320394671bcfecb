"""The local executor: whole batches on threads of this process, results in order.

Each worker decodes a batch and then runs the model on it, on one core. While one worker is in the decoder
another is in the engine, both outside the interpreter's lock: decoding overlaps inference without a queue
of pixels in between, and memory holds one decoded image a worker.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
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
    batches = (tuple(items[start : start + batch]) for start in range(0, len(items), batch))
    return map_stream(work, batches, workers=workers, waiting=2 * workers)


def map_stream(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int, waiting: int
) -> Iterator[Result]:
    """Run a function over items as they come and yield its results in the order of the items.

    Args:
        work: Called with one item; must be safe to call from several threads.
        items: What to do; read in the calling thread, never further ahead than results may wait.
        workers: Calls at a time, at least 1.
        waiting: Results that wait to be taken, at most; at least 1.

    Raises:
        Exception: Whatever `work` raises, at the place of its item; items that wait are dropped.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="lucida-run")
    ahead: deque[Future[Result]] = deque()
    try:
        for item in items:
            ahead.append(pool.submit(work, item))
            if len(ahead) >= waiting:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
