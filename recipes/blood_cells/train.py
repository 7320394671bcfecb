"""Train the shipped blood-cell detector, and write it with what it reaches.

    python -m recipes.blood_cells.train --data ../shared/data/blood_cells --run runs/blood_cells \
        --out src/lucida/models/examples/blood-cells --revision 2026-11-21.1

The same command goes on where it was stopped. What is written: model.onnx, model.toml, classes.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from lucida.data import read_data
from lucida.evaluate.evaluation import evaluate_model
from lucida.models.onnx.card import read_card, write_card
from lucida.models.onnx.family import card_spec
from lucida.train.detect.recipe import detect
from lucida.train.loop import fit
from lucida.train.request import Request
from lucida.train.settings import Settings

NAME = "blood-cells"
SOURCE = "recipes/blood_cells on BCCD (MIT), 205 photos"
# Under a microscope nothing is above anything else.
AUGMENTATION = "strong"


def main(arguments: Sequence[str] | None = None) -> None:
    """Train from the command line."""
    parser = argparse.ArgumentParser(description="Train the shipped blood-cell detector.")
    parser.add_argument("--data", type=Path, required=True, help="folder of train.parquet and validation.parquet")
    parser.add_argument("--run", type=Path, required=True, help="folder of checkpoints and metrics")
    parser.add_argument("--out", type=Path, required=True, help="folder of the model")
    parser.add_argument("--revision", required=True)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--epochs", type=int, help="instead of minutes: repeats exactly on the same machine")
    parser.add_argument("--start", default="auto", help='"auto": the embedded encoder; "nothing": random weights')
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    samples = read_data(options.data, "detect")
    recipe = detect(Request(samples, start=options.start, augmentation=AUGMENTATION, seed=options.seed))
    options.run.mkdir(parents=True, exist_ok=True)
    state = fit(recipe, Settings(minutes=options.minutes, epochs=options.epochs, seed=options.seed), options.run)
    exported = options.run / "model"
    shutil.rmtree(exported, ignore_errors=True)
    exported.mkdir()
    recipe.export(exported)
    measured = measure(exported, options.data)
    write(exported, options.out, options.revision, measured)
    print(json.dumps({"steps": state.step, "seconds": round(state.seconds), "stopped": state.stopped, **measured}))


def measure(model: Path, data: Path) -> dict[str, float]:
    """Return the figures of the exported file on the validation part, with the ends of their intervals."""
    spec = card_spec(read_card(model / "model.toml"), name=NAME, family="onnx")
    evaluation, _ = evaluate_model(spec, read_data(data, "detect").of("validation"))
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
        "note": "Finds red and white blood cells and platelets in stained smears, as in BCCD.",
    }
    output = {"raw": list(card.raw), "classes": "classes.json"}
    write_card(out / "model.toml", top, card.needs, output, input=card.input, decode=card.decode, measured=measured)


if __name__ == "__main__":
    main()
