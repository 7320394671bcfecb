"""One look of one model at one image, from the encoded file to the JSON of the answer; in a thread that works."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from lucida.errors import ModelError
from lucida.images import Limits, probe
from lucida.serve.cache import key_of
from lucida.serve.services import plain

if TYPE_CHECKING:
    from lucida.runs.seeing import Wish
    from lucida.serve.intake import Sent
    from lucida.serve.served import Served
    from lucida.serve.services import Service


class Job(NamedTuple):
    """What one image is asked.

    Attributes:
        service: The task.
        served: The model.
        wish: What is asked of it.
        sent: The image.
        request: Id of the request.
    """

    service: Service
    served: Served
    wish: Wish
    sent: Sent
    request: str = ""

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


def look(job: Job, limits: Limits, read: Callable[[str], bytes]) -> bytes:
    """Look at an image, in a thread that works.

    Args:
        job: What is asked.
        limits: Bounds on the image.
        read: Returns the bytes of an image of the catalog.

    Returns:
        The answer as JSON.

    Raises:
        LucidaError: The image, or the model, is not what it must be.
    """
    data = job.sent.data if job.sent.data is not None else read(job.sent.id)
    header = probe(data, limits)
    seer = job.served.seer(job.wish)
    seen = seer.look(data, limits, shrink=job.service.shrinks)
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
