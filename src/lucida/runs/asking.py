"""Read what a person asks for on the command line, and choose the model where none is named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import InputError, UnknownName
from lucida.models.openai_api.options import USUAL
from lucida.models.spec import Hint
from lucida.runs.seeing import TASKS, Wish

if TYPE_CHECKING:
    from lucida.models.openai_api.options import ApiOptions
    from lucida.models.spec import Spec

# Models that need no network, for tasks where there is one that is no mere example.
OFFLINE: Final = {"classify": "embedded", "tag": "embedded", "embed": "embedded", "read": "rapidocr"}
_HINTS: Final = {
    "detect": "--model rtdetr or owlv2 (hub), onnx:YOLO.onnx, a run of lucida train detect, blood-cells (an example)",
    "segment": "--model segformer or maskrcnn (hub), a run of lucida train segment, tile-defects (an example)",
    "anomaly": "--model RUN of lucida train anomaly",
    "outline": "--model sam2 (hub)",
    "caption": "--model blip or smolvlm (hub), gpt-4o, api:MODEL@URL",
    "describe": "--model smolvlm or blip (hub), gpt-4o, api:MODEL@URL",
    "answer": "--model smolvlm or qwen2-vl (hub), gpt-4o, api:MODEL@URL",
}


def read_wish(
    *,
    task: str = "",
    classes: str | None = None,
    questions: Sequence[str] | None = None,
    schema: Path | None = None,
    reason: bool = False,
    points: Sequence[str] | None = None,
    boxes: Sequence[str] | None = None,
    least: float | None = None,
) -> Wish:
    """Return what is asked for.

    Raises:
        UnknownName: No such task.
        InputError: A point, box, schema or share is not what it must be.
    """
    if task and task not in TASKS:
        raise UnknownName("task", task, TASKS)
    if least is not None and not 0 <= least <= 1:
        raise InputError("--least is no probability.", expected="0 to 1", got=f"{least:g}", hint="--least 0.5")
    names = tuple(dict.fromkeys(name.strip() for name in (classes or "").split(",") if name.strip()))
    if classes is not None and not names:
        raise InputError("There are no classes.", expected='"bolt,crack"', got=repr(classes), hint="leave it out")
    hints = _hints(points or (), boxes or ())
    asked = task or ("outline" if hints else "answer" if questions else "")
    return Wish(asked, names, tuple(questions or ()), _schema(schema), reason, least, hints)


def usual_model(wish: Wish, model: str) -> str:
    """Return the model that was named, or the one that does it offline.

    Raises:
        InputError: None was named, and none does it without a choice.
    """
    if model:
        return model
    task = wish.task or "classify"
    if task in OFFLINE:
        return OFFLINE[task]
    raise InputError(
        f"Which model is to {task}?", expected="the name of a model", got="none", hint=_HINTS.get(task, "lucida models")
    )


def asked_so(spec: Spec, api: ApiOptions, max_cost: float | None = None) -> Spec:
    """Return a spec asked as a person decides it; options that the model does not look at are refused.

    Raises:
        InputError: An option is for other models.
    """
    given = {
        "--max-cost": max_cost is not None,
        **{f"--{name}": getattr(api, name) != getattr(USUAL, name) for name in ("price", "workers", "timeout")},
    }
    # One image after the other is talked about, once.
    never = {f"--{name}": getattr(api, name) != getattr(USUAL, name) for name in ("votes", "together")}
    idle = [option for option, is_given in (never if spec.configure else never | given).items() if is_given]
    if idle:
        raise InputError(
            f"{idle[0]} is for models behind an address"
            + (", where they name one class an image." if idle[0] in never else "."),
            expected="no such option" if idle[0] in never else "a model such as gpt-4o, ollama:llava or api:MODEL@URL",
            got=f"{spec.name} ({', '.join(spec.tasks)})",
            hint="leave it out",
        )
    return spec.configure(api) if spec.configure else spec


def _numbers(text: str, count: int, option: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) != count:
        example = "--point 120,80" if count == 2 else "--box 10,20,200,240"
        raise InputError(f"--{option} is not clear.", expected=f"{count} numbers", got=repr(text), hint=example)
    return found


def _hints(points: Sequence[str], boxes: Sequence[str]) -> tuple[Hint, ...]:
    """Return one hint a box; points go together, to the first box or as a hint of their own."""
    marks, inside = [], []
    for text in points:
        x, y = _numbers(text, 2, "point")
        outside = text.strip().startswith("-")
        marks.append((abs(x), abs(y)))
        inside.append(not outside)
    found = []
    for text in boxes:
        left, top, right, bottom = _numbers(text, 4, "box")
        if right <= left or bottom <= top:
            raise InputError("A box has no size.", expected="left < right and top < bottom", got=repr(text))
        found.append(Hint(box=(left, top, right, bottom)))
    if not marks:
        return tuple(found)
    first = found[0].box if found else None
    return (Hint(tuple(marks), tuple(inside), first), *found[1:])


def _schema(file: Path | None) -> dict[str, Any] | None:
    if file is None:
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{file} cannot be read.", expected="a JSON schema", got=error.strerror or str(error)
        ) from error
    except ValueError as error:
        raise InputError(f"{file} is no JSON.", expected="a JSON schema", got=str(error)) from error
    if not isinstance(found, dict):
        raise InputError(f"{file} is no schema.", expected='{"type": "object", …}', got=type(found).__name__)
    return found
