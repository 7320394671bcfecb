"""Train a classifier: one class an image, or several tags."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lucida.data.sample import Soft
from lucida.errors import InputError, UnknownName
from lucida.train import augmentation, backbone
from lucida.train.channels import look
from lucida.train.export import export_classifier
from lucida.train.pictures import Pictures
from lucida.train.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from lucida.data import Sample, Samples
    from lucida.models.needs import ImageNeeds
    from lucida.train.augmentation import Strength
    from lucida.train.request import Request
    from lucida.train.trained import Trained

TUNES = ("full", "probe", "lora")
SMOOTHING = 0.1
BALANCE = 0.5  # 0 draws images as they come, 1 every class as often; between, rare ones more often


class ClassifyRecipe(Recipe):
    """One class an image; with `several`, any number of tags an image.

    Args:
        request: What is asked.
        several: Tags instead of one class.

    Raises:
        InputError: Fewer than two classes.
    """

    monitor = "accuracy"

    def __init__(self, request: Request, *, several: bool = False) -> None:
        super().__init__()
        self.several = several
        if several:
            self.monitor = "average_precision"
        if request.tune not in TUNES:
            raise UnknownName("way of tuning", request.tune, TUNES)
        self.train, self.validation = request.train, request.validation
        self.classes = request.samples.classes
        self.notes += check_classes(self.train, self.classes, several=several)
        torch.manual_seed(request.seed)
        self.channels = look(request.samples, request.channels, request.like)
        self.notes += self.channels.notes
        self.backbone = backbone.build(
            request.model or backbone.EMBEDDED, start=request.start, channels=self.channels.depth, size=request.size
        )
        self.notes += [self.backbone.note] if self.backbone.note else []
        self.size = request.size or self.backbone.size
        self.network = self.model = backbone.Classifier(
            self.backbone.trunk, self.backbone.width, len(self.classes), 0.1
        )
        self._merge = backbone.add_lora(self.model) if request.tune == "lora" else None
        if request.tune == "probe":
            backbone.freeze_all_but_head(self.model)
        self.tune = request.tune
        self.rate = self.backbone.rate if request.tune != "probe" else 1e-2
        self.strength: Strength = _strength(request.augmentation, request.tune)
        edge = round(self.size * 1.25)
        self._pictures = Pictures(self.train, edge, what="Reading training images", channels=self.channels)
        usual = (self.backbone.mean, self.backbone.std)
        self.needs = self.channels.needs(self.size, "squash", usual, self._pictures.moments)
        self.notes += self._pictures.moments.notes()
        self._views = augmentation.whole_images(self.size, self.strength, raw=self.channels.raw)
        self.skipped |= self._pictures.skipped
        self._rows = self._pictures.readable()
        self._targets = self._target_rows(self.train)
        self._seen, self._truth = self._prepared(self.validation)
        # The head is new: it may learn faster than what was trained before.
        self._fast_head = self.backbone.start != "nothing" and request.tune == "full"

    def __len__(self) -> int:
        return len(self._rows)

    def example(self, row: int) -> tuple[Tensor, Tensor] | None:
        place = self._rows[row]
        picture = self._pictures[place]
        if picture is None:
            return None
        return self._views(augmentation.as_tensor(picture.pixels, self.needs)), self._targets[place]

    def collate(self, examples: list[Any]) -> tuple[Tensor, Tensor]:
        return torch.stack([image for image, _ in examples]), torch.stack([target for _, target in examples])

    def weights(self) -> Sequence[float] | None:
        if self.several or BALANCE == 0:
            return None
        labels = [self.train[row].labels[0] for row in self._rows]
        counts = Counter(labels)
        return [counts[label] ** -BALANCE for label in labels]

    def groups(self) -> list[dict[str, Any]]:
        trunk = [p for p in self.model.trunk.parameters() if p.requires_grad]
        return [
            {"params": trunk, "scale": 1.0},
            {"params": list(self.model.head.parameters()), "scale": 5.0 if self._fast_head else 1.0},
        ]

    def loss(self, network: nn.Module, batch: Any) -> dict[str, Tensor]:
        images, targets = batch
        images, targets = augmentation.mix(self.normalise(images), targets, self.strength)
        return {"loss": self.criterion(network(images), targets)}

    def normalise(self, images: Tensor) -> Tensor:
        """Return views (n, c, h, w) as the network takes them."""
        return normalise(images, self.needs)

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of logits (n, classes) against shares of classes, or tags, (n, classes)."""
        if self.several:
            return functional.binary_cross_entropy_with_logits(logits.float(), targets)
        return functional.cross_entropy(logits.float(), targets, label_smoothing=SMOOTHING)

    def predict(self, network: nn.Module, images: Tensor, device: torch.device, batch: int = 128) -> Tensor:
        """Return logits float32 (n, classes) of views (n, c, size, size), on the CPU."""
        network.eval()
        parts = [network(self.normalise(part.to(device))).float().cpu() for part in images.split(batch)]
        return torch.cat(parts)

    def measure(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        logits = self.predict(network, self._seen, device)
        return several_metrics(logits, self._truth) if self.several else single_metrics(logits, self._truth)

    def export(self, folder: Path) -> dict[str, Any]:
        if self._merge:
            self._merge()
        with torch.inference_mode():
            logits = self.predict(self.network, self._seen, next(self.network.parameters()).device)
        temperature = 1.0 if self.several else calibrate(logits, self._truth)
        export_classifier(self, folder, temperature)
        return {"temperature": temperature}

    def _target_rows(self, samples: Samples) -> Tensor:
        index = {name: number for number, name in enumerate(self.classes)}
        rows = torch.zeros(len(samples), len(self.classes))
        for row, sample in enumerate(samples):
            _fill(rows[row], sample, index)
        return rows

    def _prepared(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return the validation images as they will be prepared when the model is used, and their targets."""
        pictures = Pictures(samples, 0, what="Reading validation images", channels=self.channels)
        self.skipped |= pictures.skipped
        return prepared(pictures, self.needs), self._target_rows(samples)[pictures.readable()]


def prepared(pictures: Pictures, needs: ImageNeeds) -> Tensor:
    """Return the images that can be read as they will be prepared when the model is used, (n, c, size, size).

    Returns:
        uint8 RGB, or float32 normalised, as `lucida.train.augmentation.as_tensor` says.

    Raises:
        InputError: None of them can be read.
    """
    rows = pictures.readable()
    found = [augmentation.fitted(one.pixels, needs) for row in rows if (one := pictures[row]) is not None]
    if not found:
        raise InputError(
            "None of the images that training is judged by can be read.",
            expected="a validation part of images",
            got=next(iter(pictures.skipped.values()), "none"),
        )
    return torch.stack(found)


def normalise(images: Tensor, needs: ImageNeeds) -> Tensor:
    """Return uint8 (n, c, h, w) as float32, scaled and normalised, in the layout that convolutions are fastest in.

    What is float32 already is of all channels, and normalised.
    """
    if images.is_floating_point():
        return images.contiguous(memory_format=torch.channels_last)
    mean = torch.tensor(needs.mean, device=images.device).view(1, -1, 1, 1)
    std = torch.tensor(needs.std, device=images.device).view(1, -1, 1, 1)
    return ((images.float() * needs.scale - mean) / std).contiguous(memory_format=torch.channels_last)


def _fill(row: Tensor, sample: Sample, index: dict[str, int]) -> None:
    if isinstance(sample.target, Soft):
        known = sample.target.probabilities
        rest = max(0.0, 1 - sum(known.values())) / max(1, len(index) - len(known))
        row.fill_(rest)
        for name, share in known.items():
            row[index[name]] = share
        row.div_(row.sum())
        return
    for name in sample.labels:
        row[index[name]] = 1.0


def _strength(name: str, tune: str) -> Strength:
    if name == "auto":
        return "light" if tune == "probe" else "medium"
    if name not in augmentation.STRENGTHS:
        raise UnknownName("augmentation", name, ["auto", *augmentation.STRENGTHS])
    return name  # type: ignore[return-value]


def check_classes(samples: Samples, classes: Sequence[str], *, several: bool = False) -> list[str]:
    """Refuse a training part that nothing can be learned from; return what a person should know of it.

    Raises:
        InputError: No label, one class only, or a label that is not among the classes.
    """
    unlabelled = [sample.name for sample in samples if sample.target is None]
    counts = Counter(label for sample in samples for label in sample.labels)
    unknown = [label for label in counts if label not in classes]
    if unknown:
        raise UnknownName("class", unknown[0], classes, hint="the labels and the list of classes must agree")
    if unlabelled and not several:
        raise InputError(
            f"{len(unlabelled):,} images of the training part have no label.",
            expected="a class for each",
            got=unlabelled[0],
            hint="lucida train semi-supervised learns from images without labels as well",
        )
    if len(counts) < (1 if several else 2):
        raise InputError(
            "There is nothing to tell apart.",
            expected="images of two classes at least",
            got=", ".join(counts) or "no label",
            hint="lucida train anomaly learns from images of one kind",
        )
    rare = sorted((label for label in classes if counts[label] < 2), key=lambda label: counts[label])
    if not rare:
        return []
    named = ", ".join(f"{label!r} ({counts[label]})" for label in rare[:5])
    return [f"Too few images to learn from: {named}; a class wants ten at least."]


def single_metrics(logits: Tensor, truth: Tensor) -> dict[str, float]:
    """Return accuracy, balanced accuracy and log loss of logits (n, classes) against one-hot truth."""
    wanted, found = truth.argmax(1), logits.argmax(1)
    right = (wanted == found).float()
    counts = truth.sum(0)
    recall = (truth * right[:, None]).sum(0)[counts > 0] / counts[counts > 0]
    return {
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(recall.mean()),
        "loss": float(functional.cross_entropy(logits, wanted)),
    }


def several_metrics(logits: Tensor, truth: Tensor) -> dict[str, float]:
    """Return the mean average precision over tags, and F1 at a probability of one half."""
    from torchmetrics.functional.classification import multilabel_average_precision, multilabel_f1_score

    count = truth.shape[1]
    precision = multilabel_average_precision(logits, truth.int(), num_labels=count, average=None)
    there = truth.sum(0) > 0
    return {
        "average_precision": float(precision[there].mean()),
        "f1": float(multilabel_f1_score(logits, truth.int(), num_labels=count)),
        "loss": float(functional.binary_cross_entropy_with_logits(logits, truth)),
    }


def calibrate(logits: Tensor, truth: Tensor) -> float:
    """Return the temperature that makes probabilities as sure as they are right, 0.2 to 5.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks.
    """
    wanted = truth.argmax(1)
    grid = torch.logspace(np.log10(0.2), np.log10(5), 97).tolist()
    return float(min(grid, key=lambda t: float(functional.cross_entropy(logits / t, wanted))))


def classify(request: Request) -> ClassifyRecipe:
    """Return the recipe for one class an image."""
    return ClassifyRecipe(request)


def tag(request: Request) -> ClassifyRecipe:
    """Return the recipe for several tags an image."""
    return ClassifyRecipe(request, several=True)


def rebuild(trained: Trained) -> backbone.Classifier:
    """Return the network of a run, its weights not loaded."""
    config = trained.config
    # The embedded encoder has two shapes; the run's own weights say which.
    start = str(trained.folder) if config["model"] == backbone.EMBEDDED else "nothing"
    trunk = backbone.build(config["model"], start=start, channels=trained.depth, size=trained.needs.size)
    return backbone.Classifier(trunk.trunk, trunk.width, len(trained.classes), 0.1)
