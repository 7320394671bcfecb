"""Measure training: the loop beside a plain PyTorch loop, and trained models beside a peer's script.

    python benchmarks/training.py speed --data FOLDER [--model mobilenetv3_large_100] [--rounds 3]
    python benchmarks/training.py clothing --data FOLDER --minutes 20       # ours, then a timm script, same everything
    python benchmarks/training.py clothing --data FOLDER --epochs 15        # as many passes, on a busy machine

`speed`: both sides train the same network on the same images for the same number of steps, in turns; ratios are medians
over the rounds, of the steps alone: no side's start, evaluation or checkpoint counts. The plain loop is what its
documentation shows: DataLoader, torchvision transforms, AdamW, an average of the weights, fp32; a second one has our
arithmetic (bf16 and channels last) and images decoded before as well, so that what is left is the loop alone. By the
time of the training process, too, which workers and other programs take less from.

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
from torch.utils.flop_counter import FlopCounterMode
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
EARLY = 5  # steps of a side that are not counted: workers start, memory is found
# Dense bf16 operations a second, as their maker states them.
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "4090": 165e12}


class Plain(Dataset[Any]):  # type: ignore[misc, unused-ignore]
    """Images decoded whenever they are asked for, as a script does it; or once before, as ours are."""

    def __init__(self, samples: Samples, transform: Callable[[Any], torch.Tensor], *, before: bool = False) -> None:
        self.samples, self.transform = samples, transform
        self.index = {name: number for number, name in enumerate(samples.classes)}
        self.kept = [self.picture(row) for row in range(len(samples))] if before else None

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        picture = self.kept[row] if self.kept else self.picture(row)
        return self.transform(picture), self.index[self.samples[row].labels[0]]

    def picture(self, row: int) -> Image.Image:
        """Decode an image."""
        return Image.open(io.BytesIO(self.samples[row].read())).convert("RGB")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "clothing"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--augmentation", default="light", help="speed: ours; light changes what the plain loop does")
    parser.add_argument("--sides", default="all", choices=("all", "same"), help="speed: same leaves fp32 out")
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


class Clock:
    """Notes when each step begins: what comes before the first and after the last is not the loop.

    The same for both sides: steps after the first few, each with its images, its change of weights, and its journal.
    """

    def __init__(self) -> None:
        self.ticks: list[float] = []
        self.spent: list[float] = []

    def tick(self) -> None:
        """Note that a step begins."""
        self.ticks.append(time.perf_counter())
        self.spent.append(time.process_time())

    def rates(self, steps: int) -> tuple[float, float]:
        """Return images a second, by the clock and by the processor, of all but the first `EARLY` of the last steps."""
        first = len(self.ticks) - steps + EARLY
        images = (steps - EARLY - 1) * BATCH
        return images / (self.ticks[-1] - self.ticks[first]), images / (self.spent[-1] - self.spent[first])


def speed(options: argparse.Namespace) -> None:
    """Print images a second of each side, and the ratios."""
    samples = parts(read_data(options.data, "classify"))
    sides: dict[str, Callable[[], tuple[float, float]]] = {
        "plain loop": lambda: plain_speed(samples, options, mixed=False),
        "plain loop, bf16": lambda: plain_speed(samples, options, mixed=True),
        "ours": lambda: our_speed(samples, options),
    }
    if options.sides == "same":
        del sides["plain loop"]
    rates: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
    for turn in range(options.rounds):
        # Who begins takes turns as well: machines get slower and faster.
        for side in sorted(sides, reverse=bool(turn % 2)):
            rates[side].append(sides[side]())
            print(f"  {side}: {rates[side][-1][0]:.1f} images/s", flush=True)
    for side, found in rates.items():
        print(f"{side:18s} {median(clock for clock, _ in found):7.1f} images/s")
    for side in [side for side in sides if side != "ours"]:
        pairs = list(zip(rates["ours"], rates[side], strict=True))
        by_clock, by_processor = (median(ours[k] / theirs[k] for ours, theirs in pairs) for k in (0, 1))
        print(f"ours / {side}: {by_clock:.2f} by the clock, {by_processor:.2f} by the time of the training process")


def our_speed(samples: Samples, options: argparse.Namespace) -> tuple[float, float]:
    """Return images a second of the loop, as it is used: with an average of the weights and a journal."""
    request = Request(samples, options.model, "auto", size=options.size, augmentation=options.augmentation)
    recipe = ClassifyRecipe(request)
    recipe.measure = lambda network, device: {"accuracy": 0.0}  # type: ignore[method-assign]
    recipe.weights = lambda: None  # type: ignore[method-assign]
    recipe._rows = recipe._rows[: options.steps * BATCH]
    clock, loss = Clock(), recipe.loss

    def timed(network: torch.nn.Module, batch: Any) -> dict[str, torch.Tensor]:
        clock.tick()
        return loss(network, batch)

    recipe.loss = timed  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        state = fit(recipe, Settings(epochs=1, batch=BATCH, rate=1e-3, save_seconds=1e9), Path(folder))
    waited = state.waited / max(state.seconds, 1e-9)
    print(f"  ours: {state.step} steps, {waited:.1%} of the time waiting for images", flush=True)
    if torch.cuda.is_available():
        print(f"  ours: {utilisation(recipe.network, options.size, clock.rates(state.step)[0]):.1%} of the peak")
    return clock.rates(state.step)


def plain_speed(samples: Samples, options: argparse.Namespace, *, mixed: bool) -> tuple[float, float]:
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
    shown = Plain(train, transform, before=mixed)
    loader = DataLoader(shown, BATCH, shuffle=True, num_workers=usual_workers(), drop_last=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    mixed = mixed and (fast_bf16() or device.type == "cuda")
    model = model.to(device, memory_format=torch.channels_last if mixed else torch.contiguous_format)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.05)
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998), use_buffers=True
    )
    clock, steps, written = Clock(), 0, 0.0
    for images, labels in loader:
        clock.tick()
        images, labels = images.to(device), labels.to(device)
        if mixed:
            images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            logits = model(images)
        loss = loss_of(logits.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        average.update_parameters(model)
        written, steps = written + loss.item(), steps + 1
    return clock.rates(steps)


def utilisation(network: torch.nn.Module, size: int, rate: float) -> float:
    """Return the share of the dense bf16 peak of this GPU that a training uses; what is recomputed does not count.

    Args:
        network: That was trained.
        size: Side of its images in pixels.
        rate: Images a second.

    Source: Chowdhery et al. 2022, PaLM, for model FLOP utilisation.
    """
    image = torch.zeros(1, 3, size, size, device=next(network.parameters()).device)
    with FlopCounterMode(display=False) as counter:
        network.eval()(image).sum().backward()
    name = torch.cuda.get_device_name()
    peak = next((flops for known, flops in PEAKS.items() if known in name), math.nan)
    return float(counter.get_total_flops() * rate / peak)


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
