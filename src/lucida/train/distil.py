"""Train a small network to answer as a larger one does.

Source: Hinton et al. 2015, Distilling the Knowledge in a Neural Network.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from lucida.data.sample import Soft
from lucida.errors import InputError
from lucida.train import augmentation
from lucida.train.classify import ClassifyRecipe
from lucida.train.teacher import agree, soften
from lucida.tuning import checkpoint

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn

    from lucida.data import Samples
    from lucida.train.request import Request
    from lucida.train.teacher import Teacher

KEPT = "teacher.safetensors"
TEMPERATURE = 2.0
HARD = 0.3
JUDGES = 20  # labelled validation images; where there are fewer, the teacher judges as well


class DistilRecipe(ClassifyRecipe):
    """One class an image, learned from a teacher's probabilities and from labels, where there are some.

    Args:
        request: What is asked. `teacher` gives the soft labels, which are kept in `folder`; `extra["temperature"]`
            softens them, `extra["hard"]` is the share of the loss that known labels get.

    Raises:
        UnknownName: The images have a class that the teacher does not know.
        InputError: The teacher has no opinion on any image, or a number is out of its range.
    """

    def __init__(self, request: Request) -> None:
        assert request.teacher is not None, "who trains this names a teacher"
        self.temperature = float(request.extra.get("temperature", TEMPERATURE))
        self.hard = float(request.extra.get("hard", HARD))
        _check_range("temperature", self.temperature, 0.1, 20.0)
        _check_range("hard", self.hard, 0.0, 1.0)
        classes = agree(request.teacher, request.samples.classes)
        train, judged = request.train, request.validation
        opinions = kept_opinions(request.teacher, replace_items(train, judged), classes, request.folder)
        shares, others = opinions[: len(train)], opinions[len(train) :]
        rows = [r for r, sample in enumerate(train) if sample.target is not None or np.isfinite(shares[r]).all()]
        if not np.isfinite(shares).any():
            raise InputError(
                "The teacher has no opinion on any training image.",
                expected="images that the teacher has seen, or can see",
                got=f"{len(train):,} images, {request.teacher.key}",
                hint="name a label run over these images, or a model",
            )
        notes = []
        known = [r for r, sample in enumerate(judged) if sample.target is not None]
        if len(known) < JUDGES:
            opined = np.flatnonzero(np.isfinite(others).all(axis=1)).tolist()
            notes.append(
                f"Only {len(known):,} images that judge have a label: for the others, figures say how often the student"
                " agrees with the teacher."
            )
            known = sorted({*known, *opined})
        items = (
            *told(train.take(rows), shares[rows], classes),
            *(replace(one, target=one.labels[0]) for one in told(judged.take(known), others[known], classes)),
        )
        whole = replace(request.samples, items=items, classes=classes)
        super().__init__(replace(request, samples=whole))
        self.notes += notes
        self._shares = torch.from_numpy(mixed_shares(self._hard_rows(train.take(rows)), shares[rows], self))
        hard = sum(train[row].target is not None for row in rows)
        self.notes.append(f"The teacher's opinion on {len(rows):,} images, {hard:,} of which have a label too.")

    def example(self, row: int) -> tuple[Tensor, Tensor] | None:
        found = super().example(row)
        return None if found is None else (found[0], self._shares[self._rows[row]])

    def loss(self, network: nn.Module, batch: Any) -> dict[str, Tensor]:
        images, shares = batch
        images, shares = augmentation.mix(self.normalise(images), shares, self.strength)
        soft, hard = shares.split(len(self.classes), dim=1)
        return distillation(network(images).float(), soft, hard, self.temperature)

    def _hard_rows(self, samples: Samples) -> NDArray[np.float32]:
        rows = np.zeros((len(samples), len(self.classes)), np.float32)
        for row, sample in enumerate(samples):
            if sample.target is not None:
                rows[row, self.classes.index(sample.labels[0])] = 1.0
        return rows


def distillation(logits: Tensor, soft: Tensor, hard: Tensor, temperature: float) -> dict[str, Tensor]:
    """Return the loss against soft and hard labels.

    Args:
        logits: Of the student, float32 (n, classes).
        soft: The teacher's shares at the temperature, each row times its weight, float32 (n, classes).
        hard: Known classes, each row times its weight, likewise.
        temperature: Divides the student's logits before they are held against the soft labels.

    Returns:
        "soft", the Kullback-Leibler divergence times the temperature squared; "hard", the cross-entropy; and "loss",
        their sum; each a mean over the images.
    """
    mass = soft.sum(1, keepdim=True).clamp(min=1e-12)
    own = torch.special.xlogy(soft, soft / mass).sum(1)
    near = (own - (soft * torch.log_softmax(logits / temperature, 1)).sum(1)).mean() * temperature**2
    right = -(hard * torch.log_softmax(logits, 1)).sum(1).mean()
    return {"loss": near + right, "soft": near, "hard": right}


def mixed_shares(hard: NDArray[np.float32], shares: NDArray[np.float32], recipe: DistilRecipe) -> NDArray[np.float32]:
    """Return soft and hard labels beside each other, weighted, float32 (n, 2 * classes).

    An image without a label learns from the teacher alone, one without an opinion from its label alone.
    """
    seen = np.asarray(np.isfinite(shares).all(axis=1))
    known = hard.sum(axis=1) > 0
    weight = np.where(known, np.where(seen, recipe.hard, 1.0), 0.0).astype(np.float32)
    soft = soften(np.where(seen.reshape(-1, 1), shares, 1.0).astype(np.float32), recipe.temperature)
    return np.concatenate([soft * (1 - weight).reshape(-1, 1), hard * weight.reshape(-1, 1)], axis=1)


def kept_opinions(
    teacher: Teacher, samples: Samples, classes: tuple[str, ...], folder: Path | None
) -> NDArray[np.float32]:
    """Return the teacher's probabilities float32 (n, classes); a run that goes on finds those that it began with.

    Args:
        teacher: Who is asked.
        samples: The images.
        classes: In the order of the columns.
        folder: Where they are kept; None to keep nothing.
    """
    path = folder / KEPT if folder else None
    if path is not None and path.exists():
        kept = checkpoint.load(path)[0]["teacher"]["shares"].numpy()
        if kept.shape == (len(samples), len(classes)):
            return np.asarray(kept, np.float32)
    found = teacher.opinions(samples, classes)
    if path is not None:
        shares = {"shares": torch.from_numpy(found)}
        checkpoint.save(path, {"teacher": shares}, {"teacher": teacher.key, "classes": list(classes)})
    return found


def replace_items(train: Samples, judged: Samples) -> Samples:
    """Return the images of both parts, one after the other."""
    return replace(train, items=(*train.items, *judged.items))


def told(samples: Samples, shares: NDArray[np.float32], classes: tuple[str, ...]) -> Samples:
    """Return images whose target is the teacher's opinion where they have no label."""
    items = [
        sample
        if sample.target is not None
        else replace(sample, target=Soft(dict(zip(classes, row.tolist(), strict=True))))
        for sample, row in zip(samples, shares, strict=True)
    ]
    return replace(samples, items=tuple(items))


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(
            f"--{name} is out of its range.",
            expected=f"a number from {low:g} to {high:g}",
            got=f"{value:g}",
            hint="leave it out for the usual one",
        )


def distil(request: Request) -> DistilRecipe:
    """Return the recipe for learning from a teacher."""
    return DistilRecipe(request)
