"""The images of each step, drawn from its number alone and augmented."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lucida.tuning.augment import augment, cutmix
from recipes.encoder.schedule import contrast_begins, cutmix_share, resolution
from recipes.encoder.sources import Sources

# ImageNet's usual statistics: the encoder's own input contract, written to encoder.toml as well.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def normalise(images: Tensor) -> Tensor:
    """Bring float32 (n, 3, h, w) in 0..1 to zero mean and unit variance, channels last."""
    mean = torch.tensor(MEAN, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=images.device).view(1, 3, 1, 1)
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def batches(pixels: npt.NDArray[np.uint8], size: int = 250) -> Iterator[Tensor]:
    """Yield uint8 (n, h, w, 3) as normalised batches of at most `size` images, in order."""
    for start in range(0, len(pixels), size):
        yield normalise(torch.from_numpy(pixels[start : start + size]).permute(0, 3, 1, 2).float() / 255)


def generator_for(device: torch.device, *numbers: int) -> torch.Generator:
    """Seed a generator from numbers alone, so that a resumed run draws what it would have drawn."""
    seed = 0
    for number in numbers:
        seed = (seed * 1_000_003 + number + 1) % (2**63)
    return torch.Generator(device).manual_seed(seed)


@dataclass(frozen=True)
class Batch:
    """One step's images: with classes first, then one view and the other of those without.

    Attributes:
        images: float32 (n + m, 3, size, size), normalised.
        labels: int64 (n,), among all logits.
        mixed: Labels of what CutMix pasted in, int64 (n,).
        share: Share of each labelled image that remained its own.
        views: The other view, float32 (m, 3, size, size), normalised; None without contrast.
        sets: Which pool each unlabelled image is of, int64 (m,).
    """

    images: Tensor
    labels: Tensor
    mixed: Tensor
    share: float
    views: Tensor | None
    sets: Tensor


class Sampler:
    """Draws the images of a step from its number alone.

    Args:
        sources: The sets.
        batch: Images with a class a step.
        unlabelled: Images without labels a step.
        seed: Of all that is drawn.
        device: Where the images go.
    """

    def __init__(self, sources: Sources, batch: int, unlabelled: int, seed: int, device: torch.device) -> None:
        self.seed, self.device = seed, device
        self.sets = [
            (
                torch.from_numpy(labelled.images.pixels),
                torch.from_numpy(labelled.images.labels) + labelled.first,
                _count(batch, labelled.share),
            )
            for labelled in sources.labelled
        ]
        weights = np.asarray(sources.weights) / max(sum(sources.weights), 1e-9)
        self.pools = [
            (torch.from_numpy(pixels), _count(unlabelled, float(weight)))
            for pixels, weight in zip(sources.pools, weights, strict=True)
            if unlabelled
        ]

    def draw(self, step: int, progress: float) -> Batch:
        """Return the images of a step, augmented."""
        generator = generator_for(self.device, self.seed, 1, step)
        size = resolution(progress)
        parts, labels = [], []
        for number, (pixels, classes, count) in enumerate(self.sets):
            chosen = self._epoch(number, len(classes), count, step)
            parts.append(augment(pixels[chosen].to(self.device), size, generator))
            labels.append(classes[chosen].to(self.device))
        images, targets = torch.cat(parts), torch.cat(labels)
        mixed, share = targets, 1.0
        if torch.rand(1, generator=generator, device=self.device) < cutmix_share(progress):
            images, permutation, share = cutmix(images, generator)
            mixed = targets[permutation]
        pairs = list(self._pairs(size, generator)) if contrast_begins(progress) else []
        firsts = [first for first, _ in pairs]
        views = normalise(torch.cat([second for _, second in pairs])) if pairs else None
        sets = torch.arange(len(firsts)).repeat_interleave(torch.tensor([len(first) for first in firsts]).long())
        return Batch(normalise(torch.cat([images, *firsts])), targets, mixed, share, views, sets.to(self.device))

    def _pairs(self, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        for pixels, count in self.pools:
            chosen = torch.randint(len(pixels), (count,), generator=generator, device=self.device).cpu()
            images = pixels[chosen].to(self.device)
            yield augment(images, size, generator), augment(images, size, generator)

    def _epoch(self, number: int, total: int, count: int, step: int) -> Tensor:
        """Give the images of a step: every epoch is one permutation, known from its number alone."""
        epoch, place = divmod(step, total // count)
        order = torch.randperm(total, generator=generator_for(torch.device("cpu"), self.seed, 2 + number, epoch))
        return order[place * count : (place + 1) * count]


def _count(batch: int, share: float) -> int:
    return max(1, round(batch * share))
