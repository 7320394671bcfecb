"""The card of a file that brings none: read off its metadata and the shapes of its outputs."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.errors import ModelError
from lucida.models.coco import COCO
from lucida.models.engine import open_session
from lucida.models.needs import ImageNeeds
from lucida.models.onnx.card import Card
from lucida.models.onnx.yolo.header import Header, read_header
from lucida.models.onnx.yolo.layouts import recognise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lucida.models.onnx.yolo.header import Shape

KIND: Final = "yolo"
SIDE: Final = 640  # pixels, where neither the shape nor the metadata says


def bare_card(path: Path) -> Card:
    """Return the card of an ONNX file without a TOML, where it is of the YOLO kind.

    Raises:
        ModelError: It is not, or it is damaged; it says what was found.
    """
    header = read_header(path)
    size = input_size(header, path)
    names = class_names(header.metadata)
    outputs = recognise(output_shapes(header, path, size), size, len(names), path)
    count = len(names) or outputs.classes or len(COCO)
    if not names:
        # Files of 80 classes without names were trained on these.
        names = COCO if count == len(COCO) else tuple(f"class {k}" for k in range(count))
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()[:12]
    return Card(
        path=path,
        name=path.stem,
        task="segment" if outputs.prototypes else "detect",
        file=path,
        licence=header.metadata.get("license") or "not stated",
        source=header.metadata.get("description") or path.name,
        revision="",
        note=f"Read off the file: {outputs.layout.about}. Boxes are chosen here (overlap {outputs.layout.overlap:g}).",
        needs=ImageNeeds(max(size), resize="pad", interpolation="bilinear"),
        input=next(iter(header.inputs)),
        embedding="",
        logits="",
        synonyms=tuple((name,) for name in names),
        text=None,
        digest=digest,
        raw=tuple(name for name in (outputs.boxes, outputs.prototypes) if name),
        decode={"kind": KIND},
    )


def input_size(header: Header, path: Path) -> tuple[int, int]:
    """Return height and width of the input.

    Raises:
        ModelError: The file does not take one batch of colour images.
    """
    shapes = list(header.inputs.values())
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] not in (3, None):
        raise ModelError(
            f"There is no TOML beside {path}, and it is no detector that is known without one.",
            expected="one input (n, 3, height, width), as a YOLO takes; or a TOML that describes the model",
            got="; ".join(f"{name} {shape}" for name, shape in header.inputs.items()) or "no input",
            hint="--model onnx:PATH/TO/model.toml; its keys are in the documentation of lucida.models.onnx.card",
        )
    height, width = shapes[0][2:]
    if height and width:
        return height, width
    found = _literal(header.metadata.get("imgsz", ""))
    sides = [int(one) for one in found] if isinstance(found, list | tuple) and len(found) == 2 else [SIDE, SIDE]
    return height or sides[0], width or sides[1]


def class_names(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names that the exporting program left, in order; none where it left none."""
    found = _literal(metadata.get("names", ""))
    if isinstance(found, dict):
        found = [found[key] for key in sorted(found)]
    return tuple(str(name) for name in found) if isinstance(found, list | tuple) else ()


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def output_shapes(header: Header, path: Path, size: tuple[int, int]) -> dict[str, Shape]:
    """Return the shapes of the outputs; an empty image is run through a file that leaves sizes open."""
    if all(shape and None not in shape[1:] for shape in header.outputs.values()):
        return dict(header.outputs)
    session = open_session(path, "fp32")
    (name,) = header.inputs
    batch = session.inputs[name][0] or 1
    found = session({name: np.zeros((batch, 3, *size), np.float32)}, session.outputs)
    return {name: (None, *value.shape[1:]) for name, value in zip(session.outputs, found, strict=True)}
