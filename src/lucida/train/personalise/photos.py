"""The few photos: cut to squares, each with its words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.errors import ImageError, InputError, LucidaError
from lucida.images import decode
from lucida.models.json_text import one_line
from lucida.whole import write_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.data import Samples
    from lucida.models.spec import Spec

CAPTIONS: Final = "captions.json"
LONGEST: Final = 200  # characters of a caption: text encoders read about 77 tokens


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo of what is to be learned.

    Attributes:
        name: Of its file.
        data: The file.
        pixels: uint8 (height, width, 3), upright.
        caption: What a person or a model says of it; "" for nothing.
    """

    name: str
    data: bytes
    pixels: NDArray[np.uint8]
    caption: str = ""


def read_photos(samples: Samples) -> tuple[list[Photo], dict[str, str]]:
    """Return the photos, and why others cannot be read.

    A text file of the same name beside a photo is its caption.

    Raises:
        InputError: None can be read.
    """
    found, skipped = [], {}
    for sample in samples:
        try:
            data = sample.read()
            found.append(Photo(sample.name, data, decode(data).rgb8(), _beside(samples.origin, sample.name)))
        except (ImageError, InputError) as error:
            skipped[sample.name] = error.what
    if not found:
        raise InputError(
            "None of the photos can be read.",
            expected="five to twenty photos of one thing, from several sides and in several places",
            got="; ".join(f"{name}: {why}" for name, why in list(skipped.items())[:3]) or "no photos",
            hint="--data NAMES THE FOLDER that holds the photos",
        )
    return found, skipped


def _beside(origin: str, name: str) -> str:
    path = (Path(origin) / name).with_suffix(".txt")
    try:
        return one_line(path.read_text(encoding="utf-8"))[:LONGEST] if path.is_file() else ""
    except (OSError, UnicodeError):
        return ""


def square(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the middle square of a photo at a size."""
    from PIL import Image, ImageOps

    cut = ImageOps.fit(Image.fromarray(np.ascontiguousarray(pixels)), (side, side), Image.Resampling.LANCZOS)
    return np.asarray(cut)


def captioner() -> Spec | None:
    """Return a model that says what a photo shows, if one is on this machine; nothing is downloaded for it."""
    from lucida.models.hub.aliases import ALIASES
    from lucida.models.hub.download import is_cached
    from lucida.models.registry import find

    try:
        alias = next((one for one in ALIASES if "caption" in one.tasks and is_cached(one.uri)), None)
        return find(alias.name) if alias else None
    except (LucidaError, ImportError):
        return None


def captioned(photos: list[Photo], folder: Path | None, spec: Spec | None) -> list[str]:
    """Return the caption of each photo: its own, else what the model says; the first answer is kept for good.

    Args:
        photos: The photos.
        folder: Of the run, where what was said is kept; None to keep nothing.
        spec: A model that says what a photo shows; None without one.
    """
    from lucida.models.chat import Talk, Turn

    path = folder / CAPTIONS if folder else None
    if path and path.is_file():
        kept: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return [kept.get(photo.name, "") for photo in photos]
    found = {photo.name: photo.caption for photo in photos}
    wanted = [photo for photo in photos if not photo.caption]
    if spec is not None and wanted:
        model = spec.load()
        for photo in wanted:
            found[photo.name] = one_line(model.say(Talk((Turn("", (photo.data,)),))).text)[:LONGEST]
    if path:
        write_whole(path, json.dumps(found, ensure_ascii=False, indent=1))
    return [found[photo.name] for photo in photos]
