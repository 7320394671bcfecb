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
    from lucida.evaluate.pairs import PairsEvaluation


def evaluate(
    model: str = "",
    *,
    data: Path | None = None,
    against: str = "",
    split: Literal["test", "validation"] | None = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    precision: Literal["auto", "fp32", "bf16", "int8"] = "fp32",
    seed: int = 0,
    reference: Path | None = None,
    border: int = 0,
    lpips: bool = False,
    catalog: Path | None = None,
) -> Evaluation | PairsEvaluation:
    """Say how good a model is on labelled images: figures with intervals, parts, mistakes, and an HTML report.

    With --reference, say how near the restored images under --data are to those of the same name there: PSNR and SSIM
    on luma, as the papers measure them.

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
        reference: A folder of what restored images should be.
        border: Pixels cut off each side before restored images are compared; papers cut off as many as the scale.
        lpips: Also measure LPIPS of restored images, where its weights are at hand.
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

    if reference is not None:
        return _pairs(model, data, reference, border, lpips, seed)
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


def _pairs(model: str, data: Path | None, reference: Path, border: int, lpips: bool, seed: int) -> PairsEvaluation:
    from lucida.errors import InputError
    from lucida.evaluate.pairs import evaluate_pairs

    if data is None or model:
        raise InputError(
            "Restored images are compared with references, and nothing else.",
            expected="--data RESTORED --reference FOLDER, and no model",
            got=f"the model {model}" if model else "no --data",
            hint="lucida evaluate --data restored/ --reference originals/ --border 4",
        )
    return evaluate_pairs(data, reference, border=border, lpips=lpips, seed=seed)


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
