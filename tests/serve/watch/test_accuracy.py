"""Accuracy by sampling: what coins draw, what people say of it, and a bound that parts of the answers suffice for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lucida.errors import InputError, UnknownName
from lucida.models import find
from lucida.runs.seeing import Wish
from lucida.serve.intake import Sent
from lucida.serve.looking import Job, Looked
from lucida.serve.records import Records
from lucida.serve.served import Served
from lucida.serve.services import SERVICES
from lucida.serve.watch.accuracy import Accuracy, today
from lucida.serve.watch.tables import tables


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records(tmp_path)
    opened.prepare(tables)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def looked() -> Looked:
    job = Job(SERVICES["embed"], Served("m", find("embedded")), Wish("embed"), Sent("ab" * 32), "r1")
    return Looked(job, b'{"label": "cat", "score": 0.9}', False, 0.1)


def test_all_are_counted_and_some_are_drawn(records: Records, looked: Looked) -> None:
    counting = Accuracy(records, "m", 0.2)
    drawn = sum(counting.take(looked) for _ in range(500))
    counting.flush()
    counting.flush()
    (day,) = counting.days()
    assert day == today([day])
    assert (day.total, day.drawn, day.unanswered) == (500, drawn, drawn)
    assert 50 < drawn < 160
    assert (day.low, day.high) == (0.0, 1.0)
    assert counting.has_drawn(looked.job.sent.id)


def test_the_first_half_of_the_queue_gives_a_bound(records: Records, looked: Looked) -> None:
    counting = Accuracy(records, "m", 0.5)
    for _ in range(1200):
        counting.take(looked)
    counting.flush()
    for one in counting.waiting(300):
        counting.answer(one.number, "right", None, "anna")
    (day,) = counting.days()
    # Half of what was drawn is open: as the worst case of all of it, it would say hardly more than that.
    assert day.unanswered > 200
    assert day.low > 0.9
    assert day.high == 1.0


def test_another_rate_is_another_day_s_process_and_the_last_word_counts(records: Records, looked: Looked) -> None:
    for rate in (1.0, 0.999):
        counting = Accuracy(records, "m", rate)
        for _ in range(5):
            counting.take(looked)
        counting.flush()
    assert [day.rate for day in counting.days()] == [0.999, 1.0]
    number = counting.waiting()[0].number
    for verdict in ("right", "wrong"):
        counting.answer(number, verdict, "dog", "anna")
    assert sum(day.wrong for day in counting.days()) == 1
    assert number not in [one.number for one in counting.waiting()]


def test_what_was_not_drawn_is_refused(records: Records, looked: Looked) -> None:
    counting = Accuracy(records, "m", 0.0)
    assert not counting.take(looked)
    with pytest.raises(InputError, match="not drawn"):
        counting.answer(7, "right", None, "anna")
    with pytest.raises(UnknownName):
        counting.answer(7, "perhaps", None, "anna")
