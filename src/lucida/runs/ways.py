"""How each task is done: one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from lucida.models.chat import Said, Talk, Turn, Usage
from lucida.models.logits import sigmoid, softmax
from lucida.results import Classification, Detections, Embedding, Tags, Text
from lucida.runs.describing import describe
from lucida.runs.wish import Seen, Wish

if TYPE_CHECKING:
    from lucida.images import Image
    from lucida.models.spec import Spec, Task
    from lucida.results import Result
    from lucida.runs.seeing import Seer

    Act = Callable[[Sequence[bytes], Sequence[Image]], list[Seen]]


@dataclass(frozen=True)
class Way:
    """How a task is done.

    Attributes:
        tasks: Of a model: it needs one of these.
        act: Makes the function that is called with encoded and decoded images.
        talks: Whether a model is asked in words, an image at a time.
    """

    tasks: tuple[Task, ...]
    act: Callable[[Seer], Act]
    talks: bool = False


def usual_task(spec: Spec, wish: Wish) -> str:
    """Return what a model is for, where nobody says what it is to do."""
    if wish.questions and "answer" in spec.tasks:
        return "answer"
    if wish.hints and "outline" in spec.tasks:
        return "outline"
    for task, way in TASKS.items():
        if set(way.tasks) & set(spec.tasks):
            return task
    raise spec.cannot("classify", "be shown an image: it names nothing")


def _by_predict(seer: Seer) -> Act:
    wish = seer.wish
    kept = set(wish.classes) if seer.spec.look_for is None else set()
    least = seer.spec.gives.least if wish.least is None else wish.least

    def act(_: Sequence[bytes], images: Sequence[Image]) -> list[Seen]:
        return [Seen(_chosen(one, kept, least)) for one in seer.model.predict(images)]

    return act


def _chosen(result: Result, classes: set[str], least: float) -> Result:
    """Return what was asked for of a result: of these classes, sure enough."""
    if not isinstance(result, Detections):
        return result
    if classes:
        result = result.take(np.array([label in classes for label in result.labels], bool))
    return result.above(least) if least else result


def _by_outline(seer: Seer) -> Act:
    def act(_: Sequence[bytes], images: Sequence[Image]) -> list[Seen]:
        return [Seen(seer.model.outline(image, seer.wish.hints)) for image in images]

    return act


def _by_logits(seer: Seer) -> Act:
    wish, spec = seer.wish, seer.spec
    several = wish.task == "tag"
    own = list(spec.gives.classes)
    classes = list(wish.classes) if seer.matcher else own
    columns = [own.index(name) for name in wish.classes] if wish.classes and not seer.matcher else None

    def act(_: Sequence[bytes], images: Sequence[Image]) -> list[Seen]:
        batch = np.stack([spec.needs.prepare(image) for image in images])
        if seer.matcher:
            outputs = seer.model.embed(batch) if spec.gives.words == "embedding" else seer.model.logits(batch)
            logits = seer.matcher.logits(outputs)
        else:
            logits = seer.model.logits(batch)
        names = classes
        if columns is not None:
            logits, names = logits[:, columns], list(wish.classes)
        if several:
            return [Seen(one) for one in Tags.from_probabilities(sigmoid(logits), names, least=wish.least or 0.5)]
        return [Seen(one) for one in Classification.from_probabilities(softmax(logits), names)]

    return act


def _by_vector(seer: Seer) -> Act:
    spec = seer.spec

    def act(_: Sequence[bytes], images: Sequence[Image]) -> list[Seen]:
        vectors = seer.model.embed(np.stack([spec.needs.prepare(image) for image in images]))
        return [Seen(Embedding(vector, spec.key)) for vector in vectors]

    return act


def _by_talk(seer: Seer) -> Act:
    def act(files: Sequence[bytes], _: Sequence[Image]) -> list[Seen]:
        return [talk_about(seer.say, seer.wish, [data]) for data in files]

    return act


def talk_about(say: Callable[[Talk], Said], wish: Wish, images: Sequence[bytes], about: str = "") -> Seen:
    """Ask the questions of a wish about some images, each with what was said before; a caption where there are none.

    Args:
        say: Says what comes next in a talk.
        wish: Its questions.
        images: Encoded files.
        about: What the model is told of the images before the first question.
    """
    turns: list[Turn] = []
    before: list[tuple[str, str]] = []
    usage, said = Usage(), Said()
    for question in wish.questions or ("",):
        # The images go with the first question.
        turns.append(Turn(question) if turns else Turn(f"{about}\n{question}".strip(), tuple(images)))
        said = say(Talk(tuple(turns), schema=wish.schema, reason=wish.reason))
        usage += said.usage
        if said.problem:
            return Seen(problem=said.problem, usage=usage)
        turns.append(Turn(said.text, by="assistant"))
        before.append((question, said.text))
    return Seen(Text(said.text, said.score, said.reason, said.data, tuple(before[:-1])), usage=usage)


def _by_description(seer: Seer) -> Act:
    def act(files: Sequence[bytes], _: Sequence[Image]) -> list[Seen]:
        found = (describe(seer.spec, seer.say, data, seer.wish.questions) for data in files)
        return [Seen(result, said.problem, said.usage) for result, said in found]

    return act


# In the order in which a model's usual task is looked for.
TASKS: Final[dict[str, Way]] = {
    "detect": Way(("detect",), _by_predict),
    "segment": Way(("segment",), _by_predict),
    "anomaly": Way(("anomaly",), _by_predict),
    "read": Way(("read",), _by_predict),
    "tag": Way(("tag",), _by_logits),
    "classify": Way(("classify", "words"), _by_logits),
    "caption": Way(("caption", "answer"), _by_talk, talks=True),
    "answer": Way(("answer",), _by_talk, talks=True),
    "describe": Way(("ask", "caption"), _by_description, talks=True),
    "outline": Way(("outline",), _by_outline),
    "embed": Way(("encode",), _by_vector),
}
