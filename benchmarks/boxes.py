"""Check by simulation that certificates of boxes keep their promise when errors gather in images, and what they cost.

    python benchmarks/boxes.py --runs 300 --out results.jsonl

For each setting, `--runs` sets of 600 images are made, each with about eight boxes, and reviewed as `lucida review`
does: single boxes until a set is proven, then whole images for what was missed. Counted is how often the kept set holds
more wrong boxes than promised, how often something is missing in more images than stated, and how often more objects
are missing than stated; all three together may be false in 5 % of the runs. Beside it stands what one might do instead:
draw as many images as the review read, count every box in them as a draw of its own, and believe Clopper-Pearson.

Finished settings are kept in `--out` and not run again.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lucida.evidence.finite import clopper_pearson, most_wrong
from lucida.evidence.order import Shuffle
from lucida.evidence.selection import Selection
from lucida.review.objects.claim import SHARES
from lucida.review.objects.missed import Looks

IMAGES, MAX_ERROR, MAX_MISSED, CAP, CONFIDENCE = 600, 0.05, 0.1, 10, 0.95

# How errors lie, and how likely they are: whole images wrong, or every box by itself.
SETTINGS = {
    "whole images wrong, score blind, 3 %": {"wrong_images": 0.03, "clustered": True, "blind": True},
    "whole images wrong, score blind, just above": {"wrong_images": 0.053, "clustered": True, "blind": True},
    "whole images wrong, score sees it, 10 %": {"wrong_images": 0.10, "clustered": True, "blind": False},
    "boxes wrong one by one, score sees it, 10 %": {"wrong_images": 0.10, "clustered": False, "blind": False},
    "whole images wrong and confident, 6 %": {"wrong_images": 0.06, "clustered": True, "blind": False, "poison": True},
}
MISSES = {
    "few images, many each": {"share": 0.02, "each": 9},
    "at the border": {"share": 0.101, "each": 2},
    "many images, one each": {"share": 0.25, "each": 1},
    "none": {"share": 0.0, "each": 0},
}


@dataclass(frozen=True)
class Outcome:
    """Hold what came of one set of images."""

    found_broken: bool
    images_broken: bool
    mean_broken: bool
    naive_broken: bool
    reviews: int
    kept: float
    looks: int
    images_bound: float
    mean_bound: float

    @property
    def broken(self) -> bool:
        """Tell whether anything that was claimed is false."""
        return self.found_broken or self.images_broken or self.mean_broken


def boxes(
    rng: np.random.Generator,
    *,
    wrong_images: float,
    clustered: bool,
    blind: bool,
    poison: bool = False,
    images: int = IMAGES,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Make boxes: the image of each, its score, and whether it is wrong.

    Images hold 1 + a negative binomial number of boxes (mean 8, widely spread). In `wrong_images` of them, those with
    the most boxes first among equals, every box is wrong; or as many boxes one by one. A score that is not blind is
    lower for wrong boxes, with noise that an image shares; where `poison`, it is higher.
    """
    counts = 1 + rng.negative_binomial(1.2, 1.2 / 8.2, images)
    image = np.repeat(np.arange(images), counts)
    if clustered:
        # Drawn by size, so that the share of wrong boxes is about that of wrong images, or above.
        order = rng.permutation(images)
        reached = np.cumsum(counts[order]) <= wrong_images * counts.sum()
        wrong = np.isin(image, order[: int(reached.sum()) + 1])
    else:
        wrong = rng.random(len(image)) < wrong_images
    shared, own = rng.normal(0, 0.6, images)[image], rng.normal(0, 0.6, len(image))
    shift = 0.0 if blind else (0.8 if poison else -2.0)
    logits = 1.5 + shared + own + shift * wrong
    return image, 1 / (1 + np.exp(-logits)), wrong


def missed(rng: np.random.Generator, *, share: float, each: int, images: int = IMAGES) -> NDArray[np.int64]:
    """Make how many objects are missed in each image: in `share` of them about `each`, a tenth of these thrice."""
    count = math.ceil(share * images)
    chosen = rng.permutation(images)[:count]
    found = np.zeros(images, np.int64)
    found[chosen] = np.maximum(rng.poisson(each, count), 1) * np.where(rng.random(count) < 0.1, 3, 1)
    return found


