"""The models that come with the package."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from lucida.models.embedded import edges, pixels
from lucida.models.onnx.card import read_card
from lucida.models.onnx.family import card_spec
from lucida.models.spec import Gives, Matcher, Model, Precision, Spec, Trial

# Raised whenever edges or pixels are computed otherwise: old vectors must not be mixed with new ones.
FEATURES = "f2"
# What a search compares. Share of the same class among the ten nearest, whole vector against these two alike: clothing
# .58 and .56, CIFAR-10 .56 and .64, 200 things of Tiny ImageNet .09 and .12.
NEAR = ("shape", "layout")

if TYPE_CHECKING:
    from collections.abc import Sequence


def weights() -> Path:
    """Return the folder of the shipped weights."""
    return Path(str(resources.files(__package__) / "weights"))


TUNED = "embedded:"


class EmbeddedFamily:
    """One encoder, found by its name alone, and those tuned from it: "embedded:" and their folder in a catalog."""

    name = "embedded"

    def names(self) -> list[str]:
        return ["embedded"]

    def suggestions(self) -> list[str]:
        """Return none."""
        return []

    def claims(self, name: str) -> bool:
        return name == "embedded" or name.startswith(TUNED)

    def spec(self, name: str, home: Path | None = None) -> Spec:
        tuned = (home or Path()) / name.removeprefix(TUNED)
        return embedded_spec(tuned if name.startswith(TUNED) else weights(), name)

    def licence(self, name: str, home: Path | None = None) -> str:
        """Return the licence of a model's weights."""
        return self.spec(name, home).licence


@cache
def embedded_spec(folder: Path, name: str = "embedded") -> Spec:
    """Return the spec of the encoder in a folder, its vector widened by edges and plain pixels.

    Raises:
        ModelError: A file is missing or damaged.
    """
    card = read_card(folder / "encoder.toml")
    inner = card_spec(card, name=name, family="embedded")
    parts, end = dict(inner.gives.parts), inner.gives.dimensions
    for part, width in (("edges", edges.DIMENSIONS), ("pixels", pixels.DIMENSIONS)):
        parts[part], end = slice(end, end + width), end + width

    def build(spec: Spec, precision: Precision, trial: Trial | None) -> Model:
        from lucida.models.embedded.model import EmbeddedModel

        return EmbeddedModel(spec, card, precision, trial)

    def match(descriptions: Sequence[Sequence[str]], none: bool, templates: Sequence[str]) -> Matcher:
        from lucida.models.embedded.lexicon import load_lexicon
        from lucida.models.embedded.words import WordMatcher

        # A tuned encoder knows the same words.
        lexicon = load_lexicon(weights() / "words")
        return WordMatcher(lexicon, card.synonyms, descriptions, none=none, templates=templates, measured=card.measured)

    return replace(
        inner,
        tasks=("encode", "words"),
        gives=Gives(end, parts, card.classes, words="logits", near=NEAR),
        revision=f"{inner.revision}.{FEATURES}",
        match=match,
        build=build,
    )
