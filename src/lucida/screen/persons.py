"""Faces of some people, among those that a detector finds: for rules that speak of them alone, or of all others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lucida.errors import InputError
from lucida.faces.finding import points_of, telling_spec
from lucida.faces.people import people_of
from lucida.models.opencv_zoo.recogniser import FaceVectors

if TYPE_CHECKING:
    from pathlib import Path

    from lucida.images import Image
    from lucida.models.spec import Spec
    from lucida.results import Detections
    from lucida.screen.policy import Rule


class Persons:
    """Leaves out the faces that a rule does not speak of.

    Vectors are made to be compared, and are not kept.

    Args:
        rule: With `only`, or with `spared`.
        detector: What finds the faces.
        home: Where a catalog keeps models of its own; its named faces lie beside.

    Raises:
        InputError: The catalog keeps no faces, or they came from another model.
        UnknownName: A person has none of them.
        ModelError: What tells faces apart is not on this machine.
    """

    def __init__(self, rule: Rule, detector: Spec, home: Path | None) -> None:
        self._rule, self._detector = rule, detector
        self._people = people_of(home.parent if home else None, (*rule.only, *rule.spared))
        name, revision = self._people.recogniser
        self._telling = telling_spec(name, home)
        if self._telling.revision != revision:
            raise InputError(
                "The faces that the catalog knows came from another model than the one at hand.",
                expected=f"{name} {revision}",
                got=self._telling.revision,
                hint="lucida faces --forget, then --group --consent with the models at hand",
            )
        self._model: FaceVectors | None = None

    @property
    def spec(self) -> Spec:
        """The detector, with a revision that changes whenever somebody may be taken for somebody else."""
        revision = f"{self._detector.revision}+{self._telling.revision}+{self._people.digest}"
        return replace(self._detector, revision=revision)

    def among(self, found: Detections, image: Image) -> Detections:
        """Return the faces that the rule speaks of."""
        if not len(found):
            return found
        if self._model is None:
            model = self._telling.load()
            assert isinstance(model, FaceVectors), "checked by its spec"
            self._model = model
        vectors = self._model.vectors(image, list(points_of(found, self._detector)))
        # Where it is doubtful whose face it is, it is hidden.
        if self._rule.spared:
            return found.take(np.flatnonzero(~self._people.are(vectors, self._rule.spared)))
        return found.take(np.flatnonzero(self._people.are(vectors, self._rule.only, perhaps=True)))
