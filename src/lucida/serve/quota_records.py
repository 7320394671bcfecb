"""What was asked of a day's quota, in the records of a server: to start it anew gives nobody a second day."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, Integer, MetaData, Table, Text, case, delete, select
from sqlalchemy.dialects import sqlite

from lucida.errors import CatalogError
from lucida.serve.key_ring import KeyRing

if TYPE_CHECKING:
    from lucida.serve.desk import Desk
    from lucida.serve.records import Records

EVERY: Final = 2.0  # seconds between writes: so much of a server that was killed is not counted
_log = logging.getLogger("lucida.serve")
tables: Final = MetaData()
days: Final = Table(
    "quota_days",
    tables,
    Column("holder", Text, primary_key=True),
    Column("day", Integer, nullable=False),  # since 1970, UTC
    Column("images", Integer, nullable=False),
)


class QuotaRecords:
    """Keeps what was counted for the names of keys.

    Args:
        records: Where it stands.
        ring: What counts.
    """

    def __init__(self, records: Records, ring: KeyRing) -> None:
        self._records, self._ring = records, ring
        self._written: dict[str, tuple[int, int]] = {}

    def load(self) -> None:
        """Count on from what stands there.

        Raises:
            CatalogError: The records cannot be used.
        """
        self._records.prepare(tables)
        with self._records.read() as connection:
            found = {row.holder: (row.day, row.images) for row in connection.execute(select(days))}
        self._ring.count_on(found)
        self._written = found

    def save(self) -> None:
        """Write what was counted since the last time; nothing where there is nothing new.

        Raises:
            CatalogError: It cannot be written; then it is the next time.
        """
        now = self._ring.counted()
        rows = []
        for holder, (day, images) in now.items():
            before = self._written.get(holder, (day, 0))
            more = images - (before[1] if before[0] == day else 0)
            if more:
                rows.append({"holder": holder, "day": day, "images": more})
        if not rows:
            return
        # What is new is added: another server on the same catalog counts as well.
        put = sqlite.insert(days)
        same = days.c.day == put.excluded.day
        images_now = case((same, days.c.images + put.excluded.images), else_=put.excluded.images)
        with self._records.write() as connection:
            connection.execute(
                put.on_conflict_do_update(
                    index_elements=["holder"], set_={"day": put.excluded.day, "images": images_now}
                ),
                rows,
            )
            connection.execute(delete(days).where(days.c.day < max(day for day, _ in now.values())))
        self._written = now


class QuotaKeeper:
    """Writes what is counted now and then, beside the event loop; does nothing where nobody needs a key.

    Args:
        desk: What is served.
    """

    def __init__(self, desk: Desk) -> None:
        self._kept = QuotaRecords(desk.records, desk.keys) if isinstance(desk.keys, KeyRing) else None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Count on from what stands in the records, and write from now on."""
        if self._kept is not None:
            self._task = asyncio.create_task(self._run(self._kept))

    async def close(self) -> None:
        """Write the rest."""
        if self._task is None or self._kept is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        with suppress(CatalogError):
            await asyncio.to_thread(self._kept.save)

    async def _run(self, kept: QuotaRecords) -> None:
        work, told = kept.load, False
        while True:
            try:
                await asyncio.to_thread(work)
                work, told = kept.save, False
            except CatalogError as error:
                if not told:
                    _log.error("what was asked is counted in memory alone for now: %s", error.line())
                told = True
            await asyncio.sleep(EVERY)
