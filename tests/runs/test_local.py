"""Batches on threads: in order, bounded, and stopped by the first error."""

from __future__ import annotations

import threading

import pytest

from lucida.runs.local import map_batches, map_stream


@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 37])
@pytest.mark.parametrize("batch", [1, 4, 100])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_item_once_and_in_order(n, batch, workers):
    found = list(map_batches(lambda items: items, range(n), batch=batch, workers=workers))
    assert [item for part in found for item in part] == list(range(n))
    assert all(len(part) == batch for part in found[:-1])


def test_a_slow_batch_does_not_change_the_order():
    second_is_done = threading.Event()

    def work(items):
        if items[0] == 0:
            assert second_is_done.wait(10), "another worker goes on meanwhile"
        elif items[0] == 1:
            second_is_done.set()
        return items[0]

    assert list(map_batches(work, range(6), batch=1, workers=2)) == list(range(6))


def test_little_is_done_ahead_of_who_takes_it():
    begun = []
    results = map_batches(lambda items: begun.append(items[0]), range(100), batch=1, workers=2)
    next(results)
    results.close()
    assert len(begun) <= 5


def test_an_error_comes_at_the_place_of_its_batch_and_ends_the_work():
    begun = []

    def work(items):
        begun.append(items[0])
        if items[0] == 3:
            raise ValueError("the fourth")
        return items[0]

    results = map_batches(work, range(100), batch=1, workers=2)
    got = [next(results) for _ in range(3)]
    with pytest.raises(ValueError, match="the fourth"):
        next(results)
    assert got == [0, 1, 2]
    assert len(begun) <= 3 + 4 + 1


def test_no_thread_is_left_behind():
    before = set(threading.enumerate())
    results = map_batches(lambda items: items, range(50), batch=2, workers=4)
    next(results)
    results.close()
    assert set(threading.enumerate()) <= before


def test_a_stream_is_never_read_further_ahead_than_results_may_wait():
    read, taken, ahead = 0, 0, 0

    def items():
        nonlocal read
        for number in range(50):
            read += 1
            yield number

    for number in map_stream(lambda item: item, items(), workers=2, waiting=3):
        assert number == taken
        taken += 1
        ahead = max(ahead, read - taken)
    assert taken == 50
    assert ahead <= 2
