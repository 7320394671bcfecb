"""What a person asks to be drawn, with files, before anything is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from lucida.errors import ImageError, InputError
from lucida.generate.loras import check_lora
from lucida.images import content_id, decode, read
from lucida.models.generator import Given, Lora, check_seeds

Source = Path | bytes | None
MOST: Final = 10_000  # pictures of one order
IMAGES: Final = ("image", "mask", "control_image", "reference")
PLAIN: Final = ("prompt", "negative", "control", "strength", "steps", "guidance", "sampler")


@dataclass(frozen=True)
class Order:
    """What is to be drawn, and how often.

    Attributes:
        prompt: What is to be seen, in words.
        negative: What is not to be seen.
        n: How many pictures; number i has the seed `seed` + i.
        model: Name of the model; "" for the one that comes with the package.
        image: Image file to begin from, or to change under the mask; a path, or the bytes.
        mask: White where is to be drawn anew; of the size of `image`.
        control: What of `image` the picture follows: "canny", "scribble", "depth"; "" for nothing.
        control_image: A control image that is ready, instead of one made of `image`.
        reference: Draw in the style of this one.
        strength: See `lucida.models.generator.GenerationRequest`; None for what is usual.
        steps: Steps of the sampler; None for what is usual.
        guidance: How strongly the prompt counts; None for what is usual.
        seed: Of the first picture.
        size: Width and height; None for the model's own.
        sampler: Name of the sampler; "" for the model's own.
        loras: Files of LoRAs, with how strongly each counts.
    """

    prompt: str = ""
    negative: str = ""
    n: int = 1
    model: str = ""
    image: Source = None
    mask: Source = None
    control: str = ""
    control_image: Source = None
    reference: Source = None
    strength: float | None = None
    steps: int | None = None
    guidance: float | None = None
    seed: int = 0
    size: tuple[int, int] | None = None
    sampler: str = ""
    loras: tuple[tuple[Path, float], ...] = ()

    @property
    def seeds(self) -> range:
        """The seeds of the pictures.

        Raises:
            InputError: There are none, too many, or one is no seed.
        """
        if not 1 <= self.n <= MOST:
            raise InputError("So many pictures are not drawn at once.", expected=f"1 to {MOST:,}", got=f"{self.n:,}")
        check_seeds([self.seed, self.seed + self.n - 1])
        return range(self.seed, self.seed + self.n)

    def read(self) -> dict[str, Given]:
        """Return the images that it names, by the names of its fields.

        Raises:
            ImageError: One cannot be read.
        """
        return {name: _read(source) for name in IMAGES if (source := getattr(self, name)) is not None}

    def to_json(self, images: dict[str, Given]) -> dict[str, Any]:
        """Return all that decides the pictures, but for model and seed, as plain JSON values.

        Args:
            images: What `read` gave.
        """
        found = {name: value for name in PLAIN if (value := getattr(self, name)) not in ("", None)}
        found |= {name: {"id": given.id, "path": given.path} for name, given in images.items()}
        if self.size:
            found["size"] = list(self.size)
        if self.loras:
            found["loras"] = [{"path": str(path), "id": _digest(path), "weight": weight} for path, weight in self.loras]
        return found

    def lora_list(self) -> tuple[Lora, ...]:
        """Return its LoRAs.

        Raises:
            InputError: A file is missing or of another kind, or a weight is no number.
        """
        for path, weight in self.loras:
            if not -10 <= weight <= 10:
                raise InputError("A LoRA cannot count so much.", expected="a weight from -10 to 10", got=f"{weight:g}")
            check_lora(path)
        return tuple(Lora(path, weight) for path, weight in self.loras)


def order_of(words: dict[str, Any], images: dict[str, Source], **changes: Any) -> Order:
    """Return the order that `to_json` wrote.

    Args:
        words: What it wrote.
        images: Where the images are, by the names of the fields.
        changes: What is to be otherwise: model, seed, n.
    """
    plain: dict[str, Any] = {name: words[name] for name in PLAIN if name in words}
    size = tuple(words["size"]) if "size" in words else None
    loras = tuple((Path(one["path"]), float(one["weight"])) for one in words.get("loras", ()))
    plain |= images
    return replace(Order(**plain, size=size, loras=loras), **changes)


def _read(source: Path | bytes) -> Given:
    path = str(source) if isinstance(source, Path) else ""
    if isinstance(source, Path):
        data = read(source)
    else:
        data = source
        if not data:
            raise ImageError("The file is empty.", expected="an image", got="0 bytes")
    return Given(decode(data).rgb8(), content_id(data), path)


def _digest(path: Path) -> str:
    return content_id(path.read_bytes()) if path.is_file() else ""
