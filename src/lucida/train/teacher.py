"""Who a small network learns from: a model that names classes of its own, or a label run of the catalog."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lucida.errors import ImageError, InputError, ModelError, UnknownName
from lucida.images import decode
from lucida.models.threads import available_cores
from lucida.progress import track
from lucida.runs.local import map_batches

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.data import Sample, Samples, Soft
    from lucida.models.spec import Model, Spec

BATCH = 32


class Teacher(Protocol):
    """Gives opinions on images.

    Attributes:
        key: What changes whenever its opinions may change.
        classes: That it tells apart.
        asked: Whether it was asked about these very images: then its classes are the student's.
    """

    key: str
    classes: tuple[str, ...]
    asked: bool

    def opinions(self, samples: Samples, classes: Sequence[str]) -> NDArray[np.float32]:
        """Return probabilities float32 (n, classes), their sum 1; not-a-number for images it has no opinion on."""
        ...


class ModelTeacher:
    """A model of the registry; PyTorch is not needed to run it.

    Args:
        spec: The model.

    Raises:
        ModelError: It names no classes of its own.
    """

    asked = False

    def __init__(self, spec: Spec) -> None:
        if "classify" not in spec.tasks:
            raise ModelError(
                f"The model {spec.name!r} cannot teach by itself: it names no classes of its own.",
                expected="a model with the task 'classify', or a label run",
                got=f"tasks {', '.join(spec.tasks)}",
                hint=f"lucida label --model {spec.name} first, then --teacher with the run that it prints",
            )
        self.spec, self.key, self.classes = spec, spec.key, spec.gives.classes

    def opinions(self, samples: Samples, classes: Sequence[str]) -> NDArray[np.float32]:
        model = self.spec.load()
        columns = [self.classes.index(name) for name in classes]
        parts = []
        with track("Asking the teacher", len(samples)) as step:
            for part in map_batches(
                lambda batch: _asked(model, batch, columns), samples.items, batch=BATCH, workers=available_cores()
            ):
                parts.append(part)
                step(len(part))
        return np.concatenate(parts)


def _asked(model: Model, batch: Sequence[Sample], columns: list[int]) -> NDArray[np.float32]:
    needs = model.spec.needs
    rows, prepared = [], []
    for row, sample in enumerate(batch):
        try:
            prepared.append(needs.prepare(decode(sample.read(), cover=needs.cover)))
            rows.append(row)
        except (ImageError, InputError):
            continue  # whoever trains on it reports it
    found = np.full((len(batch), len(columns)), np.nan, np.float32)
    if rows:
        logits = model.logits(np.stack(prepared))[:, columns].astype(np.float64)
        shares = np.exp(logits - logits.max(1, keepdims=True))
        found[rows] = shares / shares.sum(1, keepdims=True)
    return found


class RunTeacher:
    """What a label run of the catalog proposed: its probabilities, and all or nothing where it gave none.

    Args:
        catalog: An open catalog.
        run: Id of the run.
        classes: Further classes, that people have named since.

    Raises:
        UnknownName: There is no such run.
        InputError: It proposed nothing.
    """

    asked = True

    def __init__(self, catalog: Catalog, run: str, classes: Sequence[str] = ()) -> None:
        from lucida.data.catalog import read_proposals

        proposals = read_proposals(catalog, run)
        if not len(proposals):
            raise InputError(
                f"The run {run} proposed no label.", expected="a teacher with opinions", got="none", hint="lucida label"
            )
        named = [str(name) for name in (catalog.runs.get(run).parameters.get("classes") or ())]
        self.key, self.classes = run, tuple(dict.fromkeys((*named, *proposals.classes, *classes)))
        twice = {name for name, count in Counter(one.name for one in proposals).items() if count > 1}
        # Two images that were added under one name cannot be told apart by it.
        self._known = {one.name: one.target for one in proposals if one.name not in twice}

    def opinions(self, samples: Samples, classes: Sequence[str]) -> NDArray[np.float32]:
        found = np.full((len(samples), len(classes)), np.nan, np.float32)
        index = {name: column for column, name in enumerate(classes)}
        for row, sample in enumerate(samples):
            opinion = self._known.get(sample.name)
            if opinion is not None:
                found[row] = _shares(opinion, index)  # type: ignore[arg-type]
        return found


def _shares(opinion: Soft, index: dict[str, int]) -> NDArray[np.float32]:
    known = {name: share for name, share in opinion.probabilities.items() if name in index}
    rest = max(0.0, 1 - sum(opinion.probabilities.values()))
    row = np.full(len(index), rest / max(1, len(index) - len(known)), np.float32)
    for name, share in known.items():
        row[index[name]] = share
    total = float(row.sum())
    return row / total if total > 0 else np.full_like(row, np.nan)


def soften(shares: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return probabilities (n, classes) as the teacher would give them at a temperature: 1 leaves them as they are.

    Source: Hinton et al. 2015, Distilling the Knowledge in a Neural Network.
    """
    powers = np.power(shares.astype(np.float64), 1 / temperature)
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)


def agree(teacher: Teacher, classes: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that a student is to tell apart: those of its images, else all of the teacher's.

    Raises:
        UnknownName: The images have a class that the teacher does not know.
    """
    for name in classes:
        if name not in teacher.classes:
            raise UnknownName(
                "class of the teacher", name, teacher.classes, hint="a teacher must know every class of the images"
            )
    return tuple(classes) if len(classes) > 1 and not teacher.asked else teacher.classes


def is_label_run(name: str) -> bool:
    """Tell whether a teacher is named by a label run of the catalog."""
    return name.startswith("label-")


def find_teacher(catalog: Catalog, name: str, classes: Sequence[str]) -> Teacher:
    """Return a teacher by name.

    Args:
        catalog: An open catalog.
        name: Id of a label run, or any name of a model that names classes of its own.
        classes: Of the images.

    Raises:
        UnknownName: There is no such run or model.
        ModelError: The model names no classes of its own, or its files are missing.
        InputError: No teacher was named.
    """
    from lucida.models.registry import find

    if not name:
        raise InputError(
            "Nobody was named to learn from.",
            expected="--teacher RUN of `lucida label` or `lucida train`, or --teacher MODEL",
            got="no --teacher",
            hint="lucida models --task classify lists models that name classes of their own",
        )
    home: Path = catalog.models
    return RunTeacher(catalog, name, classes) if is_label_run(name) else ModelTeacher(find(name, home))
