"""The verb `evaluate`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.evaluate.evaluation import Evaluation


def evaluate(
    model: str = "",
    *,
    data: Path | None = None,
    against: str = "",
    split: Literal["test", "validation"] | None = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    precision: Literal["auto", "fp32", "bf16", "int8"] = "fp32",
    seed: int = 0,
    catalog: Path | None = None,
) -> Evaluation:
    """Say how good a model is on labelled images: figures with intervals, parts, mistakes, and an HTML report.

    Args:
        model: A training run, or any model that names something: "onnx:PATH", "embedded", one of the hub. The latest
            training by default.
        data: Labelled images that it has not learned from: class folders, Parquet, COCO, YOLO, VOC, images with masks.
            Those that judged its training by default.
        against: Another model, to be compared on the same images: which is better, and by how much.
        split: Which part of the data; the test part by default, else the validation part, else all.
        output: Write a report: one HTML file that needs nothing else.
        precision: Of the model.
        seed: Of the intervals.
        catalog: Folder of the catalog; LUCIDA_CATALOG or ./lucida-catalog by default.

    Raises:
        UnknownName: No such model.
        InputError: There is nothing to judge it by, or the data has labels that it does not know.
        ModelError: The model cannot be loaded, or names nothing.
    """
    from lucida.evaluate.choice import images_of, latest_run
    from lucida.evaluate.evaluation import evaluate_model
    from lucida.evaluate.predict import task_of
    from lucida.models.registry import find

    with ExitStack() as stack:
        opened = open_catalog(stack, catalog, needed=not model)
        home = opened.models if opened else None
        if not model:
            assert opened is not None, "it is needed where no model is named"
            model = latest_run(opened)
        spec = find(model, home)
        other = find(against, home) if against else None
        samples = images_of(spec, task_of(spec), data, split, opened)
        evaluation, judged = evaluate_model(spec, samples, against=other, precision=precision, seed=seed)
    if output is None:
        return evaluation
    from lucida.evaluate.report.page import page
    from lucida.evaluate.report.writing import write_page

    path = write_page(output, page(evaluation, judged))
    return replace(evaluation, report=str(path))


def open_catalog(stack: ExitStack, path: Path | None, *, needed: bool) -> Catalog | None:
    """Open the catalog; None where there is none and none is needed."""
    from lucida.catalog import Catalog
    from lucida.errors import CatalogError

    try:
        return stack.enter_context(Catalog.open(path))
    except CatalogError:
        if needed or path is not None:
            raise
        return None
