"""Measure what learning without labels is worth: FixMatch, masked pretraining, distillation, each beside a plain peer.

    python benchmarks/learning.py fixmatch --data ../shared/data     # 10 labels a class; peer: only these labels
    python benchmarks/learning.py mae --data ../shared/data          # few labels after pretraining; peer: from nothing
    python benchmarks/learning.py distil --data ../shared/data       # a small network; peer: the same from labels alone

Both sides of a pair have the same network, test images, rate and seed, and as many image passes: one forward and
backward is a pass, a forward alone a third of one. Passes rather than minutes, since other work stretches minutes.
Training is chosen by a validation part cut out of the training images; the test images are looked at once, at the end.
The figure is the mean difference over the seeds with Student's 95 % interval, whatever it shows.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from lucida.data import Sample, Samples, read_data
from lucida.data.sample import TEST, TRAIN, VALIDATION
from lucida.env import versions
from lucida.models.registry import find
from lucida.train.classify import ClassifyRecipe
from lucida.train.distil import DistilRecipe
from lucida.train.fixmatch import RATIO, FixMatchRecipe, few_labels
from lucida.train.loop import fit
from lucida.train.pretrain import MODEL, PretrainRecipe
from lucida.train.request import Request
from lucida.train.settings import Settings
from lucida.train.teacher import ModelTeacher

HELD_OUT = 3000  # images of CIFAR-10 that the embedded encoder never saw: its recipe's own division
SIDE = 64  # mae: patches of 16 pixels are then 8 of an image of 32
STUDENT_T = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}


@dataclass(frozen=True)
class Outcome:
    """What one training came to: share of the test images named rightly, its cost, and more figures."""

    accuracy: float
    seconds: float
    processor: float
    steps: int
    more: dict[str, float]


def main() -> None:
    """Run one benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=BENCHMARKS)
    parser.add_argument("--data", type=Path, required=True, help="folder with clothing/ and cifar10/")
    parser.add_argument("--epochs", type=int, default=5, help="of the side that learns from more than labels")
    parser.add_argument("--before", type=int, default=5, help="epochs of pretraining, or of the teacher")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate of both sides")
    parser.add_argument("--labels", type=int, default=10, help="a class; mae: 50 is usual")
    parser.add_argument("--images", type=int, default=0, help="mae, distil: learn from so many images; 0 for all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--set", default="clothing", choices=("clothing", "cifar10"), help="fixmatch: which images")
    options = parser.parse_args()
    print({key: value for key, value in versions().items() if key in ("camera-lucida", "python", "torch", "timm")})
    print(vars(options), flush=True)
    with tempfile.TemporaryDirectory() as name:
        BENCHMARKS[options.what](options, Path(name))


def fixmatch(options: argparse.Namespace, folder: Path) -> None:
    """Compare learning from labelled and other images with learning from the labelled ones alone."""
    samples, test = parts(options.data, options.set)
    # The embedded encoder has seen CIFAR-10's labels, so there it would be no test.
    start, size = ("auto", 64) if options.set == "clothing" else ("nothing", 32)

    def alone(seed: int) -> Outcome:
        known = few_labels(samples.of(TRAIN), options.labels, seed)
        few = replace(samples, items=(*samples.of(TRAIN).take(known), *samples.of(VALIDATION)))
        request = Request(few, start=start, size=size, seed=seed)
        passes = options.epochs * len(samples.of(TRAIN)) * (1 / 3 + 1 + 1 / RATIO)
        settings = settled(options, seed, epochs=round(passes / len(known)), batch=32)
        return trained(lambda: ClassifyRecipe(request), test, folder / f"alone{seed}", settings)

    def both(seed: int) -> Outcome:
        request = Request(samples, start=start, size=size, seed=seed, extra={"labels": options.labels})
        settings = settled(options, seed, batch=64)  # and 32 labelled ones a step
        return trained(lambda: FixMatchRecipe(request), test, folder / f"both{seed}", settings)

    compare({"labelled only": alone, "FixMatch": both}, options.seeds)


def distil(options: argparse.Namespace, folder: Path) -> None:
    """Compare a small network that learns from a teacher and labels with the same that learns from labels alone."""
    samples, test = parts(options.data, "cifar10", options.images)
    taught = folder / "teacher"
    settings = replace(settled(options, 0, epochs=options.before, batch=128), rate=1e-2)
    outcome = trained(lambda: ClassifyRecipe(Request(samples, tune="probe", size=64)), test, taught, settings)
    print(f"teacher: linear probe of the embedded encoder, {100 * outcome.accuracy:.1f} %", flush=True)
    teacher = ModelTeacher(find(str(taught / "model")))
    plain = Request(samples, model="test_resnet", start="nothing", size=64)

    def hard(seed: int) -> Outcome:
        request, settings = replace(plain, seed=seed), settled(options, seed, batch=64)
        return trained(lambda: ClassifyRecipe(request), test, folder / f"hard{seed}", settings)

    def soft(seed: int) -> Outcome:
        # The teacher is asked once; what it said is kept beside it.
        request = replace(plain, seed=seed, teacher=teacher, folder=taught)
        settings = settled(options, seed, batch=64)
        return trained(lambda: DistilRecipe(request), test, folder / f"soft{seed}", settings)

    compare({"labels alone": hard, "teacher and labels": soft}, options.seeds)


