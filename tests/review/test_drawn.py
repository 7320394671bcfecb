"""What a check drew at random: which sets are looked at, and that what they say is seldom wrong."""

from __future__ import annotations

import math

import numpy as np

from lucida.catalog import Catalog
from lucida.evidence.paired import compare as bound
from lucida.review.drawn import choose_sets, past_checks, samples_of, share_of
from lucida.review.session import Session
from lucida.review.workflow import Review, Terms


def test_sets_are_chosen_by_what_they_hold() -> None:
    assert choose_sets(np.array([0, 3, 10, 30, 31, 80, 100])) == [6, 4, 2]
    assert choose_sets(np.array([0, 4])) == []
    assert len(choose_sets(np.array([5 * 2**i for i in range(20)]))) == 6


def test_the_shares_of_all_checks_never_sum_to_more_than_one() -> None:
    assert sum(map(share_of, range(1, 10_000))) < 1


def world(rng: np.random.Generator, size: int, better: float) -> tuple[Session, dict[str, int], frozenset[str], int]:
    """Make a check of B's labels where A is as good in all, but B is better where it is sure, and worse elsewhere.

    `better` is the chance that B is the right one of the two where B is sure; the reverse holds where it is not.
    """
    scores, differ = rng.random(size), rng.random(size) < 0.15
    b_right = np.where(scores > 0.5, rng.random(size) < better, rng.random(size) < 1 - better)
    value = np.where(differ, np.where(b_right, 1, -1), 0)
    # As many for A as for B, exactly: who says that one is better is wrong.
    surplus = int(value.sum())
    spare = rng.permutation(np.flatnonzero(value == np.sign(surplus)))[: abs(surplus)]
    value[spare] = 0
    ids = [str(i) for i in range(size)]
    predicted = np.where((value == -1) | (~differ & (rng.random(size) < 0.02)), "wrong", "right")
    session = Session(ids, predicted.tolist(), scores, max_error=0.1, seed=int(rng.integers(2**31)))
    values = {ids[i]: int(value[i]) for i in np.flatnonzero(differ)}
    return session, values, frozenset(values), int(value.sum())


def test_false_verdicts_are_rare_though_the_check_reads_confident_images_first() -> None:
    """Look after every tenth answer of a whole check; the pooled counts alone would call B better most of the time."""
    rng, false, naive, runs = np.random.default_rng(5), 0, 0, 24
    for _ in range(runs):
        session, values, differing, truth = world(rng, 1500, 0.9)
        assert truth == 0
        answered: dict[str, int] = {}
        wrong = fooled = False
        while (image := session.next()) is not None:
            session.answer(image, "wrong" if session.population.predicted[int(image)] == "wrong" else "right")
            if image in differing:
                answered[image] = values[image]
            if len(session.log.standing) % 10 and session.next() is not None:
                continue
            samples = samples_of(session, answered, differing, share=share_of(1))
            known = sum(answered.values())
            found = bound(known, len(differing) - len(answered), 1500, samples)
            wrong |= not found.low <= 0 <= found.high
            b, a = sum(v > 0 for v in answered.values()), sum(v < 0 for v in answered.values())
            fooled |= abs(b - a) > 1.96 * math.sqrt(max(a + b, 1)) and a + b > 10
        false, naive = false + wrong, naive + fooled
    assert false / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert naive / runs > 0.2


def test_past_checks_are_read_as_they_stand(catalog: Catalog, truth: dict[str, str]) -> None:
    review = Review.open(catalog, terms=Terms(max_error=0.2), teach=False, seed=3)
    for _ in range(25):
        card = review.next()
        assert card is not None
        review.answer(card.image, "right" if truth[card.image] == card.proposal else "wrong", truth[card.image])
    review.undo()
    ((run, session),) = past_checks(catalog, "kind")
    asked = review.next()
    assert run.parameters["simulation"] is True
    assert session.status().reviews == 24
    assert asked is not None
    assert session.next() == asked.image
