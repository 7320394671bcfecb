"""Models that are served: each loaded once, asked in many ways, from many threads."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image as Pillow

from lucida.errors import ImageError, InputError, LucidaError, UnknownName
from lucida.images import decode
from lucida.models.registry import find
from lucida.runs.seeing import Seer, Wish
from lucida.serve.services import MAKERS, SERVICES

if TYPE_CHECKING:
    from lucida.images import Limits
    from lucida.models.spec import Model, Spec
    from lucida.runs.seeing import Seen
    from lucida.serve.services import Service

ASKED: Final = 64  # ways in which a model was asked that are kept ready: the words of each are read once
LOADED: Final = 2  # of a model that is loaded anew for other words
_NAMED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})=(.+)")


class SharedSeer(Seer):
    """Looks at images with a model that others use as well.

    Args:
        spec: The model.
        wish: What is asked.
        load: Returns the running model of a spec.
    """

    def __init__(self, spec: Spec, wish: Wish, load: Callable[[Spec], Model]) -> None:
        self._load = load
        super().__init__(spec, wish)

    @property
    def model(self) -> Model:
        """The running model."""
        if self._model is None:
            self._model = self._load(self.spec)
        return self._model

    def look(self, data: bytes, limits: Limits, *, shrink: bool = False) -> Seen:
        """Look at one image.

        Args:
            data: The encoded file.
            limits: Bounds on it.
            shrink: Decode it no larger than the model needs.

        Raises:
            ImageError: It is none that can be looked at.
            ModelError: The model cannot run.
        """
        refused: list[ImageError] = []
        needs = self.spec.needs

        def decoding() -> Any:
            try:
                image = decode(data, cover=needs.cover if shrink else None, fine=needs.fine, limits=limits)
                needs.check_image(image)
            except ImageError as error:
                refused.append(error)
                raise
            return image

        (seen,) = self._see([decoding], [data])
        if refused:
            raise refused[0]
        return seen


class Served:
    """One model under its name; may be asked from several threads.

    Args:
        name: What clients call it.
        spec: The model.
        given: What the registry calls it; `name` where that is the same.

    Attributes:
        found: The model as the registry has it; `spec` is the same under its name here.
    """

    def __init__(self, name: str, spec: Spec, given: str = "") -> None:
        self.given, self.found = given or name, spec
        # Errors and keys of vectors speak of it as clients do; a path of this machine is none of their business.
        self.name, self.spec = name, replace(spec, name=name)
        self.since = int(time.time())
        self._seers: OrderedDict[tuple[Any, ...], SharedSeer] = OrderedDict()
        self._models: OrderedDict[tuple[Any, ...], Model] = OrderedDict()
        self._lock = threading.RLock()

    @property
    def services(self) -> tuple[Service, ...]:
        """What it can be asked."""
        return tuple(service for service in SERVICES.values() if service.can(self.spec))

    @property
    def by_path(self) -> bool:
        """Whether it was named by a path of this machine."""
        return self.given.startswith("onnx:") or Path(self.given).exists()

    @contextmanager
    def unnamed(self, *more: str) -> Iterator[Callable[[str], str]]:
        """Have errors call it as clients do; gives what does the same to a sentence.

        Args:
            more: Paths of this machine that are left out.
        """

        def said(text: str) -> str:
            for path in more:
                text = text.replace(path, "")
            for known in (self.found.name, self.given):
                text = text.replace(known, self.name) if known != self.name else text
            return text

        try:
            yield said
        except LucidaError as error:
            for part in ("what", "expected", "got", "hint"):
                setattr(error, part, said(getattr(error, part)))
            raise

    @property
    def makes(self) -> tuple[str, ...]:
        """What pictures it makes, of `MAKERS`."""
        return tuple(name for name, tasks in MAKERS.items() if set(tasks) & set(self.spec.tasks))

    def seer(self, wish: Wish) -> SharedSeer:
        """Return what looks at images for a wish.

        Raises:
            LucidaError: The model cannot do this.
        """
        key = (wish.task, wish.classes, wish.questions, wish.reason, wish.least)
        # One at a time: to read the words of new classes takes the model's other half, once.
        with self._lock:
            if key not in self._seers:
                self._seers[key] = SharedSeer(self.spec, wish, self.running)
                while len(self._seers) > ASKED:
                    self._seers.popitem(last=False)
            self._seers.move_to_end(key)
            return self._seers[key]

    def load(self) -> None:
        """Load the model, and have it look at a blank image: the first client must not wait for that.

        Raises:
            LucidaError: It cannot be loaded.
        """
        for service in self.services:
            # One that finds whatever it is told is told something: then at least its files are there and whole.
            told = ("object",) if self.spec.look_for and not self.spec.gives.classes else ()
            wish = Wish(service.task, told)
            if not service.fits(self.spec, wish):
                continue
            with suppress(InputError):
                seer = self.seer(wish)
                _ = seer.model
                if not seer.talks:
                    seer.see([_blank()])
        if not self._models:
            self.running(self.spec)

    @property
    def talks(self) -> bool:
        """Whether it answers in words, for the most part by waiting for somebody else."""
        return self.spec.configure is not None

    @property
    def together(self) -> int:
        """How many calls it takes at a time with profit, of a model that talks."""
        return self.running(self.spec).workers

    def running(self, spec: Spec) -> Model:
        """Return the running model of a spec, which is loaded once.

        Raises:
            LucidaError: It cannot be loaded.
        """
        key = (spec.key, spec.gives.classes, spec.tasks)
        with self._lock:
            if key not in self._models:
                self._models[key] = spec.load()
                while len(self._models) > max(LOADED, len(self.spec.tasks)):
                    self._models.popitem(last=False)
            self._models.move_to_end(key)
            return self._models[key]


class Shelf:
    """The models that are served, in the order in which they were named.

    Args:
        models: At least one, each under a name of its own.
    """

    def __init__(self, models: Sequence[Served]) -> None:
        self.models = {one.name: one for one in models}

    def choose(self, service: Service, wish: Wish, name: str | None) -> Served:
        """Return the model that is asked.

        Args:
            service: What it must do.
            wish: What is asked.
            name: Of the model; None for the first that can.

        Raises:
            UnknownName: No such model is served.
            ModelError: It, or all of them, cannot.
        """
        if name is not None:
            if name not in self.models:
                raise UnknownName("model", name, self.models, hint="GET /v1/models lists what is served")
            return self.models[name]
        can = [one for one in self.models.values() if service.can(one.spec)]
        if not can:
            tasks = sorted({other.name for one in self.models.values() for other in one.services})
            raise UnknownName("task of the served models", service.name, tasks, hint="serve a model that can as well")
        return next((one for one in can if service.fits(one.spec, wish)), can[0])

    def maker(self, task: str, name: str | None) -> Served:
        """Return the model that makes pictures.

        Args:
            task: One of `MAKERS`.
            name: Of the model; None for the first that can.

        Raises:
            UnknownName: No such model is served, or it cannot.
            InputError: None can.
        """
        can = {one.name: one for one in self.models.values() if task in one.makes}
        if name is None and can:
            return next(iter(can.values()))
        if not can:
            raise InputError(
                f"None of the served models can {task}.",
                expected=f"a model with one of the tasks {', '.join(MAKERS[task])}",
                got=", ".join(self.models),
                hint=f"serve one that can as well: lucida models --task {MAKERS[task][0]} lists them",
            )
        if name not in can:
            raise UnknownName(f"model to {task}", str(name), can, hint="GET /v1/models lists what is served")
        return can[name]


def open_shelf(names: Sequence[str], home: Path | None = None) -> Shelf:
    """Find models by name; none is loaded yet.

    Args:
        names: As `lucida models` takes them, or a run; with "NAME=" before it, clients call it NAME.
        home: Where a catalog keeps models of its own.

    Raises:
        InputError: There is none, two have one name, or one can be asked nothing.
        UnknownName: There is no such model.
        ModelError: Its files are missing or damaged.
    """
    found: dict[str, Served] = {}
    for given in names:
        named = None if Path(given).exists() else _NAMED.fullmatch(given)
        spec = find(named[2] if named else given, home)
        name = named[1] if named else _short(given)
        one = Served(name, spec, named[2] if named else given)
        if not (one.services or one.makes):
            raise InputError(
                f"The model {given!r} cannot be served.",
                expected=f"one that can {', '.join([*SERVICES, *MAKERS])}",
                got=f"tasks {', '.join(spec.tasks)}",
                hint="lucida models",
            )
        if name in found:
            raise InputError(
                f"Two models would be served as {name!r}.",
                expected="a name for each",
                got=" and ".join(names),
                hint=f"name one of them: NAME={given}",
            )
        found[name] = one
    if not found:
        raise InputError(
            "There is no model to serve.", expected="names of models", got="none", hint="lucida serve embedded"
        )
    return Shelf(list(found.values()))


def _short(given: str) -> str:
    """Return what clients call a model: no path of this machine."""
    path = Path(given.removeprefix("onnx:"))
    if not (given.startswith("onnx:") or path.is_absolute() or path.exists()):
        return given
    path = path.resolve()
    # An exported model is "model.onnx" in a folder that says more.
    return path.parent.name if path.stem == "model" else path.stem


def _blank() -> bytes:
    file = BytesIO()
    Pillow.new("RGB", (64, 64), (127, 127, 127)).save(file, "PNG")
    return file.getvalue()
