"""Which nested sets an epoch tries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lucida.evidence.chain import (
    SHARES,
    STEP,
    build_chain,
    is_doubtful,
    is_upside_down,
    learned_order,
    promising_by_first_error,
    promising_by_rate,
    start_epoch,
)
from lucida.evidence.finite import Mixture


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_chain_holds_every_bin_once_and_gives_out_the_whole_share(data: st.DataObject) -> None:
    left = np.array(data.draw(st.lists(st.integers(0, 400), min_size=1, max_size=40)))
    if not left.sum():
        left[-1] = 1
    order = np.array(data.draw(st.permutations(range(len(left)))))
    chain = build_chain(order, left, data.draw(st.floats(0, 1)))
    assert [b for added in chain.strata for b in added] == order.tolist()
    assert all(chain.strata)
    assert sum(chain.weights) == pytest.approx(1)
    assert min(chain.weights) >= 0
    sizes = np.cumsum([left[list(added)].sum() for added in chain.strata])
    assert sizes[0] > 0
    assert sizes[-1] == left.sum()
    for rung in range(1, len(sizes) - 1):
        assert chain.weights[rung] > 0 or sizes[rung] >= STEP * sizes[rung - 1] - 1e-9
    table = chain.stratum_of_bin(len(left))
    assert all(table[b] == rung for rung, added in enumerate(chain.strata) for b in added)


def test_shares_of_the_epochs_do_not_exceed_the_level() -> None:
    assert sum(SHARES) == pytest.approx(1)


def test_the_epoch_of_a_chain_has_its_sizes() -> None:
    bins = np.repeat(np.arange(10), 100)
    chain = build_chain(np.arange(10), np.full(10, 100), 1.0)
    epoch = start_epoch(
        chain, bins, np.arange(1000), level=0.05, max_error=0.05, mixture=Mixture.below(0.05), missed=0.0
    )
    assert epoch.size.tolist() == np.cumsum([100 * len(added) for added in chain.strata]).tolist()
    assert epoch.null.tolist() == (epoch.size // 20 + 1).tolist()


def test_learned_order_puts_bins_without_errors_first_even_if_the_score_says_otherwise() -> None:
    drawn, errors = np.full(10, 20.0), np.array([8.0, 7, 6, 5, 4, 0, 0, 0, 0, 0])
    assert set(learned_order(drawn, errors)[:4].tolist()) <= {5, 6, 7, 8, 9}


def test_learned_order_without_any_answer_is_the_order_of_the_score() -> None:
    assert learned_order(np.zeros(10), np.zeros(10)).tolist() == list(range(10))


@pytest.mark.parametrize(
    ("errors", "upside_down", "doubtful"),
    [
        ([0, 0, 0, 0], False, False),
        ([1, 0, 0, 0], False, True),
        ([1, 1, 0, 0], True, False),
        ([2, 0, 1, 0], False, True),
        ([0, 0, 3, 4], False, False),
    ],
)
def test_an_order_is_upside_down_when_the_confident_half_is_clearly_worse(
    errors: list[int], upside_down: bool, doubtful: bool
) -> None:
    left, seen = np.full(4, 100), np.array(errors)
    assert (is_upside_down(left, seen), is_doubtful(left, seen)) == (upside_down, doubtful)


def test_the_promising_fraction_ends_with_the_first_error() -> None:
    left = np.full(10, 10)
    errors = np.zeros(10)
    assert promising_by_first_error(np.arange(10), left, errors) == 1
    errors[3] = 1
    assert promising_by_first_error(np.arange(10), left, errors) == pytest.approx(0.4)


def test_the_promising_fraction_by_rate_is_the_largest_that_is_well_below_the_bound() -> None:
    left, drawn = np.full(10, 100), np.full(10, 50.0)
    errors = np.array([0.0, 0, 0, 0, 0, 0, 5, 10, 20, 30])
    assert promising_by_rate(np.arange(10), left, drawn, errors, 0.05) == pytest.approx(0.7)
    assert promising_by_rate(np.arange(10), left, drawn, np.full(10, 40.0), 0.05) == 0
