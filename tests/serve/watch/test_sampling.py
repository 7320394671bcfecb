"""Drawing of live images: once each, so many a minute, and never more held than there is room for."""

from __future__ import annotations

from lucida.models import find
from lucida.runs.seeing import Wish
from lucida.serve.intake import Sent
from lucida.serve.looking import Job, Looked
from lucida.serve.served import Served
from lucida.serve.services import SERVICES
from lucida.serve.watch.sampling import HELD, WAITING, Sampling
from lucida.serve.watch.settings import WatchSettings


def looked(size: int = 1) -> Looked:
    job = Job(SERVICES["embed"], Served("m", find("embedded")), Wish("embed"), Sent("ab" * 32, b"x" * size))
    return Looked(job, b"{}", False, 0.1)


def test_images_are_drawn_once_and_so_many_a_minute() -> None:
    sampling = Sampling(WatchSettings(a_minute=10))
    assert sampling.draws("a")
    assert not sampling.draws("a")
    assert sum(sampling.draws(f"b{number}") for number in range(50)) == 9
    share = sum(Sampling(WatchSettings(a_minute=1000, sample=0.3)).draws("a") for _ in range(300))
    assert 40 < share < 150


def test_the_oldest_go_where_there_is_no_room() -> None:
    sampling = Sampling(WatchSettings())
    for _ in range(WAITING + 3):
        sampling.put(looked(), compared=True)
    assert (len(sampling), sampling.passed) == (WAITING, 3)
    sampling.put(looked(HELD), compared=False)
    assert len(sampling) == 1
    assert not sampling.take().compared
