"""One training, from samples to a run whose model can be named wherever a model can."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucida.data.sample import VALIDATION
from lucida.models.needs import RAW
from lucida.processes import is_first
from lucida.train import recipes
from lucida.train.location import CONFIG, MODEL, RESULT
from lucida.whole import write_whole

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.models.needs import ImageNeeds
    from lucida.train.recipe import Recipe
    from lucida.train.request import Request
    from lucida.train.settings import Settings


@dataclass(frozen=True)
class TrainResult:
    """What training did.

    Attributes:
        run: Id of the run, which is the name of its model: `lucida label --model RUN`.
        task: What was trained.
        metrics: Of the best evaluation on the validation part.
        model: Name of the network.
        start: What its weights began from.
        images: How many images it was trained on.
        validation: How many it was judged by.
        steps: Changes of weights.
        seconds: Time of all calls.
        stopped: Why training ended.
        waiting: Share of the time that was spent waiting for images.
        folder: Where everything of the run lies.
        skipped: How many images could not be read.
        notes: What a person should know, a sentence each.
    """

    run: str
    task: str
    metrics: dict[str, float]
    model: str
    start: str
    images: int
    validation: int
    steps: int
    seconds: float
    stopped: str
    waiting: float
    folder: str
    skipped: int = 0
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**self.__dict__, "notes": list(self.notes)}

    def __str__(self) -> str:
        figures = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in self.metrics.items())
        lines = [
            f"Trained {self.model} (from {self.start}) on {self.images:,} images in {self.seconds / 60:.1f} minutes:"
            f" {self.steps:,} steps, then {self.stopped}.",
            f"On {self.validation:,} images for validation, which chose the weights: {figures}."
            if self.validation
            else f"At the weights that were chosen: {figures}.",
        ]
        if self.skipped:
            lines.append(f"{self.skipped:,} images could not be read.")
        then = recipes.entry(self.task).next.format(run=self.run, folder=self.folder, model=self.model)
        return "\n".join([*lines, *self.notes, f"Run {self.run}. Next: {then}"])


def run_train(
    catalog: Catalog, task: str, request: Request, settings: Settings, *, question: str, include: str = ""
) -> TrainResult:
    """Train, or go on with a training that was started with the same arguments.

    Args:
        catalog: Where the run is kept.
        task: Name of the recipe.
        request: What is to be trained, from what.
        settings: How.
        question: What the labels answer.
        include: Which answers of the catalog the samples are; "" where they are not the catalog's.

    Raises:
        InputError: Nothing can be learned from what was given.
        TrainingError: Training cannot go on.
        MissingExtra: A package is not installed.
    """
    _calm()
    from lucida.train.together import first_one_first, wait_for_all

    parameters = {
        "task": task,
        "data": request.samples.origin,
        "digest": request.samples.digest(),
        "start": request.start,
        "tune": request.tune,
        "size": request.size,
        "augmentation": request.augmentation,
        **({"include": include} if include else {}),
        # Runs that were started before there was a choice go on.
        **({"channels": request.channels} if request.channels != "auto" else {}),
        **request.extra,
        **settings.deciding(),
    }
    model = request.model or recipes.entry(task).model
    with first_one_first():
        run = catalog.runs.start("train", question=question, model=model, parameters=parameters)
        folder = catalog.runs.folder(run.id)
        kept = read_result(folder)
    if kept is not None:
        return kept
    # What a teacher or another model says of the images is asked once, and found by the others.
    with first_one_first():
        recipe = recipes.make(task, replace(request, folder=folder))
    about = {"model": model, "classes": list(request.samples.classes), "images": len(recipe)}
    judging = sum(one.name not in recipe.skipped for one in request.samples.of(VALIDATION))
    about |= {"validation": judging}
    if is_first():
        write_json(folder / CONFIG, {**about, **parameters, **_seen(recipe)})
    state = recipe.fit(settings, folder) if is_first() or recipe.shared else None
    if state is None or not is_first():
        wait_for_all()
        done = read_result(folder)
        assert done is not None, "the first process has written it"
        return done
    partial = folder / f"{MODEL}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    more = recipe.export(partial)
    shutil.rmtree(folder / MODEL, ignore_errors=True)
    partial.rename(folder / MODEL)
    begun = getattr(recipe, "backbone", None) or getattr(recipe, "built", None)
    result = TrainResult(
        run=run.id,
        task=task,
        metrics={**state.metrics, **{k: v for k, v in more.items() if isinstance(v, float)}},
        model=model,
        start=getattr(begun, "start", request.start),
        images=len(recipe),
        validation=judging,
        steps=state.step,
        seconds=round(state.seconds, 1),
        stopped=state.stopped,
        waiting=round(state.waited / max(state.seconds, 1e-9), 4),
        folder=str(folder),
        skipped=len(set(recipe.skipped)) + len(set(state.skipped)),
        notes=tuple(dict.fromkeys([*request.samples.notes, *recipe.notes])),
    )
    write_json(folder / RESULT, {**result.to_json(), "ended": time.time()})
    catalog.runs.finish(run.id)
    wait_for_all()
    return result


def _seen(recipe: Recipe) -> dict[str, Any]:
    """Return what is looked at of images, where it is not RGB of 8 bits, and how far apart their pixels lie."""
    needs: ImageNeeds | None = getattr(recipe, "needs", None)
    if needs is None:
        return {}
    found: dict[str, Any] = {"channels": RAW, "depth": needs.depth, "deep": needs.deep} if needs.channels == RAW else {}
    return found | ({"spacing": list(needs.spacing)} if needs.spacing else {})


def read_result(folder: Path) -> TrainResult | None:
    """Return what a finished training did; None where it is not finished."""
    path = folder / RESULT
    if not path.exists():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    kept.pop("ended", None)
    return TrainResult(**{**kept, "folder": str(folder), "notes": tuple(kept["notes"])})


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object, whole or not at all."""
    write_whole(path, json.dumps(value, ensure_ascii=False, indent=1))


def _calm() -> None:
    """Let waiting threads sleep, before PyTorch starts any: they would take the cores of those that prepare images."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
