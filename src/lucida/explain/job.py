"""Explain the answers of a training run: photos of a person, or its own surest wrong answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import PIL.Image
import PIL.ImageDraw

from lucida.data import Sample
from lucida.errors import ImageError, InputError, ModelError
from lucida.evaluate.choice import images_of, training_images
from lucida.evaluate.evaluation import evaluate_model
from lucida.evaluate.predict import task_of
from lucida.evaluate.report.pictures import FOUND
from lucida.evaluate.report.writing import write_page
from lucida.explain.explanation import Explained, Explanation
from lucida.explain.look import LOOKS
from lucida.explain.nearest import Index, index_of
from lucida.images import Image, decode, read
from lucida.models.registry import find
from lucida.models.trained.family import run_folder
from lucida.results.drawing import overlay
from lucida.train.trained import Trained

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.explain.look import Look
    from lucida.explain.target import Target
    from lucida.models.spec import Model, Spec

SIDE: Final = 1024  # longest side of a picture that is written


@dataclass(frozen=True, eq=False)
class Explainer:
    """A run, ready to be asked.

    Attributes:
        spec: Its exported model, which says the class.
        trained: The run itself, whose network is looked into.
        catalog: Where the answers are that it was trained on; None where there is no catalog.
        notes: What a person should know.
    """

    spec: Spec
    trained: Trained
    catalog: Catalog | None = None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, run: str, catalog: Catalog | None = None) -> Explainer:
        """Find a run.

        Raises:
            UnknownName: No such model.
            InputError: It is not a training whose answers are about images.
            ModelError: It is not finished.
            MissingExtra: PyTorch or another package of the extra `train` is not installed, and is needed.
        """
        from lucida.train.need import need_torch

        home = catalog.models if catalog is not None else None
        spec = find(run, home)
        # What only gives vectors answers nothing that could be explained.
        if spec.family != "trained" or not set(spec.tasks) & set(LOOKS):
            raise InputError(
                f"{run} cannot be explained.",
                expected=f"a run of `lucida train` for {', '.join(LOOKS)}",
                got=f"a model of the family {spec.family}, for {', '.join(spec.tasks)}",
                hint=f"lucida evaluate {run} -o report.html shows its mistakes"
                + (": a mask says by itself where it is" if "segment" in spec.tasks else ""),
            )
        if task_of(spec) != "anomaly":
            need_torch("Explaining")
        return cls(spec, Trained.open(run_folder(run, home)), catalog)

    @cached_property
    def network(self) -> Any:
        """The network in PyTorch, in evaluation mode."""
        return self.trained.network()

    @cached_property
    def target(self) -> Target:
        """The layer whose maps are read."""
        from lucida.explain.heat import target_of

        return target_of(self.network, self.spec.needs.depth, self.spec.needs.size)

    @cached_property
    def model(self) -> Model:
        """The exported model."""
        return self.spec.load("fp32")

    @cached_property
    def index(self) -> Index | None:
        """The training images; None where there are no vectors, or the images are gone."""
        if not self.spec.gives.dimensions:
            self.notes.append("This model gives no vectors, so no training images are shown beside a photo.")
            return None
        try:
            return index_of(self.trained.folder, self.spec, self.model, task_of(self.spec), self.catalog)
        except (InputError, ModelError) as error:
            self.notes.append(f"No training images are shown beside a photo: {error.what}")
            return None

    def explain(self, sample: Sample, output: Path, *, alike: int = 5) -> Explanation:
        """Explain the answer to one photo, and write the photo with its heat map.

        Args:
            sample: The photo, and what it is where that is known.
            output: The PNG file to write.
            alike: How many training images to name.

        Raises:
            ImageError: It cannot be read.
        """
        image = decode(sample.read())
        found = LOOKS[task_of(self.spec)](self, image)
        _write(output, _over(image, found))
        alike = alike if self.index else 0
        return Explanation(
            sample.name,
            found.label,
            found.score,
            found.said,
            # Of boxes there are many; one of them is explained.
            ", ".join(sample.labels) if task_of(self.spec) in ("classify", "tag") else "",
            found.label in sample.labels,
            str(output),
            found.layer,
            found.dependence,
            not found.heat.any(),
            found.box,
            self.index.nearest(self.model.embed(self.spec.needs.prepare(image)[None])[0], alike)
            if self.index and alike
            else (),
        )


def explain_samples(explainer: Explainer, samples: Sequence[Sample], folder: Path) -> Explained:
    """Explain photos, and put all of them on one page.

    Args:
        explainer: Of a run.
        samples: The photos; those that cannot be read are skipped.
        folder: Where heat maps and the page are written.

    Raises:
        InputError: None can be read, or the folder cannot be written.
    """
    from lucida.explain.page import page

    done: list[tuple[Sample, Explanation]] = []
    skipped: dict[str, str] = {}
    for number, sample in enumerate(samples):
        try:
            done.append((sample, explainer.explain(sample, folder / _file(sample.name, number, samples))))
        except ImageError as error:
            skipped[sample.name] = error.what
    if not done:
        name, why = next(iter(skipped.items()), ("", "no photo"))
        raise InputError("There is nothing to explain.", expected="photos", got=f"{name}: {why}")
    shown = _training(explainer, {near.name for _, one in done for near in one.nearest})
    found = Explained(
        explainer.spec.name,
        ", ".join(dict.fromkeys(one.layer for _, one in done)),
        tuple(one for _, one in done),
        str(folder / "explained.html"),
        skipped,
        tuple(dict.fromkeys(explainer.notes)),
    )
    write_page(folder / "explained.html", page(found, [sample for sample, _ in done], shown))
    return found


def photos(paths: Sequence[Path]) -> list[Sample]:
    """Return photos by their paths; they are read when they are explained."""
    return [Sample(str(path), lambda path=path: read(path)) for path in paths]  # type: ignore[misc]


def wrong_answers(explainer: Explainer, most: int) -> list[Sample]:
    """Return the images for validation that the run has wrong, those it is surest of first."""
    task = task_of(explainer.spec)
    samples = images_of(explainer.spec, task, None, None, explainer.catalog)
    _, judged = evaluate_model(explainer.spec, samples)
    # An image may have several mistakes, of boxes for example.
    rows = list(dict.fromkeys(mistake.row for mistake in judged.mistakes))
    return [judged.samples[row] for row in rows[:most]]


def _training(explainer: Explainer, names: set[str]) -> dict[str, Sample]:
    """Return the training images of some names."""
    if not names:
        return {}
    try:
        every = training_images(explainer.spec, task_of(explainer.spec), explainer.catalog)
    except InputError:
        return {}
    return {sample.name: sample for sample in every if sample.name in names}


def _over(image: Image, look: Look) -> PIL.Image.Image:
    picture = PIL.Image.fromarray(overlay(image.rgb8(), look.heat))
    if look.box is not None:
        wide = max(1, round(max(picture.size) / 200))
        PIL.ImageDraw.Draw(picture).rectangle(look.box, outline=FOUND, width=wide)
    picture.thumbnail((SIDE, SIDE), PIL.Image.Resampling.LANCZOS)
    return picture


def _write(path: Path, picture: PIL.Image.Image) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    except OSError as error:
        raise InputError(
            f"The heat map cannot be written to {path}.",
            expected="a folder that you may write",
            got=error.strerror or str(error),
            hint="-o NAMES ANOTHER FOLDER",
        ) from error


def _file(name: str, number: int, samples: Sequence[Sample]) -> str:
    """Return a name for the heat map of a photo; photos of one name are told apart by a number."""
    stem = Path(name).stem
    alone = sum(Path(sample.name).stem == stem for sample in samples) == 1
    return f"{stem}.heat.png" if alone else f"{stem}.{number + 1}.heat.png"
