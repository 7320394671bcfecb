"""Where a method works: on pixels, or on the latents of an autoencoder that was trained before."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from lucida.errors import InputError
from lucida.train.generative.examples import on_range
from lucida.train.generative.methods import Canvas

MEASURED: Final = ("latent_scale", "latent_shift")  # what the card of a "vae" says of its raw latents


class Pixels:
    """Pixels in -1..1.

    Args:
        side: Height and width of the images.
        classes: How many there are.
    """

    latent = None

    def __init__(self, side: int, classes: int) -> None:
        self.canvas = Canvas(3, side, classes)

    def data(self, images: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return what is learned of images uint8 (n, 3, s, s)."""
        return on_range(images)

    def images(self, data: Tensor) -> Tensor:
        """Return images float32 (n, 3, s, s) in -1..1 of what was drawn."""
        return data


class Latents:
    """Latents of a run of "vae", brought to mean 0 and variance 1.

    Args:
        folder: Of the run.
        side: Height and width of the images.
        classes: How many there are.

    Raises:
        InputError: The run is of another kind, or of images of another size.
        ModelError: There is no finished run.
    """

    def __init__(self, folder: Path, side: int, classes: int) -> None:
        from lucida.models.onnx.generate import read_generate_card
        from lucida.train.trained import Trained

        self.trained = Trained.open(folder)
        if self.trained.config.get("model") != "vae":
            raise InputError(
                "Only an autoencoder has latents to learn.",
                expected="--latent with a run of `lucida train generator --model vae`",
                got=f"a run of {self.trained.task} {self.trained.config.get('model', '')}".strip(),
            )
        card = read_generate_card(folder / "model" / "model.toml")
        if card.side != side:
            raise InputError(
                "The autoencoder was trained on images of another size.",
                expected=f"--size {card.side}, as in {folder.name}",
                got=f"--size {side}",
                hint=f"--size {card.side}",
            )
        self.latent, self.scale, self.shift = folder, *(float(card.measured[name]) for name in MEASURED)
        self.network: Any = self.trained.network().requires_grad_(False)
        depth, small, _ = self.network.shape.latent
        self.canvas = Canvas(depth, small, classes, 1.0)

    def data(self, images: Tensor, noise: Tensor | None = None) -> Tensor:
        """Return the latents of images uint8 (n, 3, s, s): drawn from what the encoder says, or its mean."""
        with torch.no_grad():
            mean, log_variance = self.network.to(images.device).encoder(on_range(images))
            latent = mean.float() if noise is None else mean.float() + (log_variance.float() / 2).exp() * noise
            return (latent - self.shift) * self.scale

    def images(self, data: Tensor) -> Tensor:
        """Return images float32 (n, 3, s, s) in -1..1 of what was drawn."""
        with torch.no_grad():
            found: Tensor = self.network.to(data.device).decoder(data / self.scale + self.shift)
            return found.float()


def open_space(latent: str, side: int, classes: int) -> Pixels | Latents:
    """Return where to work.

    Args:
        latent: Folder of a run of "vae"; "" for pixels.
        side: Height and width of the images.
        classes: How many there are.
    """
    return Latents(Path(latent), side, classes) if latent else Pixels(side, classes)
