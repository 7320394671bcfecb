"""What a job is asked, and how each of its items is done: one row a kind of task."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Protocol

from lucida.errors import InputError, LucidaError, UnknownName
from lucida.restore import Wish
from lucida.search.filters import meeting
from lucida.serve.drawing import BEGUN_FROM, Drawing
from lucida.serve.finding import nothing
from lucida.serve.intake import Sent
from lucida.serve.jobs.bodies import ManyPictures, Query
from lucida.serve.keys import ASKING
from lucida.serve.made_bodies import RestoreRequest
from lucida.serve.making import made_by, maker, with_base64
from lucida.serve.refusal import error_json
from lucida.serve.restoring import restore
from lucida.serve.routes.making import one_of
from lucida.serve.routes.tasks import check_fields
from lucida.serve.services import SERVICES

if TYPE_CHECKING:
    from pydantic import BaseModel

    from lucida.serve.desk import Desk, Gone
    from lucida.serve.intake import Given
    from lucida.serve.jobs.rows import Entry, Item
    from lucida.serve.work import Pool

Said = Callable[[float], None]
Read = Callable[[str], Awaitable[Sent]]


@dataclass(frozen=True)
class Wanted:
    """A job before it is accepted.

    Attributes:
        task: What is done.
        model: By whom.
        fields: Of the request, under "asked"; images that all items share, by their ids, under "shared".
        total: Items.
        images: Content ids, one an item; empty where items are pictures that are drawn.
        inputs: Bytes of images that were sent, by their ids.
        failed: JSON of what was wrong from the first, by places.
        digest: Of all that was asked.
    """

    task: str
    model: str
    fields: dict[str, Any]
    total: int
    images: tuple[str, ...]
    inputs: dict[str, bytes]
    failed: dict[int, bytes]
    digest: str


@dataclass(frozen=True)
class Ready:
    """A job that can be done.

    Attributes:
        pool: Where: items take its free places only.
        together: How many items a worker does at a time with profit.
        do: Does an item; gets it, what reads images that all items share, and who waits.
    """

    pool: Pool
    together: int
    do: Callable[[Item, Read, Gone, Said], Awaitable[bytes]]


class Kind(Protocol):
    """How jobs of one kind are asked for and done."""

    shared: tuple[str, ...]  # fields of images that all items share

    def request(self, task: str) -> type[BaseModel]:
        """Return the fields that may be asked."""
        ...

    def check(self, desk: Desk, task: str, asked: Any) -> str:
        """Refuse what cannot be, or whoever asks may not ask; return the name of the model."""
        ...

    def ready(self, desk: Desk, entry: Entry) -> Ready:
        """Return how it is done; raises what `check` does."""
        ...


class Looks:
    """Every image is looked at, as by the address of the task."""

    shared: tuple[str, ...] = ()

    def request(self, task: str) -> type[BaseModel]:
        return SERVICES[task].request

    def check(self, desk: Desk, task: str, asked: Any) -> str:
        return desk.job(SERVICES[task], asked, Sent("")).served.name

    def ready(self, desk: Desk, entry: Entry) -> Ready:
        service = SERVICES[entry.task]
        asked = check_fields(service.request, entry.fields["asked"])

        async def do(item: Item, read: Read, gone: Gone, said: Said) -> bytes:
            body, _ = await desk.answer(desk.job(service, asked, Sent(item.image, item.data)), gone)
            return body

        served = desk.job(service, asked, Sent("")).served
        return Ready(desk.pool_of(served), served.batching.most if service.shrinks else 1, do)


class Restoring:
    """Every image is restored; one mask may be for all of them."""

    shared: tuple[str, ...] = ("mask",)

    def request(self, task: str) -> type[BaseModel]:
        return RestoreRequest

    def check(self, desk: Desk, task: str, asked: Any) -> str:
        return maker(desk, "restore", asked.model).name

    def ready(self, desk: Desk, entry: Entry) -> Ready:
        asked = check_fields(RestoreRequest, entry.fields["asked"])
        served, wish = maker(desk, "restore", asked.model), Wish(asked.upscale, asked.denoise)

        async def do(item: Item, read: Read, gone: Gone, said: Said) -> bytes:
            mask = await read("mask") if "mask" in entry.fields["shared"] else None
            sent = Sent(item.image, item.data)
            body = await desk.bench.do(
                "making", lambda step: restore(desk, served, wish, sent, mask, step), gone, patient=True, said=said
            )
            return _dumped("restore", served, body)

        return Ready(desk.bench.pool("making"), 1, do)


class Drawings:
    """Every item is a picture with a seed of its own."""

    shared: tuple[str, ...] = ("image", *BEGUN_FROM)

    def request(self, task: str) -> type[BaseModel]:
        return ManyPictures

    def check(self, desk: Desk, task: str, asked: Any) -> str:
        desk.finder.guard.words(asked.prompt)
        return maker(desk, "generate", asked.model).name

    def ready(self, desk: Desk, entry: Entry) -> Ready:
        asked = check_fields(ManyPictures, entry.fields["asked"])
        served = maker(desk, "generate", asked.model)

        async def do(item: Item, read: Read, gone: Gone, said: Said) -> bytes:
            sent = {name: await read(name) for name in entry.fields["shared"]}
            one = asked.model_copy(update={"n": 1, "seed": asked.seed + item.place})
            drawing = Drawing.of(desk, served, one, sent)
            return _dumped("generate", served, await drawing.draw(gone, patient=True, said=said))

        return Ready(desk.bench.pool("making"), 1, do)


KINDS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(SERVICES, Looks()),
    "generate": Drawings(),
    "restore": Restoring(),
}
IMAGES: Final = tuple(dict.fromkeys(name for kind in KINDS.values() for name in kind.shared if name != "image"))


async def wanted(desk: Desk, given: Given) -> Wanted:
    """Return what a request asks for.

    Raises:
        Refused: 404, no such model; 403, whoever asks may not ask this of it; 422, it cannot.
        InputError: A field, or the number of images, is not what it must be.
    """
    fields = dict(given.fields)
    task = fields.pop("task", None)
    if not isinstance(task, str) or task not in KINDS:
        raise UnknownName("task", str(task)[:100], KINDS, hint='"task": "classify"')
    query = check_fields(Query, {name: fields.pop(name) for name in Query.model_fields if name in fields})
    kind = KINDS[task]
    asked = check_fields(kind.request(task), fields)
    model = kind.check(desk, task, asked)
    shared = {name: one for name in kind.shared if (one := one_of(given, name)) is not None}
    if "image" in kind.shared:
        items, total = list[Sent | InputError](), asked.n
    else:
        if query.asked:
            # Who finds images of the catalog that it could not name may search it.
            ASKING.get().check("search", model)
        items = [*given.images, *await _found(desk, query)]
        total = len(items)
    if not 1 <= total <= desk.settings.job_items:
        raise InputError(
            "These are no items for a job.",
            expected=f"1 to {desk.settings.job_items:,} images",
            got=f"{total:,}",
            hint='-F image=@a.jpg -F image=@b.jpg, "images": [ … ], or "glob": "*.jpg" of the catalog',
        )
    sent = [one for one in (*items, *shared.values()) if isinstance(one, Sent)]
    images = tuple(one.id if isinstance(one, Sent) else "" for one in items)
    plain = {
        "asked": asked.model_dump(mode="json", exclude_unset=True),
        "shared": {name: one.id for name, one in shared.items()},
    }
    # What the catalog holds may change; who repeats a request asks for the same all the same.
    told = [task, plain, query.model_dump() if query.asked else list(images)]
    return Wanted(
        task, model, plain, total, images,
        {one.id: one.data for one in sent if one.data is not None},
        {place: _error(one) for place, one in enumerate(items) if isinstance(one, InputError)},
        sha256(json.dumps(told, sort_keys=True).encode()).hexdigest(),
    )  # fmt: skip


async def _found(desk: Desk, query: Query) -> list[Sent]:
    """Return the images of the catalog that a query finds."""
    if not query.asked:
        return []
    catalog = desk.catalog
    if catalog is None:
        raise nothing("look for", "catalog", "--catalog FOLDER")
    found = await asyncio.to_thread(meeting, catalog, query.where, state=query.state or "", glob=query.glob)
    return [Sent(id) for id in found or ()]


def take_quota(wanted: Wanted) -> None:
    """Count all items against the quota of whoever asks.

    Raises:
        Refused: 429, it is used up.
    """
    ASKING.get().take(wanted.total)


def _error(error: LucidaError) -> bytes:
    return json.dumps({"error": error_json(error)}, ensure_ascii=False).encode()


def _dumped(task: str, served: Any, body: dict[str, Any]) -> bytes:
    whole = {"task": task, **made_by(served), **with_base64(body)}
    return json.dumps(whole, ensure_ascii=False, allow_nan=False).encode()
