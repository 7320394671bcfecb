"""Train a segmenter on images with masks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lucida.errors import InputError, UnknownName
from lucida.models.onnx.masks import MaskDecoder
from lucida.train.augmentation import border, coloured, on_unit
from lucida.train.backbone import EMBEDDED
from lucida.train.beginning import shape_of
from lucida.train.channels import look
from lucida.train.recipe import Recipe
from lucida.train.segment import models
from lucida.train.segment.examples import Training, Validation, check_classes
from lucida.train.segment.export import export_segmenter
from lucida.train.segment.losses import IGNORED, segmentation_losses
from lucida.train.segment.measure import background_of, pixel_metrics
from lucida.train.segment.views import AMOUNTS, UNKNOWN, Views

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from lucida.results import Result
    from lucida.train.request import Request
    from lucida.train.trained import Trained

STEP = 32  # sides are multiples of the coarsest stride
VIEW = 0.8  # side of a training view, of the size of images
SLOWER = 0.5  # rate of weights that were trained before
FEW = 1000  # training images below which they are changed more


class SegmentRecipe(Recipe):
    """A class for every pixel.

    Args:
        request: What is asked.

    Raises:
        InputError: Masks that do not fit their images, hold unknown values or no object; fewer than two classes.
        UnknownName: No such segmenter.
    """

    spread = 1.0

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.name, self.classes = request.model or EMBEDDED, request.samples.classes
        check_classes(self.classes)
        self.background = background_of(self.classes)
        self.monitor = "mean_iou" if self.background is None else "foreground_mean_iou"
        self.architecture = architecture = models.architecture(self.name)
        self.size = size = _side(request.size or architecture.size)
        self.rate, self.batch = architecture.rate, architecture.batch
        self.channels = look(request.samples, request.channels, request.like)
        self.place = request.samples.origin
        self.training = Training(request.train, size, self.background, self.channels)
        moments = self.training.moments
        self.needs = self.channels.needs(size, "pad", (architecture.mean, architecture.std), moments)
        self.training.needs = self.needs
        self.validation = Validation(request.validation, self.needs, self.background, self.channels)
        self.skipped |= self.training.skipped | self.validation.skipped
        self.notes += [*self.channels.notes, *moments.notes(), *self.training.notes]
        strength = _strength(request.augmentation, len(self.training))
        # Parts of an image, a little larger than it: many more different views than whole images give.
        side = size if strength == "none" else max(STEP, round(VIEW * size / STEP) * STEP)
        self.views = Views(side, size, strength, self.background, border(self.needs))
        torch.manual_seed(request.seed)
        self.built = models.build(self.name, self.classes, request.start, self.channels.depth)
        self.notes += [self.built.note] if self.built.note else []
        self.network = self.built.network
        self.decode = MaskDecoder(tuple(self.classes), size)

    def __len__(self) -> int:
        return len(self.training)

    def example(self, row: int) -> tuple[Tensor, Tensor] | None:
        pair = self.training.pair(row)
        return self.views(*pair) if pair else None

    def collate(self, examples: list[Any]) -> tuple[Tensor, Tensor]:
        return torch.stack([image for image, _ in examples]), torch.stack([mask for _, mask in examples])

    def weights(self) -> Sequence[float] | None:
        return self.training.weights()

    def groups(self) -> list[dict[str, Any]]:
        slow: list[Tensor] = []
        fast: list[Tensor] = []
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                (slow if name.startswith(self.built.learned) else fast).append(parameter)
        return [{"params": part, "scale": scale} for part, scale in ((slow, SLOWER), (fast, 1.0)) if part]

    def loss(self, network: nn.Module, batch: Any) -> dict[str, Tensor]:
        images, masks = batch
        images = coloured(on_unit(images), self.views.amount.colour, self.needs)
        truth = masks.long()
        truth = truth.masked_fill(truth == UNKNOWN, IGNORED)
        return segmentation_losses(network(self.normalise(images)), truth, self.background)

    def measure(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        return pixel_metrics(self.find(network, device), self.validation.truth, self.classes)

    def find(self, network: nn.Module, device: torch.device, batch: int = 8) -> list[Result]:
        """Return what a network, in evaluation mode, finds in the validation images."""
        found: list[Result] = []
        for start in range(0, len(self.validation.images), batch):
            images = self.normalise(on_unit(self.validation.images[start : start + batch].to(device)))
            logits = network(images).float().cpu().numpy()
            found += self.decode([logits], self.validation.frames[start : start + batch])
        return found

    def export(self, folder: Path) -> dict[str, Any]:
        export_segmenter(self, folder)
        return {}

    def normalise(self, images: Tensor) -> Tensor:
        """Return images of `on_unit` (n, c, h, w) as the network takes them."""
        if self.channels.raw:
            return images.contiguous(memory_format=torch.channels_last)
        mean, std = (
            torch.tensor(values, device=images.device).view(1, -1, 1, 1) for values in (self.needs.mean, self.needs.std)
        )
        return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def _side(size: int) -> int:
    if size < STEP or size % STEP:
        raise InputError(
            f"A segmenter cannot take images of {size} pixels a side.",
            expected=f"a multiple of {STEP}",
            got=str(size),
            hint=f"--size {max(STEP, round(size / STEP) * STEP)}",
        )
    return size


def _strength(name: str, images: int) -> str:
    if name == "auto":
        return "strong" if images < FEW else "medium"
    if name not in AMOUNTS:
        raise UnknownName("augmentation", name, ["auto", *AMOUNTS])
    return name


def segment(request: Request) -> SegmentRecipe:
    """Return the recipe that a request asks for."""
    return SegmentRecipe(request)


def rebuild(trained: Trained) -> nn.Module:
    """Return the network of a finished run, not loaded: called as `lucida.train.segment.models` says."""
    name = str(trained.config["model"])
    return models.build(name, trained.classes, shape_of(name, trained.folder), trained.depth).network
