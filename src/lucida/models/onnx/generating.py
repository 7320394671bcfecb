"""A running ONNX model that draws: flows and diffusions in steps, GANs and VAEs at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import InputError, ModelError
from lucida.models import engine, fidelity
from lucida.models.generator import GenerationRequest, Picture, check_seeds, finite, generate_needs
from lucida.models.onnx import samplers
from lucida.models.onnx.methods import METHODS, Work
from lucida.models.onnx.networks import Networks
from lucida.models.onnx.prompt_class import ClassReader
from lucida.models.onnx.restoring import refuse_precision
from lucida.models.restorer import is_exhausted
from lucida.models.spec import Model
from lucida.notes import Note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.generator import Given
    from lucida.models.onnx.generate_card import GenerateCard
    from lucida.models.spec import Precision, Spec

# Share of noise that a scribble is drawn over with when it counts fully: less, and its white lines stay lines.
SCRIBBLED: Final = 0.6
TRIED: Final = 8  # steps of the picture that precisions are compared by
_NOT_NUMBERS: Final = "--model with another; or the file is damaged, or was trained until it failed: train it again"


class OnnxGenerator(Model):
    """Draws with the networks of a card.

    Args:
        spec: What it promises.
        card: Its files and the names of their inputs and outputs.
        precision: "auto": bf16 where the machine is fast at it and the pictures are those of fp32.

    Raises:
        ModelError: A file lacks an input or output that the card names, no engine can run it, or the machine does not
            have the precision that is asked for.
    """

    def __init__(self, spec: Spec, card: GenerateCard, precision: Precision = "auto") -> None:
        super().__init__(spec)
        self.card = card
        if precision == "auto":
            self.networks = fidelity.choose(
                lambda p: Networks(card, p),
                lambda networks, _: _trial(networks),
                ["bf16"] if engine.has_bf16() else [],
                channels=3,
                identity=f"{card.name} {card.digest} on {engine.describe()}",
            )
        else:
            refuse_precision(spec, precision)
            self.networks = Networks(card, precision)

    @property
    def engine(self) -> str:
        return self.networks.engine

    @cached_property
    def reader(self) -> ClassReader:
        """What finds the class that a prompt means."""
        return ClassReader(self.card.classes)

    def remarks(self, request: GenerationRequest) -> tuple[Note, ...]:
        found = [self.reader.read(request.prompt).remark]
        if request.negative and self.spec.generates and self.spec.generates.negative:
            found.append(self.reader.avoid(request.negative).remark)
        if request.control_image is not None:
            found.append(_of_control(request))
        return tuple(remark for remark in found if remark)

    def generate(
        self, request: GenerationRequest, seeds: Sequence[int], step: Callable[[float], None] | None = None
    ) -> list[Picture]:
        check_seeds(list(seeds))
        self._check(request)
        if not seeds:
            return []
        work, together = self._work(request, seeds), generate_needs(self.spec).together
        parts = [slice(i, i + together) for i in range(0, len(seeds), together)]
        count = _Count(step, len(parts) * self._calls(work))
        pictures: list[Picture] = []
        for part in parts:
            noise = drawn_noise(seeds[part], self.card.shape)
            try:
                x = METHODS[self.card.method](self.networks, noise, work.of(part), count)
                colours = self.networks.decode(x, work.labels[part, 0])
            except Exception as error:
                if is_exhausted(error) and not isinstance(error, MemoryError):
                    raise MemoryError(f"{len(noise)} pictures at a time") from error
                raise
            pixels = finite((colours + 1) / 2, self.spec, _NOT_NUMBERS).transpose(0, 2, 3, 1)
            if request.mask is not None and request.image is not None:
                pixels = np.where(request.mask.pixels[None, :, :, None] > 0, pixels, request.image.pixels)
            pictures += [
                Picture(np.ascontiguousarray(one), seed, self._detail(work, int(label)))
                for one, seed, label in zip(pixels, seeds[part], work.labels[part, 0], strict=True)
            ]
        return pictures

    def _work(self, request: GenerationRequest, seeds: Sequence[int]) -> Work:
        card, usual = self.card, self.card.sampling
        guidance = usual.guidance if request.guidance is None else request.guidance
        classes = self.reader.read(request.prompt).draw(seeds)
        none = self.reader.avoid(request.negative).number if request.negative else None
        away = np.full(len(seeds), len(card.classes) if none is None else none)
        guides = card.steps and bool(card.classes) and guidance != 1
        given, share = _beginning(request)
        start = redraw = None
        if given is not None:
            start = self.networks.encode(to_colours([given.pixels]), classes[:1])
        if request.mask is not None:
            redraw = _covering(request.mask.pixels, card.shape[1:])
        return Work(
            request.steps or usual.steps,
            guidance,
            request.sampler or usual.sampler,
            share,
            start,
            redraw,
            np.stack([classes, away], axis=1) if guides else classes[:, None],
        )

    def _calls(self, work: Work) -> int:
        return samplers.calls(work.sampler, samplers.taken(work.steps, work.share)) if self.card.steps else 1

    def _detail(self, work: Work, label: int) -> dict[str, Any]:
        found: dict[str, Any] = {"method": self.card.method}
        if self.card.classes:
            found["class"] = self.card.classes[label]
        if self.card.steps:
            found |= {"steps": samplers.taken(work.steps, work.share), "sampler": work.sampler}
            found |= {"guidance": work.guidance} if self.card.classes else {}
        return found

    def _check(self, request: GenerationRequest) -> None:
        side = self.card.side
        images = (request.image, request.mask, request.control_image)
        sizes = [request.size, *(given.size for given in images if given is not None)]
        for size in sizes:
            if size not in (None, (side, side)):
                raise InputError(
                    f"{self.spec.name} draws one size only.",
                    expected=f"{side} x {side} pixels",
                    got=f"{size[0]} x {size[1]}" if size else "",
                    hint="lucida.generate brings images to it",
                )
        able = generate_needs(self.spec)
        if (_beginning(request)[0] is not None and not able.image) or (request.mask is not None and not able.mask):
            raise ModelError(
                f"{self.spec.name} cannot {'draw anew what a mask covers' if able.image else 'begin from an image'}.",
                expected="a model that can",
                got=f"method {self.card.method}" + ("" if self.card.begins else ", which has no encoder"),
                hint="flow and diffusion can; where they draw latents, with the encoder of these",
            )


class _Count:
    """Tells how far the work is, a call of the network at a time."""

    def __init__(self, step: Callable[[float], None] | None, total: int) -> None:
        self._step, self._total, self._done = step, max(1, total), 0

    def __call__(self) -> None:
        self._done += 1
        if self._step is not None:
            self._step(min(1.0, self._done / self._total))


def drawn_noise(seeds: Sequence[int], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the noise of each picture, standard normal, float32 (n, *shape): it depends on its seed alone."""
    rows = [np.random.Generator(np.random.Philox(seed)).standard_normal(shape, np.float32) for seed in seeds]
    return np.stack(rows) if rows else np.zeros((0, *shape), np.float32)


