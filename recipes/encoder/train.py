"""Train the embedded encoder.

    python -m recipes.encoder.train --data ../shared/data --out runs/encoder --hours 1.5

A run that was stopped, also by kill -9, goes on from its last checkpoint when the same command is given.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from recipes.encoder import checkpoint
from recipes.encoder.augment import augment, cutmix
from recipes.encoder.data import ImageSet, load_parquet
from recipes.encoder.model import DEPTHS, WIDTHS, Encoder
from recipes.encoder.schedule import Budget, cutmix_share, ema_decay, learning_rate, resolution

# ImageNet's usual statistics: the encoder's own input contract, written to encoder.toml as well.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of a run."""

    budget: Budget
    batch: int = 128
    peak_rate: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    smoothing: float = 0.1
    seed: int = 0
    save_every: float = 120.0
    evaluate_every: float = 240.0
    widths: tuple[int, ...] = WIDTHS
    depths: tuple[int, ...] = DEPTHS


def normalise(images: Tensor) -> Tensor:
    """Bring float32 (n, 3, h, w) in 0..1 to zero mean and unit variance, channels last."""
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=images.device).view(1, 3, 1, 1)
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def generator_for(device: torch.device, *numbers: int) -> torch.Generator:
    """Seed a generator from numbers alone, so that a resumed run draws what it would have drawn."""
    seed = 0
    for number in numbers:
        seed = (seed * 1_000_003 + number + 1) % (2**63)
    return torch.Generator(device).manual_seed(seed)