def mae(options: argparse.Namespace, folder: Path) -> None:
    """Compare a transformer that was pretrained on the images without labels with one that begins from nothing."""
    samples, test = parts(options.data, "cifar10", options.images)
    before = folder / "before"
    before.mkdir()
    spent = time.process_time()
    pretrained = PretrainRecipe(Request(samples, start="nothing", size=SIDE))
    settings = replace(settled(options, 0, epochs=options.before, batch=128), rate=PretrainRecipe.rate)
    state = fit(pretrained, settings, before)
    print(
        f"pretraining, once for all seeds: {len(pretrained):,} images, {state.step:,} steps,"
        f" {time.process_time() - spent:.0f} s of the processor, {state.metrics}",
        flush=True,
    )

    def side(start: str, name: str) -> Callable[[int], Outcome]:
        def run(seed: int) -> Outcome:
            known = few_labels(samples.of(TRAIN), options.labels, seed)
            few = replace(samples, items=(*samples.of(TRAIN).take(known), *samples.of(VALIDATION)))
            request = Request(few, model=MODEL, start=start, size=SIDE, seed=seed)
            return trained(
                lambda: ClassifyRecipe(request), test, folder / f"{name}{seed}", settled(options, seed, batch=32)
            )

        return run

    compare({"from nothing": side("nothing", "new"), "pretrained": side(str(before), "old")}, options.seeds)


def trained(make: Callable[[], ClassifyRecipe], test: Samples, folder: Path, settings: Settings) -> Outcome:
    """Train, and look at the test images once."""
    folder.mkdir(parents=True, exist_ok=True)
    start, spent = time.monotonic(), time.process_time()
    recipe = make()
    state = fit(recipe, settings, folder)
    seconds, processor = time.monotonic() - start, time.process_time() - spent
    (folder / "model").mkdir(exist_ok=True)
    more = recipe.export(folder / "model")
    images, truth = recipe._prepared(test)
    with torch.inference_mode():
        found = recipe.predict(recipe.network, images, torch.device("cpu"))
    accuracy = float((found.argmax(1) == truth.argmax(1)).float().mean())
    return Outcome(accuracy, seconds, processor, state.step, {k: v for k, v in more.items() if k != "temperature"})


def settled(options: argparse.Namespace, seed: int, *, batch: int, epochs: int | None = None) -> Settings:
    """Return how both sides are trained: no early end, no search for a rate."""
    return Settings(
        epochs=epochs or options.epochs,
        batch=batch,
        rate=options.rate,
        patience=100,
        rounds=10,
        workers=0,
        seed=seed,
    )


def compare(sides: dict[str, Callable[[int], Outcome]], seeds: int) -> None:
    """Let both sides take turns, and print each seed and the mean difference with its interval."""
    found: dict[str, list[Outcome]] = {side: [] for side in sides}
    for seed in range(seeds):
        # Who begins takes turns as well: machines get slower and faster.
        for side in sorted(sides, reverse=bool(seed % 2)):
            outcome = sides[side](seed)
            found[side].append(outcome)
            more = "".join(f", {name} {value:.3f}" for name, value in outcome.more.items())
            print(
                f"seed {seed}, {side}: {100 * outcome.accuracy:.1f} %, {outcome.steps:,} steps,"
                f" {outcome.seconds:.0f} s ({outcome.processor:.0f} s of the processor){more}",
                flush=True,
            )
        for side, outcomes in found.items():
            print(f"  {side}: mean {100 * np.mean([one.accuracy for one in outcomes]):.1f} %")
        first, second = ([one.accuracy for one in outcomes] for outcomes in found.values())
        if seed:
            plain, other = sides
            mean, low, high = interval(b - a for a, b in zip(first, second, strict=True))
            print(f"  {other} - {plain}: {mean:+.1f} points ({low:+.1f} to {high:+.1f})", flush=True)


def interval(differences: Iterable[float]) -> tuple[float, float, float]:
    """Return the mean and Student's 95 % interval, in points of per cent."""
    values = 100 * np.array(list(differences))
    half = STUDENT_T.get(len(values), 2.2) * values.std(ddof=1) / math.sqrt(len(values))
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)


def parts(data: Path, name: str, most: int = 0) -> tuple[Samples, Samples]:
    """Return training images, a tenth of them for validation, and test images."""
    if name == "clothing":
        samples = read_data(data / "clothing", "classify")
        rest, test = samples.of(TRAIN), samples.of(VALIDATION)
    else:
        samples = read_data(data / "cifar10" / "train.parquet", "classify")
        order = np.random.default_rng(0).permutation(len(samples)).tolist()
        rest, test = samples.take(order[HELD_OUT:][: most or None]), samples.take(order[:HELD_OUT])
    chosen = set(np.random.default_rng(1).permutation(len(rest))[: min(1000, len(rest) // 10)].tolist())
    items: list[Sample] = [replace(one, split=VALIDATION if row in chosen else TRAIN) for row, one in enumerate(rest)]
    return replace(rest, items=tuple(items)), replace(test, items=tuple(replace(one, split=TEST) for one in test))


BENCHMARKS: dict[str, Callable[[argparse.Namespace, Path], None]] = {"fixmatch": fixmatch, "mae": mae, "distil": distil}

if __name__ == "__main__":
    main()
