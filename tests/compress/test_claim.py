"""What the same images prove of two models."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.compress.claim import Outcome, no_worse, ordered
from lucida.errors import InputError


def test_without_a_difference_the_evidence_is_that_of_the_closed_form(outcomes):
    # Every image pays f d / (1 - d); averaged over f, uniform on [0, 1], that is an integral anyone can do.
    n, loss = 200, 0.02
    gain = loss / (1 - loss)
    found = no_worse(outcomes(150, 0, 0, 50), worse_by=loss)
    assert found.evidence == pytest.approx(((1 + gain) ** (n + 1) - 1) / ((n + 1) * gain), rel=1e-9)


def test_the_bound_is_where_the_promise_begins_to_hold(outcomes):
    some = outcomes(270, 9, 6, 40)
    bound = no_worse(some, worse_by=0.02).proven
    assert no_worse(some, worse_by=bound).holds
    assert not no_worse(some, worse_by=bound - 2e-4).holds
    assert bound > 3 / 325  # never less than what was seen


def test_more_images_prove_more_and_more_losses_prove_less(outcomes):
    few, many = (no_worse(outcomes(n, n // 50, n // 50, n // 10), worse_by=0.02).proven for n in (300, 3000))
    assert many < few
    worse = no_worse(outcomes(300, 20, 6, 30), worse_by=0.02)
    assert not worse.holds
    assert worse.proven > no_worse(outcomes(300, 6, 6, 44), worse_by=0.02).proven


def test_a_false_promise_is_seldom_certified():
    """At the boundary itself: B loses exactly what is said to be ruled out."""
    rng, loss, false = np.random.default_rng(5), 0.03, 0
    for _ in range(300):
        draws = rng.choice([-1, 0, 1], size=400, p=[0.05, 0.93, 0.02])
        some = [Outcome(f"{rng.integers(2**62):x}", "x", "x" if v < 1 else "y", "x" if v > -1 else "y") for v in draws]
        false += no_worse(some, worse_by=loss).holds
    assert false / 300 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_nobody_chooses_the_order(outcomes):
    some = outcomes(50, 4, 3, 5)
    assert ordered(some) == ordered(some[::-1])
    assert no_worse(some, worse_by=0.05) == no_worse(some[::-1], worse_by=0.05)


@pytest.mark.parametrize(("worse_by", "confidence"), [(0.0, 0.95), (1.0, 0.95), (0.02, 1.0), (float("nan"), 0.95)])
def test_promises_out_of_range_are_refused(outcomes, worse_by, confidence):
    with pytest.raises(InputError, match="between 0 and 1"):
        no_worse(outcomes(10, 0, 0, 0), worse_by=worse_by, confidence=confidence)


def test_copies_and_nothing_are_refused(outcomes):
    some = outcomes(10, 0, 0, 0)
    for wrong in ([], [*some, some[0]]):
        with pytest.raises(InputError, match="each once"):
            no_worse(wrong, worse_by=0.02)
