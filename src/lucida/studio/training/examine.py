"""Judge a finished run on its validation part, and explain what it says: the one place that calls `evaluate` and
`explain`."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import LucidaError, UnknownName

if TYPE_CHECKING:
    from collections.abc import Callable

    import PIL.Image

    from lucida.catalog import Catalog
    from lucida.data import Sample
    from lucida.evaluate.judged import Judged
    from lucida.explain.job import Explainer
    from lucida.explain.nearest import Index
    from lucida.models.spec import Model, Spec

EXPLAINED: Final = ("classify", "tag")  # what `lucida.explain` looks into
MOST: Final = 400  # mistakes on the page
NEAREST: Final = 6  # training images beside one
LARGE, SMALL = 900, 200  # pixels of a heat map, of a training image


@dataclass(frozen=True)
class Wrong:
    """One mistake.

    Attributes:
        name: Of the image.
        truth: What it is.
        found: What the model says.
        score: How sure it is, 0 to 1; None where the words say it.
        given: How sure it is of the truth; None where that means nothing.
        draw: Returns the picture.
    """

    name: str
    truth: str
    found: str
    score: float | None
    given: float | None
    sample: Sample
    draw: Callable[[], PIL.Image.Image] | None = None


class Examination:
    """A run with its mistakes; see `lucida.studio.training.site.Examined`.

    Args:
        catalog: Where the run is.
        spec: Its model.
        judged: What `lucida.evaluate` found.
        notes: What a person should know.
    """

    def __init__(self, catalog: Catalog, spec: Spec, judged: Judged, notes: tuple[str, ...]) -> None:
        self.catalog, self.spec, self.judged, self.notes = catalog, spec, judged, (*notes, *judged.notes)
        self.task = judged.predicted.task
        self.wrong = _wrong(judged)

    def to_json(self) -> dict[str, Any]:
        """Return the mistakes, worst first."""
        first = self.judged.metrics[0]
        figure = first.figure()
        found = [
            {"number": number, "name": one.name, "truth": one.truth, "found": one.found}
            | {"score": one.score, "given": one.given}
            for number, one in enumerate(self.wrong[:MOST])
        ]
        return {
            "images": len(self.judged.samples),
            "count": len(self.wrong),
            "exact": self.judged.exact,
            "metric": {"name": first.name, **(figure.to_json() if figure else {})},
            "mistakes": found,
            "notes": list(self.notes),
            "explains": self.task in EXPLAINED,
        }

    def picture(self, number: int, side: int) -> tuple[bytes, str]:
        """Return a mistake's picture."""
        one = self._mistake(number)
        return encoded(one.draw() if one.draw else _open(one.sample.read()), side)

    def heat(self, number: int) -> dict[str, Any]:
        """Return where the model looked, as a picture in a data address, and whether that can be relied on.

        Raises:
            MissingExtra: PyTorch, or another package of the extra `train`, is not installed.
            LucidaError: It cannot be explained.
        """
        from PIL import Image as Pillow

        one = self._mistake(number)
        with TemporaryDirectory() as folder:
            found = self._explainer.explain(one.sample, Path(folder, "heat.png"), alike=0)
            with Pillow.open(found.heat) as picture:
                address = _address(picture, LARGE)
        return {"heat": address, "flat": found.flat, "depends": not found.dependence or found.dependence.depends}

    def nearest(self, number: int) -> dict[str, Any]:
        """Return the training images that are most alike to the model, as pictures in data addresses.

        Raises:
            LucidaError: The training images are not to be had, or the model gives no vectors.
        """
        from lucida.images import decode

        prepared = self.spec.needs.prepare(decode(self._mistake(number).sample.read()))[None]
        found = self._index.nearest(self._model.embed(prepared)[0], NEAREST)
        return {
            "nearest": [
                {"name": near.name, "label": near.label, "likeness": near.likeness, "picture": self._small(near.name)}
                for near in found
            ]
        }

    @cached_property
    def _explainer(self) -> Explainer:
        from lucida.explain.job import Explainer

        return Explainer.open(self.spec.name, self.catalog)

    @cached_property
    def _model(self) -> Model:
        return self.spec.load("fp32")

    @cached_property
    def _index(self) -> Index:
        from lucida.explain.nearest import index_of

        return index_of(self._folder, self.spec, self._model, self.task, self.catalog)

    @cached_property
    def _training(self) -> dict[str, Sample]:
        from lucida.evaluate.choice import training_images

        return {sample.name: sample for sample in training_images(self.spec, self.task, self.catalog)}

    @property
    def _folder(self) -> Path:
        return self.catalog.path / "runs" / self.spec.name

    def _small(self, name: str) -> str | None:
        try:
            return _address(_open(self._training[name].read()), SMALL)
        except (KeyError, LucidaError):
            return None  # deleted since: its name and class still say something

    def _mistake(self, number: int) -> Wrong:
        if not 0 <= number < len(self.wrong):
            raise UnknownName("mistake", str(number), [])
        return self.wrong[number]


def examine(catalog: Catalog, run: str) -> Examination:
    """Judge a finished run on its validation part.

    Raises:
        ModelError: The run is not finished, or its files are damaged.
        InputError: The images it was trained on are not there any more.
        MissingExtra: A package is not installed.
    """
    from lucida.evaluate.choice import images_of
    from lucida.evaluate.predict import task_of
    from lucida.evaluate.tasks import judge_of
    from lucida.models.registry import find

    spec = find(run, catalog.models)
    task = task_of(spec)
    samples = images_of(spec, task, None, None, catalog)
    return Examination(catalog, spec, judge_of(task)(spec, samples), samples.notes)


def _wrong(judged: Judged) -> list[Wrong]:
    """Return the mistakes, the surest first where each answer is right or wrong."""
    if judged.predicted.task != "classify":
        return [
            Wrong(one.name, one.truth, one.found, None, None, judged.samples[one.row], partial(_draw, judged, number))
            for number, one in enumerate(judged.mistakes)
        ]
    sure, classes = judged.predicted.probabilities, judged.predicted.classes
    number = {name: k for k, name in enumerate(classes)}
    found = sure.argmax(axis=1).tolist()
    truth = [number[sample.labels[0]] for sample in judged.samples]
    rows = [row for row in range(len(found)) if found[row] != truth[row]]
    rows.sort(key=lambda row: -float(sure[row, found[row]]))
    return [
        Wrong(
            judged.samples[row].name,
            classes[truth[row]],
            classes[found[row]],
            float(sure[row, found[row]]),
            float(sure[row, truth[row]]),
            judged.samples[row],
        )
        for row in rows
    ]


def _draw(judged: Judged, number: int) -> PIL.Image.Image:
    mistake = judged.mistakes[number]
    return judged.draw(mistake) if judged.draw else _open(judged.samples[mistake.row].read())


def _open(data: bytes) -> PIL.Image.Image:
    from PIL import Image as Pillow

    from lucida.images import decode

    return Pillow.fromarray(decode(data).rgb8())


def encoded(picture: PIL.Image.Image, side: int) -> tuple[bytes, str]:
    """Return a picture as a browser shows it, no side longer than so many pixels, and its media type."""
    small = picture.convert("RGB")
    small.thumbnail((side, side))
    out = io.BytesIO()
    small.save(out, "JPEG", quality=88)
    return out.getvalue(), "image/jpeg"


def _address(picture: PIL.Image.Image, side: int) -> str:
    content, media_type = encoded(picture, side)
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
