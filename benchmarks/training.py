"""Measure training: the loop beside a plain PyTorch loop, and trained models beside a peer's script.

    python benchmarks/training.py speed --data FOLDER [--model mobilenetv3_large_100] [--rounds 3]
    python benchmarks/training.py clothing --data FOLDER --minutes 20       # ours, then a timm script, same everything
    python benchmarks/training.py clothing --data FOLDER --epochs 15        # as many passes, on a busy machine

`speed`: both sides train the same network on the same images for the same number of steps, in turns; ratios are medians
over the rounds. The plain loop is what its documentation shows: DataLoader, torchvision transforms, AdamW, fp32; a
second one has our arithmetic (bf16 and channels last) as well, so that what is left is the loop alone.

`clothing`: the peer is written as timm's training script is: its transforms, its optimizer, its schedule, its average
of weights, begun from the same weights, for the same time.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import tempfile
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import torch
from PIL import Image
from timm.data import create_transform
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler.cosine_lr import CosineLRScheduler
from timm.utils import ModelEmaV3
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from lucida.data import Samples, read_data
from lucida.evaluate.figure import Figure
from lucida.models.threads import available_cores
from lucida.train import backbone
from lucida.train.classify import ClassifyRecipe
from lucida.train.device import fast_bf16, usual_workers
from lucida.train.loop import fit
from lucida.train.parts import parts
from lucida.train.request import Request
from lucida.train.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH = 32


class Plain(Dataset[Any]):  # type: ignore[misc, unused-ignore]
    """Images decoded whenever they are asked for, as a script does it."""

    def __init__(self, samples: Samples, transform: Callable[[Any], torch.Tensor]) -> None:
        self.samples, self.transform = samples, transform
        self.index = {name: number for number, name in enumerate(samples.classes)}

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        sample = self.samples[row]
        picture = Image.open(io.BytesIO(sample.read())).convert("RGB")
        return self.transform(picture), self.index[sample.labels[0]]


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "clothing"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--epochs", type=int, help="clothing: as many passes for both, where other work takes the time")
    parser.add_argument("--keep", type=Path, help="folder in which each side's answers are kept, and found again")
    options = parser.parse_args()
    torch.set_num_threads(available_cores())
    print(
        {name: version(name) for name in ("torch", "torchvision", "timm", "accelerate")}, f"{available_cores()} cores"
    )
    {"speed": speed, "clothing": compare}[options.what](options)


# Speed


def speed(options: argparse.Namespace) -> None:
    """Print images a second of each side, and the ratios."""
    samples = parts(read_data(options.data, "classify"))
    sides: dict[str, Callable[[], float]] = {
        "plain loop": lambda: plain_speed(samples, options, mixed=False),
        "plain loop, bf16": lambda: plain_speed(samples, options, mixed=True),
        "ours": lambda: our_speed(samples, options),
    }
    rates: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(options.rounds):
        for side, work in sides.items():
            rates[side].append(work())
    for side, found in rates.items():
        print(f"{side:18s} {median(found):7.1f} images/s")
    for side in ("plain loop", "plain loop, bf16"):
        ratio = median(ours / theirs for ours, theirs in zip(rates["ours"], rates[side], strict=True))
        print(f"ours / {side}: {ratio:.2f}")


def our_speed(samples: Samples, options: argparse.Namespace) -> float:
    """Return images a second of the loop, evaluations left out."""
    recipe = ClassifyRecipe(Request(samples, options.model, "auto", size=options.size))
    recipe.measure = lambda network, device: {"accuracy": 0.0}  # type: ignore[method-assign]
    recipe.weights = lambda: None  # type: ignore[method-assign]
    recipe._rows = recipe._rows[: options.steps * BATCH]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        settings = Settings(epochs=1, batch=BATCH, rate=1e-3, horizon=0.0, save_seconds=1e9)
        state = fit(recipe, settings, Path(folder))
        del start
        train = state.seconds
        waited = state.waited / max(train, 1e-9)
    print(f"  ours: {state.step} steps, {waited:.1%} of the time waiting for images", flush=True)
    return state.step * BATCH / train


def plain_speed(samples: Samples, options: argparse.Namespace, *, mixed: bool) -> float:
    """Return images a second of a loop as one would write it."""
    net = backbone.build(options.model, size=options.size)
    model = backbone.Classifier(net.trunk, net.width, len(samples.classes)).train()
    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(options.size, scale=(0.35, 1.0)),
            transforms.RandomHorizontalFlip(),
            transforms.RandomApply([transforms.ColorJitter(0.3, 0.3, 0.3)], p=0.8),
            transforms.ToTensor(),
            transforms.Normalize(net.mean, net.std),
        ]
    )
    train = samples.of("train").take(range(options.steps * BATCH))
    loader = DataLoader(Plain(train, transform), BATCH, shuffle=True, num_workers=usual_workers(), drop_last=True)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.05)
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    mixed = mixed and fast_bf16()
    if mixed:
        model = model.to(memory_format=torch.channels_last)
    seen, start = 0, time.perf_counter()
    for images, labels in loader:
        if mixed:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            logits = model(images)
        loss = loss_of(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seen += len(images)
    return seen / (time.perf_counter() - start)


# A peer on the same data


def compare(options: argparse.Namespace) -> None:
    """Train ours, then the peer; print both accuracies on the validation part and the paired difference."""
    samples = parts(read_data(options.data, "classify"))
    sides = {"ours": our_answers, "timm script": peer_answers}
    ours, theirs = (kept(options.keep, name, partial(side, samples, options)) for name, side in sides.items())
    wanted = torch.tensor([samples.classes.index(s.labels[0]) for s in samples.of("validation")])
    for name, found in (("ours", ours), ("timm script", theirs)):
        share = Figure.share(int((found == wanted).sum()), len(wanted))
        print(f"{name:12s} accuracy {share.value:.3f} ({share.low:.3f} to {share.high:.3f}), {len(wanted)} images")
    only_ours = int(((ours == wanted) & (theirs != wanted)).sum())
    only_theirs = int(((ours != wanted) & (theirs == wanted)).sum())
    print(f"right only with ours {only_ours}, only with the peer {only_theirs}")


def kept(folder: Path | None, name: str, answer: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Return answers; those of an earlier call where they were kept, since each side takes its time."""
    file = folder / f"{name}.json" if folder else None
    if file and file.exists():
        return torch.tensor(json.loads(file.read_text()))
    found = answer()
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found.tolist()))
    return found


