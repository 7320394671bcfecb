"""Tune a trained encoder on images of another kind, without labels: a few minutes on a laptop.

Source: momentum contrast as in `lucida.tuning.contrast`, begun from trained weights whose norms are folded away.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from lucida.tuning import checkpoint
from lucida.tuning.augment import augment
from lucida.tuning.contrast import Contrast, follow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn


@dataclass(frozen=True)
class Tuning:
    """How to tune.

    Attributes:
        steps: Steps of the optimizer.
        batch: Images a step, each in two views.
        size: Side of a view in pixels.
        rate: Peak learning rate of the encoder.
        momentum: Of the slow copy that gives the keys, and that is the result.
        mean: Of the encoder's input, a value a channel.
        std: Likewise.
        save_every: Steps between checkpoints.
    """

    steps: int = 400
    batch: int = 96
    size: int = 64
    rate: float = 6e-4
    momentum: float = 0.99
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    seed: int = 0
    save_every: int = 50


def tune(
    encoder: nn.Module, images: NDArray[np.uint8], tuning: Tuning, saved: Path, step: Callable[[int], None]
) -> None:
    """Tune an encoder in place; goes on from a checkpoint of the same work.

    Args:
        encoder: Maps float32 (n, 3, h, w) to an embedding (n, d) and logits.
        images: uint8 (n, side, side, 3), RGB; n at least 2.
        tuning: How.
        saved: The checkpoint.
        step: Called with the number of steps just done, also those of an earlier call.
    """
    torch.manual_seed(tuning.seed)
    pixels = torch.from_numpy(images)
    encoder.train().requires_grad_(True)
    slow = copy.deepcopy(encoder).requires_grad_(False)
    with torch.no_grad():
        width = encoder(torch.zeros(1, 3, tuning.size, tuning.size))[0].shape[1]
    contrast = Contrast(width, length=min(1536, max(tuning.batch, 4 * len(images) // 5)))
    optimizer = torch.optim.AdamW(
        [
            {"params": encoder.parameters(), "peak": tuning.rate},
            {"params": contrast.projection.parameters(), "peak": 1e-3},
        ],
        weight_decay=1e-4,
    )
    modules = {"encoder": encoder, "slow": slow, "contrast": contrast}
    done = _resume(saved, modules, optimizer)
    step(done)
    for number in range(done, tuning.steps):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * _rate(number, tuning.steps)
        loss = _loss(encoder, slow, contrast, pixels, tuning, number)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        follow(slow, encoder, tuning.momentum)
        follow(contrast.slow, contrast.projection, tuning.momentum)
        step(1)
        if (number + 1) % tuning.save_every == 0:
            groups = {name: module.state_dict() for name, module in modules.items()}
            groups["optimizer"] = checkpoint.flatten_optimizer(optimizer)
            checkpoint.save(saved, groups, {"step": number + 1})
    # The average over the last hundred steps is steadier than the last step.
    encoder.load_state_dict(slow.state_dict())
    encoder.eval().requires_grad_(False)


def _rate(number: int, steps: int, warmup: int = 20) -> float:
    return min(1.0, (number + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * number / steps))


def _loss(
    encoder: nn.Module, slow: nn.Module, contrast: Contrast, pixels: Tensor, tuning: Tuning, number: int
) -> Tensor:
    generator = torch.Generator().manual_seed(tuning.seed * 1_000_003 + number)
    chosen = torch.randint(len(pixels), (tuning.batch,), generator=generator)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (tuning.mean, tuning.std))
    views = [(augment(pixels[chosen], tuning.size, generator) - mean) / std for _ in range(2)]
    one, other = (view.contiguous(memory_format=torch.channels_last) for view in views)
    with torch.autocast("cpu", torch.bfloat16):
        queries = encoder(one)[0].float()
        with torch.no_grad():
            keys = slow(other)[0].float()
    return contrast(queries, keys, torch.zeros(len(keys), dtype=torch.long))


def _resume(saved: Path, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer) -> int:
    if not saved.exists():
        return 0
    groups, state = checkpoint.load(saved)
    for name, module in modules.items():
        module.load_state_dict(groups[name])
    checkpoint.restore_optimizer(optimizer, groups.get("optimizer", {}))
    return int(state["step"])
