"""A small labelled catalog, as `add`, `label` and `review` leave one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lucida.catalog import Annotation, Catalog, Run, add
from pictures import scene

CLASSES = ("dress", "hat/cap", "裙子")


class Labelled:
    """A catalog with photos, and what is said of them.

    Attributes:
        catalog: The catalog, open.
        home: The folder that `photos/` and the catalog lie in.
        question: The question.
    """

    def __init__(self, home: Path, count: int = 30, question: str = "kind") -> None:
        self.home, self.question = home, question
        photos = home / "photos"
        photos.mkdir(parents=True, exist_ok=True)
        for i in range(count):
            scene(i).save(photos / f"été {i:03d}.{('jpg', 'png', 'webp')[i % 3]}")
        self.catalog = Catalog.open(home / "catalog", create=True)
        if count:
            add([photos], catalog=home / "catalog")

    @property
    def ids(self) -> list[str]:
        return self.catalog.images.ids()

    def label(self, *, model: str = "embedded", images: list[str] | None = None, shift: int = 0) -> Run:
        """Propose a label for each image."""
        run = self.catalog.runs.start(
            "label", question=self.question, model=model, revision="1", parameters={"mode": "words", "shift": shift}
        )
        rows = [
            Annotation(
                image=image,
                question=self.question,
                run=run.id,
                label=CLASSES[(i + shift) % 3],
                score=(i + 1) / (len(self.ids) + 1),
            )
            for i, image in enumerate(images if images is not None else self.ids)
        ]
        self.catalog.annotations.append(rows)
        self.catalog.runs.finish(run.id)
        return run

    def answer(self, image: str, verdict: str, label: str | None = None, *, actor: str = "Ada") -> int:
        """Answer as a person; returns the number of the answer."""
        run = self.catalog.runs.start("check", question=self.question)
        sequence = len(self.catalog.annotations.rows(run=run.id))
        self.catalog.annotations.append(
            [
                Annotation(
                    image=image,
                    question=self.question,
                    run=run.id,
                    actor=actor,
                    sequence=sequence,
                    kind="answer",
                    label=label,
                    detail={"verdict": verdict},
                )
            ]
        )
        return sequence

    def undo(self, image: str, number: int, *, actor: str = "Ada") -> None:
        """Take an answer back."""
        run = self.catalog.runs.start("check", question=self.question)
        sequence = len(self.catalog.annotations.rows(run=run.id))
        self.catalog.annotations.append(
            [
                Annotation(
                    image=image,
                    question=self.question,
                    run=run.id,
                    actor=actor,
                    sequence=sequence,
                    kind="undo",
                    detail={"sequence": number},
                )
            ]
        )

    def review(self, *, wrong: int = 0, max_error: float = 0.3, seed: int = 1) -> Run:
        """Review until it is over, with a person who finds `wrong` labels wrong; returns the review's run."""
        from lucida.review.workflow import Review, Terms

        review = Review.open(
            self.catalog,
            question=self.question,
            terms=Terms(max_error=max_error),
            seed=seed,
            teach=False,
            reviewer="Ada",
        )
        while (card := review.next()) is not None:
            if wrong > 0:
                other = next(c for c in CLASSES if c != card.proposal)
                review.answer(card.image, "wrong", other)
                wrong -= 1
            else:
                review.answer(card.image, "right")
        review.stop()
        found = self.catalog.runs.latest(self.question, "review")
        assert found is not None
        return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, as the current one; the catalog lies in `catalog/` below it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LUCIDA_CATALOG", str(tmp_path / "catalog"))
    return tmp_path


@pytest.fixture
def make() -> Iterator[Callable[..., Labelled]]:
    """Make further catalogs: `make(home, count=80)`."""
    made: list[Labelled] = []

    def new(home: Path, **options: Any) -> Labelled:
        made.append(Labelled(home, **options))
        return made[-1]

    yield new
    for one in made:
        one.catalog.close()


@pytest.fixture
def labelled(home: Path) -> Iterator[Labelled]:
    """Thirty photos with a proposal each, nothing reviewed."""
    made = Labelled(home)
    made.label()
    yield made
    made.catalog.close()
