"""Two models on the same images: who is better, by how much, and how sure."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.errors import InputError
from lucida.evaluate import compare_answers, evaluate_model
from told_models import broken, model, sample, samples


def _answers(*counts: int) -> tuple[np.ndarray, np.ndarray]:
    """Both right, A alone, B alone, neither."""
    both, a, b, neither = counts
    return (
        np.repeat([1.0, 1.0, 0.0, 0.0], [both, a, b, neither]),
        np.repeat([1.0, 0.0, 1.0, 0.0], [both, a, b, neither]),
    )


def test_a_clear_difference_is_seen_and_a_small_one_is_not() -> None:
    one, other = _answers(200, 5, 60, 35)
    found = compare_answers(("old", one), ("new", other))
    assert found.verdict == "B better"
    assert found.value == pytest.approx(55 / 300)
    assert 0 < found.low < found.value < found.high
    assert found.for_b > 1000 > found.for_a
    assert (
        "A old, B new, on the same 300 images: A alone right on 5, B alone right on 60. B is better" in found.sentence
    )
    assert compare_answers(("new", other), ("old", one)).verdict == "A better"
    small = compare_answers(*[("m", right) for right in _answers(250, 10, 14, 26)])  # type: ignore[arg-type]
    assert small.verdict == "not known yet"
    assert small.low < 0 < small.high


def test_no_worse_by_a_margin() -> None:
    found = compare_answers(*[("m", right) for right in _answers(900, 6, 4, 90)])  # type: ignore[arg-type]
    assert found.no_worse_by(0.03)
    assert not found.no_worse_by(0.0)


def test_the_order_of_the_images_does_not_matter() -> None:
    one, other = _answers(40, 10, 25, 15)
    order = np.random.default_rng(0).permutation(90)
    first = compare_answers(("a", one), ("b", other))
    again = compare_answers(("a", one[order]), ("b", other[order]))
    assert (first.low, first.high, first.verdict) == (again.low, again.high, again.verdict)


def test_bounds_hold_the_true_difference_as_often_as_they_say() -> None:
    random = np.random.default_rng(0)
    inside = []
    for _ in range(60):
        draws = random.random(200)
        a, b = (draws < 0.8).astype(float), ((draws < 0.7) | (draws > 0.95)).astype(float)
        found = compare_answers(("a", a), ("b", b))
        inside.append(found.low <= -0.05 <= found.high)
    assert np.mean(inside) >= 0.93


def test_models_are_compared_on_images_that_both_can_read() -> None:
    items = [sample(n, "cat" if n < 60 else "dog") for n in range(120)]
    right = model("classify", ("cat", "dog"), lambda n: [9, 0] if n < 60 else [0, 9], "right")
    wrong = model("classify", ("dog", "cat"), lambda n: [9, 0] if n % 3 else [0, 9], "wrong")
    data = samples("classify", ("cat", "dog"), [*items, broken("cat")])
    found, _ = evaluate_model(right, data, against=wrong)
    assert found.against is not None
    assert found.against.pairs.total == 120
    assert found.against.verdict == "B better"
    assert found.to_json()["against"]["a"] == "wrong"


def test_different_images_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="same images"):
        compare_answers(("a", np.ones(3)), ("b", np.ones(4)))
