"""Where a network looked, and whether that depends on what it has learned.

Source: Selvaraju et al. 2017, Grad-CAM; Adebayo et al. 2018, Sanity Checks for Saliency Maps: a map that stays the same
when the weights are shuffled shows the image, not the network.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor

from lucida.errors import MissingExtra
from lucida.explain.target import Target, find_target

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from lucida.train.backbone import Classifier

# A shuffled head gives maps of either sign, so that a few of them would say little.
DRAWS: Final = {"head": 8, "all": 3}
SAME: Final = 0.5  # rank correlation from which a map counts as the same
_CELLS: Final = 32  # a side, at which maps are compared


@dataclass(frozen=True)
class Dependence:
    """How much a map changes when weights are shuffled.

    Attributes:
        head: Mean rank correlation with the maps of networks in which only what follows the layer that is looked at
            is shuffled (of a classifier, the last layer), -1 to 1.
        all: The same with all weights shuffled.
    """

    head: float
    all: float

    @property
    def depends(self) -> bool:
        """Tell whether the map depends on the weights: the correlation with shuffled ones is below a half."""
        return max(self.head, self.all) < SAME

    def __str__(self) -> str:
        said = "yes" if self.depends else "no"
        return (
            f"depends on the weights: {said}; rank correlation {self.head:.2f} with a shuffled head,"
            f" {self.all:.2f} with all weights shuffled"
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"depends": self.depends, "head": round(self.head, 4), "all": round(self.all, 4)}


def heat(network: nn.Module, target: Target, image: Tensor, label: int, *, placed: bool = False) -> NDArray[np.float32]:
    """Return what in an image speaks for a class, float32 (side, side), 0 to 1; 0 everywhere where nothing does.

    Args:
        network: In evaluation mode.
        target: Layer of it, from `find_target`.
        image: float32 (1, channels, side, side), normalised.
        label: Number of the class.
        placed: Whether what is explained lies in one place, so that gradients count where they are (HiResCAM) and are
            not averaged over the image (Grad-CAM).

    Raises:
        MissingExtra: The package `grad-cam` is not installed.
    """
    try:
        from pytorch_grad_cam import GradCAM, HiResCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError as error:
        raise MissingExtra("grad-cam", "train", "Explaining") from error
    method = HiResCAM if placed else GradCAM
    with torch.enable_grad(), method(network, [target.layer], reshape_transform=target.spatial) as cam:
        # Frozen trunks have gradients only where the image has.
        found = cam(input_tensor=image.detach().requires_grad_(), targets=[ClassifierOutputTarget(label)])
    network.zero_grad(set_to_none=True)
    return np.asarray(np.nan_to_num(found[0]), np.float32)


def dependence(
    network: nn.Module, target: Target, image: Tensor, label: int, *, placed: bool = False, seed: int = 0
) -> Dependence:
    """Compare the map with those of networks whose weights are shuffled.

    Args:
        network: In evaluation mode; not changed.
        target: Layer of it.
        image: float32 (1, channels, side, side), normalised.
        label: Number of the class.
        placed: As for `heat`.
        seed: Of the shuffling.
    """
    own = heat(network, target, image, label, placed=placed)
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, list[float]] = {what: [] for what in DRAWS}
    for what, draws in DRAWS.items():
        other = copy.deepcopy(network)
        moved = replace(target, layer=other.get_submodule(target.name))
        parts = [other.get_submodule(name) for name in target.head] if what == "head" else [other]
        for _ in range(draws):
            for part in parts:
                shuffle(part, generator)
            found[what].append(rank_correlation(own, heat(other, moved, image, label, placed=placed)))
    return Dependence(float(np.mean(found["head"])), float(np.mean(found["all"])))


def shuffle(module: nn.Module, generator: torch.Generator) -> None:
    """Put the numbers of each weight into another order: the scale stays, what was learned goes."""
    with torch.no_grad():
        for weight in module.parameters():
            if weight.ndim > 1:
                order = torch.randperm(weight.numel(), generator=generator)
                weight.copy_(weight.flatten()[order].view_as(weight))


def rank_correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return Spearman's rank correlation of two maps (side, side); 0 where one of them is flat."""
    from scipy.stats import spearmanr

    first, second = _cells(one).ravel(), _cells(other).ravel()
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(spearmanr(first, second).statistic)


def _cells(heat: NDArray[np.float32]) -> NDArray[np.float32]:
    places = (np.arange(_CELLS) + 0.5) * len(heat) / _CELLS
    rows = places.astype(np.int64)
    return heat[np.ix_(rows, rows)]


def target_of(network: Classifier, channels: int, side: int) -> Target:
    """Return the layer to look at, found on noise.

    Args:
        network: In evaluation mode.
        channels: Of its images.
        side: Of its images in pixels.

    Raises:
        ModelError: No layer shows where it looks.
    """
    generator = torch.Generator().manual_seed(0)
    return find_target(network, torch.randn(2, channels, side, side, generator=generator))
