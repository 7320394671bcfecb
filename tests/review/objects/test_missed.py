"""What was missed: the order, the bounds, when the stage ends; a small simulation of both stages."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lucida.errors import InputError
from lucida.review.objects.missed import Look, Looks, looks_needed


def looks(count: int = 100, **more: Any) -> Looks:
    options: dict[str, Any] = {"level": 0.025, "cap": 5, "max_missed": 0.1} | more
    return Looks([f"i{n}" for n in range(count)], 7, **options)


def test_bounds_start_at_everything_and_end_at_what_is_true() -> None:
    now = looks(40, max_missed=0.001)
    assert (now.images_bound, now.mean_bound) == (40, 5.0)
    while (image := now.next()) is not None:
        before = now.images_bound, now.mean_bound
        now.answer(image, ["x"] * (8 if image == "i3" else 0))
        assert now.images_bound <= before[0]
        assert now.mean_bound <= before[1] + 1e-9
        if now.standing.get("i3") is None and len(now.standing) == 30:
            assert now.images_bound > 1
    assert now.reason == "exhausted"
    assert now.images_bound == 1
    assert now.total_bound == 5  # eight were missed in one image, which counts for five
    assert now.marked == 8


def test_it_ends_when_the_share_is_proven_or_out_of_reach() -> None:
    needed = looks_needed(0.1, 0.025, 100)
    now = looks()
    while (image := now.next()) is not None:
        now.answer(image, [])
    assert (now.reason, len(now.standing)) == ("target", needed)
    assert 25 < needed < 60
    worse = looks(500)
    while (image := worse.next()) is not None:
        worse.answer(image, ["x"])
    assert worse.reason == "no-gain"
    assert len(worse.standing) == 40
    few = looks(max_looks=7)
    while (image := few.next()) is not None:
        few.answer(image, [])
    assert (few.reason, len(few.standing)) == ("max-reviews", 7)


def test_unsure_counts_as_the_most_that_is_counted() -> None:
    now = looks()
    now.answer(str(now.next()), None)
    assert now.read() == [5]
    assert now.with_missed == 1
    assert now.marked == 0


def test_a_log_is_replayed_and_nonsense_in_it_refused() -> None:
    now = looks()
    for missed in ([], ["a"], None, []):
        now.answer(str(now.next()), missed)
    now.undo()
    lines = [Look.of_json(line.to_json()) for line in now.lines]
    again = looks()
    again.replay(lines)
    assert (again.lines, again.images_bound, again.mean_bound) == (now.lines, now.images_bound, now.mean_bound)
    first = lines[0].id
    for odd in ([Look("other", "seen")], [Look(first, "seen")] * 2, [Look(first, "undone")]):
        with pytest.raises(InputError):
            looks().replay(odd)


def test_only_the_completely_answered_beginning_counts() -> None:
    now = looks()
    ahead = now.peek(5)[4]
    now.answer(ahead, [])
    assert now.read() == []
    assert now.images_bound == 100
    assert ahead not in now.peek(10)


@pytest.fixture(scope="module")
def simulation() -> Any:
    """The benchmark, as a module."""
    path = Path(__file__).parents[3] / "benchmarks" / "boxes.py"
    spec = importlib.util.spec_from_file_location("boxes_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "errors", ["whole images wrong, score blind, just above", "whole images wrong and confident, 6 %"]
)
def test_the_promise_holds_with_clustered_errors(simulation: Any, errors: str) -> None:
    runs = 12
    outcomes = [
        simulation.run(
            np.random.default_rng([11, i]), simulation.SETTINGS[errors], simulation.MISSES["at the border"], images=60
        )
        for i in range(runs)
    ]
    broken = sum(outcome.broken for outcome in outcomes)
    assert broken <= runs * 0.05 + 3 * math.sqrt(runs * 0.05 * 0.95)
