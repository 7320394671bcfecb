"""Feedback finds its answer, and is kept with it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, insert, select

from lucida.errors import InputError
from lucida.serve.refusal import Refused
from lucida.serve.routing.bodies import FeedbackAnswer
from lucida.serve.routing.said import LABELLED
from lucida.serve.routing.tables import ANSWERS, FEEDBACK

if TYPE_CHECKING:
    from sqlalchemy import Row

    from lucida.serve.routing.bodies import FeedbackRequest


def check(asked: FeedbackRequest) -> None:
    """Refuse feedback that says nothing.

    Raises:
        InputError: Neither is given.
    """
    if asked.right is None and asked.label is None:
        raise InputError(
            "The feedback says nothing.", expected="right, or label", got="neither",
            hint='{"request_id": "…", "right": true}, or {"request_id": "…", "label": "dress"}',
        )  # fmt: skip


def keep(connection: Connection, asked: FeedbackRequest) -> FeedbackAnswer:
    """Keep feedback on an answer; earlier feedback on the same one is forgotten.

    Raises:
        Refused: 404, the answer is not known.
        InputError: It is not clear what it is about, or what is right.
    """
    answer = _answer(connection, asked)
    label, right = _right(asked, answer)
    connection.execute(delete(FEEDBACK).where(FEEDBACK.c.request == asked.request_id, FEEDBACK.c.image == answer.image))
    values = {name: getattr(answer, name) for name in ("route", "image", "asked", "task", "model", "version", "role")}
    values |= {"at": time.time(), "request": asked.request_id, "said": answer.label, "right": right, "label": label}
    connection.execute(insert(FEEDBACK), values)
    return FeedbackAnswer(
        request_id=asked.request_id, image=answer.image, route=answer.route, model=answer.model, right=right
    )


def _answer(connection: Connection, asked: FeedbackRequest) -> Row[tuple[object, ...]]:
    wanted = select(ANSWERS).where(ANSWERS.c.request == asked.request_id, ANSWERS.c.role != "shadow")
    rows = connection.execute(wanted.order_by(ANSWERS.c.id.desc())).all()
    images = list(dict.fromkeys(row.image for row in rows))
    if asked.image is not None:
        rows = [row for row in rows if row.image == asked.image]
    elif len(images) > 1:
        raise InputError(
            "The request had several images.", expected="the content id of one of them, as image", got="none",
            hint=f'"image": "{images[0]}"',
        )  # fmt: skip
    if not rows:
        raise unknown(asked, images)
    return rows[0]


def unknown(asked: FeedbackRequest, images: Sequence[str] = ()) -> Refused:
    """Return the refusal of feedback on what is not remembered.

    Args:
        asked: The feedback.
        images: That the request had, where it is known.
    """
    error = InputError(
        "The request had no such image." if images else "No answer with this request id is remembered.",
        expected=f"one of {', '.join(images[:3])}" if images else "the request_id of an answer of a route with arms",
        got=str(asked.image) if images else asked.request_id,
        hint="answers of routes with arms or a roll-out say their request_id; those of models and chains are not "
        "remembered",
    )
    return Refused(404, error)


def _right(asked: FeedbackRequest, answer: Row[tuple[object, ...]]) -> tuple[str | None, bool]:
    """Return what would be right, if it is known, and whether the answer is."""
    if asked.label is None:
        return None, bool(asked.right)
    if answer.task not in LABELLED:
        raise InputError(
            f"A label is no answer to the task {answer.task!r}.", expected="right: true or false", got="a label",
            hint=f"labels are for {' and '.join(LABELLED)}",
        )  # fmt: skip
    label = LABELLED[answer.task](asked.label)
    right = label == answer.label
    if asked.right is not None and asked.right != right:
        raise InputError(
            "The feedback contradicts itself.",
            expected="a label that is the answer's if it is right, and another one if not",
            got=f"right: {str(asked.right).lower()}, and the label {asked.label[:100]!r}",
            hint="send the label alone",
        )
    return label, right
