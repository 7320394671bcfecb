"""Train each kind of generator for the same time on the same images, and print what each reaches in one table.

    python -m benchmarks.generators --data ../shared/data/cifar10 --runs runs/generators --minutes 20
    python -m benchmarks.generators --data ../shared/data/cifar10 --runs runs/generators --minutes 20 --models flow gan

One after the other, by `lucida train generator`; the same command goes on where it was stopped, and what is finished is
not trained again. The distance is that of --count drawn pictures to as many held-out images, by the features of the
embedded encoder, which is no Inception network: the figures stand beside each other and beside nothing else. "real" is
what as many training images have: the least that can be hoped for. Speed is of the exported model without PyTorch, on
as many threads as LUCIDA_THREADS says.
"""

from __future__ import annotations

import argparse
import json
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.data.sample import TRAIN, VALIDATION
from lucida.data.unlabelled import read_some
from lucida.evaluate.metrics.generation import frechet_metric, kernel_metric
from lucida.models import find
from lucida.models.engine import describe
from lucida.models.generator import GenerationRequest
from lucida.models.threads import available_cores
from lucida.train import train
from lucida.train.generative.examples import Images
from lucida.train.generative.judge import FEATURES, Judge
from lucida.train.generative.methods import SIDES
from lucida.train.parts import parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.evaluate.figure import Figure

    Bytes = NDArray[np.uint8]

MODELS: Final = ("flow", "diffusion", "gan", "vae")
AT_ONCE: Final = 20


def main() -> None:
    """Train, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="class folders, or Parquet with labels")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the trainings, which go on there")
    parser.add_argument("--minutes", type=float, default=20.0, help="for each")
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--size", type=int, default=32, choices=SIDES)
    parser.add_argument("--count", type=int, default=2000, help="pictures that are drawn")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names = ("camera-lucida", "torch", "numpy", "onnxruntime", "openvino")
    print({name: metadata.version(name) for name in names}, describe(), f"{available_cores()} threads")
    samples = parts(read_some(options.data))
    held_out = Images(samples.of(VALIDATION), options.size, "Reading held-out images").pixels[: options.count]
    known = Images(samples.of(TRAIN), options.size, "Reading training images").pixels[: len(held_out)]
    judge = Judge()
    truth = judge.features(held_out)
    rows = [row("real", truth, judge.features(known), 0.0, {})]
    show(rows[0])
    for name in options.models:
        result: Any = train(
            "generator", data=options.data, model=name, size=options.size, minutes=options.minutes,
            workers=options.workers, seed=options.seed, catalog=options.runs,
        )  # fmt: skip
        pictures, speed = drawn(Path(result.folder), samples.classes, len(held_out))
        about = {"weights": weights(Path(result.folder)), "steps": result.steps, "seconds": result.seconds}
        about |= {"near_copies": result.metrics["near_copies"], "run": result.run, "stopped": result.stopped}
        rows.append(row(name, truth, judge.features(pictures), speed, about))
        show(rows[-1])
    (options.runs / "table.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print(f"\n{len(held_out):,} pictures each; for src/lucida/train/generative/choice.py:")
    for one in rows[1:]:
        print(line(one))


def drawn(folder: Path, classes: tuple[str, ...], count: int) -> tuple[Bytes, float]:
    """Return pictures of the classes in turn, uint8 (n, s, s, 3), and how many are drawn a second."""
    model: Any = find(str(folder)).load()
    asked = classes if model.card.classes else ("",)
    model.generate(GenerationRequest(asked[0]), range(2))
    found, start = [], time.perf_counter()
    for number, name in enumerate(asked):
        seeds = list(range(number, count, len(asked)))
        for first in range(0, len(seeds), AT_ONCE):
            found += model.generate(GenerationRequest(name), seeds[first : first + AT_ONCE])
    return np.stack([one.pixels for one in found]), count / (time.perf_counter() - start)


def weights(folder: Path) -> int:
    """Return how many numbers the file that draws holds."""
    import onnx

    graph = onnx.load(folder / "model" / "model.onnx").graph
    return int(sum(np.prod(tensor.dims, dtype=np.int64) for tensor in graph.initializer))


def row(
    name: str, truth: NDArray[np.float32], features: NDArray[np.float32], speed: float, about: dict[str, Any]
) -> dict[str, Any]:
    """Return the figures of one kind of picture."""
    kernel, frechet = (metric(truth, features).figure() for metric in (kernel_metric, frechet_metric))
    assert kernel is not None, "features are finite"
    assert frechet is not None, "features are finite"
    figures = {"kernel": _ends(kernel), "frechet": _ends(frechet), "speed": round(speed, 3), "features": FEATURES}
    return {"name": name, **figures, **about}


def _ends(figure: Figure) -> list[float]:
    return [round(value, 5) for value in (figure.value, figure.low, figure.high)]


def show(one: dict[str, Any]) -> None:
    """Print one row."""
    (kernel, low, high), (frechet, least, most) = one["kernel"], one["frechet"]
    print(
        f"{one['name']:10} kernel distance {kernel:.4f} ({low:.4f} to {high:.4f}), Fréchet distance {frechet:.2f}"
        f" ({least:.2f} to {most:.2f}), {one['speed']:.3g} pictures/s, {one.get('weights', 0) / 1e6:.2f} M weights,"
        f" {one.get('steps', 0):,} steps, near copies {one.get('near_copies', 0):.1%}",
        flush=True,
    )


def line(one: dict[str, Any]) -> str:
    """Return one row as the code of the table of advice."""
    kernel, frechet = (tuple(round(value, 4) for value in one[name]) for name in ("kernel", "frechet"))
    edits = ", edits=True" if one["name"] == "vae" else ""
    millions = round(one["weights"] / 1e6, 2)
    return f'    "{one["name"]}": Measured({kernel}, {frechet}, {one["speed"]:.3g}, {millions}{edits}),'


if __name__ == "__main__":
    main()
