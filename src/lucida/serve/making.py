"""Pictures that are made, searches and screenings: long work beside the looks, one thing of a kind at a time."""

from __future__ import annotations

import asyncio
import base64
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from PIL import Image as Pillow

from lucida.errors import ImageError, InputError, MissingExtra, ModelError
from lucida.generate.generator import Generator
from lucida.images import probe
from lucida.restore import Restorer, Wish
from lucida.restore.pixels import read_picture
from lucida.serve.refusal import Refused
from lucida.serve.work import Pool

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.generate.order import Order
    from lucida.models.spec import Model
    from lucida.serve.desk import Desk, Gone
    from lucida.serve.intake import Sent
    from lucida.serve.served import Served

T = TypeVar("T")
Step = Callable[[float], None]
LONGER: Final = 10.0  # times the deadline of a look that a picture may take
WAITING: Final = 8  # requests that may wait for long work of a kind
KEPT: Final = 4  # restorers that are kept ready


class Stopped(Exception):
    """Nobody waits for this work any more."""


class SharedGenerator(Generator):
    """Draws with a model that is served already.

    Args:
        served: The model.
        order: What is asked; its model is named as the registry does.
        catalog: Where pictures are kept.
        told: Write into each file how it was made.
    """

    def __init__(self, served: Served, order: Order, catalog: Catalog, *, told: bool) -> None:
        self._served = served
        super().__init__(replace(order, model=served.given), catalog, told=told)
        if served.by_path:
            # The files say which model drew them, and a path of this machine is none of a client's business.
            self.spec = replace(self.spec, name=served.name)

    def _loaded(self) -> Model:
        spec = self._served.spec
        return self._served.running(spec.aim("generate") if spec.generates is None and spec.aim else spec)


class Bench:
    """Where long work is done, in threads of its own: a look never waits for a picture.

    Args:
        desk: What is served.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk, self._longest = desk, desk.settings.deadline * LONGER
        self._pools: dict[str, Pool] = {}
        self._restorers: OrderedDict[Wish, Restorer] = OrderedDict()

    async def do(self, kind: str, work: Callable[[Step], T], gone: Gone | None = None) -> T:
        """Have some work done.

        Args:
            kind: Of the work: each has one thread.
            work: What is to be done; it calls its argument now and then, which raises once nobody waits.
            gone: Is done once nobody waits.

        Raises:
            Refused: There is no place, no time, or nobody who waits.
            Exception: Whatever the work raises.
        """
        if kind not in self._pools:
            self._pools[kind] = Pool(1, WAITING, kind, self._longest)
        ended = Event()

        def step(_: float = 0.0) -> None:
            if ended.is_set():
                raise Stopped

        try:
            with self._pools[kind].take() as place:
                until = asyncio.get_running_loop().time() + self._longest
                return await place.do(lambda: work(step), until, gone)
        finally:
            ended.set()

    def close(self) -> None:
        """Let all threads end."""
        for pool in self._pools.values():
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

    def draw(self, served: Served, order: Order, step: Step, *, told: bool = True) -> dict[str, Any]:
        """Draw what is asked.

        Args:
            served: The model.
            order: What is asked.
            step: Raises once nobody waits.
            told: Write into each file how it was made.

        Returns:
            `images` with their PNG bytes, and `notes`.

        Raises:
            LucidaError: It cannot be drawn.
        """
        with self.catalog() as catalog, served.unnamed() as said:
            with unable(served):
                drawing = SharedGenerator(served, order, catalog, told=told)
            drawn = sorted(drawing.draw(step), key=lambda one: one.seed)
            images = [
                {"seed": one.seed, "id": one.id, "width": one.size[0], "height": one.size[1],
                 "png": one.path.read_bytes(), "detail": one.detail}
                for one in drawn
            ]  # fmt: skip
            return {"images": images, "notes": [said(note) for note in drawing.notes]}

    def restore(self, served: Served, wish: Wish, sent: Sent, mask: Sent | None, step: Step) -> dict[str, Any]:
        """Restore an image.

        Args:
            served: The model.
            wish: What is to be done, but for model and mask.
            sent: The image.
            mask: White where is to be filled; None for none.
            step: Raises once nobody waits.

        Returns:
            What became of it, with its PNG bytes.

        Raises:
            LucidaError: It cannot be restored.
        """
        data = self.data(sent)
        folders = tempfile.TemporaryDirectory(prefix="lucida-serve-")
        with folders as folder, served.unnamed(f"{folder}/") as said:
            place = Path(folder)
            if mask is not None:
                (place / "sent").write_bytes(self.data(mask))
                wish = replace(wish, fill=place / "sent")
            with unable(served):
                restorer = self._restorer(replace(wish, model=served.given))
            self._check_size(restorer, data)
            threads = self._desk.settings.threads
            done = restorer.file(data, place / "image.png", step, name="sent", workers=threads)
            return {
                "image": sent.id, "width": done.size[0], "height": done.size[1], "size": list(done.became),
                "noise": done.noise, "frames": done.frames, "png": done.written.read_bytes(),
                "notes": [said(note) for note in dict.fromkeys([*restorer.plan.notes, *done.notes])],
            }  # fmt: skip

    def _restorer(self, wish: Wish) -> Restorer:
        home = self._desk.catalog.models if self._desk.catalog else None
        if wish.fill is not None:
            return Restorer(wish, home)
        if wish not in self._restorers:
            self._restorers[wish] = Restorer(wish, home)
            while len(self._restorers) > KEPT:
                self._restorers.popitem(last=False)
        self._restorers.move_to_end(wish)
        return self._restorers[wish]

    def _check_size(self, restorer: Restorer, data: bytes) -> None:
        header, most = probe(data, self._desk.limits), self._desk.settings.pixels
        width, height = restorer.plan.size(header.width, header.height)
        if width * height > most:
            raise ImageError(
                "The image would become too large for an answer.",
                expected=f"at most {most:,} pixels",
                got=f"{width:,} x {height:,}",
                hint="a smaller upscale; `lucida restore` writes larger ones",
            )


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


def editing(order: Order, image: bytes, mask: bytes | None) -> Order:
    """Return an order that draws an image anew where a mask is transparent, as OpenAI has it.

    Args:
        order: What is asked.
        image: The encoded image; its own transparency is the mask where there is no other.
        mask: Another of its size; None for none.

    Raises:
        InputError: The mask is nowhere transparent.
        ImageError: One of them cannot be read.
    """
    alpha = read_picture(image if mask is None else mask).alpha
    if alpha is None or bool(alpha.all()):
        if mask is None:
            # Nothing says where: the picture begins from the whole image.
            return replace(order, image=image)
        raise InputError(
            "The mask is nowhere transparent.",
            expected="an image of the same size, transparent where is to be drawn anew",
            got="no transparency" if alpha is None else "an alpha above 0 everywhere",
            hint="POST /v1/generate takes masks that are white there",
        )
    file = BytesIO()
    Pillow.fromarray(((alpha == 0) * np.uint8(255)).astype(np.uint8)).save(file, "PNG")
    # The size is that of the image: all else stays as it is.
    return replace(order, image=image, mask=file.getvalue(), size=None)


def with_base64(body: dict[str, Any]) -> dict[str, Any]:
    """Return what was made with its PNG bytes as text, for JSON."""
    if "images" in body:
        return {**body, "images": [with_base64(one) for one in body["images"]]}
    return {**body, "png": base64.b64encode(body["png"]).decode()}
