"""Learn from few labelled images and many without: what a view says surely, a stronger view of it must say as well.

Source: Sohn et al. 2020, FixMatch.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import v2

from lucida.errors import InputError
from lucida.train import augmentation
from lucida.train.classify import ClassifyRecipe, normalise
from lucida.train.pictures import Pictures

if TYPE_CHECKING:
    from torch import nn

    from lucida.data import Samples
    from lucida.train.pictures import Picture
    from lucida.train.request import Request

THRESHOLD = 0.95  # probability from which a guess is learned from
RATIO = 2  # images without a label a labelled one; the paper has 7, and a hundred times the steps that fit here
WEIGHT = 1.0  # of the loss on images without a label, lambda in the paper
LOOKED_AT = 4096  # images without a label that the guesses are counted on when all is done
UNKNOWN = -1
AS_TENSOR = v2.PILToTensor()  # a tensor stays what it is


class FixMatchRecipe(ClassifyRecipe):
    """One class an image, learned from labelled images and others.

    An epoch is a pass over all training images, their labels unseen; to every `RATIO` of them comes a labelled one.

    Args:
        request: What is asked; `extra["labels"]` keeps the labels of so many training images a class, and None all.

    Raises:
        InputError: No image is without a label, or fewer than two classes have one.
    """

    batch = 64  # 32 labelled ones come to it

    def __init__(self, request: Request) -> None:
        everything, known = request.train, few_labels(request.train, request.extra.get("labels"), request.seed)
        if len(known) == len(everything):
            raise InputError(
                "Every training image has a label.",
                expected="images without a label as well",
                got=f"{len(known):,} of {len(everything):,} with a label",
                hint="lucida train classify; or --labels 10, to see what ten a class would give",
            )
        judged = request.validation
        seen = [row for row, sample in enumerate(judged) if sample.target is not None]
        if not seen:
            raise InputError(
                "No labelled image is left to judge the training by.",
                expected="a few dozen labelled images at least, of which 15 % judge",
                got=f"{len(known):,} with a label",
                hint="label more of them, or put some into a folder named validation",
            )
        labelled = (*everything.take(known), *judged.take(seen))
        super().__init__(replace(request, samples=replace(request.samples, items=labelled)))
        edge = round(self.size * 1.25)
        self._all = Pictures(everything, edge, what="Reading images without labels", channels=self.channels)
        self.skipped |= self._all.skipped
        self._whole = self._all.readable()
        self._known_truth = truth(everything, self.classes, without=known)
        weights = super().weights()
        self._chances = torch.tensor(weights if weights is not None else [1.0] * len(self._rows))
        kinds = (weak_views, strong_values if self.channels.raw else strong_views)
        self._weak, self._strong = (kind(self.size) for kind in kinds)
        self.notes.append(f"{len(known):,} images have a label, {len(everything) - len(known):,} have none.")

    def __len__(self) -> int:
        return len(self._whole)

    def weights(self) -> None:
        return None

    def example(self, row: int) -> Any:
        """Return a weak and a strong view of an image, its class if known (else -1), and a seed."""
        place = self._whole[row]
        picture = self._all[place]
        if picture is None:
            return None
        image = self._image(picture)
        return self._weak(image), self._strong(image), self._known_truth[place], int(torch.randint(2**31, ()))

    def collate(self, examples: list[Any]) -> Any:
        """Return labelled views, their targets, weak and strong views of the others, and what is known of these."""
        weak, strong = (torch.stack([example[k] for example in examples]) for k in (0, 1))
        images, targets = self._labelled(max(1, round(len(examples) / RATIO)), seed=examples[0][3])
        return images, targets, weak, strong, torch.tensor([example[2] for example in examples])

    def _image(self, picture: Picture) -> Any:
        """Return what views are made of: normalised values of all channels, else a photo."""
        raw = self.channels.raw
        return augmentation.as_tensor(picture.pixels, self.needs) if raw else PIL.Image.fromarray(picture.pixels)

    def _labelled(self, count: int, *, seed: int) -> tuple[Tensor, Tensor]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            drawn = torch.multinomial(self._chances, count, replacement=True).tolist()
            found = [(self._pictures[self._rows[row]], self._targets[self._rows[row]]) for row in drawn]
            views = [(self._weak(self._image(picture)), target) for picture, target in found if picture is not None]
        if not views:
            side = self.size
            kind = torch.float32 if self.channels.raw else torch.uint8
            return torch.zeros(0, self.needs.depth, side, side, dtype=kind), torch.zeros(0, len(self.classes))
        return torch.stack([view for view, _ in views]), torch.stack([target for _, target in views])

    def loss(self, network: nn.Module, batch: Any) -> dict[str, Tensor]:
        """Return the loss and its halves; the share of sure guesses, and of sure and right ones where that is known."""
        images, targets, weak, strong, known = batch
        with torch.no_grad():
            guesses = network(normalise(weak, self.needs)).float()
        logits = network(normalise(torch.cat([images, strong]), self.needs)).float()
        labelled = functional.cross_entropy(logits[: len(images)], targets) if len(images) else logits.sum() * 0
        unlabelled, sure = consistency(guesses, logits[len(images) :])
        right = sure & (guesses.argmax(1) == known)
        there = (known != UNKNOWN).float().sum().clamp(min=1)
        return {
            "loss": labelled + WEIGHT * unlabelled,
            "labelled": labelled,
            "unlabelled": unlabelled,
            "sure": sure.float().mean(),
            **({"sure_and_right": right.float().sum() / there} if bool((known != UNKNOWN).any()) else {}),
        }

    def export(self, folder: Path) -> dict[str, Any]:
        return {**super().export(folder), **self._guessed()}

    def _guessed(self) -> dict[str, float]:
        """Return the share of the images without a label that are above the threshold, and of these the right ones."""
        rows = np.random.default_rng(0).permutation(self._whole)[:LOOKED_AT].tolist()
        found = [(row, picture) for row in rows if (picture := self._all[row]) is not None]
        device = next(self.network.parameters()).device
        plain = v2.Compose([v2.Resize((self.size, self.size)), AS_TENSOR])
        parts = []
        with torch.inference_mode():
            for start in range(0, len(found), 128):
                images = torch.stack([plain(self._image(picture)) for _, picture in found[start : start + 128]])
                parts.append(self.predict(self.network, images, device))
        logits = torch.cat(parts)
        known = torch.tensor([self._known_truth[row] for row, _ in found])
        sure = logits.softmax(1).amax(1) >= THRESHOLD
        told = {"unlabelled_sure": float(sure.float().mean())}
        told_of = sure & (known != UNKNOWN)
        if bool(told_of.any()):
            told["unlabelled_sure_right"] = float((logits.argmax(1) == known)[told_of].float().mean())
        return told


def consistency(guesses: Tensor, logits: Tensor, threshold: float = THRESHOLD) -> tuple[Tensor, Tensor]:
    """Return the loss on images without labels, and which of them it counts.

    Args:
        guesses: Logits of the weak views, float32 (n, classes); get no gradient.
        logits: Logits of the strong views, likewise.
        threshold: Probability of the likeliest class from which a guess counts.

    Returns:
        The cross-entropy against the guessed classes, summed over the images that count and divided by all of them;
        and bool (n,).
    """
    chance, guess = guesses.detach().softmax(1).max(1)
    sure = chance >= threshold
    each = functional.cross_entropy(logits, guess, reduction="none")
    return (each * sure).mean(), sure


def few_labels(samples: Samples, most: int | None, seed: int) -> list[int]:
    """Return the rows of the images whose labels are used, in order.

    Args:
        samples: The training part.
        most: Labels a class that are kept, drawn by chance; None keeps all.
        seed: Another seed draws others.

    Raises:
        InputError: Less than one is to be kept.
    """
    if most is not None and most < 1:
        raise InputError(
            "--labels keeps no label to learn from.",
            expected="at least 1 a class, or none given to use all",
            got=str(most),
            hint="--labels 10 shows what ten a class would give; lucida train pretrain needs none",
        )
    rows = [row for row, sample in enumerate(samples) if sample.target is not None]
    if most is None:
        return rows
    kept: dict[str, list[int]] = {}
    for row in np.random.default_rng(seed).permutation(rows).tolist():
        mine = kept.setdefault(samples[row].labels[0], [])
        if len(mine) < most:
            mine.append(row)
    return sorted(row for mine in kept.values() for row in mine)


def truth(samples: Samples, classes: tuple[str, ...], *, without: list[int]) -> list[int]:
    """Return the class of each image whose label was hidden, -1 for those that have none or whose label is used."""
    used = set(without)
    return [
        classes.index(sample.labels[0]) if sample.target is not None and row not in used else UNKNOWN
        for row, sample in enumerate(samples)
    ]


def weak_views(size: int) -> v2.Transform:
    """Return flips and shifts by up to an eighth: PIL images to uint8 (3, size, size), tensors to their kind."""
    shift = v2.RandomCrop(size, padding=max(1, size // 8), padding_mode="reflect")
    return v2.Compose([v2.Resize((size, size)), v2.RandomHorizontalFlip(), shift, AS_TENSOR])


def strong_views(size: int) -> v2.Transform:
    """Return what changes colours and shapes by chance and then erases a part: PIL images to uint8 (3, size, size).

    Source: Cubuk et al. 2020, RandAugment; DeVries and Taylor 2017, Cutout.
    """
    return v2.Compose(
        [
            v2.Resize((size, size)),
            v2.RandomHorizontalFlip(),
            v2.RandomCrop(size, padding=max(1, size // 8), padding_mode="reflect"),
            v2.RandAugment(2, 10, fill=127),
            v2.PILToTensor(),
            v2.RandomErasing(1.0, scale=(0.02, 0.25), ratio=(0.5, 2.0), value=127),
        ]
    )


def strong_values(size: int) -> v2.Transform:
    """Return the same for normalised values, which have no hues: float32 (c, h, w) to (c, size, size)."""
    return v2.Compose(
        [
            v2.Resize((size, size), antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomCrop(size, padding=max(1, size // 8), padding_mode="reflect"),
            v2.RandomAffine(30, (0.2, 0.2), (0.8, 1.2), 15, interpolation=v2.InterpolationMode.BILINEAR),
            augmentation.JitterValues(0.5),
            v2.RandomErasing(1.0, scale=(0.02, 0.25), ratio=(0.5, 2.0)),
        ]
    )


def semi_supervised(request: Request) -> FixMatchRecipe:
    """Return the recipe for images of which only some have a label."""
    return FixMatchRecipe(request)
