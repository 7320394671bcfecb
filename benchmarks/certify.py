"""Check by simulation that certificates keep their promise, and what they cost.

    python benchmarks/certify.py --runs 300 --out results.jsonl

For each setting, `--runs` populations of 10,000 labels are made and reviewed through `Selection` (a right answer costs
nothing, an unaccepted label half an answer, at most 2,000 answers): how often the kept set breaks the promise, how
many answers, how much is accepted, what it costs. Beside it a 20 % spot check: with a Clopper-Pearson bound it
accepts everything if the bound is below max_error. Finished settings are kept in `--out` and not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from lucida.evidence.finite import clopper_pearson, most_wrong
from lucida.evidence.order import Shuffle
from lucida.evidence.selection import Selection

N, WORTH, MAX_REVIEWS, CONFIDENCE = 10_000, 0.5, 2_000, 0.95

# (score, accuracy, max_error): mean cost of the reference implementation over 90 populations
TABLE: dict[tuple[str, float, float], float] = {
    (score, accuracy, error): cost
    for score, accuracies, costs in (
        ("calib", (0.80, 0.90, 0.95, 0.99), (5471, 4709, 3421, 3836, 2971, 1801, 2394, 1644, 854, 1073, 643, 280)),
        ("miscal", (0.80, 0.90, 0.95, 0.99), (5479, 5017, 3853, 4078, 3198, 1974, 2489, 1800, 953, 1126, 680, 265)),
        ("anti", (0.80, 0.90, 0.95, 0.99), (5561, 5291, 4146, 4325, 3799, 2024, 2723, 1956, 1133, 1617, 1217, 310)),
        ("poison", (0.90, 0.99), (5395, 5773, 2786, 5217, 5150, 1773)),
    )
    for (accuracy, error), cost in zip([(a, e) for a in accuracies for e in (0.01, 0.02, 0.05)], costs, strict=True)
}


@dataclass(frozen=True)
class Outcome:
    """Hold what came of one population."""

    broken: bool
    broken_unreviewed: bool
    reviews: int
    accepted: int
    seconds: float
    spot_accepted: bool
    spot_broken: bool

    @property
    def cost(self) -> float:
        """Count answers, and half an answer for each label that is not accepted."""
        return self.reviews + WORTH * (N - self.accepted)


def population(
    score: str, accuracy: float, rng: np.random.Generator, n: int = N
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Make `n` scores and whether each label is wrong.

    A label is right with probability q ~ Beta(2a, 2(1-a)), kept within a millionth of 0 and 1: so at an accuracy of
    0.99 three quarters of the scores tie. Scores: `calib` q itself; `miscal` over-confident with rank noise; `anti`
    1 - q; `poison` q, but each label of the top 30 % (ties included) made wrong with probability 0.03.
    """
    q = np.clip(rng.beta(2 * accuracy, 2 * (1 - accuracy), n), 1e-6, 1 - 1e-6)
    wrong = rng.random(n) >= q
    if score == "miscal":
        return expit(2.5 * logit(q) + 1 + rng.normal(0, 2, n)), wrong
    if score == "anti":
        return 1 - q, wrong
    if score == "poison":
        top = q >= np.quantile(q, 0.7)
        wrong |= top & (rng.random(n) < 0.03)
    return q, wrong