class Trainer:
    """One run: the model, its average, the optimizer and how far it has come."""

    def __init__(self, train: ImageSet, validation: ImageSet, settings: Settings, out: Path) -> None:
        self.settings, self.out = settings, out
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.pixels = torch.from_numpy(train.pixels).to(self.device)
        self.labels = torch.from_numpy(train.labels).to(self.device)
        self.validation = validation
        torch.manual_seed(settings.seed)
        classes = int(train.labels.max()) + 1
        self.model = Encoder(classes, settings.widths, settings.depths).to(self.device)
        for parameter in self.model.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        self.optimizer = self._optimizer()
        self.step, self.seconds = 0, 0.0
        if self.checkpoint.exists():
            self._resume()

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint.safetensors"

    @property
    def progress(self) -> float:
        return self.settings.budget.progress(self.step, self.seconds)

    def _optimizer(self) -> torch.optim.Optimizer:
        # Norms and biases have no scale to shrink: decaying them only costs accuracy.
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        others = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": self.settings.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return torch.optim.SGD(groups, lr=0.1, momentum=self.settings.momentum, nesterov=True)

    def _resume(self) -> None:
        groups, state = checkpoint.load(self.checkpoint)
        self.model.load_state_dict(groups["model"])
        self.average.load_state_dict(groups["average"])
        checkpoint.restore_optimizer(self.optimizer, groups.get("optimizer", {}))
        self.step, self.seconds = int(state["step"]), float(state["seconds"])

    def save(self) -> None:
        """Write the checkpoint atomically."""
        groups = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": checkpoint.flatten_optimizer(self.optimizer),
        }
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "epochs": self.step * self.settings.batch / len(self.labels),
            "widths": self.settings.widths,
            "depths": self.settings.depths,
            "classes": self.model.head.out_features,
        }
        checkpoint.save(self.checkpoint, groups, state)

    def batch_indices(self) -> Tensor:
        """Give the images of this step: every epoch is one permutation, known from its number alone."""
        per_epoch = len(self.labels) // self.settings.batch
        epoch, place = divmod(self.step, per_epoch)
        generator = generator_for(self.device, self.settings.seed, 0, epoch)
        order = torch.randperm(len(self.labels), generator=generator, device=self.device)
        return order[place * self.settings.batch : (place + 1) * self.settings.batch]

    def train_step(self) -> Tensor:
        """Do one step of the optimizer; gives the loss."""
        progress, settings = self.progress, self.settings
        generator = generator_for(self.device, settings.seed, 1, self.step)
        chosen = self.batch_indices()
        labels = self.labels[chosen]
        images = normalise(augment(self.pixels[chosen], resolution(progress), generator))
        other, share = labels, 1.0
        if torch.rand(1, generator=generator, device=self.device) < cutmix_share(progress):
            images, permutation, share = cutmix(images, generator)
            other = labels[permutation]
        with torch.autocast(self.device.type, torch.bfloat16):
            logits = self.model(images)[1].float()
        loss = share * functional.cross_entropy(logits, labels, label_smoothing=settings.smoothing)
        if share < 1:
            loss = loss + (1 - share) * functional.cross_entropy(logits, other, label_smoothing=settings.smoothing)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(progress, settings.peak_rate)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        self._update_average()
        self.step += 1
        return loss.detach()

    def _update_average(self) -> None:
        decay = ema_decay(self.step)
        new = self.model.state_dict()
        for name, value in self.average.state_dict().items():
            if value.is_floating_point():
                value.lerp_(new[name], 1 - decay)
            else:
                value.copy_(new[name])

    def accuracy(self) -> float:
        """Measure the average weights' top-1 accuracy on the validation images."""
        return top_1(self.average, self.validation, self.device)

    def run(self) -> None:
        """Train until the budget is used, saving and reporting on the way."""
        started, begun_at = time.monotonic() - self.seconds, self.step
        saved = evaluated = reported = time.monotonic()
        seconds_before, loss_sum, count = self.seconds, torch.zeros((), device=self.device), 0
        while self.progress < 1:
            loss_sum += self.train_step()
            count += 1
            now = time.monotonic()
            self.seconds = now - started
            if now - reported > 20:
                rate = (self.step - begun_at) * self.settings.batch / (self.seconds - seconds_before)
                self._report(loss_sum.item() / count, rate)
                loss_sum.zero_()
                count, reported = 0, now
            if now - evaluated > self.settings.evaluate_every:
                self._log({"step": self.step, "seconds": round(self.seconds), "top_1": self.accuracy()})
                evaluated = now
            if now - saved > self.settings.save_every:
                self.save()
                saved = now
        self.save()
        self._log({"step": self.step, "seconds": round(self.seconds), "top_1": self.accuracy(), "done": True})

    def _report(self, loss: float, rate: float) -> None:
        left = self.seconds / max(self.progress, 1e-6) * (1 - self.progress)
        print(
            f"{self.progress:6.1%}  step {self.step}  epoch {self.step * self.settings.batch / len(self.labels):.1f}"
            f"  {resolution(self.progress)} px  loss {loss:.3f}  {rate:.0f} images/s  {left / 60:.0f} min left",
            flush=True,
        )

    def _log(self, record: dict[str, object]) -> None:
        print(json.dumps(record), flush=True)
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def top_1(model: Encoder, images: ImageSet, device: torch.device, batch: int = 250) -> float:
    """Measure top-1 accuracy, 0 to 1, at the images' own size."""
    right = 0
    for start in range(0, len(images), batch):
        pixels = torch.from_numpy(images.pixels[start : start + batch]).to(device)
        labels = torch.from_numpy(images.labels[start : start + batch]).to(device)
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
            logits = model(normalise(pixels.permute(0, 3, 1, 2).float() / 255))[1]
        right += int((logits.argmax(1) == labels).sum())
    return right / len(images)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train the embedded encoder on Tiny ImageNet.")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds tiny_imagenet/")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and the log")
    parser.add_argument("--hours", type=float, help="budget of training time")
    parser.add_argument("--steps", type=int, help="budget in steps, instead of --hours")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.2, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves it to PyTorch")
    return parser.parse_args(arguments)


def main(arguments: Iterable[str] | None = None) -> None:
    """Train from the command line."""
    options = parse(None if arguments is None else list(arguments))
    if options.threads:
        torch.set_num_threads(options.threads)
    folder = options.data / "tiny_imagenet"
    train, validation = (load_parquet(folder / f"{part}.parquet") for part in ("train", "validation"))
    settings = Settings(
        Budget(options.hours, options.steps), batch=options.batch, peak_rate=options.rate, seed=options.seed
    )
    options.out.mkdir(parents=True, exist_ok=True)
    Trainer(train, validation, settings, options.out).run()


if __name__ == "__main__":
    main()
