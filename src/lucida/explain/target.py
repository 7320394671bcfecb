"""Find the layer whose maps show where a network looked: the last one that is still laid out as the image.

No table of names: the trunk is run once, and of all layers that give a map (channels first or last) or a row of tokens,
the last is taken on which the answer still depends. In a vision transformer that reads its class token, the patches of
the last layers do not matter to the answer any more; so the search ends at the input of the last attention, which is
what the authors of `grad-cam` recommend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from lucida.errors import ModelError

if TYPE_CHECKING:
    from lucida.train.backbone import Classifier

FINE: Final = 4  # cells a side that a map should have; coarser ones are taken only where there is no finer
_MOST_PREFIX: Final = 16  # tokens beside those of patches


@dataclass(frozen=True, eq=False)
class Target:
    """A layer of a network.

    Attributes:
        name: Within the network: "trunk.blocks.11.norm1".
        layer: It.
        side: Cells a side of its map.
        spatial: Turns what it gives into (n, channels, side, side).
        head: Names of the modules that only run after it.
    """

    name: str
    layer: nn.Module
    side: int
    spatial: Callable[[Tensor], Tensor]
    head: tuple[str, ...] = ("head",)


def find_target(network: Classifier, images: Tensor) -> Target:
    """Return the layer to look at.

    Args:
        network: In evaluation mode.
        images: At least two, float32 (n, channels, side, side), normalised, not equal to each other.

    Raises:
        ModelError: No layer gives a map on which the answer depends.
    """
    given: dict[str, list[Tensor]] = {}
    order: list[str] = []

    def keep(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and output.requires_grad:
                given.setdefault(name, []).append(output)
                order.append(name)

        return hook

    handles = [module.register_forward_hook(keep(name)) for name, module in network.trunk.named_modules() if name]
    try:
        with torch.enable_grad():
            logits = network(images.detach().requires_grad_())
    finally:
        for handle in handles:
            handle.remove()
    answer = logits.max(dim=1).values.sum()
    # A layer that runs twice has two maps, of which nobody says which is meant.
    once = [name for name in dict.fromkeys(reversed(order)) if len(given[name]) == 1]
    coarse: Target | None = None
    for name in once:
        output = given[name][0]
        found = layout(output.detach(), len(images), _prefix(network.trunk), network.head.in_features)
        if found is None:
            continue
        side, spatial = found
        (slope,) = torch.autograd.grad(answer, output, retain_graph=True, allow_unused=True)
        if slope is None or not float(spatial(slope).abs().sum()) > 0:
            continue
        target = Target(f"trunk.{name}", network.trunk.get_submodule(name), side, spatial)
        if side >= FINE:
            return target
        coarse = coarse or target
    if coarse is not None:
        return coarse
    raise ModelError(
        "No layer of this network shows where it looks.",
        expected="a map or tokens laid out as the image, on which the answer depends",
        got=type(network.trunk).__name__,
        hint="a larger --size in training gives larger maps",
    )


def _prefix(trunk: nn.Module) -> int | None:
    found = getattr(trunk, "num_prefix_tokens", None)
    return found if isinstance(found, int) else None


def layout(
    output: Tensor, images: int, prefix: int | None, width: int
) -> tuple[int, Callable[[Tensor], Tensor]] | None:
    """Return the cells a side of what a layer gives, and what brings it to channels first; None where it is no map.

    Args:
        output: Of the layer.
        images: How many went in.
        prefix: Tokens before those of the patches, where the trunk says so.
        width: Length of the features that the trunk gives; tokens of another length are queries, keys, and the like.
    """
    shape = tuple(output.shape)
    if len(shape) == 4 and shape[0] == images:
        if shape[2] == shape[3] > 1 and not _of_attention(output, width):
            return shape[2], lambda x: x
        if shape[1] == shape[2] > 1:
            return shape[1], lambda x: x.permute(0, 3, 1, 2)
    if len(shape) == 3 and shape[0] == images and shape[2] == width:
        extra = prefix if prefix is not None else shape[1] - isqrt(shape[1]) ** 2
        side = isqrt(max(0, shape[1] - extra))
        if side > 1 and side**2 == shape[1] - extra and extra <= _MOST_PREFIX:
            return side, lambda x: x[:, extra:].reshape(len(x), side, side, -1).permute(0, 3, 1, 2)
    return None


def _of_attention(output: Tensor, width: int) -> bool:
    """Tell whether (n, heads, a, b) is of attention: weights, whose rows sum to 1, or the heads of queries and keys."""
    if output.shape[1] * output.shape[3] == width:
        return True
    sums = output.sum(dim=-1)
    return bool((output >= 0).all()) and bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-3))
