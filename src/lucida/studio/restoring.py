"""What the Restore page asks for: images, models, and what is to be done to which image."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypedDict

from lucida.errors import LucidaError, UnknownName
from lucida.images import LIMITS, Header, check
from lucida.images.admission import check_bytes
from lucida.images.companions import companions
from lucida.studio.masking import write_mask
from lucida.studio.restore_jobs import Jobs
from lucida.studio.shelf import Kept, Shelf
from lucida.studio.showing import Parts, is_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from lucida.catalog import Catalog
    from lucida.restore import Restored, Restorer

LOADED: Final = 2  # wishes whose models stay loaded


class Asked(TypedDict):
    """What is to be done to an image; `mask` as run lengths of a grid of the image's form."""

    source: str
    upscale: float
    denoise: float | Literal["auto"] | None
    model: str
    mask: dict[str, Any] | None


class Restoring:
    """Restores images for any number of browsers; a context manager that leaves no file behind.

    Args:
        catalog: An open catalog, whose images can be opened; None where there is none.
        shelf: Keeps what was sent and what was made.
    """

    def __init__(self, catalog: Catalog | None = None, shelf: Shelf | None = None) -> None:
        self.catalog = catalog
        self.shelf = shelf or Shelf()
        self.parts, self.jobs = Parts(self.shelf), Jobs(self.shelf)
        self._masks = self.shelf.folder / "masks"
        self._restorers: OrderedDict[tuple[Any, ...], Restorer] = OrderedDict()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what is under way, and remove all files."""
        self.jobs.close()
        self.shelf.close()

    def offers(self) -> dict[str, Any]:
        """Return the models to choose from, the set that does what others do not, and the limit of an image."""
        from lucida.models.restorers.family import USUAL
        from lucida.restore import choices

        models = [{"name": c.name, "tasks": c.tasks, "scales": c.scales, "note": c.note} for c in choices()]
        return {"models": models, "usual": USUAL, "bytes": LIMITS.bytes}

    def admit(self, size: int) -> None:
        """Refuse an image by its number of bytes, before any of them has come.

        Raises:
            ImageError: It is too large.
        """
        check_bytes(size, LIMITS)

    def add(self, token: str, path: Path) -> dict[str, Any]:
        """Take an image that was written where the shelf said.

        Raises:
            ImageError: It is damaged, too large, or none.
        """
        try:
            data = path.read_bytes()
            header = check(data, LIMITS)
            frames = companions(data, LIMITS).frames
        except LucidaError:
            self.shelf.forget(token)
            raise
        return _shown(self.shelf.keep(_kept(token, path, header, frames)))

    def open(self, image: str) -> dict[str, Any]:
        """Take an image of the catalog.

        Raises:
            LucidaError: There is no such image, or it cannot be read any more.
        """
        if self.catalog is None:
            raise UnknownName("image", image, [])
        data = self.catalog.images.read(image)
        token, path = self.shelf.place(self.catalog.images.name(image))
        path.write_bytes(data)
        return self.add(token, path)

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

        def work(step: Callable[[float], None]) -> dict[str, Any]:
            return self._restore(source, restorer, name, step)

        try:
            return self.jobs.add(source, work, mask)
        except LucidaError:
            if mask is not None:
                mask.unlink(missing_ok=True)
            raise

    def job(self, id: str) -> dict[str, Any]:
        """Return where a job stands, with the image that it is about.

        Raises:
            UnknownName: It is not known any more.
        """
        return self.jobs.view(id) | {"source": _shown(self.jobs.source(id))}

    def _restore(self, source: Kept, restorer: Restorer, name: str, step: Callable[[float], None]) -> dict[str, Any]:
        token, target = self.shelf.place(result_name(source))
        try:
            done = restorer.file(source.path, target, step, name=name)
            step(1.0)
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


def _kept(token: str, path: Path, header: Header, frames: int) -> Kept:
    return Kept(token, path, header.width, header.height, header.format, header.mode, path.stat().st_size, frames)


def _result(token: str, done: Restored) -> Kept:
    from lucida.restore.writing import kind_of

    kind, size = kind_of(done.written).name, done.written.stat().st_size
    return Kept(token, done.written, *done.became, kind, "RGB", size, done.frames)


def _told(kept: Kept, done: Restored, restorer: Restorer) -> dict[str, Any]:
    """Return what became of an image, for the page to say in words."""
    stages = [{"task": stage.task, "model": stage.spec.name} for stage in restorer.plan.stages]
    return _shown(kept) | {
        "factor": restorer.plan.factor,
        "before": done.size,
        "noise": done.noise,
        "stages": stages,
        "notes": list(dict.fromkeys([*restorer.plan.notes, *done.notes])),
        "seconds": round(done.seconds, 2),
        "engine": done.engine,
    }


def _shown(kept: Kept) -> dict[str, Any]:
    return {
        "token": kept.token,
        "name": kept.name,
        "width": kept.width,
        "height": kept.height,
        "format": kept.kind,
        "bytes": kept.bytes,
        "frames": kept.frames,
        "whole": is_whole(kept),
    }