def to_colours(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return images uint8 (height, width, 3) as float32 (n, 3, height, width) in -1..1."""
    return np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2), np.float32) / 127.5 - 1


def _beginning(request: GenerationRequest) -> tuple[Given | None, float]:
    """Return what to begin from, and how much noise is laid over it: 1 for nothing but noise."""
    if request.image is not None:
        return request.image, request.strength
    if request.control_image is not None:
        return request.control_image, 1 - request.strength * (1 - SCRIBBLED)
    return None, 1.0


def _of_control(request: GenerationRequest) -> Note:
    if request.image is not None:
        said = "This model follows no control image: it begins from the image, and the {control} is not used."
        return Note("control_unused", said, control=request.control)
    said = (
        "This model follows no control image: the {control} is what it begins from, under {share} of noise: its dark"
        " and light count, not its lines. --model sd15 follows lines."
    )
    return Note("control_begun", said, control=request.control, share=f"{_beginning(request)[1]:.0%}")


def _covering(mask: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a mask at the size of what is drawn, float32 (1, 1, height, width): a place that it touches is covered."""
    down, across = (np.arange(whole) * part // whole for whole, part in zip(mask.shape, size, strict=True))
    found = np.zeros(size, np.float32)
    np.maximum.at(found, (down[:, None], across[None, :]), (mask > 0).astype(np.float32))
    return found[None, None]


def _trial(networks: Networks) -> NDArray[np.float32]:
    """Return a picture in 0..1 that precisions are compared by: its first class, in a few steps."""
    card = networks.card
    own, guides = card.sampling, card.steps and bool(card.classes) and card.sampling.guidance != 1
    labels = np.array([[0, len(card.classes)] if guides else [0]])
    work = Work(min(own.steps, TRIED), own.guidance, own.sampler, 1.0, None, None, labels)
    x = METHODS[card.method](networks, drawn_noise([0], card.shape), work, lambda: None)
    return np.asarray((networks.decode(x, labels[:, 0]) + 1) / 2, np.float32)
