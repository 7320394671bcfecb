"""The verb `compress`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucida.errors import InputError

if TYPE_CHECKING:
    from lucida.compress.edge.folder import EdgeResult
    from lucida.compress.result import CompressResult
    from lucida.compress.subject import Subject


def compress(
    run: str = "",
    *,
    int8: bool = False,
    bf16: bool = False,
    fp16: bool = False,
    prune: float = 0.0,
    epochs: int = 3,
    distil: str = "",
    minutes: float = 20.0,
    worse_by: float = 0.02,
    confidence: float = 0.95,
    data: Path | None = None,
    edge: Path | None = None,
    runtime: Path | None = None,
    catalog: Path | None = None,
) -> CompressResult | EdgeResult:
    """Make a trained model smaller and faster, measure it beside the old one, and prove what that costs.

    What comes out is a run of its own, named wherever a model can be. The same call again goes on where it was
    stopped. With --edge alone, the model is written as it is for web pages and phones.

    Args:
        run: A run of `lucida train` that classifies; the latest where it is left out.
        int8: Make weights and activations int8, their ranges read off training images.
        bf16: Store weights as bf16, and compute so where the processor is fast at it.
        fp16: Store weights as fp16.
        prune: Share of the channels of each layer to take out, 0.3 for 30 %; a short training makes up for it.
        epochs: Passes over the training images after pruning.
        distil: A smaller network, as `lucida train --model` names it, that first learns to answer as the run does.
        minutes: Bound on the time of that.
        worse_by: Loss of accuracy that is to be ruled out: 0.02 is two points.
        confidence: Of that proof.
        data: Labelled images to judge both by, which nobody has used; the run's validation part by default.
        edge: Also write a folder with a web page that runs the model in the browser, and the ORT format for phones.
        runtime: Folder `dist` of the npm package onnxruntime-web; node_modules/onnxruntime-web/dist by default.
        catalog: Folder of the catalog; LUCIDA_CATALOG or ./lucida-catalog by default.

    Raises:
        UnknownName: There is no such run.
        InputError: Nothing is to be done, or there are no images to go by.
        ModelError: The run has no classifier, or what came out does not run.
        MissingExtra: A package of the extra `train` is not installed.
    """
    from lucida.catalog import Catalog
    from lucida.compress.job import run_compress
    from lucida.compress.make import Wish
    from lucida.compress.subject import Subject
    from lucida.evaluate.choice import latest_run

    wish = Wish(int8, _half(bf16, fp16), prune, distil, epochs, worse_by, confidence)
    idle = not (wish.int8 or wish.half or wish.prune or wish.distil)
    if idle and edge is None:
        raise InputError(
            "Nothing is to be done to the model.",
            expected="one or more of --int8, --bf16, --fp16, --prune 0.3, --distil NETWORK, --edge FOLDER",
            got=f"lucida compress {run}".rstrip(),
            hint=f"lucida compress {run or 'RUN'} --int8",
        )
    if edge is not None:
        from lucida.compress.edge.runtime import find_runtime

        # Before hours of work, not after.
        runtime = find_runtime(runtime)
    with Catalog.open(catalog) as opened:
        subject = Subject.open(opened, run or latest_run(opened))
    student = _student(subject, distil, minutes, catalog) if distil else ""
    with Catalog.open(catalog) as opened:
        taught = Subject.open(opened, student) if student else None
        result = None if idle else run_compress(opened, subject, wish, data, taught)
        if edge is None or runtime is None:
            assert result is not None
            return result
        from lucida.compress.edge.folder import write_edge

        card = Subject.open(opened, result.run).card if result else subject.card
        return write_edge(card, edge, runtime, result)


def _half(bf16: bool, fp16: bool) -> Any:
    if bf16 and fp16:
        raise InputError(
            "Weights are stored in one way.", expected="--bf16 or --fp16", got="both", hint="--fp16 has the finer steps"
        )
    return "bf16" if bf16 else "fp16" if fp16 else ""


def _student(subject: Subject, network: str, minutes: float, catalog: Path | None) -> str:
    """Train a smaller network to answer as a run does; return its run."""
    from lucida.train.job import TrainResult
    from lucida.train.verb import train

    place = Path(str(subject.config["data"]))
    found = train(
        "distil",
        data=place if place.exists() else None,
        question=subject.question,
        model=network,
        teacher=subject.run,
        size=subject.config.get("size"),
        minutes=minutes,
        catalog=catalog,
    )
    assert isinstance(found, TrainResult)
    return found.run
