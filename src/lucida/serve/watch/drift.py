"""Whether live images, and what the model says of them, are still those of the reference; and which of them are not."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.evidence.drift import LEAST, WINDOW, Drift, Signal
from lucida.serve.watch.ledger import Alarm, Ledger, Row
from lucida.serve.watch.measure import NUMBERS, SCORES, Measured, table, words_of
from lucida.serve.watch.settings import LIVE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.serve.records import Records
    from lucida.serve.watch.settings import WatchSettings

METHOD: Final = 1  # another number begins all watches anew: what is compared, or how, has changed
BATCH: Final = 10  # live images that are looked at together
NAMED: Final = 24  # images that an alarm names
CLASSES: Final = 5  # whose shares an alarm tells
FIRST: Final = 300  # live images that are the reference where there is no other, at most
MOST: Final = 20_000  # live images that are kept to compare with
_MIX: Final = 0.02  # change of a class's share that is told

Live = tuple[Row, Measured]


class DriftWatch:
    """Compares live images with a reference; its methods are called in threads.

    Args:
        records: Of the server.
        settings: How it watches.
        about: All that decides what is compared: the same goes on after a restart.
        wanted: Images that the reference is to have.
        scores: Whether what the model says is compared.
        note: What a person should know of the reference.
    """

    def __init__(
        self,
        records: Records,
        settings: WatchSettings,
        about: dict[str, Any],
        *,
        wanted: int,
        scores: bool = True,
        note: str = "",
    ) -> None:
        self.ledger, self.settings, self._about, self._note = Ledger(records), settings, about, note
        self._scores, self.live = scores, settings.reference == LIVE
        self.wanted = min(wanted, FIRST) if self.live else wanted
        self._lock = threading.RLock()
        self.raised: list[Alarm] = []
        self._open()

    def _open(self) -> None:
        self.watch = self.ledger.open(self._about, self._note)
        self.reference = self.ledger.reference(self.watch.number)
        self.drift: Drift | None = None
        self.rows = 0
        self._latest: deque[tuple[Row, NDArray[Any]]] = deque(maxlen=WINDOW)
        if len(self.reference) >= self.wanted:
            self._begin()

    @property
    def names(self) -> tuple[str, ...]:
        """The numbers that are compared."""
        return tuple(name for name in NUMBERS if self._scores or name not in SCORES)

    def missing(self, images: Sequence[str]) -> list[str]:
        """Return which images of the reference were not looked at yet."""
        known = {image for image, _ in self.reference}
        return [image for image in images if image not in known]

    def add_reference(self, found: Sequence[tuple[str, Measured]], *, last: bool = False) -> None:
        """Take images of the reference.

        Args:
            found: Their names, and what was found of them.
            last: No more will come, so that fewer must do.
        """
        with self._lock:
            self.ledger.add_reference(self.watch.number, found)
            self.reference += found
            if self.drift is None and (last or len(self.reference) >= self.wanted) and len(self.reference) >= LEAST:
                self._begin()

    def _begin(self) -> None:
        found = [one for _, one in self.reference]
        counts = Counter(one.label for one in found if one.label)
        self._classes = [name for name, _ in counts.most_common()]
        self._shares = {name: count / max(1, counts.total()) for name, count in counts.items()}
        self._numbers = self._chosen(table(found, self._classes))
        # What the reference has nowhere cannot be compared.
        self._held = np.atleast_1d(~np.isnan(self._numbers).all(axis=0))
        names = [name for name, held in zip(self.names, self._held, strict=True) if held]
        vectors = np.stack([one.vector for one in found]).astype(np.float64)
        drift = Drift(
            names, self._numbers[:, self._held], vectors, level=self.settings.false_alarms, seed=self.watch.seed,
            most=MOST,
        )  # fmt: skip
        state = self.ledger.state(self.watch.number)
        if state is not None:
            rows, columns, components = self.ledger.live(self.watch.number)
            drift.restore(state, columns)
            self._latest.extend(zip(rows[-WINDOW:], components[-WINDOW:], strict=True))
            self.rows = drift.seen
        self.drift = drift
        # A vector of each would be kept twice.
        self.reference = [(image, replace(one, vector=np.empty(0, np.float32))) for image, one in self.reference]

    def _chosen(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        return numbers[:, [place for place, name in enumerate(NUMBERS) if name in self.names]]

    def add(self, found: Sequence[Live]) -> Alarm | None:
        """Take live images in their order; return the alarm that this raises, or adds to."""
        with self._lock:
            if self.drift is None:
                if self.live:
                    self.add_reference([(row.image, one) for row, one in found])
                return None
            rows = [row._replace(row=self.rows + place) for place, (row, _) in enumerate(found)]
            numbers = self._chosen(table([one for _, one in found], self._classes))[:, self._held]
            vectors = np.stack([one.vector for _, one in found]).astype(np.float64)
            components = self.drift.components(vectors)
            signals = self.drift.add(numbers, vectors)
            self.rows += len(rows)
            self._latest.extend(zip(rows, components, strict=True))
            self.ledger.add_live(
                self.watch.number, rows, self.drift.columns(numbers, components), components,
                state=self.drift.state(), evidence=self.drift.evidence(), most=MOST, told=bool(signals),
            )  # fmt: skip
            return self._alarm(signals) if signals else None

    def _alarm(self, signals: Sequence[Signal]) -> Alarm:
        assert self.drift is not None
        before = next((one for one in self.ledger.alarms(self.watch.number) if one.closed is None), None)
        now = time.time()
        every = list(self.drift.crossed.values())
        body = self._told(every)
        if before is not None:
            stay: dict[str, Any] = {
                name: before.body[name] for name in ("since_row", "since", "expired") if name in before.body
            }
            alarm = replace(before, body={**body, **stay})
        else:
            name = f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}-{self.watch.number}"
            alarm = Alarm(name, self.watch.number, now, body)
            self.raised.append(alarm)
        self.ledger.put_alarm(alarm)
        return alarm

    def _told(self, signals: Sequence[Signal]) -> dict[str, Any]:
        assert self.drift is not None
        latest = list(self._latest)
        ranks = self.drift.latest[-len(latest) :]
        now = self.drift.evidence()
        signals = sorted(signals, key=lambda one: -now[one.name])
        # The plainest change says best when it began.
        first = signals[0].since
        rows = np.array([row.row for row, _ in latest])
        changed = np.flatnonzero(rows >= first)
        components = np.stack([one for _, one in latest])
        blame = self.drift.blame(signals)[-len(latest) :]
        witness = self.drift.witness(components[changed], components[changed])
        order = changed[np.lexsort((-witness, -np.round(blame[changed], 1)))]
        of_row = dict(zip(changed.tolist(), witness.tolist(), strict=True))
        images = [
            {**_shown(latest[place][0]), "blame": round(float(blame[place]), 2), "witness": round(of_row[place], 4)}
            for place in order[:NAMED].tolist()
        ]
        words = dict.fromkeys(words_of(one) for one in signals)
        return {
            "changed": list(words),
            "signals": [
                {
                    "name": one.name, "direction": one.direction, "words": words_of(one),
                    "evidence": round(one.evidence, 2), "since_row": one.since, "at_row": one.at,
                    **self._place(one, ranks, rows),
                }
                for one in signals
            ],
            "classes": self._mix([latest[place][0].label for place in changed.tolist()]),
            "since_row": int(first),
            "since": latest[int(changed[0])][0].time if len(changed) else time.time(),
            "rows": len(changed),
            "images": images,
        }  # fmt: skip

    def _place(self, signal: Signal, ranks: NDArray[np.float64], rows: NDArray[Any]) -> dict[str, float]:
        """Return the median rank of a number since it changed: 0.5 is that of the reference."""
        assert self.drift is not None
        if signal.name not in self.drift.names:
            return {}
        since = ranks[rows >= signal.since, self.drift.names.index(signal.name)]
        since = since[~np.isnan(since)]
        return {"median_rank": round(float(np.median(since)), 3)} if len(since) else {}

    def _mix(self, labels: Sequence[str]) -> list[dict[str, Any]]:
        """Return the classes whose shares changed most, with the shares before and now."""
        counts = Counter(label for label in labels if label)
        total = max(1, counts.total())
        names = {*self._shares, *counts} if counts else set()
        found = [(name, self._shares.get(name, 0.0), counts[name] / total) for name in names]
        found = sorted((one for one in found if abs(one[1] - one[2]) >= _MIX), key=lambda one: -abs(one[1] - one[2]))
        return [{"label": name, "before": round(old, 3), "now": round(new, 3)} for name, old, new in found[:CLASSES]]

    def changed_images(self, alarm: Alarm, most: int) -> list[Row]:
        """Return the live images since an alarm's change began: those it names first, then the latest."""
        rows, _, _ = self.ledger.live(alarm.watch)
        since = [row for row in rows if row.row >= alarm.body["since_row"]]
        named = {one["image"]: place for place, one in enumerate(alarm.body["images"])}
        since.sort(key=lambda row: (named.get(row.image, len(named)), -row.row))
        once: dict[str, Row] = {}
        for row in since:
            once.setdefault(row.image, row)
        return list(once.values())[:most]

    def begin_anew(self) -> None:
        """End this watch and begin another, with a promise and, where it is of live images, a reference of its own."""
        with self._lock:
            reference = self.ledger.reference(self.watch.number)
            self.ledger.end(self.watch.number)
            self._open()
            if not self.live and self.drift is None:
                self.add_reference(reference, last=True)


def _shown(row: Row) -> dict[str, Any]:
    score = None if np.isnan(row.score) else round(row.score, 4)
    return {"image": row.image, "request": row.request, "time": row.time, "label": row.label, "score": score}
