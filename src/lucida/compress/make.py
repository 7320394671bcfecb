"""The steps from one model to a smaller one: prune, make int8, store what remains in 16 bits."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lucida.compress.halves import one_file, store_halves
from lucida.compress.int8 import CALIBRATION, TRIAL, quantise
from lucida.compress.subject import Subject, prepared
from lucida.data.sample import TRAIN
from lucida.errors import InputError
from lucida.models.onnx.card import Card, read_card, write_card
from lucida.models.trained.family import CARD
from lucida.train.location import MODEL

if TYPE_CHECKING:
    from lucida.data import Samples


@dataclass(frozen=True)
class Wish:
    """What is to be done to a model.

    Attributes:
        int8: Whether weights and activations become int8.
        half: What remains in floating point is stored so; "" for float32.
        prune: Share of the channels that go; 0 for none.
        distil: The smaller network that learns from the old one first; "" for none.
        epochs: Passes over the training images that make up for pruning.
        worse_by: Largest loss of accuracy that is to be proven.
        confidence: Of that proof.
    """

    int8: bool = False
    half: Literal["", "fp16", "bf16"] = ""
    prune: float = 0.0
    distil: str = ""
    epochs: int = 3
    worse_by: float = 0.02
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name, value, good in (
            ("prune", self.prune, 0 <= self.prune < 1),
            ("epochs", self.epochs, self.epochs >= 1),
            ("worse-by", self.worse_by, 0 < self.worse_by < 1),
            ("confidence", self.confidence, 0 < self.confidence < 1),
        ):
            if not good:
                raise InputError(
                    f"--{name} is out of range.",
                    expected="at least 1" if name == "epochs" else f"between 0 and 1, {_ENDS[name]}",
                    got=f"--{name} {value:g}",
                    hint="30 % of the channels are --prune 0.3; two points of accuracy are --worse-by 0.02",
                )


_ENDS = {"prune": "0 for none", "worse-by": "both excluded", "confidence": "both excluded"}


def make(subject: Subject, samples: Samples | None, wish: Wish, folder: Path) -> tuple[Card, str, list[str]]:
    """Make the smaller model.

    Args:
        subject: What it comes from.
        samples: The images of its training, divided; needed for int8 and pruning.
        wish: What is to be done.
        folder: Of the new run.

    Returns:
        The new model, what was done in words, and what a person should know.
    """
    card, notes = subject.card, []
    done = [f"distilled to {subject.config['model']}"] if wish.distil else []
    if wish.prune and samples:
        card, words, more = _pruned(subject, samples, wish, folder / "prune")
        done.append(words)
        notes += more
    work = folder / "work"
    work.mkdir(exist_ok=True)
    file = work / "float.onnx"
    one_file(card.file, file)
    if wish.int8 and samples:
        images = prepared(card, samples.of(TRAIN), CALIBRATION + TRIAL)
        (best, *others), failed = quantise(file, card, images, work)
        file = best.file
        done.append(f"int8 by {best.way}")
        notes += [
            f"int8 by {one.way}: {1 / one.seconds:,.0f} images a second, cosine {one.cosine:.4f} with float32, "
            f"{one.agreement:.1%} of answers the same." for one in (best, *others)
        ]  # fmt: skip
        notes += [f"int8 by {one}" for one in failed]
        if not best.faithful:
            notes.append("int8 changes what this network gives; --bf16 does less.")
    if wish.half:
        left = store_halves(file, work / "half.onnx", wish.half)
        file = work / "half.onnx"
        done.append(f"weights stored as {wish.half}")
        if left:
            notes.append(f"{left:,} weights are beyond {wish.half} and stay as they are.")
    made = ", ".join(done)
    write_model(card, file, folder / MODEL, f"{subject.run}, {made}")
    shutil.rmtree(work)
    return read_card(folder / CARD), made, notes


def write_model(card: Card, file: Path, folder: Path, source: str) -> None:
    """Write a model that is used as another one is, whole or not at all.

    Args:
        card: How it is used.
        file: Its ONNX file, weights within it.
        folder: Where; replaced if it is there.
        source: Where it comes from, in words.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    shutil.copyfile(file, partial / "model.onnx")
    names: list[Any] = [{"name": one, "synonyms": rest} if rest else one for one, *rest in card.synonyms]
    (partial / "classes.json").write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")
    top = {"name": card.name, "task": card.task, "file": "model.onnx", "licence": card.licence}
    top |= {"source": f"lucida compress, from {source}"} | ({"note": card.note} if card.note else {})
    output: dict[str, Any] = {"logits": card.logits, "classes": "classes.json"}
    if card.embedding:
        output |= {"embedding": card.embedding} | ({"dimensions": card.dimensions} if card.dimensions else {})
    write_card(partial / CARD.name, top, card.needs, output, input=card.input, parts=dict(card.parts))
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _pruned(subject: Subject, samples: Samples, wish: Wish, folder: Path) -> tuple[Card, str, list[str]]:
    """Prune and recover, unless that is done already."""
    from lucida.compress.prune import prune
    from lucida.train.need import need_torch
    from lucida.train.settings import Settings

    said = folder / "said.json"
    if not said.is_file():
        need_torch("Pruning")
        partial = folder / f"{MODEL}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        found = prune(subject, samples, wish.prune, Settings(epochs=wish.epochs), folder, partial)
        shutil.rmtree(folder / MODEL, ignore_errors=True)
        partial.rename(folder / MODEL)
        said.write_text(json.dumps(asdict(found)), encoding="utf-8")
    kept = json.loads(said.read_text(encoding="utf-8"))
    (before, after), (many, few) = kept["parameters"], kept["products"]
    notes = [
        f"Pruning left {after:,} of {before:,} parameters and {few / max(many, 1):.0%} of the multiplications; "
        f"{wish.epochs} epochs made up for it.",
        *kept["notes"],
    ]
    card = read_card(folder / MODEL / CARD.name)
    return (
        replace(card, licence=subject.card.licence, note=subject.card.note),
        f"{wish.prune:.0%} of channels pruned",
        notes,
    )
