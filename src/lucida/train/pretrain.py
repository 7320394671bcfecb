"""Train an encoder on images without labels, to begin a training with few labels from.

Source: He et al. 2021, Masked Autoencoders Are Scalable Vision Learners.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torchvision.transforms import v2

from lucida.errors import InputError
from lucida.models.onnx.card import write_card
from lucida.train import backbone
from lucida.train.augmentation import as_tensor
from lucida.train.channels import look
from lucida.train.classify import normalise, prepared
from lucida.train.export import write_onnx
from lucida.train.masked import MaskedAutoencoder, MeanFeatures, begin_at_waves, check_transformer, reconstruction_loss
from lucida.train.pictures import Pictures
from lucida.train.recipe import Recipe

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from lucida.train.request import Request
    from lucida.train.trained import Trained

MODEL = "vit_tiny_patch16_224"
SIZE = 128  # 64 patches of 16 pixels, of which the encoder sees 16
BATCH = 128


class PretrainRecipe(Recipe):
    """A vision transformer that learns what belongs where hidden patches are.

    Args:
        request: What is asked; targets are not looked at.

    Raises:
        InputError: The network is no plain vision transformer, or no image can be read.
    """

    monitor = "explained"
    batch = BATCH
    # In the few steps of a search all rates look alike.
    spread = 1.0

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.train, self.validation = request.train, request.validation
        torch.manual_seed(request.seed)
        self.size = request.size or SIZE
        channels = look(request.samples, request.channels, request.like)
        name = request.model or MODEL
        self.backbone = backbone.build(name, start=request.start, channels=channels.depth, size=self.size)
        check_transformer(self.backbone.trunk)
        self.notes += [*channels.notes, *([self.backbone.note] if self.backbone.note else [])]
        self.network = self.model = MaskedAutoencoder(self.backbone.trunk, self.backbone.width)
        if self.backbone.start == "nothing":
            begin_at_waves(self.model)
        self._views = v2.Compose(
            [v2.RandomResizedCrop(self.size, scale=(0.2, 1.0), antialias=True), v2.RandomHorizontalFlip()]
        )
        edge = round(self.size * 1.25)
        self._pictures = Pictures(self.train, edge, what="Reading training images", channels=channels)
        usual = (self.backbone.mean, self.backbone.std)
        self.needs = channels.needs(self.size, "squash", usual, self._pictures.moments)
        self.notes += self._pictures.moments.notes()
        self._rows = self._pictures.readable()
        judged = Pictures(self.validation, 0, what="Reading validation images", channels=channels)
        self.skipped |= self._pictures.skipped | judged.skipped
        if not judged.readable():
            raise InputError(
                "No image of the validation part can be read.", expected="images", got=f"{len(judged):,} that cannot"
            )
        self._seen = prepared(judged, self.needs)

    def __len__(self) -> int:
        return len(self._rows)

    def example(self, row: int) -> Tensor | None:
        picture = self._pictures[self._rows[row]]
        if picture is None:
            return None
        view: Tensor = self._views(as_tensor(picture.pixels, self.needs))
        return view

    def collate(self, examples: list[Any]) -> Tensor:
        return torch.stack(examples)

    def loss(self, network: nn.Module, batch: Any) -> dict[str, Tensor]:
        images = normalise(batch, self.needs)
        return {"loss": self._lost(network, images, torch.rand(len(images), self.model.patches, device=images.device))}

    def _lost(self, network: nn.Module, images: Tensor, noise: Tensor) -> Tensor:
        painted, hidden = network(images, noise)
        return reconstruction_loss(painted, images, hidden, self.model.patch)

    def measure(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Return the loss on validation images, always of the same patches, and the share of them it explains."""
        noise = torch.rand(len(self._seen), self.model.patches, generator=torch.Generator().manual_seed(0))
        total = 0.0
        for images, part in zip(self._seen.split(BATCH), noise.split(BATCH), strict=True):
            lost = self._lost(network, normalise(images.to(device), self.needs), part.to(device))
            total += float(lost) * len(images)
        loss = total / len(self._seen)
        return {"explained": 1 - loss, "loss": loss}

    def export(self, folder: Path) -> dict[str, Any]:
        module = MeanFeatures(deepcopy(self.model.trunk).cpu().float().eval())
        write_onnx(module, self.needs, ("embedding",), folder / "model.onnx")
        write_card(
            folder / "model.toml",
            {
                "name": self.backbone.name,
                "task": "encode",
                "file": "model.onnx",
                "licence": self.backbone.licence or "yours: trained from nothing but your images",
                "source": f"lucida train pretrain, from {self.train.origin}",
            },
            self.needs,
            {"embedding": "embedding", "dimensions": self.backbone.width},
        )
        return {}


def pretrain(request: Request) -> PretrainRecipe:
    """Return the recipe for images without labels."""
    return PretrainRecipe(request)


def rebuild(trained: Trained) -> MaskedAutoencoder:
    """Return the network of a run, its weights not loaded."""
    size = trained.needs.size
    trunk = backbone.build(trained.config["model"], start="nothing", channels=trained.depth, size=size)
    return MaskedAutoencoder(trunk.trunk, trunk.width)
