"""Pictures that are drawn with a model that is served already, screened before and after where there is a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image as Pillow

from lucida.errors import InputError
from lucida.generate.generator import Drawn, Generator
from lucida.generate.order import Order
from lucida.models.chat import Usage
from lucida.restore.pixels import read_picture
from lucida.serve.making import unable

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.models.generator import Picture
    from lucida.serve.desk import Desk, Gone
    from lucida.serve.guard import Guard
    from lucida.serve.intake import Sent
    from lucida.serve.made_bodies import GenerateRequest
    from lucida.serve.making import Step
    from lucida.serve.served import Served

BEGUN_FROM: Final = ("mask", "control_image", "reference")


class SharedGenerator(Generator):
    """Draws with a model that is served already.

    Args:
        served: The model.
        order: What is asked; its model is named as the registry does.
        catalog: Where pictures are kept.
        told: Write into each file how it was made.
    """

    def __init__(self, served: Served, order: Order, catalog: Catalog, *, told: bool) -> None:
        spec = served.spec
        aimed = spec.aim("generate") if spec.generates is None and spec.aim else spec
        self._meter = served.meter
        self._guard: Guard | None = None
        self._back: list[Picture] = []
        super().__init__(replace(order, model=served.given), catalog, told=told, load=lambda _: served.running(aimed))
        if served.by_path:
            # The files say which model drew them, and a path of this machine is none of a client's business.
            self.spec = replace(self.spec, name=served.name)

    def screened(self, guard: Guard, step: Step) -> list[Drawn]:
        """Return all pictures; where one of them may not be, none is kept.

        Raises:
            Refused: 403, the policy forbids one.
        """
        self._guard = guard
        known = [one for one in self.draw(step) if one.known]
        for one in known:
            guard.picture(one.path.read_bytes())
        return [*known, *(Generator._keep(self, picture) for picture in self._back)]

    def _keep(self, picture: Picture) -> Drawn:
        # What was drawn costs, whether or not the policy lets it pass.
        self._meter.add(Usage(cost=picture.detail.get("cost")))
        if self._guard is None:
            return super()._keep(picture)
        pixels = self._ready.patch.paste(picture.pixels) if self._ready.patch else picture.pixels
        self._guard.picture(_png(pixels))
        self._back.append(picture)
        return Drawn(self._catalog.path, picture.seed, "", (0, 0))


@dataclass(frozen=True)
class Drawing:
    """What a client wants to be drawn.

    Attributes:
        desk: What is served.
        served: The model.
        order: What is asked, but for images.
        sent: Images, by the fields of the order.
        told: Whether how it was made is written into the files.
        edits: Whether the mask is transparent where is to be drawn anew, as OpenAI has it.
    """

    desk: Desk
    served: Served
    order: Order
    sent: Mapping[str, Sent] = field(default_factory=dict)
    told: bool = True
    edits: bool = False

    @classmethod
    def of(cls, desk: Desk, served: Served, asked: GenerateRequest, sent: Mapping[str, Sent]) -> Drawing:
        """Return what a request in our own shape wants."""
        order = Order(**asked.model_dump(exclude={"model", "metadata"}, exclude_none=True))
        return cls(desk, served, order, sent, asked.metadata == "full")

    async def draw(self, gone: Gone | None, *, patient: bool = False, said: Step | None = None) -> dict[str, Any]:
        """Return `images` with their PNG bytes, `notes`, and what the policy says, where there is one.

        Args:
            gone: Is done once nobody waits.
            patient: Whether it may take as long as it takes.
            said: Is told how far it is.

        Raises:
            Refused: 403, the policy forbids it; there is no place, no time, or nobody who waits.
            LucidaError: It cannot be drawn.
        """
        guard = self.desk.finder.guard.begun()
        guard.words(self.order.prompt)
        body = await self.desk.bench.do(
            "making", lambda step: self._work(guard, step), gone, patient=patient, said=said
        )
        return {**body, **guard.to_json()}

    def _work(self, guard: Guard, step: Step) -> dict[str, Any]:
        bench = self.desk.bench
        files: dict[str, Any] = {name: bench.data(one) for name, one in self.sent.items()}
        guard.sent(files)
        if self.edits and "image" in files:
            order = editing(self.order, files["image"], files.get("mask"))
        else:
            order = replace(self.order, **files)
        with bench.catalog() as catalog, self.served.unnamed() as renamed:
            with unable(self.served):
                drawing = SharedGenerator(self.served, order, catalog, told=self.told)
            found = drawing.screened(guard, step) if guard.looks else list(drawing.draw(step))
            images = [
                {"seed": one.seed, "id": one.id, "width": one.size[0], "height": one.size[1],
                 "png": one.path.read_bytes(), "detail": one.detail}
                for one in sorted(found, key=lambda one: one.seed)
            ]  # fmt: skip
            return {"images": images, "notes": [renamed(note) for note in drawing.notes]}


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
    # The size is that of the image: all else stays as it is.
    return replace(order, image=image, mask=_png(((alpha == 0) * np.uint8(255)).astype(np.uint8)), size=None)


def _png(pixels: Any) -> bytes:
    file = BytesIO()
    Pillow.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
