"""Pictures that are made, searches and screenings: long work beside the looks, one thing of a kind at a time."""

from __future__ import annotations

import asyncio
import base64
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lucida.errors import InputError, MissingExtra, ModelError, UnknownName
from lucida.images import probe
from lucida.serve.keys import ASKING
from lucida.serve.refusal import Refused
from lucida.serve.work import Pool

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.restore import Restorer, Wish
    from lucida.serve.desk import Desk, Gone
    from lucida.serve.intake import Sent
    from lucida.serve.served import Served

T = TypeVar("T")
Step = Callable[[float], None]
LONGER: Final = 10.0  # times the deadline of a look that a picture may take
PATIENT: Final = 7 * 86_400.0  # seconds that one of a job may take
WAITING: Final = 8  # requests that may wait for long work of a kind


class Stopped(Exception):
    """Nobody waits for this work any more."""


class Bench:
    """Where long work is done, in threads of its own: a look never waits for a picture.

    Args:
        desk: What is served.

    Attributes:
        pools: Places at work, by its kind.
        restorers: Some that are kept ready, the latest last; for the thread that makes pictures.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk, self._longest = desk, desk.settings.deadline * LONGER
        self.pools: dict[str, Pool] = {}
        self.restorers: OrderedDict[Wish, Restorer] = OrderedDict()

    def forget(self, served: Served) -> None:
        """Let go what was made ready of a model that is not served any more."""
        # Another dictionary: a thread may be using this one.
        kept = [(wish, one) for wish, one in list(self.restorers.items()) if wish.model != served.given]
        self.restorers = OrderedDict(kept)

    def pool(self, kind: str) -> Pool:
        """Return where work of a kind is done."""
        if kind not in self.pools:
            self.pools[kind] = Pool(1, WAITING, kind, self._longest)
        return self.pools[kind]

    async def do(
        self,
        kind: str,
        work: Callable[[Step], T],
        gone: Gone | None = None,
        *,
        patient: bool = False,
        said: Step | None = None,
    ) -> T:
        """Have some work done.

        Args:
            kind: Of the work: each has one thread.
            work: What is to be done; it calls its argument now and then, which raises once nobody waits.
            gone: Is done once nobody waits.
            patient: Whether it may take as long as it takes.
            said: Is told how far the work is, in its thread.

        Raises:
            Refused: There is no place, no time, or nobody who waits.
            Exception: Whatever the work raises.
        """
        ended = Event()

        def step(share: float = 0.0) -> None:
            if ended.is_set():
                raise Stopped
            if said is not None:
                said(share)

        try:
            with self.pool(kind).take() as place:
                until = asyncio.get_running_loop().time() + (PATIENT if patient else self._longest)
                return await place.do(lambda: work(step), until, gone)
        finally:
            ended.set()

    def close(self) -> None:
        """Let all threads end."""
        for pool in self.pools.values():
            pool.close()

    def data(self, sent: Sent) -> bytes:
        """Return the bytes of an image that is within bounds.

        Raises:
            Refused: It is not in the catalog.
            ImageError: It is none, or too large.
        """
        data = sent.data if sent.data is not None else self._desk.read(sent.id)
        probe(data, self._desk.limits)
        return data

    @contextmanager
    def catalog(self) -> Iterator[Catalog]:
        """Give the catalog that is served, or one that is gone afterwards."""
        if self._desk.catalog is not None:
            yield self._desk.catalog
            return
        from lucida.catalog import Catalog

        with (
            tempfile.TemporaryDirectory(prefix="lucida-serve-") as folder,
            Catalog.open(Path(folder) / "catalog", create=True) as opened,
        ):
            yield opened


def maker(desk: Desk, task: str, name: str | None) -> Served:
    """Return the model that makes pictures.

    Args:
        desk: What is served.
        task: "generate" or "restore".
        name: Of the model; where something is served that restores, the sets of `lucida restore` are known as well.

    Raises:
        Refused: 404, there is none; 403, whoever asks may not ask it.
    """
    sets = restorer_sets(desk) if task == "restore" else {}
    try:
        served = desk.shelf.maker(task, name)
    except InputError as error:
        if name is None or name not in sets:
            able = [one.name for one in desk.shelf.models.values() if task in one.makes]
            raise Refused(
                404, UnknownName(f"model to {task}", name, {*able, *sets}) if name and able else error
            ) from error
        served = sets[name]
    ASKING.get().check(task, served.name)
    return served


def restorer_sets(desk: Desk) -> dict[str, Served]:
    """Return the sets of restorers that may be named; none where nothing that restores is served."""
    if not any("restore" in one.makes for one in desk.shelf.models.values()):
        return {}
    return _sets()


@cache
def _sets() -> dict[str, Served]:
    from dataclasses import replace

    from lucida.models.registry import find
    from lucida.models.restorers.family import sets
    from lucida.serve.served import Served

    found = {}
    for name, members in sets().items():
        specs = [find(member) for member in members]
        revision = sha256(" ".join(spec.revision for spec in specs).encode()).hexdigest()[:16]
        found[name] = Served(name, replace(specs[0], name=name, revision=revision))
    return found


def made_by(served: Served) -> dict[str, str]:
    """Return what an answer says of the model."""
    return {"model": served.name, "revision": served.spec.revision}


@contextmanager
def unable(served: Served) -> Iterator[None]:
    """Tell what a model cannot do from a model that fails.

    Raises:
        Refused: 422, it cannot.
    """
    try:
        with served.unnamed():
            yield
    except MissingExtra:
        raise
    except ModelError as error:
        raise Refused(422, error) from error


def with_base64(body: dict[str, Any]) -> dict[str, Any]:
    """Return what was made with its PNG bytes as text, for JSON."""
    if "images" in body:
        return {**body, "images": [with_base64(one) for one in body["images"]]}
    return {**body, "png": base64.b64encode(body["png"]).decode()}
