"""Train a detector on images with boxes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lucida.errors import UnknownName
from lucida.models.onnx.boxes import BoxDecoder
from lucida.train.augmentation import border, coloured, on_unit
from lucida.train.backbone import EMBEDDED
from lucida.train.beginning import shape_of
from lucida.train.channels import look
from lucida.train.detect import measure, models
from lucida.train.detect.examples import Training, Validation, canvas
from lucida.train.detect.export import LEAST, MOST, export_detector
from lucida.train.detect.size import fitting_size
from lucida.train.detect.views import AMOUNTS, View, Views
from lucida.train.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

    from lucida.results import Result
    from lucida.train.request import Request
    from lucida.train.trained import Trained

SLOWER = 0.3  # rate of weights that were trained before


class DetectRecipe(Recipe):
    """Boxes around the objects of some classes.

    Args:
        request: What is asked.

    Raises:
        InputError: No image of the training or the validation part has a box.
        UnknownName: No such detector, or a box of a class that is not among the classes.
    """

    monitor = "map_50"
    spread = 1.0

    def __init__(self, request: Request) -> None:
        super().__init__()
        measure.need_metrics()
        strength = "medium" if request.augmentation == "auto" else request.augmentation
        if strength not in AMOUNTS:
            raise UnknownName("augmentation", strength, ["auto", *AMOUNTS])
        self.name, self.classes = request.model or EMBEDDED, request.samples.classes
        self.architecture = architecture = models.architecture(self.name)
        self.size = size = request.size or self._usual_size(request)
        self.rate, self.batch = architecture.rate, architecture.batch
        self.channels = look(request.samples, request.channels, request.like)
        self.place = request.samples.origin
        self.training = Training(request.train, size, self.channels)
        moments = self.training.moments
        self.needs = self.channels.needs(size, "pad", (architecture.mean, architecture.std), moments)
        self.training.needs = self.needs
        self.validation = Validation(request.validation, self.needs, self.channels)
        self.skipped |= self.training.skipped | self.validation.skipped
        self.notes += [*self.channels.notes, *moments.notes(), *self.training.notes]
        height, width = (size, size) if architecture.square else canvas(self.training.shapes, size)
        self.views = Views(height, width, size, strength, border(self.needs))  # type: ignore[arg-type]
        torch.manual_seed(request.seed)
        self.built = models.build(self.name, self.classes, request.start, self.channels.depth)
        self.notes += [self.built.note] if self.built.note else []
        self.network = self.built.network
        self.decode = BoxDecoder(self.classes, architecture.overlap, LEAST, MOST)

    def _usual_size(self, request: Request) -> int:
        if not self.architecture.fits:
            return self.architecture.size
        size = fitting_size(request.train, self.architecture.size)
        if size > self.architecture.size:
            self.notes.append(f"Images are {size} pixels wide, for the smallest kind of object; --size takes another.")
        return size

    def __len__(self) -> int:
        return len(self.training)

    def example(self, row: int) -> View | None:
        view = self.training.view(row)
        return self.views(view, self.training.another) if view else None

    def collate(self, examples: list[Any]) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        images = torch.stack([view.image for view in examples])
        return images, [view.boxes for view in examples], [view.labels for view in examples]

    def groups(self) -> list[dict[str, Any]]:
        slow: list[nn.Parameter] = []
        fast: list[nn.Parameter] = []
        for name, parameter in self.network.named_parameters():
            if parameter.requires_grad:
                (slow if name.startswith(self.built.learned) else fast).append(parameter)
        return [{"params": part, "scale": scale} for part, scale in ((slow, SLOWER), (fast, 1.0)) if part]

    def loss(self, network: nn.Module, batch: Any) -> dict[str, Tensor]:
        images, boxes, labels = batch
        images = coloured(on_unit(images), self.views.amount.colour, self.needs)
        losses: dict[str, Tensor] = network(self.normalise(images), boxes, labels)
        return losses

    def measure(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        return measure.average_precision(self.find(network, device), self.validation.truth, self.classes)

    def find(self, network: nn.Module, device: torch.device, batch: int = 8) -> list[Result]:
        """Return what a network, in evaluation mode, finds in the validation images."""
        found: list[Result] = []
        for start in range(0, len(self.validation.images), batch):
            images = self.normalise(on_unit(self.validation.images[start : start + batch].to(device)))
            outputs = [part.float().cpu().numpy() for part in network(images)]
            found += self.decode(outputs, self.validation.frames[start : start + batch])
        return found

    def export(self, folder: Path) -> dict[str, Any]:
        export_detector(self, folder)
        return {}

    def normalise(self, images: Tensor) -> Tensor:
        """Return images of `on_unit` (n, c, h, w) as the network takes them."""
        if self.channels.raw:
            return images.contiguous(memory_format=torch.channels_last)
        mean, std = (
            torch.tensor(values, device=images.device).view(1, -1, 1, 1) for values in (self.needs.mean, self.needs.std)
        )
        return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def detect(request: Request) -> DetectRecipe:
    """Return the recipe that a request asks for."""
    return DetectRecipe(request)


def rebuild(trained: Trained) -> nn.Module:
    """Return the network of a finished run, not loaded: called as `lucida.train.detect.models` says."""
    name = str(trained.config["model"])
    return models.build(name, trained.classes, shape_of(name, trained.folder), trained.depth).network
