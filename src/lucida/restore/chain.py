"""The stages of a plan, one after the other, on the pixels of one image; smaller tiles where memory runs out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from lucida.errors import ModelError
from lucida.models.restorer import needs_of
from lucida.notes import Note
from lucida.restore.colours import through, uncovered
from lucida.restore.fill import fill
from lucida.restore.reduce import reduce
from lucida.restore.tiles import SMALLEST, run_tiles
from lucida.restore.writing import Rows, scratch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.spec import Model, Precision
    from lucida.restore.pixels import Picture
    from lucida.restore.plan import Plan, Stage

    Kind = type[np.uint8] | type[np.uint16]
    Write = Callable[[NDArray[Any]], None]
    # Does its part of the work on an image, and writes rows of a type.
    Do = Callable[[NDArray[Any], Write, Kind, Callable[[float], None]], None]

BAND: Final = 256  # rows that are written at a time where nothing is done to them
SEEN: Final = 40_000_000  # pixels up to which colours under what is transparent are replaced


class Act(NamedTuple):
    """One step on the way, and how many times larger it makes an image; of the last that is not asked."""

    do: Do
    scale: int = 1


class Chain:
    """Runs the models of a plan; loads them once, when they are first needed.

    Args:
        plan: What is done.
        precision: Of the models.
    """

    def __init__(self, plan: Plan, precision: Precision) -> None:
        self._plan, self._precision = plan, precision
        self._lock = threading.Lock()
        self._models: dict[str, Model] = {}
        # Sides of tiles that there is memory for, where those of the model were too large.
        self._sides: dict[str, int] = {}

    @property
    def engine(self) -> str:
        """What runs the models, each once."""
        return ", ".join(dict.fromkeys(self._model(stage).engine for stage in self._plan.stages))

    def _model(self, stage: Stage) -> Model:
        with self._lock:
            name = stage.spec.name
            if name not in self._models:
                self._models[name] = stage.spec.load(self._precision)
            return self._models[name]

    def run(
        self,
        picture: Picture,
        became: tuple[int, int],
        mask: NDArray[np.bool_] | None,
        noise: float | None,
        write: Callable[[NDArray[Any], NDArray[Any] | None], None],
        step: Callable[[float], None],
        *,
        workers: int = 0,
    ) -> list[Note]:
        """Restore an image.

        Args:
            picture: The image.
            became: Width and height of the result.
            mask: (height, width), true where is to be filled; None for nowhere.
            noise: Level to take out, in grey levels; None for none.
            write: Takes rows of colour and of transparency, from top to bottom, of the type of the picture.
            step: Called with the share that is done.
            workers: Tiles at a time; as many as the models have use for where it is 0.

        Returns:
            What is to be said of it.

        Raises:
            ModelError: A model cannot be run, or there is no memory even for small tiles.
        """
        notes: list[Note] = []
        kind: Kind = np.uint16 if picture.deep else np.uint8
        colour, alpha = picture.colour, picture.alpha
        if alpha is not None and colour.shape[0] * colour.shape[1] <= SEEN:
            colour = uncovered(colour, alpha)
        larger = [self._tiles(stage, None, workers, notes) for stage in self._plan.stages if stage.task == "upscale"]
        if self._plan.scale > self._plan.factor:
            larger.append(Act(lambda source, put, kind, said: reduce(source, *became, put, kind=kind, step=said)))
        acts: list[Act] = []
        for stage in self._plan.stages:
            if stage.task == "fill" and mask is not None:
                acts.append(self._fill(stage, mask, notes))
            if stage.task == "denoise" and noise is not None:
                acts.append(self._tiles(stage, noise, workers, notes))
        around = None
        if alpha is not None and larger:
            around = scratch((became[1], became[0]), kind)
            _one_after_other(alpha[..., None], larger, Rows(around[..., None]).write, kind, lambda share: None)
        elif alpha is not None:
            around = alpha
        rows = _Beside(around, write)
        _one_after_other(colour, [*acts, *larger], rows.write, kind, step)
        return list(dict.fromkeys(notes))

    def _tiles(self, stage: Stage, noise: float | None, workers: int, notes: list[Note]) -> Act:
        def act(source: NDArray[Any], write: Write, kind: Kind, step: Callable[[float], None]) -> None:
            model = self._model(stage)
            needs, scale = needs_of(stage.spec), stage.scale
            if (source == source[:1, :1]).all() and "upscale" in stage.spec.tasks and source.shape[2] == 1:
                # Transparency is most often the same everywhere.
                return _constant(source, scale, write, kind)
            self._in_memory(
                stage,
                source,
                write,
                lambda put, side: run_tiles(
                    source, lambda piece: through(model, piece, noise), needs, scale, put,
                    kind=kind, side=side, workers=workers or model.workers, step=step,
                ),
                notes,
            )  # fmt: skip

        return Act(act, stage.scale)

    def _fill(self, stage: Stage, mask: NDArray[np.bool_], notes: list[Note]) -> Act:
        def act(source: NDArray[Any], write: Write, kind: Kind, step: Callable[[float], None]) -> None:
            model = self._model(stage)
            # What lies under a hole is not looked at: a second try may find it filled in part.
            out = source if source.flags.writeable else source.copy()
            self._in_memory(
                stage, source, write,
                lambda put, side: _in_bands(fill(model, source, mask, side=side, out=out, step=step), put, kind),
                notes,
            )  # fmt: skip

        return Act(act)

    def _in_memory(
        self,
        stage: Stage,
        source: NDArray[Any],
        write: Write,
        work: Callable[[Write, int], None],
        notes: list[Note],
    ) -> None:
        """Do the work with tiles as large as memory allows; rows that were written already are not written again."""
        name, needs = stage.spec.name, needs_of(stage.spec)
        done = 0
        while True:
            side = self._sides.get(name, 0)
            place = _From(write, done)
            try:
                return work(place.write, side)
            except MemoryError as error:
                done = max(done, place.row)
                smaller = (side or min(needs.tile, max(source.shape[:2]))) // 2 // needs.multiple * needs.multiple
                if smaller < max(SMALLEST, needs.multiple):
                    raise ModelError(
                        f"There is no memory to run {name}, even on small pieces.",
                        expected=f"memory for a tile of {side or needs.tile} pixels and its {needs.halo} around it",
                        got=" ".join(str(error).split())[:200] or "none left",
                        hint="end other programs, or take a smaller model",
                    ) from error
                self._sides[name] = smaller
                said = "Memory ran out: {name} went on with tiles of {side} pixels."
                notes.append(Note("memory_tiles", said, name=name, side=smaller))


class _Beside:
    """Passes rows of colour on with the rows of transparency beside them."""

    def __init__(self, alpha: NDArray[Any] | None, write: Callable[[NDArray[Any], NDArray[Any] | None], None]) -> None:
        self._alpha, self._write, self._row = alpha, write, 0

    def write(self, rows: NDArray[Any]) -> None:
        beside = None if self._alpha is None else self._alpha[self._row : self._row + len(rows)]
        self._row += len(rows)
        self._write(rows, beside)


class _From:
    """Passes rows on, but for the first ones, which an earlier try has written."""

    def __init__(self, write: Write, done: int) -> None:
        self._write, self._done, self.row = write, done, 0

    def write(self, rows: NDArray[Any]) -> None:
        new = rows[max(0, self._done - self.row) :]
        self.row += len(rows)
        if len(new):
            self._write(new)


def _one_after_other(
    source: NDArray[Any], acts: list[Act], write: Write, kind: Kind, step: Callable[[float], None]
) -> None:
    """Do one act after the other; what lies between them has 16 bits, so that nothing is rounded away."""
    for number, act in enumerate(acts):
        last = number + 1 == len(acts)

        def said(share: float, number: int = number) -> None:
            # Later acts have more pixels: the share of the first is small.
            step(_share(number, len(acts)) + share * (_share(number + 1, len(acts)) - _share(number, len(acts))))

        if last:
            return act.do(source, write, kind, said)
        between = scratch((source.shape[0] * act.scale, source.shape[1] * act.scale, source.shape[2]), np.uint16)
        act.do(source, Rows(between).write, np.uint16, said)
        source = between
    _in_bands(source, write, kind)


def _share(number: int, count: int) -> float:
    return (4.0**number - 1) / (4.0**count - 1)


def _in_bands(source: NDArray[Any], write: Write, kind: Kind) -> None:
    for first in range(0, len(source), BAND):
        write(_of_kind(source[first : first + BAND], kind))


def _of_kind(rows: NDArray[Any], kind: Kind) -> NDArray[Any]:
    """Return rows as values of 8 or of 16 bits."""
    if rows.dtype == kind:
        return rows
    if kind is np.uint16:
        return rows.astype(np.uint16) * np.uint16(257)
    return ((rows.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _constant(source: NDArray[Any], scale: int, write: Write, kind: Kind) -> None:
    value = _of_kind(source[:1, :1], kind)
    for first in range(0, len(source), BAND):
        rows = len(source[first : first + BAND]) * scale
        write(np.broadcast_to(value, (rows, source.shape[1] * scale, source.shape[2])))
