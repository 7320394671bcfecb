"""Which place answers for which object, and what it should have said.

The places that already see an object best, by class and by box together, are taught to see it; all others to see
nothing. How well the best of them does is the score that it should give, so that scores tell how good a box is.

Source: Feng et al. 2021, TOOD: Task-aligned One-stage Object Detection; Zhang et al. 2021, VarifocalNet for the weight
of places that see nothing; Rezatofighi et al. 2019, Generalized Intersection over Union.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import box_iou, generalized_box_iou_loss

PLACES = 10  # that answer for an object, at most
CLASS_POWER, BOX_POWER = 0.5, 6.0  # what counts for being near the best
NEAREST = 4.0  # pixels to the middle of an object within which a place may always answer: half the finest stride
BACKGROUND = 0.75
BOX_GAIN = 2.0


def detection_losses(
    logits: Tensor, found: Tensor, centres: Tensor, boxes: Sequence[Tensor], labels: Sequence[Tensor]
) -> dict[str, Tensor]:
    """Return "loss", and its parts "class" and "box".

    Args:
        logits: float32 (n, places, classes).
        found: Boxes float32 (n, places, 4) in pixels.
        centres: float32 (places, 2) in pixels, x first.
        boxes: Of each image float32 (k, 4); k may be 0.
        labels: Of each image int64 (k,).
    """
    scores = logits.detach().sigmoid()
    wanted = torch.zeros_like(logits)
    here, there, weights = [], [], []
    for row, (truth, classes) in enumerate(zip(boxes, labels, strict=True)):
        if not len(truth):
            continue
        place, owner, share = assign(scores[row], found[row].detach(), centres, truth, classes)
        wanted[row, place, classes[owner]] = share
        here.append(found[row, place])
        there.append(truth[owner])
        weights.append(share)
    total = wanted.sum().clamp(min=1.0)
    crossed = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    # The many places that see nothing count by how wrong they are.
    weight = torch.where(wanted > 0, 1.0, BACKGROUND * scores**2)
    classes_loss = (crossed * weight).sum() / total
    # Without any object the boxes still take part, or a second process would wait for their gradient.
    boxes_loss = found.sum() * 0
    if here:
        boxes_loss = (generalized_box_iou_loss(torch.cat(here), torch.cat(there)) * torch.cat(weights)).sum() / total
    return {"loss": classes_loss + BOX_GAIN * boxes_loss, "class": classes_loss, "box": boxes_loss}


def assign(
    scores: Tensor, found: Tensor, centres: Tensor, boxes: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Choose the places of an image that answer for its objects.

    Args:
        scores: float32 (places, classes), 0 to 1.
        found: Boxes float32 (places, 4).
        centres: float32 (places, 2), x first.
        boxes: The objects, float32 (k, 4), k at least 1.
        labels: int64 (k,).

    Returns:
        The places, int64 (p,); the object of each, int64 (p,); the score that each should give, float32 (p,).
    """
    overlap = box_iou(boxes, found)
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    inside = ((centres - middle[:, None]).abs() <= half.clamp(min=NEAREST)[:, None]).all(dim=2)
    merit = scores[:, labels].T ** CLASS_POWER * overlap**BOX_POWER
    # Places that an object may choose never have no merit at all: before training no box overlaps.
    merit = torch.where(inside, merit + 1e-9, 0.0)
    best, order = merit.topk(min(PLACES, merit.shape[1]), dim=1)
    chosen = torch.zeros_like(inside).scatter_(1, order, best > 0)
    contested = (chosen.sum(dim=0) > 1).nonzero()[:, 0]
    if len(contested):
        winner = torch.where(chosen, overlap, -1.0)[:, contested].argmax(dim=0)
        chosen[:, contested] = False
        chosen[winner, contested] = True
    owner, place = chosen.nonzero(as_tuple=True)
    merit, overlap = merit * chosen, overlap * chosen
    share = merit[owner, place] / merit.amax(dim=1)[owner] * overlap.amax(dim=1)[owner]
    return place, owner, share
