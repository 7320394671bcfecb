"""What is looked into of one photo, by task: a class, a box, an oddity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import PIL.Image

from lucida.models.logits import sigmoid, softmax
from lucida.results import Oddness

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.explain.heat import Dependence
    from lucida.explain.job import Explainer
    from lucida.images import Image
    from lucida.models.needs import Frame

    Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Look:
    """One answer, and what in the photo speaks for it.

    Attributes:
        label: The class that is explained.
        score: How sure the model is of it, 0 to 1; of an oddity 1 is the threshold.
        said: Both in words.
        heat: float32 (height, width) of the photo, 0 to 1.
        layer: Whose map was read.
        dependence: Whether the map depends on the weights; None where the map is the answer itself.
        box: Left, top, right, bottom of the object in pixels of the photo; None where there is none.
    """

    label: str
    score: float
    said: str
    heat: Floats
    layer: str
    dependence: Dependence | None = None
    box: tuple[float, float, float, float] | None = None


def look_class(explainer: Explainer, image: Image) -> Look:
    """Look into the likeliest class of a photo."""
    import torch

    from lucida.explain.heat import dependence, heat

    batch = explainer.spec.needs.prepare(image)[None]
    logits = explainer.model.logits(batch)
    sure = sigmoid(logits)[0] if explainer.trained.task == "tag" else softmax(logits)[0]
    label, ready = int(sure.argmax()), torch.from_numpy(batch)
    network, target = explainer.network, explainer.target
    name, score = explainer.spec.gives.classes[label], float(sure[label])
    found = placed(heat(network, target, ready, label), _frame(explainer, image), explainer.spec.needs.size)
    return Look(name, score, f"{name} {score:.0%}", found, target.name, dependence(network, target, ready, label))


def look_box(explainer: Explainer, image: Image) -> Look:
    """Look into the surest box of a photo."""
    import torch

    from lucida.explain.boxes import box_target, surest_box
    from lucida.explain.heat import dependence, heat

    needs, frame = explainer.spec.needs, _frame(explainer, image)
    ready = torch.from_numpy(needs.prepare(image)[None])
    answer = surest_box(explainer.network, ready)
    target = box_target(answer, ready)
    found = placed(heat(answer.asked, target, ready, 0, placed=True), frame, needs.size)
    name, (left, top, right, bottom) = (
        explainer.spec.gives.classes[answer.label],
        frame.back(answer.box[None])[0].tolist(),
    )
    return Look(
        name,
        answer.score,
        f"{name} {answer.score:.0%}",
        found,
        target.name.removeprefix("network."),
        dependence(answer.asked, target, ready, 0, placed=True),
        (left, top, right, bottom),
    )


def look_odd(explainer: Explainer, image: Image) -> Look:
    """Show where a photo is odd: such a model draws that map itself."""
    (found,) = explainer.model.predict([image])
    assert isinstance(found, Oddness)  # the task says so
    name = "odd" if found.score >= 1 else "normal"
    heat = np.clip(found.heat / max(float(found.heat.max()), 1.0), 0, 1)
    return Look(name, found.score, f"{name}, {found.score:.2f} where 1 is the threshold", heat, "what it answers")


LOOKS: Final[dict[str, Callable[[Explainer, Any], Look]]] = {
    "classify": look_class,
    "tag": look_class,
    "detect": look_box,
    "anomaly": look_odd,
}


def _frame(explainer: Explainer, image: Image) -> Frame:
    height, width = image.pixels.shape[:2]
    return explainer.spec.needs.frame(width, height)


def placed(heat: Floats, frame: Frame, size: int) -> Floats:
    """Return a map of what was prepared of an image as a map of the image; 0 where the model did not see it.

    Args:
        heat: float32 (size, size).
        frame: Where the image lies in it.
        size: Side in prepared pixels.
    """
    left, top, right, bottom = frame.part(size)
    corners = np.array([[left, top, right, bottom]], np.float32)
    x, y, across, down = (round(float(value)) for value in frame.back(corners)[0])
    across, down = max(across, x + 1), max(down, y + 1)
    seen = PIL.Image.fromarray(np.ascontiguousarray(heat[top:bottom, left:right], np.float32), "F")
    whole = np.zeros((frame.height, frame.width), np.float32)
    part = np.asarray(seen.resize((across - x, down - y), PIL.Image.Resampling.BICUBIC), np.float32)
    whole[y:down, x:across] = part.clip(0, 1)
    return whole
