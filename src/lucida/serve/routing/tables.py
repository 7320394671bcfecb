"""What is remembered of routes: who answered what, what people said of it, and where roll-outs are."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Boolean, Column, Float, Index, Integer, MetaData, String, Table, UniqueConstraint

TABLES: Final = MetaData()

# Answers, each image of a request for itself. `asked` tells classes and questions apart, `version` the states of a
# model, and `role` whether it "answer"ed, as the arm it belongs to, as a "fallback", or in the "shadow".
ANSWERS: Final = Table(
    "route_answers",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("route", String, nullable=False),
    Column("request", String, nullable=False),
    Column("image", String, nullable=False),
    Column("asked", String, nullable=False),
    Column("task", String, nullable=False),
    Column("arm", String, nullable=False),
    Column("model", String, nullable=False),
    Column("version", String, nullable=False),
    Column("role", String, nullable=False),
    Column("label", String),
    Index("route_answers_request", "request"),
    Index("route_answers_image", "route", "image"),
)

# What people said: "right" of the answer, "label" what would be right; one row an image of a request, the last counts.
FEEDBACK: Final = Table(
    "route_feedback",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("route", String, nullable=False),
    Column("request", String, nullable=False),
    Column("image", String, nullable=False),
    Column("asked", String, nullable=False),
    Column("task", String, nullable=False),
    Column("model", String, nullable=False),
    Column("version", String, nullable=False),
    Column("role", String, nullable=False),
    Column("said", String),
    Column("right", Boolean, nullable=False),
    Column("label", String),
    UniqueConstraint("request", "image"),
    Index("route_feedback_route", "route", "id"),
)

STATES: Final = Table(
    "route_states",
    TABLES,
    Column("route", String, primary_key=True),
    Column("body", String, nullable=False),
)

CHANGES: Final = Table(
    "route_changes",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("route", String, nullable=False),
    Column("what", String, nullable=False),
    Column("why", String, nullable=False),
    Column("model", String, nullable=False),
    Index("route_changes_route", "route", "id"),
)


class Noted(NamedTuple):
    """An answer that is to be remembered; its label is read from its JSON later."""

    at: float
    route: str
    request: str
    image: str
    asked: str
    task: str
    arm: str
    model: str
    version: str
    role: str
    answer: bytes
