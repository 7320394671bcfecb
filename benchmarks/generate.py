"""Measure what `lucida generate` takes beside the bare pipeline of diffusers: the same pictures, in turns.

    python -m benchmarks.generate                    # tiny and middle-sized, two ways
    python -m benchmarks.generate tiny --rounds 15

Random weights, built on the spot: `tiny` draws 64 pixels, `middle` has a U-Net of about 50 million weights and draws
256. `model` is `Model.generate`; `verb` is all of `lucida generate` but its start: the catalog, the run, the PNG files
with their request. Each round draws the same pictures of a new prompt by the bare pipeline, one call a picture, and by
ours, the order changing from round to round; the figure is the median of the ratios, of processor seconds (which other
work on the machine changes least) and of seconds. Models are loaded before. Whether the pictures are equal is checked:
at most one level apart, where a value lies between two.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import statistics
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lucida.catalog import Catalog
    from lucida.models.spec import Model

PICTURES: Final = 2  # of a round
# Pixels, steps, and what differs of the tests' tiny pipeline.
SIZES: Final[dict[str, tuple[int, int, dict[str, Any]]]] = {
    "tiny": (64, 20, {}),
    "middle": (256, 4, {"block_out_channels": (96, 192, 384), "layers_per_block": 2}),
}
WORDS: Final = "a red bicycle, studio light"


def words(seed: int) -> str:
    """Return the prompt of a round."""
    return f"{WORDS}, {seed}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", help=f"of {', '.join(SIZES)}; all by default")
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    names = ("camera-lucida", "diffusers", "torch", "transformers")
    print({name: metadata.version(name) for name in names})
    with tempfile.TemporaryDirectory() as home:
        for name in options.sizes or SIZES:
            measure(name, Path(home) / name, options.rounds)


def measure(name: str, home: Path, rounds: int) -> None:
    """Print the overhead for pipelines of a size."""
    import diffusers

    from lucida.catalog import Catalog
    from lucida.models import find

    side, steps, changes = SIZES[name]
    build(home / "pipeline", side, changes)
    bare = diffusers.DiffusionPipeline.from_pretrained(home / "pipeline", use_safetensors=True)
    bare.set_progress_bar_config(disable=True)
    weights = sum(value.numel() for value in bare.unet.parameters()) / 1e6
    model = find(str(home / "pipeline")).load()
    seeds = itertools.count(0, PICTURES)
    with Catalog.open(home / "catalog", create=True) as catalog:
        ways: dict[str, Callable[[int], list[Any]]] = {
            "model": lambda seed: by_model(model, seed, side, steps),
            "verb": lambda seed: by_verb(model, catalog, home / "pipeline", seed, side, steps),
        }
        for way, ours in ways.items():
            first = next(seeds)
            equal = alike(by_bare(bare, first, side, steps), ours(first))
            found = [
                pair(lambda seed: by_bare(bare, seed, side, steps), ours, next(seeds), turn) for turn in range(rounds)
            ]
            ratios = np.array([[mine / theirs for mine, theirs in zip(*both, strict=True)] for both in found]) - 1
            cpu, wall = np.median(ratios, axis=0)
            low, high = np.quantile(ratios[:, 0], [0.25, 0.75])
            spent = statistics.median(theirs[0] for _, theirs in found) / PICTURES
            print(f"{name} ({weights:.1f} M, {side} px, {steps} steps), {way}: {cpu:+.1%} processor seconds"
                  f" (quartiles {low:+.1%}, {high:+.1%}), {wall:+.1%} seconds; bare {spent:.3f} processor seconds a"
                  f" picture; pictures {'equal' if equal else 'NOT EQUAL'}", flush=True)  # fmt: skip


def pair(
    bare: Callable[[int], Any], ours: Callable[[int], Any], seed: int, turn: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return processor seconds and seconds of ours and of the bare pipeline, the first being another each turn."""
    if turn % 2:
        theirs, mine = timed(bare, seed), timed(ours, seed)
    else:
        mine, theirs = timed(ours, seed), timed(bare, seed)
    return mine, theirs


def timed(act: Callable[[int], Any], seed: int) -> tuple[float, float]:
    """Return the processor seconds and the seconds that a call takes."""
    began = time.process_time(), time.perf_counter()
    act(seed)
    return time.process_time() - began[0], time.perf_counter() - began[1]


def alike(theirs: Sequence[Any], ours: Sequence[Any]) -> bool:
    """Tell whether pictures are equal, but for rounding."""
    return all(np.abs(a.astype(int) - b).max() <= 1 for a, b in zip(theirs, ours, strict=True))


def build(folder: Path, side: int, changes: dict[str, Any]) -> None:
    """Save a pipeline with random weights: the tests' tiny one, or a larger one of its kind."""
    import diffusers
    import torch

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    torch.manual_seed(0)
    pipe = importlib.import_module("pipelines").sd()
    if changes:
        deep = len(changes["block_out_channels"])
        # One latent is eight pixels wide, as in models that people use.
        pipe.vae = diffusers.AutoencoderKL(
            block_out_channels=(32, 64, 64, 64), latent_channels=4, sample_size=side,
            down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
        )  # fmt: skip
        pipe.unet = diffusers.UNet2DConditionModel(
            **changes, in_channels=4, out_channels=4, sample_size=side // 8, cross_attention_dim=32,
            down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * (deep - 1)),
            up_block_types=(*["CrossAttnUpBlock2D"] * (deep - 1), "UpBlock2D"),
        )  # fmt: skip
        pipe = type(pipe)(**pipe.components, requires_safety_checker=False)
    pipe.save_pretrained(folder)


def by_bare(pipe: Any, seed: int, side: int, steps: int) -> Sequence[Any]:
    """Draw as a person would write it."""
    import torch

    return [
        np.asarray(pipe(words(seed), num_inference_steps=steps, height=side, width=side,
                        generator=torch.Generator().manual_seed(seed + row)).images[0])
        for row in range(PICTURES)
    ]  # fmt: skip


def by_model(model: Model, seed: int, side: int, steps: int) -> list[Any]:
    """Draw with the running model."""
    from lucida.models.generator import GenerationRequest

    asked = GenerationRequest(words(seed), steps=steps, size=(side, side))
    return [picture.pixels for picture in model.generate(asked, range(seed, seed + PICTURES))]


def by_verb(model: Model, catalog: Catalog, folder: Path, seed: int, side: int, steps: int) -> list[Any]:
    """Draw by an order, everything kept; the model is loaded already, as in the studio."""
    import PIL.Image

    from lucida.generate import Generator, Order

    order = Order(words(seed), n=PICTURES, model=str(folder), seed=seed, steps=steps, size=(side, side))
    generator = Generator(order, catalog)
    generator._model = model
    return [np.asarray(PIL.Image.open(drawn.path)) for drawn in generator.draw()]


if __name__ == "__main__":
    main()
