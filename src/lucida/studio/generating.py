"""What the Generate page asks for: models, images to begin from, pictures, what was asked before."""

from __future__ import annotations

import io
import math
import threading
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import InputError
from lucida.images import LIMITS, content_id, decode
from lucida.notes import told
from lucida.studio.drawn_before import DrawnBefore
from lucida.studio.generate_asked import Asked, order_of, shown_lora
from lucida.studio.given import GivenImages
from lucida.studio.jobs import Job, Trade
from lucida.studio.masking import write_drawing
from lucida.studio.warm import Warm
from lucida.studio.workplace import Workplace

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.generate import Choice, Drawn, Generator
    from lucida.models.generator import GenerateNeeds
    from lucida.studio.shelf import Shelf

MOST: Final = 256  # pictures of one job
LORAS: Final = 16  # of one job
SHAPES: Final = ((1, 1), (4, 3), (3, 2), (16, 9), (3, 4), (2, 3), (9, 16))
SIDE: Final = 2048  # of what a control image is made from: no model draws larger
TRADE: Final = Trade(
    "generate",
    "requests",
    failed="The pictures could not be drawn.",
    expected="a model that runs on this machine",
    hint="another model, or smaller pictures",
    again="draw again: what was drawn is in the list of earlier requests",
    # A person comes back for the pictures.
    unwatched=None,
)


