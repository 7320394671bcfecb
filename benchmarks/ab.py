"""Check by simulation that A/B tests are rarely wrong, however often one looks, and how soon they know.

    python -m benchmarks.ab --runs 1000 --out benchmarks/results/ab.jsonl

Each test is looked at after every feedback. *Wrong* is a test of equal arms that ever names a better one, or one that
ever names the worse; *left out* is one whose confidence sequence ever leaves out the true difference; each may be 5 %
at most. *Known* is a test that ever names the better arm, *after* the median number of feedbacks. Beside it a z-test
that is looked at after every value from the 20th on, as is often done: what peeking costs it.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lucida.evidence.arms import Matcher, log_e_process

Values = NDArray[np.float64]
LEVEL = 0.05


@dataclass(frozen=True)
class Setting:
    """A kind of test.

    Attributes:
        kind: "paired": both arms answer each image; "unpaired": one of them does, and "shifting" is the same while the
            images become harder and B's weight grows from 5 % to 90 %.
        a, b: Share that each arm has right.
        weight: Of B.
        feedbacks: In one test.
    """

    kind: str
    a: float
    b: float
    weight: float
    feedbacks: int


SETTINGS = (
    *(Setting("paired", 0.85, b, 0.5, 3000) for b in (0.85, 0.86, 0.87, 0.90)),
    *(Setting("unpaired", 0.85, b, 0.5, 10_000) for b in (0.85, 0.86, 0.87, 0.90)),
    *(Setting("unpaired", 0.85, b, 0.1, 10_000) for b in (0.85, 0.90)),
    Setting("shifting", 0.85, 0.85, 0.5, 10_000),
    Setting("shifting", 0.85, 0.80, 0.5, 10_000),
)


@dataclass(frozen=True)
class Outcome:
    """What came of one test: first feedback at which each was so, infinite for never."""

    better: float
    worse: float
    left_out: float
    peeked: float


def main() -> None:
    """Run all settings and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", type=int, help="one setting, by its row")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    print("| feedback | A | B | weight of B | tests | wrong | difference left out | known | after | z-test wrong |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    numbers = range(len(SETTINGS)) if options.only is None else [options.only]
    with ProcessPoolExecutor(options.processes) as pool:
        for row in pool.map(measure, numbers, [options.runs] * len(numbers)):
            print(show(row), flush=True)
            if options.out is not None:
                with options.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")


def measure(number: int, runs: int) -> dict[str, object]:
    """Run all tests of a setting."""
    began, rng = time.perf_counter(), np.random.default_rng([20261122, number])
    row = summarise(SETTINGS[number], [run(SETTINGS[number], rng) for _ in range(runs)])
    return {**row, "seconds": round(time.perf_counter() - began, 1)}


def run(setting: Setting, rng: np.random.Generator) -> Outcome:
    """Run one test, looked at after every feedback."""
    values, at = _draw(setting, rng)
    true = setting.b - setting.a
    bar = math.log(2 / LEVEL)
    for_b, for_a = log_e_process(values, 0.0), log_e_process(-values, 0.0)
    above, below = (for_b, for_a) if true == 0 else (log_e_process(values, true), log_e_process(-values, -true))
    # Equal arms: either verdict is wrong.
    worse = for_a if true > 0 else np.maximum(for_a, for_b) if true == 0 else for_b
    better = for_b if true > 0 else for_a
    return Outcome(
        _first(better >= bar, at) if true else math.inf,
        _first(worse >= bar, at),
        _first(np.maximum(above, below) >= bar, at),
        _first(_z(values, true), at),
    )


def _draw(setting: Setting, rng: np.random.Generator) -> tuple[Values, NDArray[np.int64]]:
    """Return the values of a test, and the number of feedbacks after which each was known."""
    count = setting.feedbacks
    if setting.kind == "paired":
        # As two models that saw the same pictures: what one has right, the other mostly has as well.
        both = min(setting.a, setting.b) - 0.05
        draws = rng.random(count)
        only_b, only_a = setting.b - both, setting.a - both
        values = np.where(draws < only_b, 1.0, np.where(draws < only_b + only_a, -1.0, 0.0))
        return values, np.arange(1, count + 1)
    shifting = setting.kind == "shifting"
    weight = np.linspace(0.05, 0.9, count) if shifting else np.full(count, setting.weight)
    harder = np.linspace(0.1, -0.3, count) if shifting else np.zeros(count)
    arms = (rng.random(count) < weight).astype(int)
    right = rng.random(count) < np.where(arms == 1, setting.b, setting.a) + harder
    known, found = list[int](), list[float]()
    matcher = Matcher()
    for number, (arm, one) in enumerate(zip(arms.tolist(), right.tolist(), strict=True), 1):
        if (value := matcher.add(arm, one)) is not None:
            found.append(value)
            known.append(number)
    return np.array(found, np.float64), np.array(known, np.int64)


def _first(there: NDArray[np.bool_], at: NDArray[np.int64]) -> float:
    found = np.flatnonzero(there)
    return float(at[found[0]]) if len(found) else math.inf


def _z(values: Values, true: float) -> NDArray[np.bool_]:
    """Tell where a z-test at 95 % would be wrong of which arm is better, from the 20th value on."""
    count = np.arange(1, len(values) + 1)
    mean = np.cumsum(values) / count
    spread = np.sqrt(np.maximum(np.cumsum(values**2) / count - mean**2, 1e-12) / count)
    wrong = np.abs(mean) > 1.96 * spread if true == 0 else -np.sign(true) * mean > 1.96 * spread
    return wrong & (count >= 20)


def summarise(setting: Setting, outcomes: list[Outcome]) -> dict[str, object]:
    """Sum up the tests of a setting."""
    found = {name: np.array([getattr(one, name) for one in outcomes]) for name in Outcome.__dataclass_fields__}
    share = {name: float(np.isfinite(at).mean()) for name, at in found.items()}
    known = found["better"][np.isfinite(found["better"])]
    return {
        **asdict(setting), "runs": len(outcomes), "wrong": share["worse"], "left_out": share["left_out"],
        "known": share["better"], "after": float(np.median(known)) if len(known) else None, "z_wrong": share["peeked"],
    }  # fmt: skip


def show(row: dict[str, object]) -> str:
    """Write one row of the table."""
    after = "" if row["after"] is None else f"{row['after']:,.0f}"
    known = "" if row["a"] == row["b"] else f"{row['known']:.1%}"
    return (
        f"| {row['kind']} | {row['a']:.0%} | {row['b']:.0%} | {row['weight']:.0%} | {row['runs']:,} "
        f"| {row['wrong']:.1%} | {row['left_out']:.1%} | {known} | {after} | {row['z_wrong']:.1%} |"
    )


if __name__ == "__main__":
    main()
