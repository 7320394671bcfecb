"""Train the generator that the package ships, and write it with what it reaches.

    python -m recipes.generator.train --data ../shared/data/cifar10 --run runs/generator \
        --out src/lucida/models/generators/embedded-generator --revision 2026-11-22.1

The same command goes on where it was stopped. What is written: model.onnx, model.toml.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from lucida.data import Samples
from lucida.data.sample import TRAIN, VALIDATION
from lucida.data.unlabelled import read_some
from lucida.train.generative.export import export_generator
from lucida.train.generative.recipe import GenerateRecipe
from lucida.train.request import Request
from lucida.train.settings import Settings

TOP: Final = {
    "name": "embedded-generator",
    "licence": "trained on CIFAR-10 (see card.md); not covered by the code's Apache-2.0",
    "source": "recipes/generator on CIFAR-10, flow matching",
    "terms": "For demonstrations and research: the photos of CIFAR-10, which it learned from, have no stated licence.",
    "note": "A demonstration of 32 x 32 pixels, and what works offline where no other model does.",
}
HELD_OUT: Final = 20  # every so many-th image judges
DRAWN: Final = 256  # pictures at each evaluation
ROUNDS: Final = 20  # evaluations


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description="Train the shipped generator.")
    parser.add_argument("--data", type=Path, required=True, help="class folders, or Parquet with labels")
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints and samples")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    parser.add_argument("--revision", required=True, help="date and number, as 2026-11-22.1")
    parser.add_argument("--minutes", type=float, default=240.0)
    parser.add_argument("--epochs", type=int, help="instead of minutes: repeats exactly on the same machine")
    parser.add_argument("--model", default="flow")
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--now", action="store_true", help="write the best weights so far, and train no further")
    options = parser.parse_args(arguments)
    options.run.mkdir(parents=True, exist_ok=True)
    request = Request(read(options.data), options.model, "nothing", size=options.size, seed=options.seed)
    recipe = GenerateRecipe(replace(request, folder=options.run))
    recipe.drawn = DRAWN
    if options.now:
        load_best(recipe, options.run)
    else:
        settings = Settings(
            minutes=options.minutes, epochs=options.epochs, workers=0, rounds=ROUNDS, patience=1000, seed=options.seed
        )
        recipe.fit(settings, options.run)
    print(json.dumps(write(recipe, options.out, options.revision)))


def read(place: Path) -> Samples:
    """Return the images with their classes, every so many-th held out."""
    samples = read_some(place)
    items = (replace(one, split=TRAIN if row % HELD_OUT else VALIDATION) for row, one in enumerate(samples.items))
    return replace(samples, items=tuple(items))


def load_best(recipe: GenerateRecipe, run: Path) -> None:
    """Give the network the weights of the best evaluation so far."""
    from lucida.train.standing import BEST
    from lucida.tuning import checkpoint

    recipe.network.load_state_dict(checkpoint.load(run / BEST)[0]["network"])


def write(recipe: GenerateRecipe, out: Path, revision: str) -> dict[str, Any]:
    """Write a trained generator where it is shipped; return what it reaches."""
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    about = export_generator(recipe, partial, {**TOP, "revision": revision})
    out.mkdir(parents=True, exist_ok=True)
    for file in partial.iterdir():
        shutil.copyfile(file, out / file.name)
    shutil.rmtree(partial)
    return {**about, "notes": recipe.notes}


if __name__ == "__main__":
    main()
