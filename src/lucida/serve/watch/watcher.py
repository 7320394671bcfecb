"""Watches over live traffic: in the event loop it only draws and counts; it looks when there are free places.

Images that nobody finds time to look at are passed over, the latest first kept: so a server that is always full is
watched little, and says so. What is looked at is drawn without regard to what it shows.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lucida.errors import ImageError, InputError, LucidaError, UnknownName
from lucida.evidence.drift import LEAST
from lucida.serve.intake import Sent
from lucida.serve.looking import Job, Look
from lucida.serve.watch.accuracy import Accuracy
from lucida.serve.watch.drift import BATCH, METHOD, DriftWatch, Live
from lucida.serve.watch.kept import Kept
from lucida.serve.watch.ledger import Row
from lucida.serve.watch.measure import Measured, measure
from lucida.serve.watch.queues import expire_certificates
from lucida.serve.watch.readings import Reading
from lucida.serve.watch.reference import Reference, find_reference
from lucida.serve.watch.sampling import Sampling, Taken

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.images import Limits
    from lucida.models.spec import Model
    from lucida.runs.seeing import Wish
    from lucida.serve.desk import Desk
    from lucida.serve.looking import Looked
    from lucida.serve.services import Service
    from lucida.serve.sharing import Served
    from lucida.serve.watch.bodies import Phase
    from lucida.serve.watch.settings import WatchSettings

T = TypeVar("T")
FLUSH: Final = 2.0  # seconds between writing down what was counted
WAIT: Final = 20.0  # seconds after which fewer than a batch are compared as well
PAUSE: Final = 0.02  # seconds before looking again whether there is a free place
LOOK: Final = 60.0  # seconds that looking at one image may take
_log = logging.getLogger("lucida.serve.watch")


class Watcher:
    """Watches over one model of a desk.

    Args:
        desk: What is served.
        settings: How.

    Attributes:
        served: The model that is watched.
        service: What it is mostly asked.
        phase: Where it stands.
        drift: What is compared, once it is.
        accuracy: What is drawn for people.
        kept: Images that were kept.
        failed: Images that could not be looked at.

    Raises:
        UnknownName: No such model is served.
        InputError: It looks at no images, or there is no such reference.
    """

    def __init__(self, desk: Desk, settings: WatchSettings) -> None:
        self._desk, self.settings = desk, settings
        self.served = self._model(settings.model)
        self.service: Service = self.served.services[0]
        self.phase: Phase = "loading"
        self.problem = ""
        self.drift: DriftWatch | None = None
        self.kept = Kept(desk.catalog, settings.keep_images, settings.keep)
        self.reference: Reference | None = find_reference(settings.reference, desk.catalog, settings.images)
        self.failed = 0
        self._sampling = Sampling(settings)
        self._encoder: Model | None = None
        self._found: list[Live] = []
        self._awake: asyncio.Event | None = None
        self._task: asyncio.Task[None] | None = None
        self._writing = threading.RLock()
        from lucida.serve.watch.tables import tables

        desk.records.prepare(tables)
        # Nobody can say of a vector whether it is right.
        rate = 0.0 if self.service.name == "embed" else settings.review
        self.accuracy = Accuracy(desk.records, self.served.name, rate)
        desk.observers.append(self)
        desk.gauges.append(self.readings)

    def _model(self, name: str) -> Served:
        models = self._desk.shelf.models
        able = {one.name: one for one in models.values() if one.services}
        if name and name not in able:
            raise UnknownName("model to watch", name, able, hint="the key model of watch, in serve.yaml")
        if not able:
            raise InputError(
                "None of the served models looks at images, so nothing can be watched.",
                expected="a model that classifies, detects, embeds and so on",
                got=", ".join(models),
                hint="leave watch out",
            )
        return able[name] if name else next(iter(able.values()))

    @property
    def wish(self) -> Wish:
        """What is asked where nobody asks for anything special: only such answers are compared."""
        from lucida.runs.seeing import Wish

        return Wish(self.service.task)

    @property
    def passed(self) -> int:
        """Images that nobody found time for."""
        return self._sampling.passed

    @property
    def catalog(self) -> Catalog | None:
        """The catalog that is served."""
        return self._desk.catalog

    @property
    def limits(self) -> Limits:
        """Bounds on images."""
        return self._desk.limits

    def read(self, image: str) -> bytes:
        """Return the bytes of an image of the catalog."""
        return self._desk.read(image)

    def readings(self) -> Iterator[Reading]:
        """Say how the watch stands, for the metrics."""
        labels, drift = {"model": self.served.name}, self.drift
        changed = drift is not None and drift.drift is not None and bool(drift.drift.crossed)
        yield Reading("lucida_drift_alarm", "Whether live images have changed.", float(changed), labels)
        yield Reading(
            "lucida_drift_images", "Live images that this watch has compared.", drift.rows if drift else 0, labels
        )
        for name, about, value in (
            ("lucida_watch_passed_total", "Live images that nobody found time to compare.", self.passed),
            ("lucida_watch_failed_total", "Live images that could not be compared.", self.failed),
        ):
            yield Reading(name, about, value, labels, "counter")

    # ---- in the event loop ----------------------------------------------------------------------------------------

    def __call__(self, looked: Looked) -> None:
        """Take note of an answered image; called in the event loop."""
        job = looked.job
        if job.served.name != self.served.name:
            return
        drawn = job.service.name == self.service.name and self.accuracy.take(looked)
        sampled = self._sampling.draws(job.sent.id)
        if not (drawn and self.kept.allowed) and not sampled:
            return
        self._sampling.put(looked, compared=sampled)
        if self._awake is not None:
            self._awake.set()

    def start(self) -> None:
        """Begin; called in the event loop."""
        self._awake = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Write down what is known, and end."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        with suppress(LucidaError):
            await asyncio.to_thread(self.write)

    async def _run(self) -> None:
        assert self._awake is not None
        while self._desk.state != "ready":
            await asyncio.sleep(10 * PAUSE)
        await self._begin()
        flushed = compared = time.monotonic()
        while True:
            await self._follow()
            if len(self._sampling):
                await self._look()
            else:
                self._awake.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._awake.wait(), FLUSH)
            now = time.monotonic()
            full = len(self._found) >= BATCH or now - compared > WAIT
            if full or now - flushed > FLUSH:
                flushed, compared = now, now if full else compared
                try:
                    await asyncio.to_thread(self.write if full else self.accuracy.flush)
                except Exception as error:
                    # A full disk stops nobody who asks.
                    _log.error("the watch cannot be written down: %s", error)

    async def _begin(self) -> None:
        self.problem = ""
        try:
            await asyncio.to_thread(self._open)
            await self._look_at_reference()
        except LucidaError as error:
            self.phase, self.problem = "failed", error.line()
            _log.error("nothing is watched: %s", error.line())
        except Exception:
            self.phase, self.problem = "failed", "the reference could not be read"
            _log.exception("nothing is watched")

    async def _follow(self) -> None:
        """Begin another watch where the model was replaced: another revision says other things."""
        now = self._desk.shelf.models.get(self.served.name)
        if now is None or now is self.served or not now.services:
            return
        self.served, self.service = now, now.services[0]
        await self._begin()

    async def _spare(self, work: Callable[[], T]) -> T:
        """Have some work done in a free place: a request that comes meanwhile waits for one image at most."""
        pool = self._desk.pool
        while pool.taken >= pool.workers or self._desk.state != "ready":
            await asyncio.sleep(PAUSE)
        with pool.take() as place:
            return await place.do(work, asyncio.get_running_loop().time() + LOOK)

    async def _look(self) -> None:
        taken = self._sampling.take()
        job = taken.looked.job
        try:
            await self._spare(partial(self._measure, taken))
        except Exception as error:
            self.failed += 1
            _log.debug("image %s was not watched: %s", job.sent.id[:12], error)

    async def _look_at_reference(self) -> None:
        drift, reference = self.drift, self.reference
        assert drift is not None
        if reference is None or drift.drift is not None:
            return
        found: list[tuple[str, Measured]] = []
        for name in drift.missing(reference.images):
            try:
                found.append((name, await self._spare(partial(self._measure_reference, reference, name))))
            except LucidaError as error:
                self.failed += 1
                _log.debug("image %s of the reference was left out: %s", name, error)
            if len(found) >= 5 * BATCH:
                await asyncio.to_thread(drift.add_reference, found)
                await asyncio.to_thread(self.accuracy.flush)
                found = []
        await asyncio.to_thread(partial(drift.add_reference, found, last=True))
        if len(drift.reference) < LEAST:
            raise InputError(
                "Too few images of the reference can be read.", expected="60 or more", got=str(len(drift.reference)),
                hint="name another reference",
            )  # fmt: skip
        self.phase = "watching"

    # ---- in threads -----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        from lucida.models.registry import find

        self._encoder = find(self.settings.encoder).load()
        reference = self.reference
        about: dict[str, Any] = {
            "method": METHOD, "model": self.served.name, "key": self.served.spec.key, "task": self.service.name,
            "encoder": self._encoder.spec.key, "reference": self.settings.reference,
            "false_alarms": self.settings.false_alarms, "images": self.settings.images,
        }  # fmt: skip
        note = " ".join(reference.notes) if reference else ""
        if reference is None:
            note = "The reference is what came first, not what the model was trained or proven on."
        wanted = len(reference.images) if reference else self.settings.images
        scores = reference.scores if reference else True
        self.drift = DriftWatch(self._desk.records, self.settings, about, wanted=wanted, scores=scores, note=note)
        self.phase = "watching" if self.drift.drift is not None else "reference"

    @property
    def _scored(self) -> bool:
        """Whether the model can be asked of the reference: not where it talks, and may be paid for."""
        return not self.served.talks and self.service.fits(self.served.spec, self.wish)

    def _measure_reference(self, reference: Reference, name: str) -> Measured:
        from lucida.images import content_id

        assert self._encoder is not None
        data, answer = reference.read(name), None
        if self._scored and reference.scores:
            sent = Sent(content_id(data), data)
            answer = Look(Job(self.service, self.served, self.wish, sent), self._desk.limits, self._desk.read)()
        return measure(data, answer, self._encoder, self._desk.limits)

    def _measure(self, taken: Taken) -> None:
        job = taken.looked.job
        data = job.sent.data
        if data is None:
            data = self._desk.read(job.sent.id)
        elif self.kept.allowed:
            self.kept.put(job.sent.id, data)
        if not taken.compared or self._encoder is None:
            return
        same = job.service.name == self.service.name and job.wish.to_json() == self.wish.to_json() and self._scored
        try:
            found = measure(data, taken.looked.answer if same else None, self._encoder, self._desk.limits)
        except ImageError:
            self.failed += 1
            return
        self._found.append((Row(0, job.sent.id, job.request, taken.time, found.label, found.score), found))

    def write(self) -> None:
        """Write down what was found by now, and test it."""
        with self._writing:
            self._write()

    def _write(self) -> None:
        self.accuracy.flush()
        drift = self.drift
        if drift is None or not self._found:
            return
        found, self._found = self._found, []
        alarm = drift.add(found)
        if drift.drift is not None and self.phase == "reference":
            self.phase = "watching"
        if alarm is not None:
            _log.warning("drift: %s", ", ".join(alarm.body["changed"]))
        while drift.raised:
            raised = drift.raised.pop(0)
            expired = [str(path) for path in expire_certificates(self, raised)]
            drift.ledger.put_alarm(replace(raised, body={**raised.body, "expired": expired}))

    def begin_anew(self) -> None:
        """Close what is open and begin another watch; where the reference is what comes first, with another one."""
        with self._writing:
            self._write()
            if self.drift is not None:
                self.drift.begin_anew()
                self.phase = "watching" if self.drift.drift is not None else "reference"

    def shows(self, image: str) -> bool:
        """Tell whether an image is one that people are shown here: named by an alarm, drawn, or kept."""
        if self.kept.holds(image):
            return True
        alarms = self.drift.ledger.alarms() if self.drift is not None else []
        named = {one["image"] for alarm in alarms for one in alarm.body["images"]}
        return image in named or self.accuracy.has_drawn(image)
