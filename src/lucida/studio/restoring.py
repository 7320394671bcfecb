"""What the Restore page asks for: images, models, and what is to be done to which image."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

from lucida.errors import LucidaError, UnknownName
from lucida.images import LIMITS
from lucida.notes import told
from lucida.studio.jobs import Job, Trade
from lucida.studio.masking import write_mask
from lucida.studio.shelf import Kept
from lucida.studio.showing import Parts
from lucida.studio.tray import shown
from lucida.studio.workplace import Workplace

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.restore import Restored, Restorer
    from lucida.studio.shelf import Shelf

LOADED: Final = 2  # wishes whose models stay loaded
TRADE: Final = Trade(
    "restore",
    "images",
    failed="The image could not be restored.",
    expected="a model that runs on this machine",
    hint="another model, or a smaller image",
    again="restore the image again",
)


class Asked(TypedDict):
    """What is to be done to an image; `mask` as run lengths of a grid of the image's form."""

    source: str
    upscale: float
    denoise: float | Literal["auto"] | None
    model: str
    mask: dict[str, Any] | None


class Restoring(Workplace):
    """Restores images; leaves no file behind.

    Args:
        catalog: An open catalog, whose images can be opened; None where there is none.
        shelf: Keeps what was sent and what was made.
    """

    def __init__(self, catalog: Catalog | None = None, shelf: Shelf | None = None) -> None:
        super().__init__(catalog, TRADE, shelf)
        self.catalog, self.parts = catalog, Parts(self.shelf)
        self._masks = self.shelf.folder / "masks"
        self._restorers: OrderedDict[tuple[Any, ...], Restorer] = OrderedDict()
        self._lock = threading.Lock()

    def offers(self) -> dict[str, Any]:
        """Return the models to choose from, the set that does what others do not, and the limit of an image."""
        from lucida.models.restorers.family import USUAL
        from lucida.restore import choices

        models = [{"name": c.name, "tasks": c.tasks, "scales": c.scales, "note": c.note} for c in choices()]
        return {"models": models, "usual": USUAL, "bytes": LIMITS.bytes}

    def start(self, asked: Asked) -> dict[str, Any]:
        """Begin to restore an image, or let it wait for its turn.

        Raises:
            LucidaError: It cannot be done; what can be known before is said at once.
        """
        from lucida.restore.restorer import check_size

        source = self.shelf.get(asked["source"])
        restorer = self._restorer(asked)
        check_size((source.width, source.height), restorer.plan.size(source.width, source.height), source.frames)
        name = secrets.token_urlsafe(12)
        mask = None
        if asked["mask"] is not None:
            mask = self._masks / f"{name}.png"
            write_mask(asked["mask"], mask, source.width, source.height)

        def over() -> None:
            self.shelf.release(source.token)
            if mask is not None:
                mask.unlink(missing_ok=True)

        self.shelf.hold(source.token)
        try:
            return self.jobs.add(lambda job: self._restore(source, restorer, name, job), source, over)
        except LucidaError:
            over()
            raise

    def job(self, id: str) -> dict[str, Any]:
        """Return where a job stands, with the image that it is about.

        Raises:
            UnknownName: It is not known any more.
        """
        return self.jobs.view(id) | {"source": shown(self.jobs.about(id))}

    def _restore(self, source: Kept, restorer: Restorer, name: str, job: Job) -> dict[str, Any]:
        token, target = self.shelf.place(result_name(source))
        try:
            done = restorer.file(source.path, target, job.step, name=name)
            job.step(1.0)
        except BaseException:
            self.shelf.forget(token)
            raise
        return _told(self.shelf.keep(_result(token, done)), done, restorer)

    def _restorer(self, asked: Asked) -> Restorer:
        from lucida.restore import Restorer, Wish, choices

        names = [choice.name for choice in choices()]
        if asked["model"] and asked["model"] not in names:
            raise UnknownName("model", asked["model"], names)
        # A folder of masks named like the jobs: so the models need not be loaded anew for each mask.
        fill = self._masks if asked["mask"] is not None else None
        wish = Wish(asked["upscale"], asked["denoise"], fill, asked["model"])
        key = (wish.upscale, wish.denoise, wish.fill, wish.model)
        with self._lock:
            if key not in self._restorers:
                self._restorers[key] = Restorer(wish, (self.catalog.models or None) if self.catalog else None)
                while len(self._restorers) > LOADED:
                    self._restorers.popitem(last=False)
            self._restorers.move_to_end(key)
            return self._restorers[key]


def result_name(source: Kept) -> str:
    """Return the name of the original with a suffix, in its format where that is written, else in PNG."""
    from lucida.restore.job import SUFFIX
    from lucida.restore.writing import KINDS

    name = PurePosixPath(source.name)
    own = KINDS.get(name.suffix.lower())
    # A name may say another format than the bytes do; of several frames none must get lost.
    fits = own is not None and (source.frames == 1 or own.moves)
    return f"{name.stem.removesuffix(SUFFIX)}{SUFFIX}{name.suffix if fits else '.png'}"


def _result(token: str, done: Restored) -> Kept:
    from lucida.restore.writing import kind_of

    kind, size = kind_of(done.written).name, done.written.stat().st_size
    return Kept(token, done.written, *done.became, kind, "RGB", size, done.frames)


def _told(kept: Kept, done: Restored, restorer: Restorer) -> dict[str, Any]:
    """Return what became of an image, for the page to say in words."""
    stages = [{"task": stage.task, "model": stage.spec.name} for stage in restorer.plan.stages]
    return shown(kept) | {
        "factor": restorer.plan.factor,
        "before": done.size,
        "noise": done.noise,
        "stages": stages,
        "notes": [told(note) for note in dict.fromkeys([*restorer.plan.notes, *done.notes])],
        "seconds": round(done.seconds, 2),
        "engine": done.engine,
    }
