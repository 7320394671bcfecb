"""The outputs of these files: by their names a file is recognised, and refused where its shapes are others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from lucida.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.models.onnx.yolo.header import Header, Shape
    from lucida.models.opencv_zoo.known import Known

STRIDES: Final = (8, 16, 32)
# Values of a place in each group of outputs: the class, whether there is a face at all, its box, its five points.
GRID: Final = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
GRID_NAMES: Final = tuple(f"{group}_{stride}" for group in GRID for stride in STRIDES)
# Of a prior box: what lies where, the two classes, and how well it fits.
PRIORS: Final = {"loc": 14, "conf": 2, "iou": 1}
PRIOR_NAMES: Final = tuple(PRIORS)
CROP: Final = 112  # pixels of a side of a face that is told from others


def is_grid(header: Header) -> bool:
    """Tell whether a file gives what YuNet of 2023 gives."""
    return set(GRID_NAMES) <= set(header.outputs)


def is_priors(header: Header) -> bool:
    """Tell whether a file gives what LPD-YuNet gives."""
    return set(PRIOR_NAMES) <= set(header.outputs)


def is_vector(header: Header) -> bool:
    """Tell whether a file turns one cut-out face into one vector."""
    inputs, outputs = list(header.inputs.values()), list(header.outputs.values())
    return len(inputs) == len(outputs) == 1 and inputs[0][1:] == (3, CROP, CROP) and len(outputs[0]) == 2


def grid_places(height: int, width: int) -> dict[str, tuple[int, int]]:
    """Return the places and values of each output of YuNet."""
    return {
        f"{group}_{stride}": ((height // stride) * (width // stride), values)
        for group, values in GRID.items()
        for stride in STRIDES
    }


def check_shapes(wanted: Mapping[str, tuple[int, int]], found: Mapping[str, Sequence[int]], file: Path) -> None:
    """Refuse outputs of other shapes.

    Args:
        wanted: Places and values of each output.
        found: Shape of each, with or without a first axis of one image.
        file: For the message.

    Raises:
        ModelError: One has another shape; it says what was found.
    """
    for name, shape in wanted.items():
        sizes = tuple(found[name])
        if (sizes[1:] if len(sizes) == 3 and sizes[0] == 1 else sizes) != shape:
            raise ModelError(
                f"{file} gives another layout than its outputs' names promise.",
                expected=f"{name} ({shape[0]}, {shape[1]})",
                got=", ".join(f"{one} {tuple(each)}" for one, each in found.items()),
                hint="the files of OpenCV's zoo are known here; another detector: onnx:PATH with a TOML beside it",
            )


def unknown_layout(known: Known, header: Header, file: Path) -> ModelError:
    """Return the error of a file that is not what its name says."""
    wanted = {"detect": f"outputs {', '.join(GRID_NAMES)} (YuNet) or {', '.join(PRIOR_NAMES)} (LPD-YuNet)"}
    return ModelError(
        f"{file} gives outputs that {known.name} does not give.",
        expected=wanted.get(known.task, f"one input (1, 3, {CROP}, {CROP}) and one output (1, numbers)"),
        got=f"inputs {_said(header.inputs)}; outputs {_said(header.outputs)}",
        hint=f"{known.file} of {known.repository} is what is known here; older files have other layouts",
    )


def _said(shapes: Mapping[str, Shape]) -> str:
    return ", ".join(
        f"{name} ({', '.join('?' if one is None else str(one) for one in shape)})" for name, shape in shapes.items()
    )
