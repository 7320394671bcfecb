"""Is this name two models joined by a plus, and how are they built?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.errors import ModelError
from lucida.models.spec import Hint, Model, Precision, Spec, Trial
from lucida.results import Detections

if TYPE_CHECKING:
    from lucida.images import Image
    from lucida.results import Result

JOINT: Final = "+"


class ComposedFamily:
    """ "DETECTOR+OUTLINER", such as "owlv2+sam2": objects by words, with their pixels."""

    name = "composed"

    def names(self) -> list[str]:
        """Return none."""
        return []

    def suggestions(self) -> list[str]:
        """Return a few pairs."""
        return ["owlv2+sam2", "grounding-dino+sam2"]

    def claims(self, name: str) -> bool:
        """Tell whether a name is a pair of names that other families know."""
        from lucida.models.registry import claimed

        finder, joint, outliner = name.rpartition(JOINT)
        return bool(joint and finder and outliner and not Path(name).exists() and claimed(finder) and claimed(outliner))

    def spec(self, name: str, home: Path | None = None) -> Spec:
        """Return the spec of a pair.

        Raises:
            ModelError: The first finds no objects, or the second outlines none.
        """
        from lucida.models.registry import find

        finder, _, outliner = name.rpartition(JOINT)
        return compose(find(finder, home), find(outliner, home))

    def licence(self, name: str, home: Path | None = None) -> str:
        """Return the licences of both."""
        from lucida.models.registry import licence

        return " and ".join(dict.fromkeys(licence(part, home) for part in name.rsplit(JOINT, 1)))


def compose(finder: Spec, outliner: Spec) -> Spec:
    """Return the spec of a model that finds objects and outlines each.

    Raises:
        ModelError: The first finds no objects, or the second outlines none.
    """
    for spec, task, what in ((finder, "detect", "find objects"), (outliner, "outline", "outline what is pointed at")):
        if task not in spec.tasks:
            raise ModelError(
                f"The model {spec.name!r} cannot {what}.",
                expected=f"a detector and a model that outlines, joined by {JOINT!r}",
                got=f"tasks {', '.join(spec.tasks)}",
                hint="--model owlv2+sam2",
            )
    found = finder.aim("detect") if finder.aim else finder

    def build(spec: Spec, precision: Precision, trial: Trial | None) -> Model:
        # The classes may have been named since.
        return Composed(spec, replace(found, gives=spec.gives).load(precision), outliner.load(precision))

    def look_for(classes: Sequence[str]) -> Spec:
        assert finder.look_for is not None, "asked for only where it can"
        return compose(finder.look_for(classes), outliner)

    return replace(
        found,
        name=f"{finder.name}{JOINT}{outliner.name}",
        family=ComposedFamily.name,
        tasks=("detect", "segment"),
        licence=" and ".join(dict.fromkeys((finder.licence, outliner.licence))),
        source=f"{finder.source} and {outliner.source}",
        revision=f"{finder.revision}+{outliner.revision}",
        note=f"Boxes of the first, pixels of the second. {finder.note}".strip(),
        look_for=look_for if finder.look_for else None,
        aim=None,
        build=build,
    )


class Composed(Model):
    """Finds with one model, outlines each box with another.

    Args:
        spec: What it promises.
        finder: Finds objects.
        outliner: Outlines what lies in a box.
    """

    def __init__(self, spec: Spec, finder: Model, outliner: Model) -> None:
        super().__init__(spec)
        self._finder, self._outliner = finder, outliner

    @property
    def engine(self) -> str:
        return " and ".join(dict.fromkeys((self._finder.engine, self._outliner.engine)))

    def predict(self, images: Sequence[Image]) -> list[Result]:
        found = self._finder.predict(images)
        return [self._outlined(one, image) for one, image in zip(found, images, strict=True)]

    def _outlined(self, result: Result, image: Image) -> Result:
        if not isinstance(result, Detections):
            return result
        # Few of those that nobody is usually shown are worth the time.
        result = result.above(self.spec.gives.least)
        height, width = image.pixels.shape[:2]
        hints, rows = [], []
        for row, (left, top, right, bottom) in enumerate(result.xyxy.tolist()):
            box = (max(0.0, left), max(0.0, top), min(float(width), right), min(float(height), bottom))
            if box[2] > box[0] and box[3] > box[1]:
                hints.append(Hint(box=box))
                rows.append(row)
        boxes = np.array([hint.box for hint in hints], np.float32).reshape(-1, 4)
        return replace(result.take(rows), xyxy=boxes, masks=self._outliner.outline(image, hints).masks)
