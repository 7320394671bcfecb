"""What a segmenter is taught by: cross entropy of pixels, and overlap of classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

IGNORED = -1


def segmentation_losses(logits: Tensor, truth: Tensor, background: int | None = None) -> dict[str, Tensor]:
    """Return "loss", and its parts "pixels" and "overlap".

    Overlap is 1 - Dice, half of it over the whole batch and half over each image by itself, of the classes that are
    there: so small objects count as much as large ones.

    Source: Milletari et al. 2016, V-Net, for the Dice loss.

    Args:
        logits: float32 (n, classes, h, w), at any size.
        truth: Number of the class of each pixel, int64 (n, height, width), -1 where it counts nowhere.
        background: Number of the class whose overlap is not looked at; None if there is none.
    """
    logits = functional.interpolate(logits.float(), size=truth.shape[-2:], mode="bilinear", align_corners=False)
    known = truth != IGNORED
    log = logits.log_softmax(dim=1)
    wrong = functional.nll_loss(log, truth, ignore_index=IGNORED, reduction="sum") / known.sum().clamp(min=1)
    asked = [number for number in range(logits.shape[1]) if number != background]
    found = log[:, asked].exp() * known[:, None]
    numbers = torch.tensor(asked, device=truth.device).view(1, -1, 1, 1)
    wanted = (truth[:, None] == numbers).float()
    common, total = (found * wanted).sum(dim=(2, 3)), (found + wanted).sum(dim=(2, 3))
    there = wanted.sum(dim=(2, 3))
    each = _overlap(common, total, there)
    whole = _overlap(common.sum(dim=0), total.sum(dim=0), there.sum(dim=0))
    overlap = (each + whole) / 2
    return {"loss": wrong + overlap, "pixels": wrong, "overlap": overlap}


def _overlap(common: Tensor, total: Tensor, there: Tensor) -> Tensor:
    """Return the mean of 1 - Dice over what is there; what is not there is cross entropy's matter."""
    lost = 1 - (2 * common + 1) / (total + 1)
    present = (there > 0).float()
    return (lost * present).sum() / present.sum().clamp(min=1)