def run(rng: np.random.Generator, setting: dict[str, Any], misses: dict[str, Any], images: int = IMAGES) -> Outcome:
    """Make one set of images and review it."""
    image, scores, wrong = boxes(rng, **setting, images=images)
    lost = missed(rng, **misses, images=images)
    level = 1 - CONFIDENCE
    selection = Selection(scores, Shuffle(rng), max_error=MAX_ERROR, level=SHARES["found"] * level)
    while (item := selection.next()) is not None:
        selection.answer(item, bool(wrong[item]))
    kept = selection.kept()
    found_broken = int(wrong[kept].sum()) > most_wrong(MAX_ERROR, len(kept))
    looks = Looks(
        [str(i) for i in range(images)],
        int(rng.integers(2**62)),
        level=SHARES["missed"] * level,
        cap=CAP,
        max_missed=MAX_MISSED,
    )
    capped = np.minimum(lost, CAP)
    images_broken = mean_broken = False
    while (name := looks.next()) is not None:
        looks.answer(name, ["x"] * int(lost[int(name)]))
        # At every moment, since one may stop at any.
        images_broken = images_broken or looks.images_bound < int((lost > 0).sum())
        mean_broken = mean_broken or looks.total_bound < int(capped.sum())
    return Outcome(
        found_broken,
        images_broken,
        mean_broken,
        _naive_broken(rng, image, wrong, selection.reviews),
        selection.reviews,
        len(kept) / len(image),
        len(looks.standing),
        looks.images_bound / images,
        looks.mean_bound,
    )


def _naive_broken(rng: np.random.Generator, image: NDArray[np.int64], wrong: NDArray[np.bool_], reviews: int) -> bool:
    """Draw whole images until as many boxes were seen, and take them for single draws: is the promise false?"""
    drawn = errors = 0
    for one in rng.permutation(int(image.max()) + 1):
        inside = image == one
        drawn, errors = drawn + int(inside.sum()), errors + int(wrong[inside].sum())
        if drawn >= reviews:
            break
    bound = clopper_pearson(errors, drawn, 1 - 2 * (1 - CONFIDENCE))[1]  # one-sided
    return bound <= MAX_ERROR and float(wrong.mean()) > MAX_ERROR


def summary(outcomes: list[Outcome]) -> dict[str, float]:
    """Sum up some outcomes: shares and means."""
    names = ("broken", "found_broken", "images_broken", "mean_broken", "naive_broken")
    means = ("reviews", "kept", "looks", "images_bound", "mean_bound")
    return {name: round(float(np.mean([getattr(o, name) for o in outcomes])), 4) for name in names + means}


def main() -> None:
    """Run the settings that are not in the file yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("boxes.jsonl"))
    options = parser.parse_args()
    done = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    rows = {(row["errors"], row["misses"]): row for row in done if row["runs"] >= options.runs}
    pairs = list(zip(SETTINGS, [*MISSES, "few images, many each"], strict=True))
    for errors, misses in pairs:
        if (errors, misses) in rows:
            continue
        began = time.perf_counter()
        seed = zlib.crc32(f"{errors}/{misses}".encode())
        outcomes = [
            run(np.random.default_rng([seed, i]), SETTINGS[errors], MISSES[misses]) for i in range(options.runs)
        ]
        row = {"errors": errors, "misses": misses, "runs": options.runs, **summary(outcomes)}
        rows[errors, misses] = row
        with options.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), f"{time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    first, last = ["errors", "misses", "runs", "any false"], ["boxes checked", "kept", "images looked at"]
    head = [*first, "boxes", "images", "mean", "whole images", *last]
    print(f"| {' | '.join(head)} |\n| {' | '.join(['---'] * len(head))} |")
    for row in rows.values():
        shares = " | ".join(f"{100 * row[n]:.1f} %" for n in ("broken", "found_broken", "images_broken", "mean_broken"))
        print(
            f"| {row['errors']} | {row['misses']} | {row['runs']} | {shares} | {100 * row['naive_broken']:.1f} % "
            f"| {row['reviews']:.0f} | {row['kept']:.2f} | {row['looks']:.0f} |"
        )


if __name__ == "__main__":
    main()
