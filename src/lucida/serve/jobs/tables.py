"""Tables of jobs in the records of a server."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

tables: Final = MetaData()

jobs: Final = Table(
    "jobs",
    tables,
    Column("number", Integer, primary_key=True),  # the order of coming
    Column("id", Text, nullable=False, unique=True),
    Column("holder", Text, nullable=False, index=True),
    Column("task", Text, nullable=False),
    Column("model", Text, nullable=False),  # as it was asked for, else the first that could; for people to read
    Column("fields", Text, nullable=False),  # JSON
    Column("state", Text, nullable=False, index=True),
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("finished", Float),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("inputs", BigInteger, nullable=False),  # bytes of images that were sent and are still needed
    Column("bytes", BigInteger, nullable=False),  # of answers
    Column("problem", Text),  # JSON of the error of the job as a whole
    Column("key", Text),  # the client's own, under which a repeated request is the same job
    Column("digest", String(64), nullable=False),  # of what was asked
    UniqueConstraint("holder", "key"),
)

items: Final = Table(
    "job_items",
    tables,
    Column("job", Integer, ForeignKey("jobs.number"), nullable=False),
    Column("place", Integer, nullable=False),
    Column("image", Text, nullable=False),
    Column("begun", Integer, nullable=False),  # how often; an item that ends the process must not do so for ever
    Column("failed", Boolean, nullable=False),
    Column("answer", LargeBinary),  # JSON; none until it is finished
    PrimaryKeyConstraint("job", "place"),
)

inputs: Final = Table(
    "job_inputs",
    tables,
    Column("job", Integer, ForeignKey("jobs.number"), nullable=False),
    Column("id", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    PrimaryKeyConstraint("job", "id"),
)