def run(score: str, accuracy: float, max_error: float, number: int) -> Outcome:
    """Review one population to its end."""
    setting = zlib.crc32(f"{score} {accuracy} {max_error}".encode())
    rng = np.random.default_rng([20260721, setting, number])
    scores, wrong = population(score, accuracy, rng)
    start = time.perf_counter()
    selection = Selection(
        scores,
        Shuffle(rng),
        max_error=max_error,
        level=1 - CONFIDENCE,
        worth=WORTH,
        max_reviews=MAX_REVIEWS,
    )
    while (item := selection.next()) is not None:
        selection.answer(item, bool(wrong[item]))
    seconds = time.perf_counter() - start
    kept = selection.kept()
    reviewed = np.fromiter(selection.verdicts, dtype=np.int64)
    accepted = np.setdiff1d(kept, reviewed)
    checked = rng.choice(N, N // 5, replace=False)
    found = int(wrong[checked].sum())
    spot = clopper_pearson(found, len(checked), 1 - 2 * (1 - CONFIDENCE))[1] <= max_error  # one-sided 95 %
    return Outcome(
        broken=bool(wrong[kept].sum() > most_wrong(max_error, len(kept))),
        broken_unreviewed=bool(wrong[accepted].sum() > max_error * len(accepted)),
        reviews=selection.reviews,
        accepted=len(accepted),
        seconds=seconds,
        spot_accepted=bool(spot),
        spot_broken=bool(spot and wrong.sum() > max_error * N),
    )


def summarise(setting: tuple[str, float, float], outcomes: list[Outcome]) -> dict[str, Any]:
    """Sum up the populations of one setting."""
    costs, reviews = np.array([o.cost for o in outcomes]), np.array([o.reviews for o in outcomes])
    spot_cost = N // 5 + WORTH * np.array([0 if o.spot_accepted else N - N // 5 for o in outcomes])
    return {
        "score": setting[0],
        "accuracy": setting[1],
        "max_error": setting[2],
        "runs": len(outcomes),
        "broken": sum(o.broken for o in outcomes),
        "broken_unreviewed": sum(o.broken_unreviewed for o in outcomes),
        "reviews": float(reviews.mean()),
        "reviews_p90": float(np.quantile(reviews, 0.9)),
        "accepted": float(np.mean([o.accepted for o in outcomes]) / N),
        "cost": float(costs.mean()),
        "cost_se": float(costs.std(ddof=1) / np.sqrt(len(costs))) if len(costs) > 1 else 0.0,
        "ratio": float(costs.mean() / TABLE[setting]),
        "spot_accepted": sum(o.spot_accepted for o in outcomes),
        "spot_broken": sum(o.spot_broken for o in outcomes),
        "spot_cost": float(spot_cost.mean()),
        "seconds": float(np.mean([o.seconds for o in outcomes])),
    }


def show(row: dict[str, Any]) -> str:
    """Write one row of the table."""
    return (
        f"| {row['score']} | {row['accuracy']:.2f} | {row['max_error']:.0%} | {row['runs']} "
        f"| {row['broken'] / row['runs']:.3f} | {row['reviews']:.0f} ({row['reviews_p90']:.0f}) "
        f"| {row['accepted']:.3f} | {row['cost']:.0f} ± {row['cost_se']:.0f} | {row['ratio']:.3f} "
        f"| {row['spot_accepted'] / row['runs']:.2f} / {row['spot_broken'] / row['runs']:.3f} "
        f"| {row['spot_cost']:.0f} |"
    )


HEADER = (
    "| score | accuracy | max error | runs | promise broken | answers (p90) | accepted | cost | cost / reference "
    "| spot check: accepts / broken | its cost |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def main() -> int:
    """Run all settings that are not yet in the output file, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=300, help="populations per setting")
    parser.add_argument("--out", type=Path, default=Path("certify.jsonl"), help="one JSON line per setting")
    parser.add_argument("--only", default="", help="only settings whose name contains this, for instance 'anti 0.99'")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    lines = options.out.read_text().splitlines() if options.out.exists() else []
    done = {(r["score"], r["accuracy"], r["max_error"], r["runs"]): r for r in map(json.loads, lines)}
    settings = [s for s in TABLE if options.only in f"{s[0]} {s[1]} {s[2]}"]
    start, fresh = time.monotonic(), 0
    for place, setting in enumerate(settings):
        if (*setting, options.runs) in done:
            continue
        outcomes = []
        for number in range(options.runs):
            outcomes.append(run(*setting, number))
            fresh += 1
            rest = (len(settings) - place) * options.runs - number - 1
            if fresh % 50 == 0 or not rest:
                left = (time.monotonic() - start) / fresh * rest / 60
                print(f"{setting} {number + 1}/{options.runs}, {left:.0f} min left", file=sys.stderr)
        row = summarise(setting, outcomes)
        done[(*setting, options.runs)] = row
        with options.out.open("a") as out:
            out.write(json.dumps(row) + "\n")
    rows = [done[(*s, options.runs)] for s in settings]
    print(HEADER)
    for row in rows:
        print(show(row))
    runs = sum(r["runs"] for r in rows)
    broken = sum(r["broken"] for r in rows)
    worst_rate, worst = max(r["broken"] / r["runs"] for r in rows), max(r["ratio"] for r in rows)
    mean = np.mean([r["cost"] for r in rows]) / np.mean([TABLE[s] for s in settings])
    print(
        f"\nPromise broken in {broken} of {runs} ({broken / runs:.2%}), worst setting {worst_rate:.1%} "
        f"(allowed {1 - CONFIDENCE:.0%}). Cost / reference: {mean:.3f} over all, at most {worst:.3f}."
    )
    return 0 if worst_rate <= 1 - CONFIDENCE else 1


if __name__ == "__main__":
    raise SystemExit(main())
