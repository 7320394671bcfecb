"""Measure the catalog: how fast `add` is beside plain reading and decoding, and queries at 100,000 images.

    python benchmarks/catalog.py                          # synthetic photos of 640 x 480
    python benchmarks/catalog.py --photos FOLDER          # your own folder
    python benchmarks/catalog.py --images 1000000         # queries on a larger catalog

Rates are ratios within one run, each the median over rounds in which both sides take turns, so that a machine that is
busy with other things disturbs both alike. "Plain" reads each file and decodes it whole with the same decoder, in as
many threads, and keeps nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image as Pillow

from lucida.catalog import Annotation, Catalog, ImageRecord, add
from lucida.catalog.ingest import cores
from lucida.catalog.sources.found import Found
from lucida.images import decode, read

LABELS = ("dress", "hat", "shoes", "pants", "shirt", "shorts", "skirt", "outwear", "t-shirt", "longsleeve")


def main() -> None:
    """Run all measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="folder of photos to add; default synthetic ones")
    parser.add_argument("--images", type=int, default=100_000, help="size of the catalog that is queried")
    parser.add_argument("--runs", type=int, default=4, help="runs that each have a proposal for every image")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = options.photos or synthetic(folder / "photos")
        adding(photos, folder / "catalog", options.rounds)
        queries(folder / "large", options.images, options.runs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**10 if sys.platform != "darwin" else 2**20)
    print(f"\npeak memory of this process: {peak:,.0f} MiB")


def synthetic(folder: Path, count: int = 400) -> Path:
    """Write JPEGs of 640 x 480 with structure at all scales, as photos have."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(count):
        pixels = np.zeros((480, 640, 3), np.float32)
        for side in (4, 16, 64, 256):
            layer = Pillow.fromarray(rng.integers(0, 255, (side * 3 // 4, side, 3), dtype=np.uint8))
            pixels += np.asarray(layer.resize((640, 480)), np.float32) / (1 + side / 32)
        scaled = (pixels / pixels.max() * 255).astype(np.uint8)
        Pillow.fromarray(scaled).save(folder / f"{i:05d}.jpg", quality=88)
    return folder


def adding(photos: Path, catalog: Path, rounds: int) -> None:
    """Print the rate of `add`, and of adding again, beside plain reading and decoding."""
    files = sorted(path for path in photos.rglob("*") if path.is_file())
    times: dict[str, list[float]] = {"plain": [], "add": [], "again": []}

    def plain() -> None:
        with ThreadPoolExecutor(cores()) as pool:
            for _ in pool.map(lambda path: decode(read(path)).pixels.size, files, chunksize=16):
                pass

    add([photos], catalog=catalog)
    for _ in range(rounds):
        shutil.rmtree(catalog)
        times["plain"].append(seconds(plain))
        times["add"].append(seconds(lambda: add([photos], catalog=catalog)))
        times["again"].append(seconds(lambda: add([photos], catalog=catalog)))
    rate = {name: len(files) / median(values) for name, values in times.items()}
    size = sum(path.stat().st_size for path in files) / len(files) / 1000
    print(f"{len(files):,} files of {size:,.0f} kB on average, {cores()} threads, median of {rounds} rounds")
    row("read and decode alone", f"{rate['plain']:,.0f} images/s")
    row("add", f"{rate['add']:,.0f} images/s")
    row("add again", f"{rate['again']:,.0f} images/s")
    row("add / plain", f"{rate['add'] / rate['plain']:.2f}", "at least 0.80")
    row("again / add", f"{rate['again'] / rate['add']:.1f}", "at least 5")


def queries(path: Path, images: int, runs: int) -> None:
    """Print how long questions to a large catalog take."""
    with Catalog.open(path, create=True) as catalog:
        started = time.perf_counter()
        ids, names = fill(catalog, images, runs)
        took = time.perf_counter() - started
        print(f"\n{images:,} images x {runs} runs, written in {took:,.0f} s")
        half = names["half"]
        last = names["last"]
        a, v = catalog.annotations, catalog.vectors
        vector = v.get("bench@1", ids[:1])[0]
        timed("no record of run R (half are missing)", lambda: catalog.runs.missing(half))
        timed("no record of run R, the first 100", lambda: catalog.runs.missing(half, limit=100))
        timed("by answer", lambda: a.current("kind", label="dress"))
        timed("by score", lambda: a.current("kind", min_score=0.99))
        timed("by answer and score, the first 100", lambda: a.current("kind", label="hat", max_score=0.2, limit=100))
        timed("today's answers, all", lambda: a.current("kind"), target=2.0)
        timed("one run's proposals as columns", lambda: a.table(last), target=2.0)
        timed("what people answered", lambda: a.rows(question="kind", kind="answer"))
        timed("the questions", a.questions)
        timed("names of 1,000 images", lambda: catalog.images.names(ids[:1000]))
        timed("1,000 file names resolved", lambda: catalog.images.resolve_all(f"{i}.jpg" for i in range(1000)))
        timed("images without a vector", lambda: v.missing("bench@1"))
        timed("vectors of 1,000 images", lambda: v.get("bench@1", ids[5:1005]))
        timed("all vectors", lambda: v.get("bench@1", ids), target=2.0)
        timed("the 10 nearest, exactly", lambda: v.search("bench@1", vector))


def fill(catalog: Catalog, images: int, runs: int) -> tuple[list[str], dict[str, str]]:
    """Write images without files, runs over all of them, one run over half, 2,000 answers, and vectors."""
    rng = np.random.default_rng(1)
    for start in range(0, images, 5000):
        batch = []
        for i in range(start, min(start + 5000, images)):
            id = hashlib.sha256(str(i).encode()).hexdigest()
            place = Found(f"photos/{i}.jpg", f"/photos/{i}.jpg", f"{i}.jpg", 1000 + i, 1)
            batch.append((place, ImageRecord(id, 640, 480, "JPEG", "RGB", 1000 + i)))
        catalog.intake.record(batch)
    ids = catalog.images.ids()
    names: dict[str, str] = {}
    for number in range(runs + 1):
        run = catalog.runs.start("label", question="kind", parameters={"n": number})
        names["last" if number < runs else "half"] = run.id
        some = ids if number < runs else ids[::2]
        labels, scores = rng.integers(0, len(LABELS), len(some)), rng.random(len(some))
        for start in range(0, len(some), 5000):
            catalog.annotations.append(
                Annotation(
                    some[i], "kind", run.id, label=LABELS[labels[i]], score=float(scores[i]),
                    detail={"runner_up": [["hat", 0.25], ["shoes", 0.125]]},
                )
                for i in range(start, min(start + 5000, len(some)))
            )  # fmt: skip
    review = catalog.runs.start("review", question="kind", parent=names["last"])
    catalog.annotations.append(
        Annotation(ids[i], "kind", review.id, actor="ann", sequence=i, kind="answer", label="hat",
                   detail={"verdict": "right"})
        for i in range(0, min(2000, images))
    )  # fmt: skip
    for start in range(0, images, 10_000):
        part = ids[start : start + 10_000]
        catalog.vectors.add("bench@1", part, rng.normal(size=(len(part), 256)).astype(np.float32))
    return ids, names


def seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def timed(name: str, work: Callable[[], object], *, target: float = 1.0) -> None:
    """Print the median time of three calls."""
    took = median(seconds(work) for _ in range(3))
    row(name, f"{took:.3f} s", f"under {target:.0f} s")


def row(name: str, value: str, target: str = "") -> None:
    """Print one line of the table."""
    print(f"  {name:<40} {value:>16}   {target}")


if __name__ == "__main__":
    main()
