"""Tables of the watch, in the records of the server."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

tables: Final = MetaData()

# One watch: a model against a reference, with a promise of its own.
watches = Table(
    "watches",
    tables,
    Column("number", Integer, primary_key=True),
    Column("about", Text, nullable=False),  # all that decides it, as JSON: the same goes on
    Column("note", Text, nullable=False),
    Column("seed", Text, nullable=False),
    Column("began", Float, nullable=False),
    Column("ended", Float),
    Column("state", LargeBinary),  # arrays, as NumPy writes them
)

# Images that were looked at: of the reference whole, of live ones what is compared.
seen = Table(
    "watched_images",
    tables,
    Column("number", Integer, primary_key=True),
    Column("watch", Integer, ForeignKey("watches.number"), nullable=False),
    Column("reference", Boolean, nullable=False),
    Column("row", Integer, nullable=False),  # in which order live ones came
    Column("image", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("time", Float, nullable=False),
    Column("label", Text, nullable=False),
    Column("score", Float),
    Column("numbers", LargeBinary, nullable=False),  # float32
    Column("vector", LargeBinary, nullable=False),  # float32; of live ones the components
    Index("watched_images_by_watch", "watch", "reference", "row"),
)

curve = Table(
    "watch_curve",
    tables,
    Column("watch", Integer, ForeignKey("watches.number"), nullable=False),
    Column("row", Integer, nullable=False),
    Column("time", Float, nullable=False),
    Column("evidence", Text, nullable=False),  # by name, as JSON
    PrimaryKeyConstraint("watch", "row"),
)

alarms = Table(
    "watch_alarms",
    tables,
    Column("id", Text, primary_key=True),
    Column("watch", Integer, ForeignKey("watches.number"), nullable=False),
    Column("time", Float, nullable=False),
    Column("body", Text, nullable=False),
    Column("queue", Text, nullable=False),  # the question of its review, "" before there is one
    Column("closed", Float),
)

# How many answers there were on a day at one rate, of which some are drawn.
days = Table(
    "watch_days",
    tables,
    Column("number", Integer, primary_key=True),
    Column("day", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("rate", Float, nullable=False),
    Column("total", BigInteger, nullable=False),
    Index("watch_days_once", "day", "model", "rate", unique=True),
)

drawn = Table(
    "watch_drawn",
    tables,
    Column("number", Integer, primary_key=True),
    Column("day", Integer, ForeignKey("watch_days.number"), nullable=False),
    Column("image", Text, nullable=False),
    Column("request", Text, nullable=False),
    Column("time", Float, nullable=False),
    Column("task", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("priority", Float, nullable=False),  # uniform from 0 to 1: those with the least are asked first
    Column("verdict", Text),
    Column("label", Text),
    Column("actor", Text),
    Column("answered", Float),
    Index("watch_drawn_by_day", "day", "verdict"),
)
