"""Answers about the results of one search: kept in the catalog as a person's answers, and read as a cut-off."""

from __future__ import annotations

import getpass
import hashlib
import json
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

from lucida.catalog.records import Annotation
from lucida.errors import InputError
from lucida.search.cutoff import Claim, Cutoff

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.search.result import SearchResult

RELEVANT: Final = "relevant"
IRRELEVANT: Final = "not relevant"


class Judging:
    """Judges the results of a search, one image at a time; every answer is on disk before `answer` returns.

    The same results again go on with the same random order. When the ranking has changed, for images were added, a new
    order is drawn, and earlier answers to the same query are counted without proving anything about other images.

    Args:
        catalog: An open catalog.
        result: The search.
        share: At least this share of the results within the cut-off is relevant.
        confidence: With this confidence.
        actor: Who answers; the name of the user by default.
    """

    def __init__(
        self,
        catalog: Catalog,
        result: SearchResult,
        *,
        share: float = 0.9,
        confidence: float = 0.95,
        actor: str | None = None,
    ) -> None:
        self.catalog, self.result = catalog, result
        self.question = f"search: {result.query}"
        self._actor = actor if actor is not None else _user()
        self.run, self.seed = self._start(share, confidence)
        earlier = self._said()
        here = [row for row in earlier if row.run == self.run]
        known = {row.image: row.label == RELEVANT for row in earlier if row.run != self.run}
        self.cutoff = Cutoff(result.ranked, share=share, confidence=confidence, seed=self.seed, known=known)
        self._sequence = len(here)
        for row in here:
            self.cutoff.answer(row.image, row.label == RELEVANT)

    @property
    def answers(self) -> dict[str, bool]:
        """What was answered about results of this search: content id to whether it is relevant."""
        return dict(self.cutoff.answers)

    def next(self) -> str | None:
        """Return the image to ask about; None where nothing more can be gained."""
        return self.cutoff.next()

    def answer(self, image: str, relevant: bool) -> Claim:
        """Take an answer about a result and return what is proven now.

        Raises:
            InputError: The image is none of the results.
        """
        if image not in self.result.ranked:
            raise InputError("This is none of the results.", expected="an image of this search", got=image[:80])
        self._sequence += 1
        label = RELEVANT if relevant else IRRELEVANT
        self.catalog.annotations.append(
            [
                Annotation(
                    image,
                    self.question,
                    self.run,
                    actor=self._actor,
                    sequence=self._sequence,
                    kind="answer",
                    label=label,
                    detail={"verdict": "right" if relevant else "wrong"},
                    time=time.time(),
                )
            ]
        )
        self.cutoff.answer(image, relevant)
        return self.claim()

    def claim(self) -> Claim:
        """Return what is proven by now of where relevance ends."""
        return self.cutoff.claim()

    def _start(self, share: float, confidence: float) -> tuple[str, str]:
        """Return run and seed: those of an earlier judging of the same ranking, or new ones."""
        body = json.dumps(list(self.result.ranked)).encode()
        wanted: dict[str, Any] = {
            "query": self.result.query.to_json(),
            "ranking": hashlib.sha256(body).hexdigest(),
            "results": len(self.result.ranked),
            "share": share,
            "confidence": confidence,
        }
        for run in reversed(self.catalog.runs.all()):
            said = dict(run.parameters)
            if run.verb == "search" and run.question == self.question and said.pop("seed", None) and said == wanted:
                return run.id, str(run.parameters["seed"])
        # Drawn after the ranking was fixed: nobody can have chosen results by their place in the order.
        seed = secrets.token_hex(16)
        model = self.result.model
        run = self.catalog.runs.start(
            "search", question=self.question, model=model, parameters={**wanted, "seed": seed}
        )
        return run.id, seed

    def _said(self) -> list[Annotation]:
        """Return the answers to this query, in the order in which they were given."""
        rows = self.catalog.annotations.rows(question=self.question, kind="answer")
        return sorted(rows, key=lambda row: (row.time, row.sequence))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "someone"
