"""Train a restorer on good images alone: it learns to undo what is done to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor

from lucida.errors import InputError, UnknownName
from lucida.train.recipe import Recipe
from lucida.train.restore import export
from lucida.train.restore.beginning import begin
from lucida.train.restore.degradation import DEGRADATIONS
from lucida.train.restore.examples import Example, Kind, Training, Validation, batch_of
from lucida.train.restore.measure import luma_psnr, mean_psnr, rounded
from lucida.train.restore.network import Restorer, Shape, enlarged

if TYPE_CHECKING:
    from torch import nn

    from lucida.train.request import Request
    from lucida.train.settings import Settings
    from lucida.train.standing import State
    from lucida.train.trained import Trained

NETWORK: Final = "embedded"
SHAPES: Final = {4: Shape(4), 3: Shape(3), 2: Shape(2), 1: Shape(1, width=64, blocks=4)}
SIDES: Final = {4: 40, 3: 40, 2: 48, 1: 80}  # pixels of the pieces that go in
PASSES: Final = 16  # as many times more passes than others: every one sees another small piece of an image
# Errors of luma count more: eyes see them, and figures are of them.
COLOURS: Final = ((0.299, 0.587, 0.114), (-0.1687, -0.3313, 0.5), (0.5, -0.4187, -0.0813))
WEIGHTS: Final = (1.0, 0.3, 0.3)
SMOOTH: Final = 1e-3  # error on 0..1 below which the loss is round


class RestoreRecipe(Recipe):
    """Larger images, or images without noise.

    Args:
        request: What is asked; targets are not looked at. `extra` has "scale" (1 for a denoiser) and "degradation".

    Raises:
        InputError: No image is large enough, or the weights to begin with are of another network.
        UnknownName: No such network or degradation.
    """

    monitor = "psnr"
    rate = 4e-4
    batch = 12
    # In the few steps of a search all rates look alike.
    spread = 1.0

    def __init__(self, request: Request) -> None:
        super().__init__()
        scale, degradation = request.extra.get("scale", 4), request.extra.get("degradation", "bicubic")
        self.shape = shape_of(request.model, scale)
        if degradation not in DEGRADATIONS:
            raise UnknownName("degradation", degradation, DEGRADATIONS)
        self.kind = Kind(scale, (request.size or SIDES[scale]) // 2 * 2, degradation)
        self.origin = request.samples.origin
        self.training = Training(request.train, self.kind)
        self.validation = Validation(request.validation, self.kind)
        self.notes += self.training.notes
        self.skipped |= self.training.skipped | self.validation.skipped
        torch.manual_seed(request.seed)
        self.built = begin(self.shape, request.start, degradation)
        self.network = self.model = self.built.network
        self.notes += [self.built.note] if self.built.note else []

    def __len__(self) -> int:
        return len(self.training.rows)

    def example(self, row: int) -> Example | None:
        random = np.random.default_rng(int(torch.randint(2**31, ())))
        return self.training.piece(row, random)

    def collate(self, examples: list[Any]) -> tuple[Tensor, Tensor, Tensor]:
        return batch_of(examples)

    def loss(self, network: nn.Module, batch: Any) -> dict[str, Tensor]:
        bad, good, noise = batch
        # Little noise leaves small errors, which would count for nothing beside those of much noise.
        weight = (30 / (255 * noise + 5)).sqrt() if self.kind.scale == 1 else 1.0
        return {"loss": charbonnier(self._restored(network, bad, noise), good, weight)}

    def _restored(self, network: nn.Module, bad: Tensor, noise: Tensor) -> Tensor:
        found: Tensor = network(bad, noise) if self.kind.scale == 1 else network(bad)
        return found

    def measure(self, network: nn.Module, device: torch.device) -> dict[str, float]:
        """Return the mean PSNR of the validation images, and what it was before or with bicubic enlargement."""
        rows = []
        for bad, good, noise in self.validation.cases:
            given, sigma = bad[None].to(device), torch.full((1, 1, 1, 1), noise, device=device)
            found = self._restored(network, given, sigma).float().cpu()
            plain = bad[None] if self.kind.scale == 1 else enlarged(bad[None], self.kind.scale)
            loss = float(charbonnier(found, good[None]))
            rows.append((self._psnr(found[0], good), self._psnr(plain[0], good), loss))
        figures = np.asarray(rows).mean(axis=0)
        before = "psnr_noisy" if self.kind.scale == 1 else "psnr_bicubic"
        return {"psnr": float(figures[0]), before: float(figures[1]), "loss": float(figures[2])}

    def _psnr(self, found: Tensor, good: Tensor) -> float:
        ours, truth = (rounded(value.permute(1, 2, 0).numpy()) for value in (found, good))
        return mean_psnr(ours, truth) if self.kind.scale == 1 else luma_psnr(ours, truth, self.kind.scale)

    def fit(self, settings: Settings, folder: Path) -> State:
        """Train without weight decay: small kernels are no better here, and there are no norms that make up for it."""
        passes, batch = settings.most_epochs * PASSES, settings.batch or self.batch
        return super().fit(replace(settings, weight_decay=0.0, most_epochs=passes, batch=batch), folder)

    def export(self, folder: Path) -> dict[str, Any]:
        return export.export_restorer(
            self.model,
            folder,
            {
                "name": f"own-x{self.kind.scale}" if self.kind.scale > 1 else "own-denoise",
                "licence": self.built.licence or "yours: trained from nothing but your images",
                "source": f"lucida train restorer, from {self.origin}",
            },
        )


def shape_of(model: str, scale: int) -> Shape:
    """Return how large the network is.

    Raises:
        UnknownName: No such network.
        InputError: No such scale.
    """
    if model not in ("", NETWORK):
        raise UnknownName("network", model, [NETWORK], hint="leave --model out")
    if scale not in SHAPES:
        raise InputError(
            "Restorers are not trained for this scale.",
            expected=f"one of {', '.join(map(str, sorted(SHAPES)))}; 1 trains a denoiser",
            got=f"--scale {scale}",
            hint="larger scales are reached by two restorers, one after the other",
        )
    return SHAPES[scale]


def charbonnier(found: Tensor, good: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    """Return the mean error of luma and of colour, round near 0, each image's times its weight (n, 1, 1, 1).

    Source: Charbonnier et al. 1994; Lai et al. 2017, LapSRN.
    """
    off = (found.float() - good) * weight
    colours = torch.tensor(COLOURS, device=off.device)
    weights = torch.tensor(WEIGHTS, device=off.device).view(1, 3, 1, 1)
    with torch.autocast(off.device.type, enabled=False):
        parts = torch.einsum("nchw,kc->nkhw", off, colours) * weights
        return (parts**2 + SMOOTH**2).sqrt().mean()


def restorer(request: Request) -> RestoreRecipe:
    """Return the recipe for images larger or without noise."""
    return RestoreRecipe(request)


def rebuild(trained: Trained) -> Restorer:
    """Return the network of a run, its weights not loaded."""
    return Restorer(SHAPES[int(trained.config["scale"])])
