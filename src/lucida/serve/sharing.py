"""One model that is served: loaded once, asked in many ways, from many threads, and let go when its time is over."""

from __future__ import annotations

import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image as Pillow

from lucida.errors import InputError, LucidaError
from lucida.images import decode
from lucida.models.chat import Usage
from lucida.runs.seeing import Seer, Wish
from lucida.serve.batching import Batching
from lucida.serve.services import MAKERS, SERVICES

if TYPE_CHECKING:
    from lucida.images import Image, Limits
    from lucida.models.chat import Said, Talk
    from lucida.models.spec import Model, Spec
    from lucida.runs.seeing import Seen
    from lucida.serve.services import Service

ASKED: Final = 64  # ways in which a model was asked that are kept ready: the words of each are read once
LOADED: Final = 2  # of a model that is loaded anew for other words


class Meter:
    """Adds up what a model that is paid for says it took; may be told from several threads."""

    def __init__(self) -> None:
        self.usage, self._lock = Usage(), threading.Lock()

    def add(self, usage: Usage) -> None:
        """Add what one answer took."""
        with self._lock:
            self.usage += usage


class SharedSeer(Seer):
    """Looks at images with a model that others use as well.

    Args:
        spec: The model.
        wish: What is asked.
        served: Whose it is, which loads it. It must outlive this: who asks holds on to it.
    """

    def __init__(self, spec: Spec, wish: Wish, served: Served) -> None:
        # No cycle: the model's memory is free as soon as the last who asked is answered.
        self._served = weakref.ref(served)
        self._meter = served.meter
        super().__init__(spec, wish)

    @property
    def model(self) -> Model:
        """The running model."""
        if self._model is None:
            served = self._served()
            assert served is not None, "who asks holds on to it"
            self._model = served.running(self.spec)
        return self._model

    def say(self, talk: Talk) -> Said:
        """Have the model say what comes next in a talk, and count what it took."""
        said = super().say(talk)
        self._meter.add(said.usage)
        return said

    def let_go(self) -> None:
        """Free the model; nothing can be asked after that."""
        self._model = self.matcher = None
        # It knows its seer: a cycle.
        del self._act

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
        return self.look_together([self.decode(data, limits, shrink=shrink)], [data])[0]

    def decode(self, data: bytes, limits: Limits, *, shrink: bool = False) -> Image:
        """Decode an image for `look_together`; as `look` does."""
        needs = self.spec.needs
        image = decode(data, cover=needs.cover if shrink else None, fine=needs.fine, limits=limits)
        needs.check_image(image)
        return image

    def look_together(self, images: Sequence[Image], files: Sequence[bytes]) -> list[Seen]:
        """Look at images in one call of the model.

        Args:
            images: As `decode` gives them.
            files: The encoded files.

        Raises:
            ModelError: The model cannot run.
        """
        return self._see([partial(_same, image) for image in images], files)


def _same(image: Image) -> Image:
    return image


class Served:
    """One model under its name; may be asked from several threads.

    Args:
        name: What clients call it.
        spec: The model.
        given: What the registry calls it; `name` where that is the same.

    Attributes:
        found: The model as the registry has it; `spec` is the same under its name here.
        meter: What it took so far, of a model that is paid for.
        loading: Seconds that loading it took.
        batching: How many images are looked at together, as the planner found.
    """

    batching = Batching()

    def __init__(self, name: str, spec: Spec, given: str = "") -> None:
        self.given, self.found = given or name, spec
        # Errors and keys of vectors speak of it as clients do; a path of this machine is none of their business.
        self.name, self.spec = name, replace(spec, name=name)
        self.since, self.meter = int(time.time()), Meter()
        self.loading = 0.0
        # Where it lies is known as long as it lies there.
        self._folders = _folders(self.given) if self.by_path else ()
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
            for known in (self.found.name, self.given):
                text = text.replace(known, self.name) if known != self.name else text
            for path in (*more, *self._folders):
                text = text.replace(path, "")
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
                self._seers[key] = SharedSeer(self.spec, wish, self)
                while len(self._seers) > ASKED:
                    self._seers.popitem(last=False)
            self._seers.move_to_end(key)
            return self._seers[key]

    def load(self) -> None:
        """Load the model, and have it look at a blank image: the first client must not wait for that.

        Raises:
            LucidaError: It cannot be loaded.
        """
        began = time.monotonic()
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
        self.loading = time.monotonic() - began

    def retire(self, gone: Callable[[], None]) -> None:
        """Be let go, with its models, once nobody holds on to it any more.

        Args:
            gone: Called then, in any thread.
        """
        weakref.finalize(self, _let_go, self._seers, self._models, gone).atexit = False

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


def _folders(given: str) -> tuple[str, ...]:
    """Return how the folder of a model may be called in what is said of its files."""
    path = Path(given.removeprefix("onnx:")).expanduser()
    folder = path if path.is_dir() else path.parent
    return tuple(f"{one}/" for one in (folder, folder.resolve()) if one.is_absolute())


def _let_go(seers: OrderedDict[Any, SharedSeer], models: OrderedDict[Any, Model], gone: Callable[[], None]) -> None:
    for seer in seers.values():
        seer.let_go()
    seers.clear()
    models.clear()
    gone()


def _blank() -> bytes:
    file = BytesIO()
    Pillow.new("RGB", (64, 64), (127, 127, 127)).save(file, "PNG")
    return file.getvalue()
