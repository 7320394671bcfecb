"""Train one of the restorers that the package ships, and write it with what it reaches.

    python -m recipes.restorers.train embedded-x4 --data ../shared/data --run runs/embedded-x4 \
        --out src/lucida/models/restorers/embedded-x4 --revision 2026-11-21.1

The same command goes on where it was stopped. What is written: model.onnx, model.toml.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from lucida.data import Samples
from lucida.data.sample import TRAIN, VALIDATION
from lucida.data.unlabelled import read_images
from lucida.train.request import Request
from lucida.train.restore.export import card, export_restorer
from lucida.train.restore.recipe import RestoreRecipe
from lucida.train.settings import Settings
from lucida.train.standing import State
from recipes.restorers.measure import measure_restorer

LICENCE: Final = (
    "research use only: trained on the Berkeley segmentation set (see card.md); not covered by the code's Apache-2.0"
)
SOURCE: Final = "recipes/restorers on BSDS400, the train and test images of BSDS500"
HELD_OUT: Final = 20  # every so many-th image judges


@dataclass(frozen=True)
class Shipped:
    """One restorer of the package.

    Attributes:
        scale: How many times larger images become; 1 for a denoiser.
        minutes: That it is trained for, on one core.
        degradation: What it undoes.
        start: The one whose weights it begins from, if its run is there.
        rate: Peak learning rate.
        note: What it is for.
    """

    scale: int
    minutes: float
    degradation: str = "bicubic"
    start: str = ""
    rate: float = 4e-4
    note: str = ""


_SHARP = "For images that were made smaller with bicubic, and are clean otherwise: screenshots, renderings, thumbnails."
_REAL = "For photos as they are: a little blurred, noisy, saved as JPEG."
RESTORERS: Final = {
    "embedded-x4": Shipped(4, 40, note=_SHARP),
    "embedded-x2": Shipped(2, 22, start="embedded-x4", note=_SHARP),
    "embedded-denoise": Shipped(1, 35, note="Gaussian noise, grey or in colour, of any level up to 75 grey levels."),
    "embedded-real-x4": Shipped(4, 14, "real", "embedded-x4", note=_REAL),
    "embedded-real-x2": Shipped(2, 12, "real", "embedded-x2", note=_REAL),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description="Train a shipped restorer.")
    parser.add_argument("name", choices=RESTORERS)
    parser.add_argument("--data", type=Path, required=True, help="folder of bsds400/ and super_resolution/")
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints; those of others lie beside it")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    parser.add_argument("--revision", required=True, help="date and number, as 2026-11-21.1")
    parser.add_argument("--minutes", type=float, help="instead of what the shipped one was trained for")
    parser.add_argument("--epochs", type=int, help="instead of minutes: repeats exactly on the same machine")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    one = RESTORERS[options.name]
    minutes = options.minutes or one.minutes
    recipe = recipe_of(one, options.data / "bsds400", options.run.parent, options.seed)
    options.run.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        minutes=minutes, epochs=options.epochs, rate=one.rate, workers=0, patience=1000, seed=options.seed
    )
    state = recipe.fit(settings, options.run)
    print(json.dumps(write(options.name, recipe, state, options.data, options.out, options.revision)))


def recipe_of(one: Shipped, data: Path, runs: Path, seed: int) -> RestoreRecipe:
    """Return the recipe of a shipped restorer; it begins from another's run where that has been trained."""
    begin = runs / one.start if one.start and (runs / one.start).is_dir() else None
    extra = {"scale": one.scale, "degradation": one.degradation}
    return RestoreRecipe(Request(read(data), start=str(begin or "nothing"), seed=seed, extra=extra))


def read(place: Path) -> Samples:
    """Return the images, every so many-th held out."""
    samples = read_images(place)
    items = tuple(
        replace(sample, split=TRAIN if row % HELD_OUT else VALIDATION) for row, sample in enumerate(samples.items)
    )
    return replace(samples, items=items)


def write(name: str, recipe: RestoreRecipe, state: State, data: Path, out: Path, revision: str) -> dict[str, Any]:
    """Write a trained restorer where it is shipped; return what it reaches."""
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    one = RESTORERS[name]
    top = {"name": name, "licence": LICENCE, "source": SOURCE, "revision": revision, "note": one.note}
    about = export_restorer(recipe.model, partial, top)
    measured = {key: round(value, 3) for key, value in state.metrics.items() if key != "loss"}
    measured |= measure_restorer(partial / "model.onnx", one.scale, data)
    (partial / "model.toml").write_text(card(recipe.shape, top, measured), encoding="utf-8")
    out.mkdir(parents=True, exist_ok=True)
    for file in partial.iterdir():
        shutil.copyfile(file, out / file.name)
    shutil.rmtree(partial)
    return {"steps": state.step, "seconds": round(state.seconds), **about, **measured}


if __name__ == "__main__":
    main()
