"""What is served: one row a task, from its address to how `lucida predict` does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import InputError
from lucida.results import Embedding, Segmentation
from lucida.runs.seeing import TASKS, Wish, unknown_classes
from lucida.serve import bodies

if TYPE_CHECKING:
    from lucida.models.spec import Spec, Task
    from lucida.results import Result


@dataclass(frozen=True)
class Service:
    """One task behind an address.

    Attributes:
        name: Last part of the address.
        task: What `predict` calls it.
        about: A line for the documentation.
        request: What is sent beside the image.
        answer: What comes back.
        shrinks: Whether the model looks at the image at its own size alone, so that it is decoded no larger.
    """

    name: str
    task: str
    about: str
    request: type[bodies.Ask]
    answer: type[bodies.Answer]
    shrinks: bool = False

    def can(self, spec: Spec) -> bool:
        """Tell whether a model can be asked this."""
        return bool(set(TASKS[self.task].tasks) & set(spec.tasks))

    def fits(self, spec: Spec, wish: Wish) -> bool:
        """Tell whether a model can be asked just this: it has these classes, or takes any words."""
        if not self.can(spec):
            return False
        if "classes" not in self.request.model_fields:
            return True
        own = spec.gives.classes
        if not wish.classes:
            return bool(own)
        any_words = spec.match if self.task == "classify" else spec.look_for
        return any_words is not None or set(wish.classes) <= set(own)

    def check(self, spec: Spec, wish: Wish) -> None:
        """Refuse what a model cannot be asked, before anything is loaded or decoded for it.

        Raises:
            ModelError: It cannot do this task at all.
            InputError: It must be told classes, or has not these.
        """
        if not self.can(spec):
            raise spec.cannot(TASKS[self.task].tasks[0], f"do the task {self.name!r}")
        if self.fits(spec, wish):
            return
        if wish.classes:
            raise unknown_classes(spec, wish.classes)
        raise InputError(
            "The model knows any words and no classes of its own, and was told none.",
            expected="classes to tell apart or to look for",
            got="none",
            hint='-F classes="dress,hat", or "classes": ["dress", "hat"]',
        )

    def wish(self, asked: bodies.Ask) -> Wish:
        """Return what is asked of a model."""
        return Wish(
            self.task,
            tuple(getattr(asked, "classes", None) or ()),
            tuple(getattr(asked, "question", None) or ()),
            reason=getattr(asked, "reason", False),
            least=getattr(asked, "least", None),
        )


SERVICES: Final[dict[str, Service]] = {
    service.name: service
    for service in (
        Service(
            "classify", "classify", "Say which class an image is of.",
            bodies.ClassifyRequest, bodies.ClassifyAnswer, shrinks=True,
        ),
        Service("tag", "tag", "Say which tags an image has.", bodies.TagRequest, bodies.TagAnswer, shrinks=True),
        Service("detect", "detect", "Find objects.", bodies.DetectRequest, bodies.DetectAnswer),
        Service("segment", "segment", "Say which pixels are of what.", bodies.SegmentRequest, bodies.SegmentAnswer),
        Service("caption", "caption", "Say what an image shows.", bodies.CaptionRequest, bodies.TextAnswer),
        Service("ask", "answer", "Answer a question about an image.", bodies.AskRequest, bodies.TextAnswer),
        Service("read", "read", "Read the text in an image.", bodies.ReadRequest, bodies.ReadAnswer),
        Service(
            "embed", "embed", "Give the vector of an image.", bodies.EmbedRequest, bodies.EmbedAnswer, shrinks=True
        ),
    )
}  # fmt: skip


# What makes pictures, and the tasks of a model that do: no rows of `SERVICES`, as `predict` does none of it.
MAKERS: Final[dict[str, tuple[Task, ...]]] = {"generate": ("generate",), "restore": ("upscale", "denoise", "fill")}


def plain(result: Result, key: str) -> dict[str, Any]:
    """Return a result as plain values, all that a client cannot get elsewhere included.

    Args:
        result: What a model says.
        key: Under which vectors may be compared.
    """
    body = result.to_json()
    if isinstance(result, Segmentation):
        # A file of the mask, as `predict --save` writes it, is nothing that a client could open.
        regions = [{"label": one.label, "score": one.score, "mask": one.detail["mask"]} for one in result.items()[1:]]
        return {**body, "regions": regions}
    return {**body, "key": key} if isinstance(result, Embedding) else body
