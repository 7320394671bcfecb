"""The cut-off: its statement holds, whatever the ranking is worth; what is answered stays."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from lucida.catalog import Catalog, add
from lucida.errors import InputError
from lucida.search.cutoff import Claim, Cutoff
from lucida.search.judging import Judging
from lucida.search.query import Query
from lucida.search.searcher import Searcher
from search.colours import COLOURS


def names(count: int) -> list[str]:
    return [f"image {i}" for i in range(count)]


def judge(relevant: np.ndarray, seed: int, *, share: float = 0.9, most: int = 100) -> list[Claim]:
    """Answer all questions truthfully and return what was claimed after each."""
    cutoff = Cutoff(names(len(relevant)), share=share, seed=seed)
    claims = []
    while len(claims) < most and (asked := cutoff.next()) is not None:
        cutoff.answer(asked, bool(relevant[int(asked.split()[1])]))
        claims.append(cutoff.claim())
    return claims


def broken(claims: list[Claim], relevant: np.ndarray) -> bool:
    """Whether anything that was ever claimed is wrong: one may stop at any time."""
    held = np.cumsum(relevant)
    return any(claim.results and held[claim.results - 1] < claim.relevant for claim in claims)


@pytest.mark.parametrize("kind", ["end", "edge", "slope", "upside down"])
def test_what_is_claimed_is_wrong_in_at_most_five_percent(kind: str) -> None:
    random = np.random.default_rng(7)
    rank = np.arange(150)
    chance = {
        "end": np.where(rank < 50, 0.97, 0.03),
        "edge": np.full(150, 0.88),  # just under what must be proven, everywhere
        "slope": 1 / (1 + np.exp((rank - 80) / 15)),
        "upside down": np.where(rank < 30, 0.8, 0.99),
    }[kind]
    wrong = 0
    for seed in range(40):
        relevant = random.random(150) < chance
        wrong += broken(judge(relevant, seed), relevant)
    # 5 % of 40 is 2; more than 5 would come in 1 of 70 runs if it were exactly that.
    assert wrong <= 5


def test_relevance_is_found_to_end_where_it_ends() -> None:
    relevant = np.arange(400) < 120
    claims = judge(relevant, 1)
    assert 90 <= claims[-1].results <= 133
    assert claims[-1].share >= 0.9
    assert len(claims) < 100
    assert judge(np.ones(1000, bool), 2)[-1].results == 1000
    assert len(judge(np.ones(1000, bool), 2)) < 75
    assert len(judge(np.zeros(300, bool), 3)) < 8
    assert judge(np.zeros(300, bool), 3)[-1].results == 0
    assert all(later.results >= earlier.results for earlier, later in itertools.pairwise(claims))


def test_a_lower_share_takes_fewer_answers() -> None:
    relevant = np.arange(500) % 10 != 3
    needed = {}
    for share in (0.6, 0.7):
        every = [judge(relevant, seed, share=share) for seed in range(4)]
        assert all(claims[-1].results == 500 for claims in every)
        needed[share] = sum(len(claims) for claims in every)
    assert needed[0.6] < needed[0.7]


@pytest.mark.parametrize("count", [0, 1, 2, 5, 13])
def test_short_lists_are_answered_to_the_end(count: int) -> None:
    claims = judge(np.ones(count, bool), 1)
    assert len(claims) <= count
    cutoff = Cutoff(names(count))
    for name in names(count):
        cutoff.answer(name, True)
    assert cutoff.next() is None
    assert cutoff.claim() == Claim(count, count, 1.0 if count else 0.95, count, 0, count)


def test_any_result_may_be_answered_and_answers_may_change() -> None:
    cutoff = Cutoff(names(100), seed=3)
    for place in (50, 2, 99, 2):
        cutoff.answer(f"image {place}", place != 99)
    while (asked := cutoff.next()) is not None:
        cutoff.answer(asked, True)
    before = cutoff.claim()
    assert before.results > 80
    for place in range(20):
        cutoff.answer(f"image {place}", False)
    assert cutoff.claim().results < before.results
    with pytest.raises(InputError, match="none of the results"):
        cutoff.answer("another", True)


@pytest.mark.parametrize("given", [{"share": 1.0}, {"share": 0.0}, {"confidence": 1.5}])
def test_numbers_out_of_range_are_refused(given: dict) -> None:
    with pytest.raises(InputError, match="out of range"):
        Cutoff(names(5), **given)


def test_a_result_that_comes_twice_is_refused() -> None:
    with pytest.raises(InputError, match="twice"):
        Cutoff(["a", "b", "a"])


def test_a_claim_says_what_is_proven() -> None:
    assert "nothing is proven" in str(Claim(0, 0, 0.95, 3))
    assert str(Claim(37, 34, 0.95, 40)).startswith("Of the first 37 results at least 34 are relevant (92%), with 95%")


def test_answers_are_kept_and_gone_on_with(coloured: Catalog, tmp_path: Path) -> None:
    searcher, query = Searcher(coloured, COLOURS), Query("red", by="vectors")
    first = Judging(coloured, searcher.search(query), actor="me")
    asked = []
    for _ in range(3):
        image = first.next()
        assert image is not None
        asked.append(image)
        first.answer(image, coloured.images.name(image).split("/")[-1].startswith("red"))
    again = Judging(coloured, searcher.search(query), actor="me")
    assert again.run == first.run
    assert again.answers == first.answers
    assert again.next() == first.next()
    assert again.claim() == first.claim()
    # A ranking that has changed is another one, with an order of its own; what was answered is known.
    (tmp_path / "pictures" / "more.png").write_bytes((tmp_path / "pictures" / "red 0.png").read_bytes()[:-12])
    from PIL import Image

    Image.new("RGB", (9, 9), (250, 5, 5)).save(tmp_path / "pictures" / "more.png")
    add([tmp_path / "pictures"], catalog=coloured.path)
    later = Judging(coloured, searcher.search(query), actor="me")
    assert later.run != first.run
    assert set(later.answers) == set(asked)
    found = searcher.search(Query("red", by="vectors", where=("search: 'red'=relevant",)))
    assert {hit.image for hit in found.hits} == {image for image, yes in first.answers.items() if yes}
    with pytest.raises(InputError, match="none of the results"):
        later.answer("0" * 64, True)
