"""Measure false alarms over quiet days, and how soon a change is told, beside daily Kolmogorov-Smirnov tests.

    python benchmarks/drift.py --photos CLOTHING.parquet
    python benchmarks/drift.py --photos CLOTHING.parquet --runs 300 --delays 100      # as in the page on watching

Real photos are measured by `lucida.serve.watch.measure`, as a server does: a third teaches a small classifier, whose
answers count as those of the served model; the others are drawn with replacement, for the reference as for every day,
so that a quiet day is quiet indeed. Then photos are blurred, darkened, drawn from another mix of classes, or taken with
another camera (a colour cast, noise, strong JPEG compression), from one image on: the delay is the number of images
until the alarm. What was measured is kept in `--cache`.

The peer does what Evidently's data drift preset and alibi-detect's KSDrift do: two-sample Kolmogorov-Smirnov tests of
the day's images against the reference, of the very same numbers, with Bonferroni's correction over them, at 5 % a day;
and, since that promises nothing of 100 days, the same with the level divided by the days.
"""

from __future__ import annotations

import argparse
import io
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import scipy
from PIL import Image, ImageEnhance, ImageFilter
from scipy import stats

from lucida.evidence.drift import Drift, Projection
from lucida.evidence.finite import clopper_pearson
from lucida.images import LIMITS
from lucida.models import find
from lucida.serve.watch.measure import NUMBERS, Measured, measure, scores_of, table

Edit = Callable[[Image.Image, np.random.Generator], Image.Image]
LEVEL = 0.05
REFERENCE, DAY, BATCH = 1000, 200, 50
AFTER, MOST = 1000, 3000  # images before a change, and after it at most
EDITED = 700  # photos of which there is a changed one, in each way


def main() -> None:
    """Run the measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="Parquet of photos with labels")
    parser.add_argument("--runs", type=int, default=30, help="times a hundred quiet days")
    parser.add_argument("--days", type=int, default=100)
    parser.add_argument("--delays", type=int, default=12, help="runs of each change")
    parser.add_argument("--cache", type=Path, default=Path("runs/drift-benchmark.npz"))
    options = parser.parse_args()
    began = time.perf_counter()
    pool = read_pool(options.photos, options.cache)
    sizes = f"{len(pool.plain):,} photos, a reference of {REFERENCE:,}, {DAY} images a day"
    print(
        f"{sizes}; NumPy {np.__version__}, SciPy {scipy.__version__}; measured in {time.perf_counter() - began:.0f} s"
    )
    if options.runs:
        quiet(pool, options.runs, options.days)
    if options.delays:
        delays(pool, options.delays, options.days)
    print(f"{time.perf_counter() - began:.0f} s in all")


# ---- photos ---------------------------------------------------------------------------------------------------------


@dataclass
class Rows:
    """What was measured of photos: numbers (n, numbers), vectors (n, d), true classes (n,)."""

    numbers: np.ndarray
    vectors: np.ndarray
    truth: np.ndarray

    def __len__(self) -> int:
        return len(self.truth)

    def draw(self, generator: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw rows with replacement."""
        rows = generator.integers(0, len(self), count)
        return self.numbers[rows], self.vectors[rows]


@dataclass
class Pool:
    """Photos as they are, and changed in each way."""

    plain: Rows
    changed: dict[str, Rows]


def brightness(factor: float) -> Edit:
    return lambda photo, _: ImageEnhance.Brightness(photo).enhance(factor)


def blur(radius: float) -> Edit:
    return lambda photo, _: photo.filter(ImageFilter.GaussianBlur(radius))


def camera(strength: float) -> Edit:
    """Return a camera with a warm cast, noise, and JPEG files of a lower quality."""

    def edit(photo: Image.Image, generator: np.random.Generator) -> Image.Image:
        pixels = np.asarray(photo, np.float64) * (1 + strength * np.array([0.12, 0.0, -0.12]))
        pixels += generator.normal(0, 8 * strength, pixels.shape)
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

    return edit


# Name: the edit, and the quality of its JPEG files; 0 keeps photos as PNG-like quality 95.
EDITS: dict[str, tuple[Edit, int]] = {
    "blur, radius 0.5": (blur(0.5), 95),
    "blur, radius 1": (blur(1.0), 95),
    "blur, radius 2": (blur(2.0), 95),
    "brightness x 0.9": (brightness(0.9), 95),
    "brightness x 0.75": (brightness(0.75), 95),
    "brightness x 0.5": (brightness(0.5), 95),
    "new camera, slight": (camera(0.3), 85),
    "new camera": (camera(0.6), 70),
    "new camera, strong": (camera(1.0), 50),
}
# Share of images that come from two classes which are rare in the reference.
SHIFTS = {"classes, 15 % others": 0.15, "classes, 30 % others": 0.3, "classes, 60 % others": 0.6}
RARE = 2


