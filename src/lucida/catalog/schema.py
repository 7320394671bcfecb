"""Tables of the catalog, in SQLAlchemy Core: SQLite today, the same on PostgreSQL.

Images, runs and vector keys have small numbers beside their readable ids: the tables that refer to them are many
times longer, and are searched by these numbers.
"""

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
    String,
    Table,
    Text,
    true,
)

VERSION: Final = 1
# "LUCI", in the header of the SQLite file: tells a catalog from any other database.
APPLICATION: Final = 0x4C554349

tables = MetaData()

meta = Table("meta", tables, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

images = Table(
    "images",
    tables,
    Column("number", Integer, primary_key=True),  # the order of adding
    Column("id", String(64), nullable=False, unique=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("format", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    # False once every path that held these bytes was found to hold others.
    Column("placed", Boolean, nullable=False, server_default=true()),
)

places = Table(
    "places",
    tables,
    Column("number", Integer, primary_key=True),
    Column("uri", Text, nullable=False, unique=True),
    Column("given", Text, nullable=False, index=True),
    Column("name", Text, nullable=False, index=True),  # file name, for answers files that hold no more
    Column("image", Integer, ForeignKey("images.number"), nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),  # nanoseconds since 1970; with the size: unread, so known
)

# Archives and Parquet files that were read to their end.
sources = Table(
    "sources",
    tables,
    Column("uri", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("modified", BigInteger, nullable=False),
    Column("images", Integer, nullable=False),
    Column("refused", Text, nullable=False),
)

runs = Table(
    "runs",
    tables,
    Column("number", Integer, primary_key=True),  # the order of starting
    Column("id", Text, nullable=False, unique=True),
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("verb", Text, nullable=False),
    Column("question", Text, nullable=False, index=True),
    Column("model", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("parent", Text),
    Column("program", Text, nullable=False),
    Column("started", Float, nullable=False),
    Column("finished", Float),
)

notes = Table(
    "annotations",
    tables,
    Column("run", Integer, ForeignKey("runs.number"), nullable=False),
    Column("image", Integer, ForeignKey("images.number"), nullable=False),
    Column("item", Integer, nullable=False),
    Column("actor", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("question", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("label", Text),
    Column("score", Float),
    # What the fold reads of the details has columns of its own.
    Column("verdict", Text),
    Column("undoes", Integer),
    Column("source", Integer, ForeignKey("runs.number")),
    Column("detail", Text),
    Column("time", Float, nullable=False),
    # Run first: a run's records lie side by side, and "no record of run R" is one look at the key.
    PrimaryKeyConstraint("run", "image", "item", "actor", "sequence", "question"),
    Index("annotations_by_image", "image"),
    Index("annotations_by_question", "question", "kind"),
    sqlite_with_rowid=False,
)

vector_keys = Table(
    "vector_keys",
    tables,
    Column("number", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("dimensions", Integer, nullable=False),
)

vectors = Table(
    "vectors",
    tables,
    Column("key", Integer, ForeignKey("vector_keys.number"), nullable=False),
    Column("image", Integer, ForeignKey("images.number"), nullable=False),
    Column("data", LargeBinary),  # little-endian float32; NULL once it lies in Lance
    PrimaryKeyConstraint("key", "image"),
)
_pending = vectors.c.data.is_not(None)
Index("vectors_pending", vectors.c.key, sqlite_where=_pending, postgresql_where=_pending)
