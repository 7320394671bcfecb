"""Models that draw: what is asked of one, what it can do, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import InputError, ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lucida.models.spec import Spec

# What a control image is made of, and what it holds to.
CONTROLS: Final = {
    "canny": "thin edges, white on black",
    "scribble": "thick rough lines, white on black",
    "depth": "how near everything is, white for near",
}


@dataclass(frozen=True)
class Lora:
    """Low-rank changes of a model's weights, from a file.

    Attributes:
        file: Safetensors.
        weight: How strongly they count; 1 as they were trained.
    """

    file: Path
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Given:
    """An image that a request brings along.

    Attributes:
        pixels: uint8 (height, width, 3); of a mask uint8 (height, width), 255 where is to be drawn anew, 0 elsewhere.
        id: Content id of the file that it came from; "" where it came from none.
        path: That file; "" where there is none.
    """

    pixels: NDArray[np.uint8]
    id: str = ""
    path: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


@dataclass(frozen=True)
class GenerationRequest:
    """What is to be drawn. Everything that decides a picture is here, but for the model and its seed.

    Attributes:
        prompt: What is to be seen, in words.
        negative: What is not to be seen.
        image: Begin from this one (image to image), or change it under the mask.
        mask: Of the size of `image`; only what it covers is drawn anew.
        control: Kind of the control image, one of `CONTROLS`; "" without.
        control_image: What the picture's structure follows, such as edges; made ready, see `CONTROLS`.
        reference: Draw in the style of this one.
        strength: How far from `image` the result may go, above 0 up to 1; without an image how strongly the control
            or the reference counts.
        steps: Steps of the sampler; None for what is usual for the model.
        guidance: How strongly the prompt counts (classifier-free guidance scale); None for what is usual.
        sampler: Name of the sampler; "" for the model's own.
        size: Width and height in pixels; None for the model's own, or that of `image`.
        loras: Changes of the weights.
    """

    prompt: str = ""
    negative: str = ""
    image: Given | None = None
    mask: Given | None = None
    control: str = ""
    control_image: Given | None = None
    reference: Given | None = None
    strength: float = 0.7
    steps: int | None = None
    guidance: float | None = None
    sampler: str = ""
    size: tuple[int, int] | None = None
    loras: tuple[Lora, ...] = ()


@dataclass(frozen=True)
class GenerateNeeds:
    """What a model that draws can do, and what it needs.

    Attributes:
        size: Width and height in pixels that it draws best.
        multiple: Width and height must be multiples of it.
        least: Smallest width and height.
        most: Largest width and height.
        steps: Usual number of steps; 1 for a model without any.
        most_steps: Largest number of steps.
        guidance: Usual guidance; 0 for a model that takes none.
        negative: It reads what is not to be seen.
        image: It can begin from an image.
        mask: It can draw anew what a mask covers.
        controls: Kinds of control image that it follows.
        reference: It can take the style from an image.
        loras: It takes LoRAs.
        samplers: Names of the samplers that it can use, its own first; empty where there is no choice.
        longest: Tokens of a prompt that it reads, 0 where there is no bound that is known.
        together: Pictures that it is asked for at a time, at most.
        terms: What its licence asks of whoever uses it, a sentence or two; shown before it is first used.
        remote: Prompts and images leave this machine.
    """

    size: tuple[int, int] = (512, 512)
    multiple: int = 8
    least: int = 64
    most: int = 2048
    steps: int = 25
    most_steps: int = 1000
    guidance: float = 7.5
    negative: bool = True
    image: bool = True
    mask: bool = True
    controls: tuple[str, ...] = ()
    reference: bool = False
    loras: bool = False
    samplers: tuple[str, ...] = ()
    longest: int = 0
    together: int = 4
    terms: str = ""
    remote: bool = False

    @property
    def drawn(self) -> str:
        """The sizes that the model draws, in words."""
        best = f"{self.size[0]} x {self.size[1]}"
        if self.least == self.most:
            return f"{best}, the only size"
        return f"multiples of {self.multiple} from {self.least} to {self.most}; {best} is best"

    def nearest(self, width: int, height: int) -> tuple[int, int]:
        """Return the size nearest to this one that the model draws."""
        least, most = -(-self.least // self.multiple), max(1, self.most // self.multiple)
        wide, high = (min(max(round(side / self.multiple), least), most) * self.multiple for side in (width, height))
        return wide, high


@dataclass(frozen=True, eq=False)
class Picture:
    """What a model drew.

    Attributes:
        pixels: uint8 (height, width, 3).
        seed: With the same request, model and seed it is drawn again.
        detail: What else is known of how it came about, as plain JSON values: the class, the steps that were taken.
    """

    pixels: NDArray[np.uint8]
    seed: int
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


def generate_needs(spec: Spec) -> GenerateNeeds:
    """Return what a model that draws can do.

    Raises:
        ModelError: It does not draw.
    """
    if spec.generates is None:
        raise spec.cannot("generate", "draw")
    return spec.generates


def check_seeds(seeds: object) -> None:
    """Refuse anything but whole numbers from 0 to 2^63 - 1.

    Raises:
        InputError: One is none of these.
    """
    for seed in seeds if isinstance(seeds, (list, tuple, range)) else [seeds]:
        if not isinstance(seed, int) or not 0 <= seed < 2**63:
            raise InputError("A seed is not one.", expected="a whole number from 0 to 2^63 - 1", got=repr(seed))


def finite(pixels: NDArray[np.floating[Any]], spec: Spec, hint: str) -> NDArray[np.uint8]:
    """Return what a network drew as 8 bits: 0..1 becomes 0..255.

    Args:
        pixels: Floating point, any shape, meant to be 0..1; beyond is cut off.
        spec: The model.
        hint: What to try if there are values that are no numbers.

    Raises:
        ModelError: There are; a black picture would be what came of it.
    """
    if not np.isfinite(pixels).all():
        raise ModelError(
            f"{spec.name} drew values that are no numbers.",
            expected="colours from 0 to 1",
            got=f"{int((~np.isfinite(pixels)).sum()):,} of {pixels.size:,} are NaN or infinite",
            hint=hint,
        )
    eight: NDArray[np.uint8] = (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
    return eight
