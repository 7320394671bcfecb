"""A catalog whose boxes are right or wrong as a plan says: no model, small pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lucida.catalog import Annotation, Catalog
from lucida.catalog.verb import add
from lucida.review import ObjectReview


@dataclass
class World:
    """What is true of the pictures of a catalog.

    Attributes:
        catalog: The catalog.
        wrong: Objects that are none, by (image, number).
        missed: How many objects no box marks, by image.
    """

    catalog: Catalog
    images: list[str]
    run: str = ""
    wrong: set[tuple[str, int]] = field(default_factory=set)
    missed: dict[str, int] = field(default_factory=dict)

    def label(self, *, boxes: int = 4, task: str = "detect", seed: int = 0, **parameters: Any) -> str:
        """Keep boxes in each image, as `lucida label --task detect` does; in one image of twelve most are wrong."""
        rng = np.random.default_rng(seed)
        run = self.catalog.runs.start("label", question="things", model="m", parameters={"task": task, **parameters})
        for i, image in enumerate(self.images):
            rows = [Annotation(image, "things", run.id, detail={"count": boxes})]
            for item in range(1, boxes + 1):
                bad = i % 12 == 5 and item > 1
                if bad:
                    self.wrong.add((image, item))
                score = float(np.clip(rng.normal(0.4 if bad else 0.8, 0.1), 0.01, 0.99))
                box = [2.0 * item, 3.0, 2.0 * item + 6, 12.0]
                name = "cell" if item % 2 else "disc"
                rows.append(
                    Annotation(image, "things", run.id, item=item, label=name, score=score, detail={"box": box})
                )
            self.missed[image] = 3 if i % 20 == 7 else 0
            self.catalog.annotations.append(rows)
        self.catalog.runs.finish(run.id)
        self.run = run.id
        return run.id

    def states(self) -> dict[tuple[str, int], str]:
        """Return the state of each of today's objects, by image and number."""
        return {(one.image, one.item): one.state for one in self.catalog.annotations.current_objects("things")}

    def answer(self, review: ObjectReview, most: int | None = None) -> int:
        """Answer as a person would who knows; returns how many answers it took."""
        given = 0
        while (most is None or given < most) and (card := review.next()) is not None:
            given += 1
            if card.unit is not None:
                if (card.image, card.unit.item) in self.wrong:
                    review.answer(card.id, "wrong")
                else:
                    review.answer(card.id, "right")
            else:
                boxes = [(1.0 + 3 * k, 14.0, 3.0 + 3 * k, 20.0) for k in range(self.missed[card.image])]
                review.look(card.image, [("cell", box) for box in boxes])
        return given


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 120 pictures of 24 by 24, each another colour."""
    folder = tmp_path_factory.mktemp("objects")
    for i in range(120):
        Image.fromarray(np.full((24, 24, 3), (i * 2, 90, 255 - i), np.uint8)).save(folder / f"{i:03d}.png")
    return folder


@pytest.fixture
def world(pictures: Path, tmp_path: Path) -> Any:
    """These pictures in a catalog, with nothing labelled."""
    add([pictures], catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as opened:
        yield World(opened, opened.images.ids())
