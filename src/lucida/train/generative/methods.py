"""How to learn to draw: a table of methods, each with its network, its loss, and what a finished model is told."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import torch
from torch import Tensor, nn

from lucida.errors import InputError, UnknownName
from lucida.models.onnx.generate_card import Sampling
from lucida.train.generative.adversarial import LATENT, Adversaries, PairShape
from lucida.train.generative.autoencoder import Autoencoder, AutoencoderShape, kl
from lucida.train.generative.normal import Drawn, fit_normal
from lucida.train.generative.transformer import Transformer, TransformerShape
from lucida.train.generative.unet import UNet, UNetShape

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

GUIDANCE: Final = 1.5  # of networks that know classes, where nothing is asked for
STEPS: Final = 12
CELLS: Final = 16  # side of the grid that a network works on: more pixels are laid into channels


@dataclass(frozen=True)
class Canvas:
    """What is drawn.

    Attributes:
        channels: 3 for pixels, those of the latent otherwise.
        side: Height and width.
        classes: How many there are; 0 for none.
        spread: Standard deviation of the data: pixels in -1..1, or latents.
    """

    channels: int = 3
    side: int = 32
    classes: int = 0
    spread: float = 0.5


class Method(ABC):
    """One way of learning to draw.

    Attributes:
        name: What the finished model calls it.
        network: What is trained.
        noise: Shape of the noise that a picture begins as.
        rate: Peak learning rate.
        betas: Of AdamW.
        clip: Largest norm of the gradient; 0 for any.
        sampling: How pictures are drawn in steps.
        comparable: Whether a lower loss on held-out images means better pictures.
    """

    name: Literal["flow", "diffusion", "gan", "vae"]
    network: nn.Module
    noise: tuple[int, ...]
    rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    clip: float = 1.0
    sampling: Sampling = Sampling()
    comparable: bool = True

    @abstractmethod
    def loss(self, network: nn.Module, data: Tensor, label: Tensor, noise: Tensor, chance: Tensor) -> dict[str, Tensor]:
        """Return the loss, and its parts.

        Args:
            network: `self.network`, as it was wrapped.
            data: float32 (n, c, h, w).
            label: int64 (n,).
            noise: float32 (n, *self.noise).
            chance: Normal numbers, float32 (n,).
        """

    @abstractmethod
    def drawing(self, network: nn.Module, pixels: NDArray[np.uint8]) -> nn.Module:
        """Return what draws, of a network.

        Args:
            network: In evaluation mode.
            pixels: Images that it was trained on, uint8 (n, s, s, 3).
        """


class Steps(Method):
    """What flow and diffusion have in common: a network that sees noisy data, the time and the class.

    Args:
        canvas: What is drawn.
        kind: "unet" or "dit".
    """

    def __init__(self, canvas: Canvas, kind: str) -> None:
        self.canvas = canvas
        self.noise = (canvas.channels, canvas.side, canvas.side)
        self.network = _NETWORKS[kind](canvas)
        self.sampling = Sampling(STEPS, GUIDANCE if canvas.classes else 1.0, sigma_data=canvas.spread)

    def drawing(self, network: nn.Module, pixels: NDArray[np.uint8]) -> nn.Module:
        return network

    def _seen(self, network: nn.Module, x: Tensor, time: Tensor, label: Tensor) -> Tensor:
        found: Tensor = network(x, time, label) if self.canvas.classes else network(x, time)
        return found.float()


class Flow(Steps):
    """Rectified flow: straight lines between noise and data, times near the middle more often.

    Source: Liu et al. 2022, Flow Straight and Fast; Lipman et al. 2022; Esser et al. 2024 (SD3) for the times.
    """

    name = "flow"

    def loss(self, network: nn.Module, data: Tensor, label: Tensor, noise: Tensor, chance: Tensor) -> dict[str, Tensor]:
        time = torch.sigmoid(chance)
        sigma = time.view(-1, 1, 1, 1)
        found = self._seen(network, (1 - sigma) * data + sigma * noise, time, label)
        return {"loss": (found - (noise - data)).square().mean()}


class Diffusion(Steps):
    """Noise of any strength, added; the network's input, output and loss scaled to variance 1 at every strength.

    Source: Karras et al. 2022, Elucidating the Design Space of Diffusion-Based Generative Models, table 1.
    """

    name = "diffusion"

    def loss(self, network: nn.Module, data: Tensor, label: Tensor, noise: Tensor, chance: Tensor) -> dict[str, Tensor]:
        own = self.canvas.spread
        log = -1.2 + 1.2 * chance
        sigma = log.exp().view(-1, 1, 1, 1)
        whole = (sigma**2 + own**2).sqrt()
        x = data + sigma * noise
        found = self._seen(network, x / whole, log / 4, label)
        # The weight of the loss and c_out squared make 1.
        target = (data - (own / whole) ** 2 * x) * whole / (sigma * own)
        return {"loss": (found - target).square().mean()}


class Adversarial(Method):
    """A generator and a discriminator that compares pairs, trained at once.

    Args:
        canvas: What is drawn.
    """

    name = "gan"
    rate = 3e-4
    betas = (0.0, 0.9)
    clip = 0.0
    comparable = False

    def __init__(self, canvas: Canvas, kind: str) -> None:
        self.canvas = canvas
        self.noise = (LATENT,)
        self.network = Adversaries(PairShape(canvas.channels, canvas.classes, canvas.side))

    def loss(self, network: nn.Module, data: Tensor, label: Tensor, noise: Tensor, chance: Tensor) -> dict[str, Tensor]:
        found: dict[str, Tensor] = network(data, noise, label)
        return found

    def drawing(self, network: Any, pixels: NDArray[np.uint8]) -> nn.Module:
        generator: nn.Module = network.generator
        return generator


class Variational(Method):
    """An autoencoder whose latents are nearly normal: they can be drawn, mixed, and learned by the others.

    Args:
        canvas: What is drawn.
    """

    name = "vae"

    def __init__(self, canvas: Canvas, kind: str) -> None:
        self.canvas = canvas
        shape = AutoencoderShape(canvas.channels, canvas.side)
        self.noise = shape.latent
        self.network = Autoencoder(shape)

    def loss(self, network: nn.Module, data: Tensor, label: Tensor, noise: Tensor, chance: Tensor) -> dict[str, Tensor]:
        found, mean, log_variance = (value.float() for value in network(data, noise))
        off, apart = (found - data).abs().mean(), kl(mean, log_variance, data[0].numel())
        return {"loss": off + KL * apart, "off": off, "kl": apart}

    def drawing(self, network: Any, pixels: NDArray[np.uint8]) -> nn.Module:
        return Drawn(network.decoder, fit_normal(network, pixels))


KL: Final = 0.1  # weight of the divergence from normal, in nats a value of the image


def _unet(canvas: Canvas) -> nn.Module:
    fold = max(1, canvas.side // CELLS)
    growth = (1, 2, 3) if canvas.side // fold >= CELLS else (1, 2)
    return UNet(UNetShape(canvas.channels, canvas.classes, fold, WIDTH, growth, 1))


def _transformer(canvas: Canvas) -> nn.Module:
    patch = max(1, canvas.side // 8)
    return Transformer(TransformerShape(canvas.channels, canvas.classes, canvas.side, patch, WIDE, DEPTH))


# About three million weights each, for 32 x 32 pixels.
WIDTH: Final = 48  # channels of a U-Net at its first resolution
WIDE, DEPTH = 192, 6  # length of a transformer's tokens, and its blocks
_NETWORKS: dict[str, Callable[[Canvas], nn.Module]] = {"unet": _unet, "dit": _transformer}
METHODS: Final[dict[str, tuple[Callable[[Canvas, str], Method], str]]] = {
    "flow": (Flow, "unet"),
    "flow-dit": (Flow, "dit"),
    "diffusion": (Diffusion, "unet"),
    "diffusion-dit": (Diffusion, "dit"),
    "gan": (Adversarial, ""),
    "vae": (Variational, ""),
}
LEAST: Final = {"gan": 200, "vae": 50, "flow": 50, "diffusion": 50}  # training images below which nothing is learnt
SIDES: Final = (8, 16, 32, 64, 128)


def make(name: str, canvas: Canvas) -> Method:
    """Build a method with a new network.

    Raises:
        UnknownName: No such method.
    """
    check(name)
    method, kind = METHODS[name]
    return method(canvas, kind)


def check(name: str) -> None:
    """Refuse a method that there is none of.

    Raises:
        UnknownName: There is none.
    """
    if name not in METHODS:
        raise UnknownName("generator", name, METHODS, hint="--model flow")


def family(name: str) -> str:
    """Return the method of a name: "flow" of "flow-dit"."""
    return name.split("-")[0]


def check_size(side: int) -> None:
    """Refuse a size that no network here draws.

    Raises:
        InputError: It is none of `SIDES`.
    """
    if side not in SIDES:
        nearest = min(SIDES, key=lambda one: abs(math.log(one / max(side, 1))))
        raise InputError(
            "The networks do not draw pictures of this size.",
            expected=f"--size {', '.join(map(str, SIDES[1:]))}",
            got=f"--size {side}",
            hint=f"--size {nearest}; larger pictures are for `lucida train lora` with a large model",
        )
