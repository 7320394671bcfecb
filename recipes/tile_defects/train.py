"""Train the shipped segmenter of tile defects, and write it with what it reaches.

    python -m recipes.tile_defects.train --data ../shared/data/tile_defects --run runs/tile_defects \
        --out src/lucida/models/examples/tile-defects --revision 2026-11-21.1

The same command goes on where it was stopped. What is written: model.onnx, model.toml, classes.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lucida.data import Samples, read_data
from lucida.data.sample import Mask
from lucida.evaluate.evaluation import evaluate_model
from lucida.models.onnx.card import read_card, write_card
from lucida.models.onnx.family import card_spec
from lucida.train.loop import fit
from lucida.train.request import Request
from lucida.train.segment.recipe import segment
from lucida.train.settings import Settings

NAME = "tile-defects"
SOURCE = "recipes/tile_defects on magnetic tiles of abin24/Magnetic-tile-defect-datasets, 352 photos"
# White pixels of the masks are defects of any of five kinds; black ones are not.
VALUES = {0: "background", 255: "defect"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description="Train the shipped segmenter of tile defects.")
    parser.add_argument("--data", type=Path, required=True, help="folder of train.parquet and validation.parquet")
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints and metrics")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    parser.add_argument("--revision", required=True)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--epochs", type=int, help="instead of minutes: repeats exactly on the same machine")
    parser.add_argument("--start", default="auto", help='"auto": the embedded encoder; "nothing": random weights')
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    samples = read(options.data)
    recipe = segment(Request(samples, start=options.start, seed=options.seed))
    options.run.mkdir(parents=True, exist_ok=True)
    state = fit(recipe, Settings(minutes=options.minutes, epochs=options.epochs, seed=options.seed), options.run)
    exported = options.run / "model"
    shutil.rmtree(exported, ignore_errors=True)
    exported.mkdir()
    recipe.export(exported)
    measured = measure(exported, samples)
    write(exported, options.out, options.revision, measured)
    print(json.dumps({"steps": state.step, "seconds": round(state.seconds), "stopped": state.stopped, **measured}))


def read(place: Path) -> Samples:
    """Return the photos with their masks, white pixels named as what they are."""
    samples = read_data(place, "segment")
    items = tuple(
        replace(sample, target=Mask(sample.target.read, VALUES, None))
        for sample in samples
        if isinstance(sample.target, Mask)
    )
    return replace(samples, classes=tuple(VALUES.values()), items=items)


def measure(model: Path, samples: Samples) -> dict[str, float]:
    """Return the figures of the exported file on the validation part, with the ends of their intervals."""
    spec = card_spec(read_card(model / "model.toml"), name=NAME, family="onnx")
    evaluation, _ = evaluate_model(spec, samples.of("validation"))
    found: dict[str, float] = {}
    for name, figure in evaluation.figures.items():
        found[name] = round(figure.value, 4)
        found[f"{name}_low"], found[f"{name}_high"] = round(figure.low, 4), round(figure.high, 4)
    return found


def write(model: Path, out: Path, revision: str, measured: dict[str, float]) -> None:
    """Put an exported model where it is shipped, its TOML widened by where it comes from and what it reaches."""
    card = read_card(model / "model.toml")
    out.mkdir(parents=True, exist_ok=True)
    for name in ("model.onnx", "classes.json"):
        shutil.copyfile(model / name, out / name)
    top = {
        "name": NAME,
        "task": card.task,
        "file": "model.onnx",
        "licence": card.licence,
        "source": SOURCE,
        "revision": revision,
        "note": "Marks blowholes, breaks, cracks, frayed edges and uneven patches on grey photos of magnetic tiles.",
    }
    output = {"raw": list(card.raw), "classes": "classes.json"}
    write_card(out / "model.toml", top, card.needs, output, input=card.input, decode=card.decode, measured=measured)


if __name__ == "__main__":
    main()