def _same(photo: Image.Image, _: np.random.Generator) -> Image.Image:
    return photo


def read_pool(path: Path, cache: Path) -> Pool:
    """Measure the photos, or read what was measured."""
    if not cache.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(cache, allow_pickle=False, **measure_all(path))
    with np.load(cache) as held:
        arrays = {name: held[name] for name in held.files}
    names = [name.removeprefix("numbers/") for name in arrays if name.startswith("numbers/")]
    rows = {name: Rows(*(arrays[f"{part}/{name}"] for part in ("numbers", "vectors", "truth"))) for name in names}
    plain = rows.pop("plain")
    return Pool(plain, rows)


def measure_all(path: Path) -> dict[str, np.ndarray]:
    """Measure each photo as it is, and some of them changed in each way; all as files of the same kind."""
    file = parquet.read_table(path)
    data, truth = [one["bytes"] for one in file["image"].to_pylist()], np.array(file["label"].to_pylist())
    generator = np.random.default_rng(0)
    order = generator.permutation(len(data))
    taught, rest = order[: len(order) // 3], order[len(order) // 3 :]
    encoder = find("embedded").load()

    def see(rows: np.ndarray, edit: Edit, quality: int, classify: Classifier | None) -> list[Measured]:
        found = []
        for row in rows:
            out = io.BytesIO()
            edit(Image.open(io.BytesIO(data[row])).convert("RGB"), generator).save(out, "JPEG", quality=quality)
            one = measure(out.getvalue(), None, encoder, LIMITS)
            if classify is not None:
                said = classify(one.vector)
                one.numbers[-4:-1] = scores_of(said)
                one = replace(one, label=said["label"], score=said["score"])
            found.append(one)
        return found

    classifier = Classifier(np.stack([one.vector for one in see(taught, _same, 95, None)]), truth[taught])
    arrays: dict[str, np.ndarray] = {}
    jobs = {"plain": (rest, _same, 95)} | {name: (rest[:EDITED], *how) for name, how in EDITS.items()}
    for name, (rows, edit, quality) in jobs.items():
        found = see(rows, edit, quality, classifier)
        arrays[f"numbers/{name}"] = table(found, [str(number) for number in range(truth.max() + 1)])
        arrays[f"vectors/{name}"] = np.stack([one.vector for one in found])
        arrays[f"truth/{name}"] = truth[rows]
        print(f"  {name}: {len(rows)} photos")
    return arrays


class Classifier:
    """Answers as a model would: linear discriminants of components, with probabilities."""

    def __init__(self, vectors: np.ndarray, truth: np.ndarray) -> None:
        self._projection = Projection.fit(vectors.astype(np.float64))
        rows = self._projection(vectors)
        self._means = np.stack([rows[truth == one].mean(axis=0) for one in range(truth.max() + 1)])
        within = np.cov((rows - self._means[truth]).T)
        self._inverse = np.linalg.inv(within + 0.05 * np.eye(len(within)))
        self._prior = np.log(np.bincount(truth) / len(truth))

    def __call__(self, vector: np.ndarray) -> dict[str, Any]:
        away = self._means - self._projection(vector[None])
        logits = self._prior - 0.5 * ((away @ self._inverse) * away).sum(axis=1)
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        best = np.argsort(-shares)
        others = [[str(one), float(shares[one])] for one in best[1:4]]
        return {"label": str(best[0]), "score": float(shares[best[0]]), "runner_up": others}


# ---- streams --------------------------------------------------------------------------------------------------------


def stream(
    rows: Rows, generator: np.random.Generator, total: int, size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw a stream in parts."""
    for _ in range(0, total, size):
        yield rows.draw(generator, size)


def begin(pool: Pool, seed: int) -> tuple[Drift, Daily, np.random.Generator]:
    """Draw a reference, and return what watches against it."""
    generator = np.random.default_rng(seed)
    numbers, vectors = pool.plain.draw(generator, REFERENCE)
    held = ~np.isnan(numbers).all(axis=0)
    names = [name for name, one in zip(NUMBERS, held, strict=True) if one]
    drift = Drift(names, numbers[:, held], vectors, level=LEVEL, seed=seed)
    return drift, Daily(drift, held), generator


class Daily:
    """Tests each day by itself, as the peers do, on the very columns that the other ranks."""

    def __init__(self, drift: Drift, held: np.ndarray) -> None:
        self.held, self._drift = held, drift
        self._rows: list[np.ndarray] = []

    def add(self, numbers: np.ndarray, vectors: np.ndarray) -> float | None:
        """Take a part of a day; at its end return the least p-value, times the number of tests."""
        self._rows.append(self._drift.columns(numbers, self._drift.components(vectors)))
        if sum(map(len, self._rows)) < DAY:
            return None
        day, self._rows = np.concatenate(self._rows), []
        # By its tables of the exact law a test takes ten times as long, and says the same at these sizes.
        least = min(
            float(stats.ks_2samp(one, other, method="asymp").pvalue)
            for one, other in zip(day.T, self._drift.reference.T, strict=True)
        )
        return float(least * day.shape[1])


def quiet(pool: Pool, runs: int, days: int) -> None:
    """Count in how many runs there is ever an alarm although nothing changes."""
    alarms = {"e-processes (ours)": 0, "KS each day at 5 %": 0, f"KS at 5 % / {days}": 0}
    began = time.perf_counter()
    for seed in range(runs):
        drift, daily, generator = begin(pool, seed)
        ours, least = False, 1.0
        for numbers, vectors in stream(pool.plain, generator, days * DAY, BATCH):
            ours = bool(drift.add(numbers[:, daily.held], vectors)) or ours
            least = min(least, daily.add(numbers[:, daily.held], vectors) or least)
        for name, one in zip(alarms, (ours, least < LEVEL, least < LEVEL / days), strict=True):
            alarms[name] += one
    each = (time.perf_counter() - began) / max(runs * days * DAY, 1)
    print(
        f"\nFalse alarms in {runs} runs of {days} quiet days (promised of ours: at most {LEVEL:.0%} of runs, for ever)"
    )
    print("| test | runs with an alarm | share | 95 % interval |\n| --- | --- | --- | --- |")
    for name, count in alarms.items():
        low, high = clopper_pearson(count, runs, 0.95) if runs else (0.0, 1.0)
        print(f"| {name} | {count} of {runs} | {count / max(runs, 1):.1%} | {low:.1%} to {high:.1%} |")
    print(f"{1e6 * each:.0f} µs an image for both, once it is measured")


def delays(pool: Pool, runs: int, days: int) -> None:
    """Print how many images it takes until a change is told."""
    print(
        f"\nImages from the change to the alarm: median (quartiles) of {runs} runs, the change after {AFTER:,} images"
    )
    print(
        f"| change | ours | first told by | KS each day at 5 % | KS at 5 % / {days} |\n| --- | --- | --- | --- | --- |"
    )
    for name in [*EDITS, *SHIFTS]:
        changed = pool.changed.get(name)
        told: list[str] = []
        found = [delay(pool, name, changed, 10_000 + seed, days, told) for seed in range(runs)]
        cells = [_quartiles(column) for column in zip(*found, strict=True)]
        most = max(set(told), key=told.count) if told else "-"
        print(f"| {name} | {cells[0]} | {most} | {cells[1]} | {cells[2]} |", flush=True)


def delay(
    pool: Pool, name: str, changed: Rows | None, seed: int, days: int, told: list[str]
) -> tuple[float, float, float]:
    """Return the delays of a run, infinite where there was none; alarms before the change count as none at all."""
    drift, daily, generator = begin(pool, seed)
    for numbers, vectors in stream(pool.plain, generator, AFTER, BATCH):
        drift.add(numbers[:, daily.held], vectors)
    drift.crossed.clear()
    ours = first = second = float("inf")
    for start in range(0, MOST, BATCH):
        numbers, vectors = draw_changed(pool, name, changed, generator)
        signals = drift.add(numbers[:, daily.held], vectors) if ours == float("inf") else []
        if signals:
            plainest = min(signals, key=lambda one: one.at)
            told.append(plainest.name)
            ours = plainest.at - AFTER + 1
        least = daily.add(numbers[:, daily.held], vectors)
        if least is not None:
            first = min(first, start + BATCH if least < LEVEL else first)
            second = min(second, start + BATCH if least < LEVEL / days else second)
        if max(ours, first, second) < float("inf"):
            break
    return ours, first, second


def draw_changed(
    pool: Pool, name: str, changed: Rows | None, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a part of a changed stream."""
    if changed is not None:
        return changed.draw(generator, BATCH)
    numbers, vectors = pool.plain.draw(generator, BATCH)
    rare = np.argsort(np.bincount(pool.plain.truth))[:RARE]
    those = np.flatnonzero(np.isin(pool.plain.truth, rare))
    other = generator.random(BATCH) < SHIFTS[name]
    rows = generator.choice(those, int(other.sum()))
    numbers, vectors = numbers.copy(), vectors.copy()
    numbers[other], vectors[other] = pool.plain.numbers[rows], pool.plain.vectors[rows]
    return numbers, vectors


def _quartiles(values: tuple[float, ...]) -> str:
    low, middle, high = np.sort(values)[[len(values) // 4, len(values) // 2, (3 * len(values)) // 4]]
    shown = [f"{one:,.0f}" if np.isfinite(one) else f"> {MOST:,}" for one in (middle, low, high)]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
