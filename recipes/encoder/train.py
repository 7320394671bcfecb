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
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lucida.models.embedded.network import DEPTHS, WIDTHS, Encoder
from lucida.tuning import checkpoint
from lucida.tuning.contrast import FAR, Contrast, follow
from recipes.encoder.data import ImageSet
from recipes.encoder.sampling import Batch, Sampler, batches
from recipes.encoder.schedule import FULL, Budget, contrast_begins, ema_decay, learning_rate, resolution
from recipes.encoder.sources import Sources, load_sources


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of a run.

    Attributes:
        batch: Images with a class a step.
        unlabelled: Images a step that are looked at in two views, without labels; 0 leaves contrast out.
        contrast: Weight of the contrastive loss, once it has begun; see `schedule.contrast_begins`.
        words: Weight of the loss that pulls embeddings to their class's word vector, where there are vectors.
        distil: Weight of the teacher's answers against the labels, 0 to 1.
        temperature: Softens both answers before they are compared.
    """

    budget: Budget
    batch: int = 128
    unlabelled: int = 64
    contrast: float = 0.5
    words: float = 1.0
    distil: float = 0.5
    temperature: float = 2.0
    peak_rate: float = 0.2
    momentum: float = 0.9
    weight_decay: float = 5e-4
    smoothing: float = 0.1
    seed: int = 0
    save_every: float = 120.0
    evaluate_every: float = 240.0
    widths: tuple[int, ...] = WIDTHS
    depths: tuple[int, ...] = DEPTHS


class Trainer:
    """One run: the model, its average, the optimizer and how far it has come.

    Args:
        sources: What it learns from.
        validation: Images with the classes of the first labelled set, to report on.
        settings: Hyperparameters.
        out: Folder of the checkpoint and the log.
        teacher: A trained network whose answers are learnt beside the labels.
        vectors: A vector for each class, float32 (classes, d), to pull embeddings to.
    """

    def __init__(
        self,
        sources: Sources,
        validation: ImageSet,
        settings: Settings,
        out: Path,
        *,
        teacher: Encoder | None = None,
        vectors: Tensor | None = None,
    ) -> None:
        self.settings, self.out, self.validation = settings, out, validation
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.sampler = Sampler(sources, settings.batch, settings.unlabelled, settings.seed, self.device)
        self.related = torch.from_numpy(sources.related).to(self.device)
        self.images = len(sources.labelled[0].images)
        self.teacher = teacher.to(self.device, memory_format=torch.channels_last).eval() if teacher else None
        torch.manual_seed(settings.seed)
        self.model = Encoder(sources.classes, settings.widths, settings.depths).to(self.device)
        for parameter in self.model.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        self.contrast = Contrast(settings.widths[-1]).to(self.device)
        self.vectors = None if vectors is None else vectors.to(self.device)
        self.reader = torch.nn.Linear(settings.widths[-1], vectors.shape[1] if vectors is not None else 1)
        self.reader = self.reader.to(self.device)
        self.modules = {"model": self.model, "contrast": self.contrast, "reader": self.reader}
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

    @property
    def epochs(self) -> float:
        """How often each image of the first set was seen with its class."""
        return self.step * self.sampler.sets[0][2] / self.images

    def _optimizer(self) -> torch.optim.Optimizer:
        # Norms and biases have no scale to shrink: decaying them only costs accuracy.
        trained = [p for module in self.modules.values() for p in module.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": self.settings.weight_decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return torch.optim.SGD(groups, lr=0.1, momentum=self.settings.momentum, nesterov=True)

    def _resume(self) -> None:
        groups, state = checkpoint.load(self.checkpoint)
        for name, module in (*self.modules.items(), ("average", self.average)):
            module.load_state_dict(groups[name])
        checkpoint.restore_optimizer(self.optimizer, groups.get("optimizer", {}))
        self.step, self.seconds = int(state["step"]), float(state["seconds"])

    def save(self) -> None:
        """Write the checkpoint atomically."""
        groups = {name: module.state_dict() for name, module in (*self.modules.items(), ("average", self.average))}
        groups["optimizer"] = checkpoint.flatten_optimizer(self.optimizer)
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "epochs": self.epochs,
            "widths": self.settings.widths,
            "depths": self.settings.depths,
            "classes": self.model.head.out_features,
        }
        checkpoint.save(self.checkpoint, groups, state)

    def train_step(self) -> Tensor:
        """Do one step of the optimizer; gives the loss."""
        progress, settings = self.progress, self.settings
        batch = self.sampler.draw(self.step, progress)
        n = len(batch.labels)
        with torch.autocast(self.device.type, torch.bfloat16):
            embedding, logits = self.model(batch.images)
        embedding, logits = embedding.float(), logits[:n].float()
        loss = self._classification(batch, logits)
        if self.vectors is not None:
            read = functional.cosine_similarity(self.reader(embedding[:n]), self.vectors[batch.labels])
            loss = loss + settings.words * (1 - read).mean()
        if batch.views is not None:
            loss = loss + settings.contrast * self.contrast(embedding[n:], self._keys(batch.views), batch.sets)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(progress, settings.peak_rate)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        self._update_average()
        self.step += 1
        return loss.detach()

    def _classification(self, batch: Batch, logits: Tensor) -> Tensor:
        """Give the loss of the labels, and of the teacher's answers where there is one."""
        loss = batch.share * self._labels(logits, batch.labels)
        if batch.share < 1:
            loss = loss + (1 - batch.share) * self._labels(logits, batch.mixed)
        if self.teacher is None:
            return loss
        soft, weight = self.settings.temperature, self.settings.distil
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16):
            # The teacher is at its best at the size that it was finished at.
            shown = functional.interpolate(batch.images[: len(batch.labels)], size=(FULL, FULL), mode="bilinear")
            answers = self.teacher(shown.contiguous(memory_format=torch.channels_last))[1].float()
        # A teacher that knows fewer classes is asked about its own only.
        own = batch.labels < answers.shape[1]
        told = functional.kl_div(
            functional.log_softmax(logits[own, : answers.shape[1]] / soft, 1),
            functional.softmax(answers[own] / soft, 1),
            reduction="batchmean",
        )
        return (1 - weight) * loss + weight * soft**2 * told

    def _labels(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Give the smoothed cross-entropy, in which classes related to the true one do not take part."""
        apart = self.related[labels]
        likely = functional.log_softmax(logits.masked_fill(apart, FAR), 1)
        true = likely.gather(1, labels[:, None])[:, 0]
        even = likely.masked_fill(apart, 0).sum(1) / (~apart).sum(1)
        return -((1 - self.settings.smoothing) * true + self.settings.smoothing * even).mean()

    def _keys(self, views: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16):
            keys: Tensor = self.average(views)[0].float()
        return keys

    def _update_average(self) -> None:
        decay = ema_decay(self.step)
        follow(self.average, self.model, decay)
        follow(self.contrast.slow, self.contrast.projection, decay)

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
                rate = (self.step - begun_at) / (self.seconds - seconds_before)
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
        images = rate * (self.settings.batch + self.settings.unlabelled * contrast_begins(self.progress))
        print(
            f"{self.progress:6.1%}  step {self.step}  epoch {self.epochs:.1f}  {resolution(self.progress)} px"
            f"  loss {loss:.3f}  {images:.0f} images/s  {left / 60:.0f} min left",
            flush=True,
        )

    def _log(self, record: dict[str, object]) -> None:
        print(json.dumps(record), flush=True)
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def top_1(model: Encoder, images: ImageSet, device: torch.device) -> float:
    """Measure top-1 accuracy, 0 to 1, among the images' own classes, which come first, at the images' own size."""
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
        logits = torch.cat([model(batch.to(device))[1] for batch in batches(images.pixels)])
    found = logits[:, : len(images.names)].argmax(1).cpu().numpy()
    return float((found == images.labels).mean())


def load_average(run: Path) -> tuple[Encoder, dict[str, Any]]:
    """Load the averaged weights of a run, and its state."""
    groups, state = checkpoint.load(run / "checkpoint.safetensors")
    encoder = Encoder(int(state["classes"]), state["widths"], state["depths"])
    encoder.load_state_dict(groups["average"])
    encoder.requires_grad_(False)
    return encoder, state


def class_vectors(data: Path, table: Path, cifar_labels: bool) -> Tensor:
    """Return the mean word vector of each class, float32 (classes, d), the words weighed alike."""
    from lucida.models.embedded.lexicon import load_lexicon
    from recipes.encoder.classes import class_words

    lexicon = load_lexicon(table)
    rows = [[lexicon.read(word).vector for word in names] for names in class_words(data, cifar_labels)]
    return torch.from_numpy(np.stack([np.mean(vectors, axis=0) for vectors in rows]))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train the embedded encoder.")
    parser.add_argument("--data", type=Path, required=True, help="folder of the image sets")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and the log")
    parser.add_argument("--hours", type=float, help="budget of training time")
    parser.add_argument("--steps", type=int, help="budget in steps, instead of --hours")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves it to PyTorch")
    network = parser.add_argument_group("network")
    network.add_argument("--widths", type=int, nargs="+", default=WIDTHS)
    network.add_argument("--depths", type=int, nargs="+", default=DEPTHS)
    routes = parser.add_argument_group("routes")
    routes.add_argument("--cifar-labels", action=argparse.BooleanOptionalAction, default=True)
    routes.add_argument("--unlabelled", type=int, default=64, help="unlabelled images a step; 0: no contrast")
    routes.add_argument("--teacher", type=Path, help="folder of a finished run to distil from")
    routes.add_argument("--words", type=Path, help="folder of a word table: pull embeddings to word vectors")
    return parser.parse_args(arguments)


def main(arguments: Iterable[str] | None = None) -> None:
    """Train from the command line."""
    options = parse(None if arguments is None else list(arguments))
    if options.threads:
        torch.set_num_threads(options.threads)
    sources, validation = load_sources(options.data, cifar_labels=options.cifar_labels)
    settings = Settings(
        Budget(options.hours, options.steps),
        unlabelled=options.unlabelled,
        seed=options.seed,
        widths=tuple(options.widths),
        depths=tuple(options.depths),
    )
    options.out.mkdir(parents=True, exist_ok=True)
    teacher = load_average(options.teacher)[0] if options.teacher else None
    vectors = class_vectors(options.data, options.words, options.cifar_labels) if options.words else None
    Trainer(sources, validation, settings, options.out, teacher=teacher, vectors=vectors).run()


if __name__ == "__main__":
    main()
