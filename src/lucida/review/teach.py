"""The teach phase: ask the images whose answers help most, refit the head, say when to stop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lucida.label.threads import on_one_thread
from lucida.review.cards import Card, ReviewStatus, Verdict
from lucida.review.journal import Journal

if TYPE_CHECKING:
    from lucida.catalog import Catalog, Run
    from lucida.label.head import Head
    from lucida.review.terms import Terms

QUEUE = 16  # images chosen at a time: enough to prefetch, few enough to stay informed
CANDIDATES = 4 * QUEUE  # the most uncertain images, among which diversity chooses; wider pools taught less


@dataclass(frozen=True)
class _Fit:
    """One fitted head and what follows from it; built in a thread of its own, then swapped in whole."""

    head: Head | None
    classes: list[str]
    labels: list[str]
    scores: np.ndarray  # (n,) float64
    probabilities: np.ndarray | None  # (n, C) float32
    queue: list[int]
    answers: int


class Teaching:
    """The teach phase of one question.

    Args:
        catalog: The catalog; answers are written to it before a call returns.
        source: The label run whose proposals are taught.
        terms: What is to be proven, for the forecast.
        reviewer: Who answers.
        background: Refit beside the person (the page) rather than between two answers (a script).
    """

    def __init__(self, catalog: Catalog, source: Run, terms: Terms, reviewer: str, *, background: bool = False) -> None:
        from lucida.review.material import Material

        self.catalog, self.source, self.terms, self.reviewer = catalog, source, terms, reviewer
        # A run begins with its first answer: whoever only looks leaves no trace.
        self.run = _unfinished(catalog, source)
        run = self.run.id if self.run is not None else None
        self.material = Material.gather(catalog, source, run=run)
        self.journal = Journal(catalog, source.question, run, reviewer, "teach")
        self.expected: list[tuple[int, float]] = []
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="refit") if background else None
        self._pending: Future[_Fit] | None = None
        self._fit = self._refit(None)
        self._note_expected(self._fit)

    # ---- asking ---------------------------------------------------------------------------------------------------

    @property
    def classes(self) -> list[str]:
        """The classes known by now; a person's answer may add one."""
        return self._fit.classes

    def _open(self) -> list[int]:
        answered = {e.image for e in self.journal.entries}
        return [i for i in self._fit.queue if self.material.ids[i] not in answered]

    def card(self) -> Card | None:
        """Return the image asked now; None when every image has been taught."""
        queue = self._open()
        if not queue:
            self._swap(self._refit(self._fit))
            queue = self._open()
        return self._card(queue[0]) if queue else None

    def upcoming(self, k: int) -> list[Card]:
        """Return the images that come next while the head stays as it is."""
        return [self._card(i) for i in self._open()[1 : k + 1]]

    def card_of(self, image: str) -> Card:
        """Return the card of one image of the catalog."""
        return self._card(self.material.row[image])

    def _runner_ups(self, i: int) -> tuple[tuple[str, float], ...]:
        fit = self._fit
        if fit.probabilities is None:
            return self.material.runner_ups[i]
        order = np.argsort(-fit.probabilities[i], kind="stable")[1:9]
        return tuple((fit.classes[c], float(fit.probabilities[i, c])) for c in order)

    def _card(self, i: int) -> Card:
        image, fit = self.material.ids[i], self._fit
        name = self.catalog.images.name(image)
        beside = self.material.said[i].beside(fit.labels[i])
        return Card(image, name, fit.labels[i], float(fit.scores[i]), self._runner_ups(i), "teach", **beside)

    # ---- answering ------------------------------------------------------------------------------------------------

    def answer(self, image: str, verdict: Verdict, label: str | None) -> None:
        """Write one answer down and refit when enough has come in."""
        proposal = self._fit.labels[self.material.row[image]]
        given = proposal if verdict == "right" else label
        if verdict == "unsure":
            given = None
        if self.run is None:
            self.run = _start(self.catalog, self.source)
            self.journal.begin(self.run.id)
        self.journal.answer(image, verdict, given)
        # Early answers move the head most; later ones are batched so that refitting stays a small share of the work.
        due = len(self.journal) - self._fit.answers >= max(5, min(QUEUE - 4, len(self.journal) // 10))
        if due:
            self._start_refit()
        self._adopt()

    def undo(self) -> Card | None:
        """Take back the last answer; returns its card."""
        entry = self.journal.undo()
        if entry is None:
            return None
        self._settle()
        queue = [self.material.row[entry.image], *self._fit.queue]
        self._fit = _Fit(**{**self._fit.__dict__, "queue": list(dict.fromkeys(queue))})
        return self.card_of(entry.image)

    # ---- refitting ------------------------------------------------------------------------------------------------

    def _start_refit(self) -> None:
        if self._pool is None:
            self._swap(self._refit(self._fit))
        elif self._pending is None:
            self._pending = self._pool.submit(self._refit, self._fit)

    def _adopt(self) -> None:
        if self._pending is not None and self._pending.done():
            self._settle()

    def _settle(self) -> None:
        if self._pending is not None:
            fit, self._pending = self._pending.result(), None
            self._swap(fit)

    def _swap(self, fit: _Fit) -> None:
        self._fit = fit
        self._note_expected(fit)

    def _note_expected(self, fit: _Fit) -> None:
        from lucida.review.forecast import expected_acceptance

        rest = fit.scores[self.material.open_rows(self.journal)]
        share = (
            expected_acceptance(rest, self.terms.max_error, confidence=self.terms.confidence, worth=self.terms.worth)
            * len(rest)
            / max(len(self.material.row), 1)
        )
        point = (len(self.journal), float(share))
        if self.expected and self.expected[-1][0] == point[0]:
            self.expected[-1] = point
        else:
            self.expected.append(point)

    @on_one_thread
    def _refit(self, before: _Fit | None) -> _Fit:
        answers = len(self.journal)
        features, labels = self.material.training(self.journal)
        classes = sorted({*self.material.classes, *labels})
        if not self.material.can_fit(labels):
            fitted, probabilities = None, None
            names, scores = list(self.material.labels), self.material.scores
        else:
            from lucida.label.head import Head

            warm = before.head if before is not None else None
            fitted = Head.fit(features, labels, parts=self.material.parts, classes=classes, warm=warm)
            probabilities = fitted.predict(self.material.features)
            best = probabilities.argmax(axis=1)
            classes = list(fitted.classes)
            names = [classes[c] for c in best]
            scores = probabilities[np.arange(len(best)), best].astype(np.float64)
        queue = self._choose(probabilities, scores)
        return _Fit(fitted, classes, names, scores, probabilities, queue, answers)

    def _choose(self, probabilities: np.ndarray | None, scores: np.ndarray) -> list[int]:
        """Choose the next images: uncertain first, then far from each other and from what was taught.

        Source: farthest-first traversal over the most uncertain part of the pool, after Sener & Savarese,
        "Active learning for convolutional neural networks: a core-set approach", ICLR 2018, and the margin rule
        of Scheffer, Decomain & Wrobel, 2001.
        """
        rows = self.material.open_rows(self.journal)
        if not len(rows):
            return []
        margin = scores[rows]
        if probabilities is not None and probabilities.shape[1] > 1:
            top = np.partition(probabilities[rows], -2, axis=1)[:, -2:]
            margin = top[:, 1] - top[:, 0]
        candidates = rows[np.argsort(margin, kind="stable")[:CANDIDATES]]
        taught = [self.material.row[e.image] for e in self.journal.entries[-500:] if e.image in self.material.row]
        return farthest_first(self.material.directions, candidates, taught, QUEUE)

    # ---- the end --------------------------------------------------------------------------------------------------

    def suggest_freeze(self) -> bool:
        """Say whether the last 50 answers won fewer accepted images than they cost answers."""
        if len(self.expected) < 2 or self.expected[-1][0] < 60:
            return False
        now, share = self.expected[-1]
        then, before = next((p for p in reversed(self.expected) if p[0] <= now - 50), self.expected[0])
        won = (share - before) * len(self.material.row)
        return share > 0 and won < (now - then) / max(self.terms.worth, 1e-9)

    def status(self) -> ReviewStatus:
        """Return where the teaching stands."""
        self._adopt()
        stop = self.suggest_freeze()
        return ReviewStatus(
            phase="teach",
            question=self.source.question,
            answers=len(self.journal),
            taught=len(self.journal) + self.material.taught_before,
            reviews=0,
            errors_found=sum(e.verdict != "right" for e in self.journal.entries),
            total=len(self.material.open_rows(self.journal)),
            kept=0,
            accepted=0,
            bound=0.0,
            rate_left=0.0,
            max_error=self.terms.max_error,
            confidence=self.terms.confidence,
            expected=tuple(self.expected),
            suggest_freeze=stop,
            advice="More teaching is expected to win less than it costs: freeze and check." if stop else "",
        )

    def freeze(self) -> Run:
        """Fix the predictions: write those of the last head as a run of their own, and return that run.

        Without a single answer nothing has changed, and the source run itself is returned.
        """
        self._settle()
        if self.run is None or not any(e.label is not None for e in self.journal.entries):
            return self.source
        if self._fit.answers != len(self.journal):
            self._swap(self._refit(self._fit))
        self._write_proposals(self.run.id)
        self.catalog.runs.finish(self.run.id)
        return self.catalog.runs.get(self.run.id)

    def _write_proposals(self, run: str) -> None:
        from lucida.catalog import Annotation

        now = time.time()
        rows = self.material.open_rows(self.journal)
        for first in range(0, len(rows), 5000):
            self.catalog.annotations.append(
                Annotation(
                    image=self.material.ids[i],
                    question=self.source.question,
                    run=run,
                    kind="proposal",
                    label=self._fit.labels[i],
                    score=float(self._fit.scores[i]),
                    detail={
                        "runner_up": [[name, round(p, 6)] for name, p in self._runner_ups(i)],
                        **self.material.said[i].detail(self._fit.labels[i]),
                    },
                    time=now,
                )
                for i in map(int, rows[first : first + 5000])
            )

    def close(self) -> None:
        """End the thread that refits."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)


def farthest_first(directions: np.ndarray, candidates: np.ndarray, taught: Sequence[int], k: int) -> list[int]:
    """Choose up to k candidates, each as far as possible from those chosen before and from the taught ones.

    Args:
        directions: (n, d) float32 unit vectors.
        candidates: Row numbers to choose from, best first; the first is always taken.
        taught: Row numbers already answered.
        k: How many to choose.

    Returns:
        Row numbers, in the order chosen.
    """
    pool = directions[candidates]
    distance = np.full(len(candidates), np.inf, dtype=np.float32)
    if len(taught):
        distance = 1 - (pool @ directions[list(taught)].T).max(axis=1)
    chosen: list[int] = []
    for _ in range(min(k, len(candidates))):
        best = int(np.argmax(distance)) if chosen or len(taught) else 0
        chosen.append(int(candidates[best]))
        distance = np.minimum(distance, 1 - pool @ pool[best])
        distance[best] = -np.inf
    return chosen


def _unfinished(catalog: Catalog, source: Run) -> Run | None:
    """Return the teach run of this source that was left before its end."""
    runs = catalog.runs.all(question=source.question)
    return next((r for r in runs if r.verb == "teach" and r.finished is None and r.parent == source.id), None)


def _start(catalog: Catalog, source: Run) -> Run:
    rounds = sum(r.verb == "teach" for r in catalog.runs.all(question=source.question))
    return catalog.runs.start(
        "teach",
        question=source.question,
        model=source.model,
        revision=source.revision,
        parameters={"round": rounds + 1},
        parent=source.id,
    )
