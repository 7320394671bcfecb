"""Where a detector looked: for the box that it is surest of.

Such a network gives many numbers. One is asked for, and what in the image speaks for it is drawn as for a classifier.

Source: Draelos and Carin 2020, HiResCAM. Grad-CAM averages gradients over the image, and would show all that looks like
the object, not the one that is asked for.
"""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from lucida.errors import ModelError
from lucida.explain.target import FINE, Target, layout

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Pixels a cell, at least: finer maps have seen too little of the image.
COARSE: Final = 4
Read = Callable[[nn.Module, Tensor], Tensor]


class Asked(nn.Module):
    """A network of which one number is asked.

    Args:
        network: Whose outputs are read.
        read: Turns the network and images (n, c, side, side) into the number for each, (n,).
    """

    def __init__(self, network: nn.Module, read: Read) -> None:
        super().__init__()
        self.network, self.read = network, read

    def forward(self, images: Tensor) -> Tensor:
        """Return the number for each image, (n, 1)."""
        return self.read(self.network, images)[:, None]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network says that is to be explained.

    Attributes:
        label: Number of the class.
        score: Of the box, 0 to 1.
        box: Left, top, right, bottom in prepared pixels.
        asked: Gives the number that is looked into.
    """

    label: int
    score: float
    box: NDArray[np.float32]
    asked: Asked


def surest_box(network: nn.Module, image: Tensor) -> Answer:
    """Return the box that a detector is surest of, and the score of its class.

    Args:
        network: In evaluation mode: gives scores (n, places, classes) and boxes (n, places, 4).
        image: float32 (1, channels, side, side), normalised.
    """
    with torch.no_grad():
        scores, boxes = (part[0].float().cpu() for part in network(image))
    place, label = divmod(int(scores.argmax()), scores.shape[1])
    box = boxes[place]

    def read(module: nn.Module, images: Tensor) -> Tensor:
        # The best place, not the same one: networks that pick their places number them anew.
        best: Tensor = module(images)[0][..., label].amax(dim=1)
        return best

    return Answer(label, float(scores[place, label]), box.numpy(), Asked(network, read))


def box_target(answer: Answer, image: Tensor) -> Target:
    """Return the layer to look at: the last map, no finer than a quarter, that something still makes the answer from.

    Args:
        answer: What is explained.
        image: float32 (1, channels, side, side), normalised.

    Raises:
        ModelError: No layer gives such a map.
    """
    given: dict[str, list[Tensor]] = {}
    order: list[str] = []

    def keep(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            order.append(name)
            if isinstance(output, Tensor) and output.requires_grad:
                given.setdefault(name, []).append(output)

        return hook

    asked = answer.asked
    leaves = [(name, module) for name, module in asked.named_modules() if name]
    handles = [module.register_forward_hook(keep(name)) for name, module in leaves]
    try:
        with torch.enable_grad():
            number = asked(image.detach().clone().requires_grad_()).sum()
    finally:
        for handle in handles:
            handle.remove()
    for name in dict.fromkeys(reversed(order)):
        if len(given.get(name, [])) != 1:
            continue
        output = given[name][0]
        place = layout(output.detach(), 1, None, 0)
        if place is None or not FINE <= place[0] <= image.shape[-1] // COARSE:
            continue
        after = _after(asked, order, name)
        weights = [weight for each in after for weight in asked.get_submodule(each).parameters(recurse=False)]
        if _moves(number, [output]) and _moves(number, weights):
            return Target(name, asked.get_submodule(name), *place, after)
    raise ModelError(
        "No layer of this network shows where it looks.",
        expected=f"a map of at least {FINE} cells a side, laid out as the image",
        got=type(asked.network).__name__,
        hint="a larger --size in training gives larger maps; lucida evaluate RUN -o report.html shows its mistakes",
    )


def _moves(number: Tensor, causes: Sequence[Tensor]) -> bool:
    """Tell whether a number depends on any of some values."""
    there = [cause for cause in causes if cause.requires_grad]
    if not there:
        return False
    slopes = torch.autograd.grad(number, there, retain_graph=True, allow_unused=True)
    return any(slope is not None and bool(slope.any()) for slope in slopes)


def _after(asked: Asked, order: list[str], name: str) -> tuple[str, ...]:
    """Return the modules with weights of their own that run only after a module has."""
    last = len(order) - 1 - order[::-1].index(name)
    before = set(order[: last + 1])
    own = {each for each, module in asked.named_modules() if next(module.parameters(recurse=False), None) is not None}
    return tuple(each for each in dict.fromkeys(order[last + 1 :]) if each in own and each not in before)
