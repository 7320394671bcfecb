"""Is this name an ONNX model on this disk, and how is it built?"""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from lucida.errors import InputError, ModelError
from lucida.models.onnx.card import Card, read_card
from lucida.models.onnx.generate import generate_spec, is_generator, read_generate_card
from lucida.models.onnx.restore import is_restorer, read_restore_card, restore_spec
from lucida.models.onnx.yolo.card import KIND, bare_card
from lucida.models.spec import Gives, Matcher, Model, Precision, Spec, Task, Trial

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "onnx:"
USUAL = 0.25  # probability from which objects are usually shown
_TASKS: dict[str, tuple[Task, ...]] = {
    "encode": ("encode",),
    "classify": ("classify",),
    "clip": ("encode", "words"),
    "tag": ("tag",),
    "detect": ("detect",),
    "segment": ("segment",),
    "anomaly": ("anomaly",),
}


class OnnxFamily:
    """Any exported model: "onnx:PATH", a folder, a .toml or an .onnx, with its TOML beside it unless it is a YOLO."""

    name = "onnx"

    def names(self) -> list[str]:
        """Return the names known without looking at the disk: none."""
        return []

    def suggestions(self) -> list[str]:
        """Return none."""
        return []

    def claims(self, name: str) -> bool:
        """Tell whether a name is a model of this family."""
        path = Path(name)
        return name.startswith(PREFIX) or path.suffix in (".onnx", ".toml") or (path.is_dir() and bool(_cards(path)))

    def spec(self, name: str, home: Path | None = None) -> Spec:
        """Return the spec of a model of this family.

        Raises:
            ModelError: There is no such file, or no TOML beside one that is not known without.
            InputError: The TOML is not what it must be.
        """
        path = Path(name.removeprefix(PREFIX)).expanduser()
        if (path / "config.json").is_file() and not _cards(path):
            from lucida.models.hub.snapshot import local
            from lucida.models.onnx.pair import ExportedReader

            return ExportedReader().spec(local(path))
        if not is_bare(path) and is_restorer(file := find_card(path)):
            return restore_spec(read_restore_card(file), name=f"{PREFIX}{file.resolve()}", family=self.name)
        if not is_bare(path) and is_generator(file := find_card(path)):
            return generate_spec(read_generate_card(file), name=f"{PREFIX}{file.resolve()}", family=self.name)
        card = bare_card(path) if is_bare(path) else read_card(find_card(path))
        return card_spec(card, name=f"{PREFIX}{card.path.resolve()}", family=self.name)

    def licence(self, name: str, home: Path | None = None) -> str:
        """Return the licence of a model's weights."""
        return self.spec(name, home).licence


def card_spec(card: Card, *, name: str, family: str) -> Spec:
    """Return the spec that a card describes."""
    own: tuple[Task, ...] = ("classify",) if card.task == "encode" and card.logits and card.classes else ()
    dimensions = (card.dimensions or _dimensions(card)) if card.embedding else 0
    objects = card.decode.get("kind") == KIND

    def build(spec: Spec, precision: Precision, trial: Trial | None) -> Model:
        if objects:
            from lucida.models.onnx.yolo.model import YoloModel

            return YoloModel(spec, card, precision)
        if card.raw:
            from lucida.models.onnx.dense import DenseModel

            return DenseModel(spec, card, precision)
        from lucida.models.onnx.model import OnnxModel

        return OnnxModel(spec, card, precision, trial)

    def match(descriptions: Sequence[Sequence[str]], none: bool, templates: Sequence[str]) -> Matcher:
        from lucida.models.onnx.text import TextMatcher

        assert card.text is not None, "only a card with a text half gets this"
        return TextMatcher(card.text, descriptions, none=none, templates=templates)

    return Spec(
        name=name,
        family=family,
        tasks=("detect", "segment") if objects and card.task == "segment" else (*_TASKS[card.task], *own),
        needs=card.needs,
        gives=Gives(
            dimensions, _parts(card, dimensions), card.classes, least=USUAL if objects or card.task == "detect" else 0.0
        ),
        licence=card.licence,
        source=card.source,
        revision="+".join(part for part in (card.revision, card.digest) if part),
        note=card.note,
        match=match if card.text else None,
        build=build,
    )


def _parts(card: Card, dimensions: int) -> dict[str, slice]:
    widths = card.parts or ({"embedding": dimensions} if dimensions else {})
    if sum(widths.values()) != dimensions:
        raise InputError(
            f"The widths in [parts] of {card.path} do not add up to the embedding.",
            expected=f"{dimensions} in all",
            got=" + ".join(map(str, widths.values())),
            hint=f"correct [parts] in {card.path.name}, or leave it out",
        )
    ends = accumulate(widths.values())
    return {name: slice(end - width, end) for (name, width), end in zip(widths.items(), ends, strict=True)}


def _dimensions(card: Card) -> int:
    """Run one empty image through the file: its shapes are often symbolic."""
    import numpy as np

    from lucida.models import engine
    from lucida.models.onnx.model import run_batch

    session = engine.open_session(card.file, "fp32")
    if card.embedding not in session.outputs or card.input not in session.inputs:
        return 0
    vectors = run_batch(session, card, np.zeros((1, *card.needs.shape), np.float32), (card.embedding,))[0]
    return int(vectors.shape[1])


def find_card(path: Path) -> Path:
    """Return the TOML of a model given as a folder, its .toml or its .onnx.

    Raises:
        ModelError: There is no such file, none in the folder, or more than one.
    """
    if path.suffix == ".onnx":
        found = _cards_of(path)
        path = path.with_suffix(".toml")
    else:
        found = _cards(path) if path.is_dir() else [path] if path.is_file() else []
    if len(found) == 1:
        return found[0]
    raise ModelError(
        f"There is no model at {path}." if not found else f"There are several models at {path}.",
        expected="one TOML that describes the model, beside its .onnx file",
        got=", ".join(sorted(p.name for p in found)) or "no TOML",
        hint="--model onnx:PATH/TO/model.toml; its keys are in the documentation of lucida.models.onnx.card",
    )


def is_bare(path: Path) -> bool:
    """Tell whether a path is an ONNX file that no TOML beside it describes."""
    return path.suffix == ".onnx" and path.is_file() and not _cards_of(path)


def _cards_of(file: Path) -> list[Path]:
    """Return the TOML of an ONNX file: of its own name, else those beside it that name it."""
    own = file.with_suffix(".toml")
    if own.is_file():
        return [own]
    return [
        path for path in _cards(file.parent) if f'"{file.name}"' in path.read_text(encoding="utf-8", errors="replace")
    ]


def _cards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.toml")) if folder.is_dir() else []
