"""A model behind an address that draws: sends the words, and the images where there are some, and counts the cost."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image as Pillow

from lucida.models.chat import Usage
from lucida.models.generator import GenerationRequest, Picture, check_seeds
from lucida.models.openai_api.drawing_needs import drawing_usage, price_words, usage_of_pictures
from lucida.models.openai_api.images import Answer, Drawn, Images
from lucida.models.spec import Model, Spec
from lucida.notes import Note

if TYPE_CHECKING:
    from lucida.models.openai_api.address import Address
    from lucida.models.openai_api.options import ApiOptions


class DrawingModel(Model):
    """A model that draws over the network; safe to be called from several threads.

    Args:
        spec: Its spec.
        address: Where it is asked.
        options: How it is asked.
        sleep: Waits so many seconds between attempts; by default until it is stopped.
    """

    def __init__(
        self, spec: Spec, address: Address, options: ApiOptions, *, sleep: Callable[[float], object] | None = None
    ) -> None:
        super().__init__(spec)
        self._address, self._options = address, options
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait

    @cached_property
    def _images(self) -> Images:
        # Made when it is first asked: what it costs can be told without a key.
        return Images(self._address, self._options, self._sleep, self._stopped.is_set)

    def stop(self) -> None:
        self._stopped.set()

    @property
    def engine(self) -> str:
        """Where it runs."""
        return f"{self._address.model} at {self._address.host}"

    def generate(
        self, request: GenerationRequest, seeds: Sequence[int], step: Callable[[float], None] | None = None
    ) -> list[Picture]:
        """Have a picture drawn for each seed.

        The protocol knows no seed: a picture keeps its number, and its detail says that it is not drawn again by it.

        Args:
            request: What is to be drawn, made ready.
            seeds: Whole numbers from 0 to 2^63 - 1.
            step: Called with the share that is done; what it raises cuts the connection and goes through.

        Raises:
            MissingExtra: The package `openai` is not installed.
            ModelError: A key is needed and not there; the model cannot be reached, or refuses; what came is no
                picture.
        """
        if self.spec.generates is None:
            raise self.spec.cannot("generate", "draw")
        check_seeds(list(seeds))
        found: list[Picture] = []
        asked = self._asked(request)

        def look() -> None:
            if step:
                step(len(found) / len(seeds))

        while missing := list(seeds)[len(found) :]:
            number = min(len(missing), self.spec.generates.together)
            answer = self._images.draw(asked | ({"n": number} if number > 1 else {}), number, look)
            usage = self._usage(answer, request)
            for drawn, seed in zip(answer.pictures, missing, strict=False):
                found.append(self._picture(drawn, seed, request, usage, len(answer.pictures)))
            look()
        return found

    def remarks(self, request: GenerationRequest) -> tuple[Note, ...]:
        """Return what a person should know of how a request is taken, a sentence each."""
        if self.spec.generates is None:
            return ()
        price = price_words(self._address, self._options, request)
        said = [price] if price else []
        said.append(Note("api_no_seed", "The server takes no seed: the same request draws other pictures."))
        if request.image is not None and request.mask is None:
            far = "The server is not told how far it may go from the image (strength)."
            said.append(Note("api_no_strength", far))
        return tuple(said)

    def quote_pictures(self, request: GenerationRequest, pictures: int = 1) -> Usage:
        """Return what so many pictures take at most, before anything is sent."""
        return drawing_usage(self._address, self._options, request, pictures)

    def _asked(self, request: GenerationRequest) -> dict[str, Any]:
        asked: dict[str, Any] = {"prompt": request.prompt}
        if request.size is not None:
            asked["size"] = "{}x{}".format(*request.size)
        if request.image is not None:
            asked["image"] = ("image.png", png(request.image.pixels), "image/png")
        if request.image is not None and request.mask is not None:
            # Where the alpha channel of the mask is 0 is drawn anew.
            clear = np.dstack([request.image.pixels, 255 - request.mask.pixels])
            asked["mask"] = ("mask.png", png(clear), "image/png")
        return asked

    def _usage(self, answer: Answer, request: GenerationRequest) -> Usage:
        pictures = len(answer.pictures)
        whole = self.quote_pictures(request, pictures)
        told = answer.tokens and usage_of_pictures(self._address, self._options, *answer.tokens, pictures)
        usage = told or whole
        for _ in range(answer.lost):
            usage += whole
        return usage

    def _picture(self, drawn: Drawn, seed: int, request: GenerationRequest, usage: Usage, together: int) -> Picture:
        pixels = drawn.pixels
        detail: dict[str, Any] = {"repeatable": False}
        height, width = pixels.shape[:2]
        if request.size is not None and (width, height) != request.size:
            detail["came_as"] = [width, height]
            if request.mask is not None:
                # It is put back into the photo, pixel upon pixel.
                pixels = np.asarray(Pillow.fromarray(pixels).resize(request.size, Pillow.Resampling.LANCZOS))
        if drawn.revised:
            detail["revised_prompt"] = drawn.revised
        if usage.cost is not None and not self._address.local:
            detail["cost"] = round(usage.cost / together, 6)
        return Picture(pixels, seed, detail)


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    """Return pixels uint8 (height, width, 3 or 4) as a PNG file."""
    out = io.BytesIO()
    Pillow.fromarray(pixels).save(out, "PNG")
    return out.getvalue()
