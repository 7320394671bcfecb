"""The verb `train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from lucida.data import Samples
    from lucida.train.job import TrainResult


def train(
    task: str = "classify",
    *,
    data: Path | None = None,
    question: str = "label",
    model: str = "",
    start: str = "auto",
    tune: Literal["full", "probe", "lora"] = "full",
    size: int | None = None,
    augmentation: Literal["auto", "none", "light", "medium", "strong"] = "auto",
    include: Literal["reviewed", "accepted", "proposed"] = "accepted",
    minutes: float = 20.0,
    epochs: int | None = None,
    batch: int | None = None,
    accumulate: int = 1,
    rate: float | None = None,
    arithmetic: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    patience: int = 5,
    workers: int | None = None,
    wandb: bool = False,
    seed: int = 0,
    catalog: Path | None = None,
) -> TrainResult:
    """Train a small model of your own, from the catalog's answers or from a folder of labelled images.

    The same call again goes on where it was stopped, to the same result. The model that comes out is named by its run:
    `lucida label --model RUN`. It runs without PyTorch.

    Args:
        task: What to train: "classify" (one class an image), "tag" (several).
        data: Labelled images instead of the catalog's: class folders, Parquet, COCO, YOLO, VOC, images with masks.
        question: Whose answers in the catalog to learn from; and the name of what is learned.
        model: The network: "embedded", or any name of timm's, such as "mobilenetv3", "resnet50", "vit", "swin".
        start: What its weights begin from: "hub", "nothing", an earlier run, or "auto": the hub's where they are to be
            had.
        tune: Train "full"; only a linear "probe"; or "lora", low-rank changes.
        size: Side of the images in pixels.
        augmentation: How much training images are changed.
        include: From the catalog: only answers of people ("reviewed"), certified ones too ("accepted"), or also
            proposals ("proposed").
        minutes: Bound on the time; the schedule is fitted to it.
        epochs: Passes over the images instead.
        batch: Images a step; found where it is left out.
        accumulate: Steps whose gradients are added up.
        rate: Peak learning rate; found where it is left out.
        arithmetic: Of training; "auto" takes bf16 where the processor is fast at it.
        patience: Evaluations without gain after which it stops.
        workers: Processes that prepare images.
        wandb: Also report to Weights & Biases.
        seed: Another seed gives another training.
        catalog: Folder of the catalog; LUCIDA_CATALOG or ./lucida-catalog by default. It is made where there is none.

    Raises:
        UnknownName: No such training or model.
        InputError: Nothing can be learned from what was given.
        MissingExtra: PyTorch, or another package of the extra `train`, is not installed.
        TrainingError: Training cannot go on.
    """
    from lucida.catalog import Catalog
    from lucida.train import recipes
    from lucida.train.job import run_train
    from lucida.train.need import need_torch
    from lucida.train.request import Request
    from lucida.train.settings import Settings

    usual = {"tune": "full", "start": "auto", "size": None, "augmentation": "auto"}
    given: dict[str, Any] = {"tune": tune, "start": start, "size": size, "augmentation": augmentation}
    recipes.refuse_idle(task, {name: value for name, value in given.items() if value != usual[name]})
    settings = Settings(
        minutes=minutes,
        epochs=epochs,
        batch=batch,
        accumulate=accumulate,
        rate=rate,
        arithmetic=arithmetic,
        patience=patience,
        workers=workers,
        wandb=wandb,
        seed=seed,
    )
    need_torch()
    with Catalog.open(catalog, create=data is not None) as opened:
        samples = _samples(opened, recipes.entry(task).reads, data, question, include)
        request = Request(samples, model, _start(opened, start), tune, size, augmentation, seed)
        return run_train(opened, task, request, settings, question=question)


def _samples(catalog: Any, reads: Any, data: Path | None, question: str, include: str) -> Samples:
    from lucida.data import read_data
    from lucida.train.parts import parts

    if data is not None:
        return parts(read_data(data, reads))
    from lucida.data.catalog import read_answers

    found = read_answers(catalog, question, proposed=include == "proposed")
    if include == "reviewed":
        found = found.take(row for row, sample in enumerate(found) if sample.slices.get("state") == "reviewed")
    return parts(found)


def _start(catalog: Any, start: str) -> str:
    """Return the folder of a run that is named by its id."""
    folder = catalog.path / "runs" / start
    return str(folder) if start and "/" not in start and folder.is_dir() else start
