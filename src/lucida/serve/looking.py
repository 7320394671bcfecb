"""One look of one model at one image, from the encoded file to the JSON of the answer; in a thread that works."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lucida.errors import ModelError
from lucida.images import Limits, probe
from lucida.serve.batching import Batching
from lucida.serve.cache import key_of
from lucida.serve.services import plain

if TYPE_CHECKING:
    from lucida.images import Header, Image
    from lucida.runs.seeing import Seen, Wish
    from lucida.serve.intake import Sent
    from lucida.serve.routing.route import Trip
    from lucida.serve.served import Served
    from lucida.serve.services import Service
    from lucida.serve.sharing import SharedSeer

ALONE: Final = Batching()


class Job(NamedTuple):
    """What one image is asked.

    Attributes:
        service: The task.
        served: The model.
        wish: What is asked of it.
        sent: The image.
        request: Id of the request.
        trip: Where it is on a route; None where a model was asked.
    """

    service: Service
    served: Served
    wish: Wish
    sent: Sent
    request: str = ""
    trip: Trip | None = None

    @property
    def key(self) -> bytes:
        """What the answer depends on."""
        # Who names an image by its id must not learn what was said of one that somebody else sent.
        image = self.sent.id if self.sent.data is not None else f"catalog:{self.sent.id}"
        return key_of(image, self.served.spec.key, self.wish.to_json())


class Looked(NamedTuple):
    """An image that was answered, for whoever watches over answers.

    Attributes:
        job: What was asked.
        answer: Its JSON.
        kept: Whether it was given from memory.
        seconds: That it took, waiting included; 0 from memory.
    """

    job: Job
    answer: bytes
    kept: bool
    seconds: float


class Look:
    """One look at an image, in a thread that works; alike ones may be taken together.

    Args:
        job: What is asked.
        limits: Bounds on the image.
        read: Returns the bytes of an image of the catalog.
    """

    _data: bytes
    _header: Header
    _seer: SharedSeer
    _image: Image
    _seen: Seen

    def __init__(self, job: Job, limits: Limits, read: Callable[[str], bytes]) -> None:
        self._job, self._limits, self._read = job, limits, read

    def __call__(self) -> bytes:
        """Look at it alone.

        Returns:
            The answer as JSON.

        Raises:
            LucidaError: The image, or the model, is not what it must be.
        """
        self.before()
        self.among([self])
        return self.after()

    @property
    def kin(self) -> Hashable:
        """The same is asked of the same model."""
        return id(self._job.served), self._job.wish.task, self._job.wish.classes, self._job.wish.least

    @property
    def batching(self) -> Batching:
        """How many are looked at together."""
        return self._job.served.batching if self._job.service.shrinks else ALONE

    def before(self) -> None:
        """Decode the image."""
        job = self._job
        self._data = job.sent.data if job.sent.data is not None else self._read(job.sent.id)
        self._header = probe(self._data, self._limits)
        self._seer = job.served.seer(job.wish)
        self._image = self._seer.decode(self._data, self._limits, shrink=job.service.shrinks)

    def among(self, works: Sequence[Look]) -> None:
        """Have the model look at several."""
        seen = self._seer.look_together([one._image for one in works], [one._data for one in works])
        for one, found in zip(works, seen, strict=True):
            one._seen = found
            # The pixels are needed no more, while others wait for their words.
            del one._image, one._data

    def after(self) -> bytes:
        """Write the answer."""
        return _written(self._job, self._header, self._seer, self._seen)


def _written(job: Job, header: Header, seer: SharedSeer, seen: Seen) -> bytes:
    if seen.result is None:
        raise ModelError(
            f"{job.served.name} gave no answer.",
            expected="an answer",
            got=seen.problem,
            hint="ask again, in another way, or another model",
        )
    body: dict[str, Any] = {
        "task": job.service.name,
        "model": job.served.name,
        "revision": job.served.spec.revision,
        "image": job.sent.id,
        "width": header.width,
        "height": header.height,
        **plain(seen.result, job.served.spec.key),
    }
    if seer.notes:
        body["notes"] = list(seer.notes)
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError as error:
        raise ModelError(
            f"{job.served.name} gave values that are no numbers.",
            expected="finite numbers",
            got=str(error),
            hint="another image, or another model",
        ) from error
