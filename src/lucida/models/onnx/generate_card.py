"""A model that draws, as its TOML says it: files, names of inputs and outputs, and what follows for requests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from lucida.models.generator import GenerateNeeds

Method = Literal["flow", "diffusion", "gan", "vae"]
TASK: Final = "generate"
SAMPLERS: Final = {"flow": ("heun", "euler", "dpm++"), "diffusion": ("heun", "dpm++"), "gan": (), "vae": ()}
TOGETHER: Final = 65_536  # pixels of the pictures that are drawn at a time
MOST_STEPS: Final = 1000


@dataclass(frozen=True)
class Sampling:
    """How a flow or a diffusion is followed.

    Attributes:
        steps: Usual number of steps.
        guidance: Usual guidance; 1 for none.
        sampler: Usual sampler.
        sigma_data: Standard deviation of the data, of a diffusion.
        sigma_least: Smallest noise of a diffusion before none.
        sigma_most: Largest noise of a diffusion.
        rho: How much closer steps are at little noise, of a diffusion.
    """

    steps: int = 12
    guidance: float = 1.0
    sampler: str = "heun"
    sigma_data: float = 0.5
    sigma_least: float = 0.002
    sigma_most: float = 80.0
    rho: float = 7.0


@dataclass(frozen=True)
class GenerateCard:
    """A checked TOML whose ONNX files exist.

    Attributes:
        path: The TOML itself.
        method: How it draws.
        classes: Names of its classes, in the order of their numbers.
        side: Width and height of its pictures.
        file: The network.
        shape: Channels, height and width of what the network takes; (d,) of a gan.
        image: Name of its input of noise.
        time: Name of its input of time; "" where it has none.
        label: Name of its input of classes; "" where it has none.
        output: Name of the output.
        sampling: How a flow or a diffusion is followed.
        decoder: From a latent to a picture; None where the network itself gives pictures.
        encoder: From a picture to a latent; None where there is none.
        scale: x = (z - shift) * scale, of a latent z.
        shift: See `scale`.
        digest: First 12 hex digits of a SHA-256 over all that its results depend on.
    """

    path: Path
    name: str
    method: Method
    licence: str
    source: str
    revision: str
    note: str
    terms: str
    classes: tuple[str, ...]
    side: int
    file: Path
    shape: tuple[int, ...]
    image: str
    time: str
    label: str
    output: str
    sampling: Sampling
    decoder: Path | None
    encoder: Path | None
    scale: float
    shift: float
    digest: str
    measured: dict[str, Any]

    @property
    def steps(self) -> bool:
        """Whether it goes from noise to a picture in steps."""
        return bool(SAMPLERS[self.method])

    @property
    def begins(self) -> bool:
        """Whether it can begin from an image."""
        return self.encoder is not None or (self.steps and self.decoder is None)

    @property
    def needs(self) -> GenerateNeeds:
        """What it can do."""
        own, all_ = self.sampling.sampler, SAMPLERS[self.method]
        return GenerateNeeds(
            size=(self.side, self.side),
            multiple=self.side,
            least=self.side,
            most=self.side,
            steps=self.sampling.steps if self.steps else 1,
            most_steps=MOST_STEPS if self.steps else 1,
            guidance=self.sampling.guidance if self.steps and self.classes else 0.0,
            negative=self.steps and bool(self.classes),
            image=self.begins,
            mask=self.begins and self.steps,
            controls=("scribble",) if self.begins and self.steps else (),
            samplers=(own, *(name for name in all_ if name != own)) if self.steps else (),
            together=min(64, max(1, TOGETHER // self.side**2)),
            terms=self.terms,
        )
