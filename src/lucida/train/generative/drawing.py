"""Pictures drawn by a network in training, in the very way of the model that will be exported."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from lucida.models.onnx.methods import METHODS, Work
from lucida.train.generative.examples import fixed_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

    from lucida.train.generative.methods import Method
    from lucida.train.generative.space import Latents, Pixels

TOGETHER: Final = 128


class _Networks:
    """What `lucida.models.onnx.methods` asks of the files of a card, answered by PyTorch."""

    def __init__(self, method: Method, drawing: nn.Module, device: torch.device, classes: int) -> None:
        self.card = SimpleNamespace(sampling=method.sampling)
        self._drawing, self._device, self._classes = drawing, device, classes

    def run(self, x: NDArray[np.float32], labels: NDArray[np.int64], time: float | None = None) -> NDArray[np.float32]:
        ways = labels.shape[1]
        inputs: list[NDArray[Any]] = [np.repeat(x, ways, axis=0)]
        inputs += [] if time is None else [np.full(labels.size, time, np.float32)]
        inputs += [labels.reshape(-1)] if self._classes else []
        with torch.inference_mode():
            found = self._drawing(*(torch.from_numpy(one).to(self._device) for one in inputs)).float().cpu().numpy()
        return np.asarray(found.reshape(len(x), ways, *found.shape[1:]))


def draw(
    method: Method, drawing: nn.Module, space: Pixels | Latents, device: torch.device, seeds: range
) -> NDArray[np.float32]:
    """Return pictures float32 (n, 3, s, s) in -1..1, one a seed, the classes in turn.

    Args:
        method: How.
        drawing: What draws, of the network that was trained, in evaluation mode.
        space: Where it works.
        device: Where it lies.
        seeds: Picture i has seed i, whatever is drawn beside it.
    """
    classes = space.canvas.classes
    own = method.sampling
    networks: Any = _Networks(method, drawing, device, classes if method.name != "vae" else 0)
    found = []
    for start in range(0, len(seeds), TOGETHER):
        some = seeds[start : start + TOGETHER]
        labels = np.asarray([[seed % max(1, classes)] for seed in some], np.int64)
        if own.guidance != 1 and method.name in ("flow", "diffusion"):
            labels = np.concatenate([labels, np.full_like(labels, classes)], axis=1)
        work = Work(own.steps, own.guidance, own.sampler, 1.0, None, None, labels)
        noise = fixed_noise(method.noise, some)
        x = METHODS[method.name](networks, noise, work, lambda: None)
        with torch.inference_mode():
            if method.name == "vae":
                x = networks.run(x, labels)[:, 0]
            found.append(space.images(torch.from_numpy(x).to(device)).float().cpu().numpy())
    return np.concatenate(found)