class Generating(Workplace):
    """Draws pictures; images that were drawn from stay with them.

    Args:
        catalog: An open catalog: pictures are kept in it.
        shelf: Keeps what was sent.
    """

    def __init__(self, catalog: Catalog, shelf: Shelf | None = None) -> None:
        super().__init__(catalog, TRADE, shelf)
        self.catalog = catalog
        self._given, self._warm = GivenImages(catalog), Warm()
        self.before = DrawnBefore(catalog, self.tray, self._given)
        self._controls = threading.Lock()

    # ---- models -----------------------------------------------------------------------------------------------------

    def offers(self) -> dict[str, Any]:
        """Return the models and LoRAs to choose from, the limits, and the job that is under way."""
        from lucida.generate import choices
        from lucida.generate.loras import loras
        from lucida.generate.ready import USUAL

        used = self._used()
        models = [_offer(choice, used) for choice in choices(self.catalog.models)]
        now = self.jobs.open
        taught = [shown_lora(one) for one in loras(self.catalog)]
        limits = {"bytes": LIMITS.bytes, "most": MOST, "most_loras": LORAS, "strength": USUAL}
        return {"models": models, "loras": taught, **limits, "now": now[0] if now else ""}

    def model(self, name: str) -> dict[str, Any]:
        """Return one more model to choose from.

        Raises:
            LucidaError: There is no such model, or it does not draw.
        """
        from lucida.generate import Choice, find_generator
        from lucida.models.generator import generate_needs

        spec = find_generator(name.strip(), self.catalog.models)
        needs = generate_needs(spec)
        return _offer(Choice(spec.name, spec.note, needs, needs.terms, spec.licence, True), self._used())

    def lora(self, name: str) -> dict[str, Any]:
        """Return a LoRA to choose: a file, or a training of the catalog.

        Raises:
            InputError: It is not there, or may hold code.
        """
        from lucida.generate.loras import check_lora, find_lora, known_as

        return shown_lora(known_as(check_lora(find_lora(name.strip(), self.catalog).resolve()), self.catalog))

    def _used(self) -> frozenset[str]:
        from lucida.generate import records

        return self.catalog.runs.models(records.QUESTION, records.VERB)

    # ---- images to draw from ----------------------------------------------------------------------------------------

    def control(self, source: str, kind: str) -> dict[str, Any]:
        """Make a control image of a photo, to be looked at before it is used.

        Raises:
            LucidaError: It cannot be made here, or the photo is not at hand any more.
        """
        import numpy as np
        from PIL import Image as Pillow

        from lucida.generate.control import control_image
        from lucida.models.generator import Given

        kept = self.shelf.get(source)
        data = kept.path.read_bytes()
        photo = Pillow.fromarray(decode(data, cover=SIDE, limits=LIMITS).rgb8())
        photo.thumbnail((SIDE, SIDE))
        with self._controls:
            lines, how = control_image(Given(np.asarray(photo), content_id(data)), kind)
        out = io.BytesIO()
        Pillow.fromarray(lines.pixels).save(out, "PNG")
        return self.tray.put(f"{kind} of {kept.path.stem}.png", out.getvalue()) | {"how": told(how)}

    def drawing(self, lines: dict[str, Any]) -> dict[str, Any]:
        """Take what was drawn with the mouse.

        Raises:
            InputError: Nothing was drawn, or it is damaged.
        """
        token, path = self.shelf.place("drawing.png")
        try:
            write_drawing(lines, path)
        except InputError:
            self.shelf.forget(token)
            raise
        return self.tray.add(token, path)

    # ---- pictures ---------------------------------------------------------------------------------------------------

    def start(self, asked: Asked) -> dict[str, Any]:
        """Begin to draw, or wait for the turn.

        Raises:
            LucidaError: It cannot be drawn; what can be known before is said at once.
        """
        from lucida.generate import find_generator, records

        spec = find_generator(asked["model"], self.catalog.models)
        terms = spec.generates.terms if spec.generates else ""
        if terms and not asked["agreed"] and not records.used_before(self.catalog, spec):
            raise InputError(
                f"The terms of {spec.name} were not confirmed.",
                expected="a person who has read them",
                got=terms,
                hint="confirm them on the page",
            )
        generator = self._warm.generator(order_of(asked, self.tray, self._given, self.catalog), self.catalog)
        about = {"run": generator.run.id, "n": asked["n"], "seed": str(asked["seed"])}
        return self.jobs.add(lambda job: self._draw(generator, job), about) | about

    def job(self, id: str, since: int = 0) -> dict[str, Any]:
        """Return where a job stands, with the run that it is for.

        Raises:
            UnknownName: It is not known any more.
        """
        return self.jobs.view(id, since) | dict(self.jobs.about(id))

    def _draw(self, generator: Generator, job: Job) -> dict[str, Any]:
        job.notes = generator.notes
        count, known = generator.order.n, 0
        for drawn in generator.draw(lambda done: job.step(done / count)):
            known += drawn.known
            job.notes = generator.notes
            job.add(_picture(drawn))
        job.notes = generator.notes
        return {"known": known}


def _sizes(needs: GenerateNeeds) -> list[tuple[int, int]]:
    """Return a size of each shape that the model draws, of about the area that it draws best; that one first."""
    area = needs.size[0] * needs.size[1]
    scales = [(wide, high, math.sqrt(area / (wide * high))) for wide, high in SHAPES]
    return list(dict.fromkeys([needs.size, *(needs.nearest(round(w * s), round(h * s)) for w, h, s in scales)]))


def _offer(choice: Choice, used: frozenset[str]) -> dict[str, Any]:
    needs = choice.needs
    return {
        "name": choice.name,
        "note": choice.note,
        "licence": choice.licence,
        "terms": choice.terms,
        "agreed": not choice.terms or choice.name in used,
        "at_hand": choice.at_hand,
        "sizes": _sizes(needs),
        "needs": {
            name: getattr(needs, name)
            for name in (
                *("size", "multiple", "least", "most", "steps", "most_steps", "guidance", "negative", "image", "mask"),
                *("controls", "reference", "samplers", "loras", "remote"),
            )
        },
    }


def _picture(drawn: Drawn) -> dict[str, Any]:
    width, height = drawn.size
    # As text: a seed may be larger than a browser's numbers.
    return {"id": drawn.id, "seed": str(drawn.seed), "width": width, "height": height, "known": drawn.known}
