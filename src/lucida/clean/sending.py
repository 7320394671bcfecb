"""Send findings to review: each is a proposal of a question of its own, so the review page shows it with its reason.

What is poor or doubled is asked under "clean": is this image blurred, a near-duplicate, or fine? A label that is in
doubt is asked under "clean:QUESTION", in the classes of the question itself; what people say there becomes their answer
to that question the next time `lucida clean` runs.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lucida.catalog import Annotation
from lucida.clean.finding import Finding
from lucida.clean.job import worst_of_each
from lucida.clean.vectors import ENCODER
from lucida.data.decisions import CLEAN, DOUBLED, FINE

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.data.decisions import Decisions

QUESTION: Final = CLEAN


def send(catalog: Catalog, findings: Sequence[Finding], question: str | None, decided: Decisions) -> dict[str, int]:
    """Write findings down as proposals for review and return how many images each question asks about.

    The same findings again are the same run.

    Args:
        catalog: An open catalog.
        findings: What was found, the worst first.
        question: The question whose labels were looked at; None where there was none.
        decided: Pairs that people have decided on; they are not asked about again.
    """
    labels = [one for one in findings if one.kind == "wrong label" and one.image]
    poor = [one for one in findings if one.kind != "wrong label"]
    open_ = worst_of_each([one for one in poor if not (one.kind in DOUBLED and decided.known(one.image, one.like))])
    sent = {}
    if open_:
        # What is settled stays part of what was found, so that an answer alone makes no new run.
        found = worst_of_each(poor)
        classes = [*dict.fromkeys(str(one.kind) for one in found), FINE]
        sent[QUESTION] = _write(catalog, QUESTION, found, classes, open_)
    if labels and question is not None:
        classes = sorted({name for one in labels for name, _ in one.ranked})
        sent[f"{QUESTION}:{question}"] = _write(catalog, f"{QUESTION}:{question}", labels, classes, labels)
    return sent


def _write(catalog: Catalog, question: str, findings: list[Finding], classes: list[str], asked: list[Finding]) -> int:
    from lucida.models.registry import find

    body = json.dumps([one.to_json() for one in findings], sort_keys=True)
    run = catalog.runs.start(
        "label",
        question=question,
        model=ENCODER,
        revision=find(ENCODER).revision,
        parameters={
            "mode": "clean",
            "classes": classes,
            "encoder": ENCODER,
            "encoder_revision": find(ENCODER).revision,
            "digest": hashlib.sha256(body.encode()).hexdigest(),
        },
    )
    if run.finished is None:
        now = time.time()
        catalog.annotations.append(_proposal(one, question, run.id, now) for one in asked)
        catalog.runs.finish(run.id)
    return len(asked)


def _proposal(one: Finding, question: str, run: str, now: float) -> Annotation:
    if one.kind == "wrong label":
        chance = dict(one.ranked)[one.suggestion]
        others = [[name, p] for name, p in one.ranked if name != one.suggestion]
        detail = {"reason": one.reason, "runner_up": others}
        return Annotation(one.image, question, run, label=one.suggestion, score=chance, detail=detail, time=now)
    detail = {"reason": one.reason, "runner_up": [[FINE, round(1 - one.score, 4)]]}
    detail |= {"like": one.like} if one.like else {}
    return Annotation(one.image, question, run, label=one.kind, score=one.score, detail=detail, time=now)


def take_over(catalog: Catalog, question: str) -> int:
    """Make what people said of doubtful labels their answers to the question itself; return how many were new."""
    asked = f"{QUESTION}:{question}"
    rows = catalog.annotations.rows(question=asked)
    undone = {(r.image, r.run, r.actor, r.detail["sequence"]) for r in rows if r.kind == "undo"}
    given = [r for r in rows if r.kind == "answer" and r.label and (r.image, r.run, r.actor, r.sequence) not in undone]
    if not given:
        return 0
    run = catalog.runs.start("clean", question=question, parameters={"taken": asked})
    today = {one.image: one.label for one in catalog.annotations.current(question)}
    # The sequence is that of the answer taken over, and its run: the same answer is never taken twice.
    numbers = {row.run: n for n, row in enumerate({r.run: r for r in given}.values())}
    new = catalog.annotations.append(
        Annotation(
            image=row.image,
            question=question,
            run=run.id,
            actor=row.actor,
            sequence=numbers[row.run] * 1_000_000 + row.sequence,
            kind="answer",
            label=row.label,
            detail={
                "verdict": "right" if today.get(row.image) == row.label else "wrong",
                "from": row.run,
                "phase": "teach",
            },
            time=row.time,
        )
        for row in given
    )
    catalog.runs.finish(run.id)
    return new
