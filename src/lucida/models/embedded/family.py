"""The models that come with the package."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import resources
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from lucida.models.embedded import edges, pixels
from lucida.models.onnx.card import read_card
from lucida.models.onnx.family import card_spec
from lucida.models.spec import Gives, Model, Precision, Spec

# Raised whenever edges or pixels are computed otherwise: old vectors must not be mixed with new ones.
FEATURES = "f2"

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def weights() -> Path:
    """Return the folder of the shipped weights."""
    return Path(str(resources.files(__package__) / "weights"))


class EmbeddedFamily:
    """One encoder, found by its name alone."""

    name = "embedded"

    def names(self) -> list[str]:
        return ["embedded"]

    def claims(self, name: str) -> bool:
        return name == "embedded"

    def spec(self, name: str) -> Spec:
        return embedded_spec(weights())


@cache
def embedded_spec(folder: Path) -> Spec:
    """Return the spec of the encoder in a folder, its vector widened by edges and plain pixels.

    Raises:
        ModelError: A file is missing or damaged.
    """
    card = read_card(folder / "encoder.toml")
    inner = card_spec(card, name="embedded", family="embedded")
    widths = {"encoder": inner.gives.dimensions, "edges": edges.DIMENSIONS, "pixels": pixels.DIMENSIONS}
    ends = list(accumulate(widths.values()))
    parts = {name: slice(end - width, end) for (name, width), end in zip(widths.items(), ends, strict=True)}

    def build(spec: Spec, precision: Precision, sample: NDArray[np.float32] | None) -> Model:
        from lucida.models.embedded.model import EmbeddedModel

        return EmbeddedModel(spec, card, folder, precision, sample)

    return replace(
        inner,
        tasks=("encode", "words"),
        gives=Gives(ends[-1], parts, card.classes, words="logits"),
        revision=f"{inner.revision}.{FEATURES}",
        build=build,
    )
