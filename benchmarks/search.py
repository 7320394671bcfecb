"""Measure search by vectors: a million of 512 dimensions in a catalog, beside FAISS on the same queries.

    python benchmarks/search.py --peer PYTHON             # PYTHON has faiss-cpu and numpy: an environment of its own
    python benchmarks/search.py --vectors 300000          # fewer; from 200,001 on an index is used

The vectors are drawn around 2,000 random centres, with noise of .7 of their spread, and queries likewise. Recall is
the share of the ten nearest by an exact comparison of all. Both sides take turns, a few queries each, in as many
threads as they like; each is a process of its own. Data is made and read in blocks. On Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import numpy as np

DIMENSIONS, CENTRES, NOISE = 512, 2000, 0.7
QUERIES, TURN, K = 200, 20, 10
BLOCK = 16_384
KEY = "benchmark@1"

PEER = """
import json, sys, time
import faiss, numpy as np
folder, count = sys.argv[1], int(sys.argv[2])
data = np.load(folder + "/vectors.npy", mmap_mode="r")
queries = np.load(folder + "/queries.npy")
began = time.perf_counter()
lists = round(count ** .5)
index = faiss.index_factory(data.shape[1], f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
rows = np.sort(np.random.default_rng(0).choice(count, min(count, 64 * lists), replace=False))
index.train(np.ascontiguousarray(data[rows]))
for start in range(0, count, 16384):
    index.add(np.ascontiguousarray(data[start:start + 16384]))
index.nprobe = 20
own = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon"))
print(json.dumps({"version": faiss.__version__, "build": time.perf_counter() - began, "own": own}), flush=True)
for line in sys.stdin:
    low, high = map(int, line.split())
    out = []
    for query in queries[low:high]:
        began, cpu = time.perf_counter(), time.process_time()
        _, near = index.search(query[None], 50)          # eight bits a number, and the nearest compared exactly,
        exact = data[near[0]] @ query                    # as on our side
        ids = near[0][np.argsort(-exact)[:10]]
        out.append([time.perf_counter() - began, time.process_time() - cpu, ids.tolist()])
    print(json.dumps(out), flush=True)
"""


def main() -> None:
    """Run all parts and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--peer", help="Python of an environment with faiss-cpu; without it only our side is measured")
    parser.add_argument("--folder", type=Path, help="where data is made and kept; a temporary folder by default")
    parser.add_argument("--part", choices=("make", "add", "index", "serve"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        {"make": make, "add": add, "index": index, "serve": serve}[options.part](options.folder, options.vectors)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = options.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        measure(folder, options.vectors, options.peer)


def measure(folder: Path, count: int, peer: str | None) -> None:
    """Print build time, memory, recall and latency of both sides."""
    if not (folder / "truth.npy").exists():
        part("make", folder, count)
    print(f"{count:,} vectors of {DIMENSIONS} dimensions; lancedb {version('lancedb')}, {os.cpu_count()} cores")
    for name in ("add", "index"):
        if not (folder / f"{name}.json").exists():
            (folder / f"{name}.json").write_text(part(name, folder, count))
        done = json.loads((folder / f"{name}.json").read_text())
        print(f"lucida {name}: {done['seconds']:,.0f} s ({done['cpu']:,.0f} s of CPU), memory {done['peak']:,.0f} MiB")
    sides = {"lucida": [sys.executable, __file__, "--part", "serve", "--folder", str(folder), "--vectors", str(count)]}
    if peer:
        sides["faiss"] = [peer, "-c", PEER, str(folder), str(count)]
    running = {name: Side(command) for name, command in sides.items()}
    for name, side in running.items():
        hello = side.hello
        build_time = f", built in {hello['build']:,.0f} s" if "build" in hello else ""
        print(f"{name}: {hello['version']}{build_time}, memory {hello['own'] / 1024:,.0f} MiB")
    truth = np.load(folder / "truth.npy")
    for low in range(0, QUERIES, TURN):
        for side in running.values():
            side.ask(low, low + TURN)
    figures = {name: side.figures(truth) for name, side in running.items()}
    for name, (recall, middle, late, cpu) in figures.items():
        print(
            f"{name:8s} recall@{K} {recall:.3f}   median {middle:6.1f} ms ({cpu:.1f} of CPU)   95 % in {late:6.1f} ms"
        )
    if peer:
        print(f"ratio of medians, lucida to faiss: {figures['lucida'][1] / figures['faiss'][1]:.2f}")


def part(name: str, folder: Path, count: int) -> str:
    """Run one part in a process of its own and return what it prints."""
    command = [sys.executable, __file__, "--part", name, "--folder", str(folder), "--vectors", str(count)]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


class Side:
    """A process that answers queries."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.hello = self._read()
        self._answers: list[tuple[float, float, list[int]]] = []

    def ask(self, low: int, high: int) -> None:
        """Have some of the queries answered."""
        stdin: IO[str] | None = self._process.stdin
        assert stdin is not None
        stdin.write(f"{low} {high}\n")
        stdin.flush()
        self._answers += self._read()

    def figures(self, truth: np.ndarray[Any, Any]) -> tuple[float, float, float, float]:
        """Return recall, and in milliseconds median, 95th percentile and median time of the processor."""
        found = [len(set(ids) & set(true.tolist())) for (*_, ids), true in zip(self._answers, truth, strict=True)]
        times, cpu = np.array([answer[:2] for answer in self._answers]).T * 1000
        return (
            float(np.mean(found)) / K,
            float(np.median(times)),
            float(np.percentile(times, 95)),
            float(np.median(cpu)),
        )

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


# ---- parts, each in a process of its own -----------------------------------------------------------------------------


def make(folder: Path, count: int) -> None:
    """Write vectors, queries and, by comparing all, the true neighbours."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(CENTRES, DIMENSIONS)).astype(np.float32)

    def draw(n: int) -> np.ndarray[Any, Any]:
        rows = centres[rng.integers(CENTRES, size=n)] + NOISE * rng.standard_normal((n, DIMENSIONS), np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    queries = draw(QUERIES)
    data = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (count, DIMENSIONS))
    best = np.full((QUERIES, K), -2.0, np.float32)
    place = np.zeros((QUERIES, K), np.int64)
    for start in range(0, count, BLOCK):
        block = draw(min(BLOCK, count - start))
        data[start : start + len(block)] = block
        scores = np.concatenate([best, queries @ block.T], axis=1)
        places = np.concatenate(
            [place, np.broadcast_to(np.arange(start, start + len(block)), (QUERIES, len(block)))], 1
        )
        top = np.argpartition(-scores, K, axis=1)[:, :K]
        best, place = np.take_along_axis(scores, top, 1), np.take_along_axis(places, top, 1)
    data.flush()
    np.save(folder / "queries.npy", queries)
    np.save(folder / "truth.npy", place)


def add(folder: Path, count: int) -> None:
    """Put the vectors into a catalog; print how long it took and the peak of its own memory."""
    from lucida.catalog import Catalog, ImageRecord
    from lucida.catalog.sources.found import Found

    with Own() as own, Catalog.open(folder / "catalog", create=True) as catalog:
        for start in range(0, count, 4096):
            numbers = range(start, min(start + 4096, count))
            records = [
                (Found(f"{i}.jpg", f"/{i}.jpg", f"{i}.jpg", i, 1), ImageRecord(f"{i:064x}", 1, 1, "JPEG", "RGB", i))
                for i in numbers
            ]
            catalog.intake.record(records)
            data = np.load(folder / "vectors.npy", mmap_mode="r")[start : numbers.stop]
            catalog.vectors.add(KEY, [f"{i:064x}" for i in numbers], np.ascontiguousarray(data))
    print(json.dumps(own.figures))


def index(folder: Path, count: int) -> None:
    """Make the index; print how long it took and the peak of its own memory."""
    from lucida.catalog import Catalog

    with Own() as own, Catalog.open(folder / "catalog") as catalog:
        catalog.vectors.ready(KEY)
    print(json.dumps(own.figures))


class Own:
    """Time, CPU time and the peak of a process's own memory: without the files that it maps."""

    def __enter__(self) -> Own:
        self._over, self.peak = threading.Event(), 0.0
        self._began, self._cpu = time.perf_counter(), time.process_time()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()
        self.figures = {
            "seconds": time.perf_counter() - self._began,
            "cpu": time.process_time() - self._cpu,
            "peak": self.peak,
        }

    def _look(self) -> None:
        while not self._over.wait(0.2):
            self.peak = max(self.peak, own_memory() / 1024)


def own_memory() -> int:
    """Return the memory of this process in KiB, without the files that it maps."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def serve(folder: Path, count: int) -> None:
    """Answer queries, one at a time, as a person's search does."""
    from lucida.catalog import Catalog

    queries = np.load(folder / "queries.npy")
    with Catalog.open(folder / "catalog") as catalog:
        for query in queries[:3]:
            catalog.vectors.search(KEY, -query, K)
        print(json.dumps({"version": f"lancedb {version('lancedb')}", "own": own_memory()}), flush=True)
        for line in sys.stdin:
            low, high = map(int, line.split())
            out = []
            for query in queries[low:high]:
                began, cpu = time.perf_counter(), time.process_time()
                found = catalog.vectors.search(KEY, query, K)
                times = time.perf_counter() - began, time.process_time() - cpu
                out.append((*times, [int(id, 16) for id, _ in found]))
            print(json.dumps(out), flush=True)


if __name__ == "__main__":
    main()
