"""The training runs of a catalog, for any number of browsers: each file is read once, however many look."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from lucida.errors import LucidaError, ModelError, UnknownName
from lucida.studio.training.compressed import Compressions
from lucida.studio.training.runs import Watched

if TYPE_CHECKING:
    from lucida.catalog import Catalog

ROWS: Final = 4000  # rows of curves in one answer; the page asks for the rest


class Examined(Protocol):
    """A finished run, judged on its validation part."""

    def to_json(self) -> dict[str, Any]:
        """Return the mistakes, worst first, and what a person should know, as plain JSON values."""
        ...

    def picture(self, number: int, side: int) -> tuple[bytes, str]:
        """Return a mistake's image and its media type, no side longer than `side` pixels."""
        ...

    def heat(self, number: int) -> dict[str, Any]:
        """Return where the model looked."""
        ...

    def nearest(self, number: int) -> dict[str, Any]:
        """Return the training images that are most alike to the model."""
        ...


class Examine(Protocol):
    """Judges a finished run."""

    def __call__(self, catalog: Catalog, run: str) -> Examined: ...


class Measure(Protocol):
    """Measures the speed of a finished run's model."""

    def __call__(self, catalog: Catalog, run: str) -> dict[str, Any]: ...


class Training:
    """Everything the Train page asks for; its methods may be called from several threads.

    Args:
        catalog: An open catalog.
        examine: Judges a finished run; that of `lucida.evaluate` by default.
        measure: Measures how fast a run's model is.
    """

    def __init__(self, catalog: Catalog, *, examine: Examine | None = None, measure: Measure | None = None) -> None:
        self.catalog = catalog
        self._examine, self._measure = examine or _examine, measure or _measure
        self._compressions = Compressions()
        self._speeds: dict[str, dict[str, Any]] = {}
        self._measuring = threading.Lock()
        self._watched: dict[str, Watched] = {}
        self._examinations: dict[str, _Examination] = {}
        self._lock = threading.Lock()

    def runs(self) -> list[dict[str, Any]]:
        """Return all training runs, the newest first, as plain JSON values."""
        with self._lock:
            every = self.catalog.runs.all()
            found = [run for run in every if run.verb == "train"]
            smaller = self._compressions.of(every, self.catalog.path / "runs")
            for run in found:
                self._watched.setdefault(run.id, Watched(run, self._folder(run.id)))
            return [
                self._watched[run.id].look()
                | {"compressed": smaller.get(run.id, []), "answers": self._speeds.get(run.id)}
                for run in reversed(found)
            ]

    def speed(self, run: str) -> dict[str, Any]:
        """Return how many images a second a finished run's model answers, one at a time; it is measured once.

        Raises:
            UnknownName: There is no such run.
            ModelError: It is not finished, or its model does not run.
        """
        with self._lock:
            self._run(run)
        # One at a time: two measurements would slow each other.
        with self._measuring:
            if run not in self._speeds:
                try:
                    self._speeds[run] = self._measure(self.catalog, run)
                except (ImportError, RuntimeError, ValueError, OSError) as error:
                    if isinstance(error, LucidaError):
                        raise
                    raise ModelError(f"The model of {run} could not be measured: {error}") from error
            return self._speeds[run]

    def rows(self, run: str, generation: int = -1, start: int = 0) -> dict[str, Any]:
        """Return rows of a run's curves.

        Args:
            run: Id of the run.
            generation: Of the rows that the page has; from another generation nothing is kept.
            start: How many rows it has.

        Raises:
            UnknownName: There is no such run.
        """
        with self._lock:
            watched = self._run(run)
            every = watched.rows()
            now = watched.follower.generation
            start = start if generation == now else 0
            return {"generation": now, "start": start, "rows": every[start : start + ROWS], "count": len(every)}

    def mistakes(self, run: str) -> dict[str, Any]:
        """Return where a finished run is wrong; the first call begins to find out and returns at once.

        Raises:
            UnknownName: There is no such run.
        """
        return self._examination(run).to_json()

    def picture(self, run: str, number: int, side: int) -> tuple[bytes, str]:
        """Return the image of a mistake and its media type.

        Raises:
            LucidaError: There is no such mistake, or the image cannot be read any more.
        """
        return self._examined(run).picture(number, side)

    def explain(self, run: str, number: int, what: Literal["heat", "nearest"]) -> dict[str, Any]:
        """Return where the model looked in the image of a mistake, or which training images are most alike to it.

        Raises:
            LucidaError: There is no such mistake, or it cannot be explained.
        """
        with self._examination(run).one_at_a_time:
            try:
                examined = self._examined(run)
                return examined.heat(number) if what == "heat" else examined.nearest(number)
            except (ImportError, RuntimeError, ValueError) as error:
                if isinstance(error, LucidaError):
                    raise
                raise ModelError(f"This answer could not be explained: {error}") from error

    def _folder(self, run: str) -> Path:
        return self.catalog.path / "runs" / run

    def _run(self, run: str) -> Watched:
        if run not in self._watched:
            found = self.catalog.runs.get(run)
            if found.verb != "train":
                raise UnknownName(
                    "training run", run, [one.id for one in self.catalog.runs.all() if one.verb == "train"]
                )
            self._watched[run] = Watched(found, self._folder(run))
        return self._watched[run]

    def _examination(self, run: str) -> _Examination:
        with self._lock:
            self._run(run)
            kept = self._examinations.get(run)
            # What failed for want of a package or of the data may succeed when it is asked again.
            if kept is None or (kept.error is not None and kept.told):
                kept = self._examinations[run] = _Examination(lambda: self._examine(self.catalog, run), run)
            return kept

    def _examined(self, run: str) -> Examined:
        examined = self._examination(run).examined
        if examined is None:
            raise UnknownName("mistake", run, [], hint="its mistakes are not known yet")
        return examined


class _Examination:
    """One run being judged in a thread of its own, which never keeps the program from ending."""

    def __init__(self, work: Any, run: str) -> None:
        self._work = work
        self.examined: Examined | None = None
        self.error: dict[str, str] | None = None
        self.told = False
        self.one_at_a_time = threading.Lock()
        threading.Thread(target=self._go, name=f"judge-{run}", daemon=True).start()

    def _go(self) -> None:
        try:
            self.examined = self._work()
        except LucidaError as error:
            self.error = error.to_json()
        except Exception as error:
            self.error = LucidaError(f"The run could not be judged: {type(error).__name__}: {error}").to_json()

    def to_json(self) -> dict[str, Any]:
        if self.error is not None:
            self.told = True
            return {"state": "failed", "error": self.error}
        if self.examined is None:
            return {"state": "working"}
        return {"state": "ready", **self.examined.to_json()}


def _measure(catalog: Catalog, run: str) -> dict[str, Any]:
    from lucida.studio.training.speed import inference_speed

    return inference_speed(catalog, run)


def _examine(catalog: Catalog, run: str) -> Examined:
    from lucida.studio.training.examine import examine

    return examine(catalog, run)