def our_answers(samples: Samples, options: argparse.Namespace) -> torch.Tensor:
    """Return the classes that our training gives the validation part."""
    recipe = ClassifyRecipe(Request(samples, options.model, "auto", size=options.size))
    with tempfile.TemporaryDirectory() as folder:
        state = fit(recipe, Settings(minutes=options.minutes, epochs=options.epochs), Path(folder))
    print(f"ours: {state.step} steps in {state.seconds / 60:.1f} minutes, {state.stopped}; {recipe.notes}", flush=True)
    with torch.inference_mode():
        return recipe.predict(recipe.network, recipe._seen, torch.device("cpu")).argmax(1)


def peer_answers(samples: Samples, options: argparse.Namespace) -> torch.Tensor:
    """Return the classes that a script in the manner of timm's gives the validation part after as many minutes.

    It is given what its defaults for fine-tuning are: RandAugment, random erasing, mixup left out, AdamW, cosine with
    warm-up, an average of weights; bf16 as ours. RandAugment at 7: at 9 it asks Pillow 13 for 0 bits of colour. Its
    number of epochs is fitted to the minutes by its first one.
    """
    net = backbone.build(options.model, size=options.size)
    model = backbone.Classifier(net.trunk, net.width, len(samples.classes), 0.1)
    model = model.to(memory_format=torch.channels_last)
    average = ModelEmaV3(model, decay=0.998, use_warmup=True)
    size = (3, options.size, options.size)
    common = {"mean": net.mean, "std": net.std}
    train_view = create_transform(
        size, is_training=True, scale=(0.35, 1.0), auto_augment="rand-m7-mstd0.5-inc1", re_prob=0.2, **common
    )
    plain_view = create_transform(size, is_training=False, crop_pct=1.0, crop_mode="squash", **common)
    loader = DataLoader(
        Plain(samples.of("train"), train_view), BATCH, shuffle=True, num_workers=usual_workers(), drop_last=True
    )
    check = DataLoader(Plain(samples.of("validation"), plain_view), 128, num_workers=usual_workers())
    optimizer = create_optimizer_v2(model, "adamw", lr=5e-4, weight_decay=0.05)
    smooth = LabelSmoothingCrossEntropy(0.1)
    start, epoch, epochs, step = time.monotonic(), 0, options.epochs or 2, 0
    schedule = scheduled(optimizer, epochs, len(loader)) if options.epochs else None
    best, answers = -1.0, torch.zeros(0)
    while epoch < epochs:
        model.train()
        for images, labels in loader:
            if schedule is not None:
                schedule.step_update(step)
            with torch.autocast("cpu", torch.bfloat16, enabled=fast_bf16()):
                loss = smooth(model(images.contiguous(memory_format=torch.channels_last)).float(), labels)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            step += 1
            average.update(model, step)
        epoch += 1
        found, right = answers_of(average.module, check)
        if right > best:
            best, answers = right, found
        spent = time.monotonic() - start
        if schedule is None:
            epochs = max(2, math.floor(options.minutes * 60 / spent))
            schedule = scheduled(optimizer, epochs, len(loader))
        if spent > options.minutes * 60 and not options.epochs:
            break
    print(f"timm script: {step} steps in {(time.monotonic() - start) / 60:.1f} minutes, {epoch} epochs", flush=True)
    return answers


def scheduled(optimizer: torch.optim.Optimizer, epochs: int, steps: int) -> Any:
    """Return timm's cosine with a warm-up of one epoch."""
    return CosineLRScheduler(optimizer, t_initial=epochs * steps, lr_min=1e-6, warmup_t=steps, t_in_epochs=False)


def answers_of(model: torch.nn.Module, loader: DataLoader[Any]) -> tuple[torch.Tensor, float]:
    """Return the classes that a network gives, and the share that is right."""
    model.eval()
    found, wanted = [], []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=fast_bf16()):
        for images, labels in loader:
            found.append(model(images).argmax(1))
            wanted.append(labels)
    answers = torch.cat(found)
    return answers, float((answers == torch.cat(wanted)).float().mean())


if __name__ == "__main__":
    main()
