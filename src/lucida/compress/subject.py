"""What is compressed: a run's model, the images it learned from, and those that judge it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.data import read_data
from lucida.data.catalog import read_answers
from lucida.data.sample import TEST, TRAIN, VALIDATION
from lucida.data.unlabelled import read_some
from lucida.errors import ImageError, InputError, ModelError, UnknownName
from lucida.images import decode
from lucida.models.onnx.card import Card, read_card
from lucida.models.trained.family import CARD, run_folder
from lucida.train.parts import parts
from lucida.train.recipes import RECIPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.data import Sample, Samples

SEED = 0


@dataclass(frozen=True)
class Subject:
    """A finished run of `train` or `compress` that classifies.

    Attributes:
        run: Its id.
        question: What its labels answer.
        folder: Where it lies.
        config: What was asked when it was trained.
        card: Its exported model.
    """

    run: str
    question: str
    folder: Path
    config: dict[str, Any]
    card: Card

    @classmethod
    def open(cls, catalog: Catalog, run: str) -> Subject:
        """Read a run.

        Raises:
            UnknownName: There is no such run.
            ModelError: It is not finished, or no classifier.
        """
        known = catalog.runs.get(run)
        folder = run_folder(run, catalog.models)
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            card = read_card(folder / CARD)
        except (OSError, ValueError, ModelError) as error:
            raise ModelError(
                f"The run {run} has no model that could be compressed.",
                expected="a finished run of `lucida train`",
                got=f"a run of `lucida {known.verb}`" if known.verb not in ("train", "compress") else "unfinished",
                hint="the same `lucida train` again goes on where it was stopped",
            ) from error
        if not card.logits:
            raise ModelError(
                f"The run {run} is no classifier.",
                expected="a run of `lucida train classify` or `lucida train tag`",
                got=f"one of {config.get('task', card.task)}",
                hint="other models are compressed by --precision when they are used",
            )
        return cls(run, known.question, folder, config, card)

    @property
    def several(self) -> bool:
        """Tell whether an image may have several tags."""
        return self.card.task == "tag"

    def divided(self, catalog: Catalog) -> Samples:
        """Return the images of the training, divided as they were then.

        Raises:
            InputError: They are not there any more, or others are there.
        """
        wanted, task = self.config.get("digest"), str(self.config.get("task"))
        some = task in RECIPES and RECIPES[task].labels == "some"
        for found in self._read(catalog, some=some):
            divided = parts(found, some=some)
            if wanted in (None, divided.digest()):
                return divided
        raise InputError(
            f"The images that {self.run} learned from are not there any more, or have changed.",
            expected=f"{self.config['data']}, as it was: int8 and pruning need images to go by",
            got="other images or labels",
            hint="--fp16 or --bf16 with --data PLACE needs none of them",
        )

    def _read(self, catalog: Catalog, *, some: bool) -> Iterator[Samples]:
        """Read what the training may have read; `some` of its images need no label."""
        place = Path(str(self.config["data"]))
        if place.exists():
            yield read_some(place) if some else read_data(place, "tag" if self.several else "classify")
            return
        for proposed in (False, True):
            try:
                found = read_answers(catalog, self.question, proposed=proposed, rest=some)
            except InputError:
                return
            yield found
            seen = [one.slices.get("state") == "reviewed" for one in found]
            known = (one if kept else replace(one, target=None) for one, kept in zip(found, seen, strict=True))
            yield replace(found, items=tuple(one for one in known if some or one.target is not None))

    def judged(self, data: Path) -> Samples:
        """Return the images of a place that both models are judged by: its test part, else what is not for training.

        Raises:
            InputError: There are none, or only images for training.
            UnknownName: They have classes that the model does not know.
        """
        found = read_data(data, "tag" if self.several else "classify")
        for split in (TEST, VALIDATION):
            if len(found.of(split)):
                found = found.of(split)
                break
        else:
            found = found.of(*(name for name in found.splits if name != TRAIN))
        found = labelled(found)
        if not len(found):
            raise InputError(
                f"There are no images at {data} to judge by.",
                expected="labelled images that nothing was trained on",
                got="images for training, or without labels",
                hint="name the test or validation part: --data PLACE",
            )
        unknown = sorted({label for one in found for label in one.labels} - set(self.card.classes))
        if unknown:
            raise UnknownName("class", unknown[0], self.card.classes, hint="the model must know every label of --data")
        return found


def labelled(samples: Samples) -> Samples:
    """Return the images that have a label."""
    return samples.take(row for row, one in enumerate(samples) if one.target is not None)


def prepared(card: Card, samples: Samples, most: int) -> NDArray[np.float32]:
    """Return images of samples, drawn always in the same way: float32 (n, channels, size, size), n at most `most`.

    Images that cannot be read are left out.
    """
    order = np.random.default_rng(SEED).permutation(len(samples))
    found: list[NDArray[np.float32]] = []
    for row in order.tolist():
        if len(found) == most:
            break
        try:
            found.append(prepare(card, samples[row].read()))
        except (ImageError, InputError):
            continue
    if not found:
        raise InputError("No image could be read.", expected="images", got=f"{len(samples):,} that cannot be decoded")
    return np.stack(found)


def prepare(card: Card, data: bytes) -> NDArray[np.float32]:
    """Return an encoded image as a model takes it, float32 (channels, size, size)."""
    needs = card.needs
    return needs.prepare(decode(data, cover=needs.cover, fine=needs.fine))


def truth_of(sample: Sample) -> str:
    """Return the label of an image as text; tags in alphabetical order."""
    return "|".join(sorted(sample.labels))
