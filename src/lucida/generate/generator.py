"""One order, drawn: in batches that fit into memory, each picture kept as soon as it is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lucida import __version__
from lucida.errors import ImageError, InputError, ModelError
from lucida.generate import records, writing
from lucida.generate.choice import find_generator
from lucida.generate.ready import ready
from lucida.models.generator import generate_needs
from lucida.notes import Note

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.generate.order import Order
    from lucida.models.generator import Picture
    from lucida.models.spec import Model, Spec

CONTROL: Final = "control.png"


@dataclass(frozen=True)
class Drawn:
    """A picture that is written and in the catalog.

    Attributes:
        path: The file.
        seed: With the same request and model it is drawn again.
        id: Content id.
        size: Width and height in pixels.
        detail: What the model said of how it came about.
        known: It was drawn by an earlier call.
    """

    path: Path
    seed: int
    id: str
    size: tuple[int, int]
    detail: dict[str, Any] = field(default_factory=dict)
    known: bool = False


class Generator:
    """Draws one order.

    Args:
        order: What is asked.
        catalog: Where pictures are kept, with what was asked.
        home: Folder of the models of a catalog; that of `catalog` where it is None.
        out: Folder of the pictures, or the PNG file of a single one; that of the run where it is None.
        told: Write into each file how it was made.
        load: Returns the running model of a spec each time that it is needed; by default it is loaded once and kept.

    Raises:
        InputError: The order cannot be.
        ImageError: One of its images cannot be read.
        UnknownName: No such model, control or sampler.
        ModelError: The model cannot do this, or its files are damaged.
        MissingExtra: A package is not installed.
    """

    def __init__(
        self,
        order: Order,
        catalog: Catalog,
        *,
        home: Path | None = None,
        out: Path | None = None,
        told: bool = True,
        load: Callable[[Spec], Model] | None = None,
    ) -> None:
        self.order, self._catalog, self._told, self._load = order, catalog, told, load
        self.spec = find_generator(order.model, home or catalog.models)
        self.needs = generate_needs(self.spec)
        self._seeds = order.seeds
        self._out = _checked(out, order.n)
        images = order.read()
        self._ready = ready(order, images, self.spec)
        self._request = order.to_json(images)
        self._edited = "mask" in images
        self.new = not records.used_before(catalog, self.spec)
        self.run = records.start(catalog, self.spec, self._request)
        self.notes = self._ready.notes
        self._model: Model | None = None
        self.together = self.needs.together

    @property
    def terms(self) -> str:
        """What the model's licence asks of whoever uses it."""
        return self.needs.terms

    @property
    def control_preview(self) -> bytes | None:
        """The control image as PNG, where there is one."""
        control = self._ready.control
        if control is None:
            return None
        return writing.encode(control.pixels, {}, tool=_tool(self.spec.name), edited=False, told=False)

    @property
    def engine(self) -> str:
        """What runs the model; loads it."""
        return self._loaded().engine

    def draw(self, step: Callable[[float], None] | None = None) -> Iterator[Drawn]:
        """Yield every picture as soon as it is written; those of an earlier call are not drawn again.

        Args:
            step: Called with the number of pictures that are done, with its fraction; what it raises stops the work,
                and the same order goes on with what is missing.

        Raises:
            ModelError: The model fails.
            InputError: A file cannot be written.
            CatalogError: The catalog cannot be written.
        """
        before = records.drawn(self._catalog, self.run.id)
        missing: list[int] = []
        done = 0
        for seed in self._seeds:
            known = self._again(seed, before[seed]) if seed in before else None
            if known is None:
                missing.append(seed)
                continue
            done += 1
            yield known
        if step:
            step(done)
        if missing:
            model = self._loaded()
            if model.spec.revision != self.spec.revision:
                # Only now that it was brought here is it known which revision it is, and what that one drew before.
                self.spec, self.run = model.spec, records.start(self._catalog, model.spec, self._request)
                yield from self.draw(step)
                return
            self.notes = tuple(dict.fromkeys([*self.notes, *model.remarks(self._ready.request)]))
        while missing:
            batch = missing[: self.together]

            def said(share: float, done: int = done, count: int = len(batch)) -> None:
                if step:
                    step(done + share * count)

            try:
                pictures = self._loaded().generate(self._ready.request, batch, said)
            except MemoryError as error:
                self._fewer(error)
                continue
            for picture in pictures:
                yield self._keep(picture)
            done += len(batch)
            del missing[: len(batch)]
            if step:
                step(done)
        self._catalog.runs.finish(self.run.id)

    def _loaded(self) -> Model:
        if self._load is not None:
            return self._load(self.spec)
        if self._model is None:
            self._model = self.spec.load()
        return self._model

    def _fewer(self, error: MemoryError) -> None:
        if self.together <= 1:
            width, height = self._ready.request.size or self.needs.size
            raise ModelError(
                f"There is no memory to draw one picture of {width} x {height} with {self.spec.name}.",
                expected="memory for the model and one picture",
                got=str(error) or "none left",
                hint=f"a smaller --size, down to {self.needs.least}; or a smaller --model",
            ) from error
        self.together //= 2
        said = "Memory did not suffice for {before} pictures at a time: {now} are drawn."
        note = Note("memory_batch", said, before=self.together * 2, now=self.together)
        self.notes = (*self.notes, note)

    def _keep(self, picture: Picture) -> Drawn:
        pixels = self._ready.patch.paste(picture.pixels) if self._ready.patch else picture.pixels
        story = {
            "model": self.spec.name, "revision": self.spec.revision, "seed": picture.seed, "request": self._request,
            **({"detail": picture.detail} if picture.detail else {}),
        }  # fmt: skip
        data = writing.encode(pixels, story, tool=_tool(self.spec.name), edited=self._edited, told=self._told)
        path = self._path(picture.seed, data, story)
        size = (pixels.shape[1], pixels.shape[0])
        writing.write(path, data)
        id = records.keep(self._catalog, self.run, path, data, story, size)
        return Drawn(path, picture.seed, id, size, picture.detail)

    def _again(self, seed: int, id: str) -> Drawn | None:
        """Return a picture of an earlier call, brought to where it is wanted; None where its file is gone."""
        image = self._catalog.images.get(id)
        try:
            data = self._catalog.images.read(id)
        except ImageError:
            return None
        path = self._path(seed, data)
        if not path.is_file() or path.read_bytes() != data:
            writing.write(path, data)
            records.place(self._catalog, path, id, (image.width, image.height), len(data))
        return Drawn(path, seed, id, (image.width, image.height), known=True)

    def _path(self, seed: int, data: bytes, story: dict[str, Any] | None = None) -> Path:
        if self._out is None:
            return self._catalog.runs.folder(self.run.id) / f"{seed}.png"
        if self._out.suffix:
            return self._out
        plain = self._out / f"{writing.stem(self.order.prompt)}-{seed}.png"
        # Another request with the same beginning and seed lies there already.
        if plain.is_file() and not _same(plain, data, story):
            return plain.with_name(f"{plain.stem}-{self.run.id[-4:]}.png")
        return plain


def _same(path: Path, data: bytes, story: dict[str, Any] | None) -> bool:
    """Tell whether a file is this picture, or one of the same request that was written just before a power cut."""
    there = path.read_bytes()
    if there == data or story is None:
        return there == data
    try:
        told = writing.story_of(there)
    except (ImageError, InputError):
        return False
    return all(told[name] == story[name] for name in ("model", "revision", "seed", "request") if name in told)


def control_file(generator: Generator, folder: Path) -> Path | None:
    """Write the control image where a person can look at it; None where there is none."""
    data = generator.control_preview
    if data is None:
        return None
    path = folder / CONTROL
    writing.write(path, data)
    return path


def _checked(out: Path | None, n: int) -> Path | None:
    if out is None:
        return None
    if out.suffix and not out.is_dir():
        if out.suffix.lower() != ".png":
            raise InputError("Pictures are written as PNG.", expected="-o FOLDER, or -o FILE.png for one", got=str(out))
        if n > 1:
            raise InputError(
                f"{n} pictures do not go into one file.",
                expected="a folder",
                got=str(out),
                hint=f"-o {out.with_suffix('')}{os.sep}",
            )
        return out
    return out


def _tool(model: str) -> str:
    return f"camera-lucida {__version__}, {model}"
