"""Measure `label`: images a second end to end, beside a plain loop with the same model, and what the catalog costs.

    python benchmarks/label.py --photos FOLDER            # your own folder of images
    python benchmarks/label.py --rounds 5
    python benchmarks/label.py --photos FOLDER --model clip         # large models: see benchmarks/words.py

Three sides take turns in every round, and the ratios are medians over the rounds: a plain loop as one would write it
(Pillow, then ONNX Runtime in fp32, batches of 32), our executor on the same files without a catalog, and the same with
a catalog that keeps every vector and every label as it comes. Processor time is given beside wall time, since a machine
that is busy with other things stretches the latter at random.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime
from PIL import Image

from lucida.catalog import Annotation, Catalog, add
from lucida.env import versions
from lucida.models.registry import find
from lucida.models.threads import available_cores
from lucida.runs.local import map_batches
from lucida.runs.vectors import BATCH, compute, trial, worker

WEIGHTS = Path(__file__).parents[1] / "src/lucida/models/embedded/weights/encoder.onnx"


def main() -> None:
    """Run the rounds and print rates and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of images")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", choices=("embedded", "clip", "mobilenetv3"), default="embedded")
    options = parser.parse_args()
    if options.model != "embedded":
        # Found from the script's own folder, too.
        sys.path.insert(0, str(Path(__file__).parents[1]))
        from benchmarks.words import rates as large
        from benchmarks.words import write_clip, write_mobilenet

        with tempfile.TemporaryDirectory() as name:
            os.environ.setdefault("LUCIDA_CACHE", f"{name}/cache")
            write = write_clip if options.model == "clip" else write_mobilenet
            large(options.photos, Path(name), options.rounds, write)
        return
    paths = sorted(p for p in options.photos.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    print(
        {k: v for k, v in versions().items() if k in ("camera-lucida", "python", "openvino", "onnxruntime", "pillow")}
    )
    print(f"{len(paths):,} images, {available_cores()} cores, model {find('embedded').key}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        add([options.photos], catalog=folder / "added")
        sides: dict[str, Callable[[], None]] = {
            "plain loop": lambda: plain(paths),
            "executor": lambda: executor(paths),
            "with catalog": lambda: with_catalog(folder),
        }
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        cpu: dict[str, list[float]] = {side: [] for side in sides}
        for round_ in range(options.rounds + 1):
            for side, work in sides.items():
                if side == "with catalog":
                    shutil.rmtree(folder / "catalog", ignore_errors=True)
                    shutil.copytree(folder / "added", folder / "catalog")
                start, spent = time.perf_counter(), time.process_time()
                work()
                if round_:  # the first round warms files and engines up
                    seconds[side].append(time.perf_counter() - start)
                    cpu[side].append(time.process_time() - spent)
    for side, times in seconds.items():
        print(f"{side:<13} {len(paths) / median(times):8.0f} images/s   ({min(times):.2f} to {max(times):.2f} s)")
    for name, figures in (("wall", seconds), ("processor", cpu)):
        rows = list(zip(*figures.values(), strict=True))
        print(f"{name} time: with catalog {median(p / c for p, _, c in rows):.2f} times as fast as the plain loop;")
        print(f"  the catalog costs {100 * (median(c / e for _, e, c in rows) - 1):.1f} % over the executor")


def plain(paths: list[Path]) -> None:
    """Embed images as one would write it down in a minute."""
    needs = find("embedded").needs
    session = onnxruntime.InferenceSession(str(WEIGHTS), providers=["CPUExecutionProvider"])
    mean, std = (np.array(v, np.float32).reshape(3, 1, 1) for v in (needs.mean, needs.std))
    for first in range(0, len(paths), BATCH):
        batch = []
        for path in paths[first : first + BATCH]:
            image = Image.open(path).convert("RGB").resize((needs.size, needs.size), Image.Resampling.BOX)
            pixels = np.asarray(image, np.float32).transpose(2, 0, 1) / 255
            batch.append((pixels - mean) / std)
        session.run(["embedding"], {session.get_inputs()[0].name: np.stack(batch)})


def executor(paths: list[Path]) -> None:
    """Embed the same files with our executor, keeping nothing."""
    spec = find("embedded")

    def read(name: str) -> bytes:
        return Path(name).read_bytes()

    names = [str(p) for p in paths]
    model = spec.load("auto", trial=trial(spec, names, lambda _: read))
    for _ in map_batches(worker(model, lambda _: read), names, batch=BATCH, workers=available_cores()):
        pass


def with_catalog(folder: Path) -> None:
    """Embed a catalog's images, keeping vectors and one label each, resumable at every batch."""
    with Catalog.open(folder / "catalog") as catalog:
        compute(catalog, "embedded")
        run = catalog.runs.start("label", question="kind", model="embedded")
        ids = catalog.images.ids()
        catalog.annotations.append(Annotation(i, "kind", run.id, label="a", score=0.5) for i in ids)
        catalog.runs.finish(run.id)


if __name__ == "__main__":
    main()
