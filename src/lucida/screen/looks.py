"""How each kind of rule looks at images: one table of kinds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from lucida.errors import ImageError, InputError, UnknownName
from lucida.images import decode
from lucida.models.chat import Prompt
from lucida.models.logits import softmax
from lucida.models.registry import find
from lucida.results import Classification, Detections, Reading, Tags
from lucida.runs.asking import OFFLINE
from lucida.runs.seeing import Seer, Wish
from lucida.screen.policy import example_files

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lucida.images import Image
    from lucida.models.spec import Model, Spec
    from lucida.results import Result
    from lucida.screen.persons import Persons
    from lucida.screen.policy import Policy, Rule

Box = tuple[float, float, float, float]
HARMLESS: Final = ("a photo", "people", "an everyday object", "a landscape", "a building", "food", "an animal", "text")


@dataclass(frozen=True)
class Sight:
    """What a rule finds in one image.

    Attributes:
        score: How much, 0 to 1.
        reason: In words.
        boxes: Where, in pixels of the image.
    """

    score: float
    reason: str = ""
    boxes: tuple[Box, ...] = ()


@dataclass
class Batch:
    """A few images that all rules look at; what one model says of them is asked for once.

    Attributes:
        files: Encoded.
        images: Decoded.
    """

    files: Sequence[bytes]
    images: Sequence[Image]
    said: dict[Any, Any] = field(default_factory=dict)

    def once(self, key: Any, ask: Callable[[], Any]) -> Any:
        """Return what was asked under a key, asking where nobody has."""
        if key not in self.said:
            self.said[key] = ask()
        return self.said[key]


class Look(Protocol):
    """Looks for what one rule names."""

    spec: Spec

    def see(self, batch: Batch) -> list[Sight]:
        """Return what is found in each image."""
        ...


class Models:
    """The models of a policy: each is loaded once, however many rules use it.

    Args:
        home: Where a catalog keeps models of its own.
    """

    def __init__(self, home: Path | None) -> None:
        self.home = home
        self._running: dict[str, Model] = {}
        self._seers: dict[tuple[str, str], Seer] = {}

    def spec(self, rule: Rule, usual: str) -> Spec:
        """Return the spec of a rule's model."""
        return find(rule.model or usual, self.home)

    def running(self, spec: Spec) -> Model:
        """Return a running model."""
        if spec.key not in self._running:
            self._running[spec.key] = spec.load()
        return self._running[spec.key]

    def seer(self, spec: Spec, wish: Wish) -> Seer:
        """Return what does a task with a model."""
        key = (spec.key, repr(wish))
        if key not in self._seers:
            self._seers[key] = Seer(spec, wish)
        return self._seers[key]


def look_of(policy: Policy, rule: Rule, models: Models) -> Look:
    """Return what looks for a rule; its model is not loaded yet.

    Raises:
        UnknownName: No such model or class.
        ModelError: The model cannot do this.
        MissingExtra: It needs a package that is not installed.
        ImageError: An example is no image.
    """
    return _KINDS[rule.kind](policy, rule, models)


class Words:
    """An encoder compares an image with the words of the rule and with harmless ones."""

    def __init__(self, policy: Policy, rule: Rule, models: Models) -> None:
        self.spec, self._models = models.spec(rule, OFFLINE["classify"]), models
        against = rule.against or HARMLESS
        # Each word is a class of its own: the rule's share is the sum, so that none has to be like all.
        self._names = (*rule.wanted, *against)
        self._count = len(rule.wanted)
        self._matcher = self.spec.matcher([[name] for name in self._names])

    def see(self, batch: Batch) -> list[Sight]:
        outputs = batch.once(("outputs", self.spec.key), lambda: self._outputs(batch))
        shares = softmax(self._matcher.logits(outputs))
        best = shares[:, : self._count].argmax(axis=1).tolist()
        scores = shares[:, : self._count].sum(axis=1).tolist()
        return [Sight(min(1.0, score), f"looks like {self._names[k]!r}") for score, k in zip(scores, best, strict=True)]

    def _outputs(self, batch: Batch) -> NDArray[np.float32]:
        model = self._models.running(self.spec)
        prepared = np.stack([self.spec.needs.prepare(image) for image in batch.images])
        return model.embed(prepared) if self.spec.gives.words == "embedding" else model.logits(prepared)


class _Seen:
    """Looks with a task of `lucida predict`."""

    wish = Wish()

    def __init__(self, policy: Policy, rule: Rule, models: Models) -> None:
        self.rule = rule
        self.spec = models.spec(rule, OFFLINE.get(self.wish.task, ""))
        self.seer = models.seer(self.spec, self.wish_of(rule))

    def wish_of(self, rule: Rule) -> Wish:
        return self.wish

    def see(self, batch: Batch) -> list[Sight]:
        seen = batch.once((self.spec.key, repr(self.seer.wish)), lambda: self.seer.see(batch.files))
        return [Sight(0.0, one.problem) if one.result is None else self.sight(one.result) for one in seen]

    def sight(self, result: Result) -> Sight:
        raise NotImplementedError


class Classes(_Seen):
    """A classifier names classes, of which some break the rule."""

    def __init__(self, policy: Policy, rule: Rule, models: Models) -> None:
        super().__init__(policy, rule, models)
        for name in rule.wanted:
            if name not in self.spec.gives.classes:
                raise UnknownName(f"class of {self.spec.name} in rule {rule.name!r}", name, self.spec.gives.classes)

    def sight(self, result: Result) -> Sight:
        pairs: list[tuple[str, float]] = []
        if isinstance(result, Classification):
            pairs = [(result.label, result.score), *result.runner_up]
        elif isinstance(result, Tags):
            pairs = list(zip(result.labels, result.scores, strict=True))
        found = [(name, score) for name, score in pairs if name in self.rule.wanted]
        if not found:
            return Sight(0.0)
        # Classes exclude each other, tags do not.
        score = sum(s for _, s in found) if isinstance(result, Classification) else max(s for _, s in found)
        name, most = max(found, key=lambda pair: pair[1])
        return Sight(min(1.0, score), f"{name} {most:.2f}")


class Objects(_Seen):
    """A detector finds objects that break the rule."""

    wish = Wish("detect")

    def __init__(self, policy: Policy, rule: Rule, models: Models) -> None:
        super().__init__(policy, rule, models)
        self._persons: Persons | None = None
        if rule.only or rule.spared:
            from lucida.screen.persons import Persons

            self._persons = Persons(rule, self.spec, models.home)
            self.spec = self._persons.spec

    def wish_of(self, rule: Rule) -> Wish:
        # What a person decides on may lie below what is usually shown.
        return Wish("detect", rule.wanted, least=min(rule.unsure, self.spec.gives.least))

    def see(self, batch: Batch) -> list[Sight]:
        if self._persons is None:
            return super().see(batch)
        seen = batch.once((self.seer.spec.key, repr(self.seer.wish)), lambda: self.seer.see(batch.files))
        return [
            self.sight(self._persons.among(one.result, image))
            if isinstance(one.result, Detections)
            else Sight(0.0, one.problem)
            for one, image in zip(seen, batch.images, strict=True)
        ]

    def sight(self, result: Result) -> Sight:
        assert isinstance(result, Detections)
        if not len(result):
            return Sight(0.0)
        sure = result.above(self.rule.unsure)
        boxes = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in sure.xyxy.round(1).tolist())
        best = int(result.confidence.argmax())
        score = float(result.confidence[best])
        return Sight(score, f"{max(1, len(sure))} {result.labels[best]}, {score:.2f}", boxes)


class Texts(_Seen):
    """Words and patterns in the text that stands in an image."""

    wish = Wish("read")

    @cached_property
    def _patterns(self) -> list[tuple[str, re.Pattern[str]]]:
        return [(text, _pattern(text)) for text in self.rule.wanted]

    def sight(self, result: Result) -> Sight:
        assert isinstance(result, Reading)
        hits = [
            (line, text)
            for line in result.lines
            for text, pattern in self._patterns
            if pattern.search(plain(line.text))
        ]
        if not hits:
            return self._across(result)
        line, text = max(hits, key=lambda hit: hit[0].score)
        boxes = tuple(dict.fromkeys(hit[0].box for hit in hits))
        return Sight(line.score, f"reads {line.text[:80]!r}, which matches {text!r}", boxes)

    def _across(self, result: Reading) -> Sight:
        """Look for words that a line break divides."""
        whole = plain(" ".join(line.text for line in result.lines))
        for text, pattern in self._patterns:
            if pattern.search(whole):
                score = min((line.score for line in result.lines), default=0.0)
                return Sight(score, f"reads words that match {text!r}", tuple(line.box for line in result.lines))
        return Sight(0.0)


def plain(text: str) -> str:
    """Return text as it is compared: full-width letters as plain ones, without case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _pattern(text: str) -> re.Pattern[str]:
    if text.startswith("re:"):
        return re.compile(text[3:], re.IGNORECASE)
    escaped = re.escape(plain(text))
    # "ass" must not be found in "glass"; Chinese has no spaces between words.
    edge = r"(?<![^\W_])" if text[:1].isascii() else ""
    end = r"(?![^\W_])" if text[-1:].isascii() else ""
    return re.compile(edge + escaped + end)


class Examples:
    """Images that look like an example."""

    def __init__(self, policy: Policy, rule: Rule, models: Models) -> None:
        self.spec, self._models = models.spec(rule, OFFLINE["classify"]), models
        if "encode" not in self.spec.tasks:
            raise self.spec.cannot("encode", "compare images")
        self._files = example_files(policy, rule)
        self._examples = [(path.name, _decoded(path)) for path in self._files]

    @cached_property
    def _known(self) -> NDArray[np.float32]:
        return self._vectors([image for _, image in self._examples])

    def see(self, batch: Batch) -> list[Sight]:
        own = batch.once(("vectors", self.spec.key), lambda: self._vectors(batch.images))
        likeness = own @ self._known.T
        best = likeness.argmax(axis=1).tolist()
        return [
            Sight(float(np.clip(row[k], 0, 1)), f"looks like the example {self._examples[k][0]}")
            for row, k in zip(likeness, best, strict=True)
        ]

    def _vectors(self, images: Sequence[Image]) -> NDArray[np.float32]:
        model = self._models.running(self.spec)
        vectors = model.embed(np.stack([self.spec.needs.prepare(image) for image in images]))
        parts = [vectors[:, part] for part in self.spec.gives.compared] or [vectors]
        units = [part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12) for part in parts]
        return np.asarray(np.concatenate(units, axis=1) / len(units) ** 0.5, np.float32)


def _decoded(path: Path) -> Image:
    try:
        return decode(path)
    except ImageError as error:
        raise InputError(
            f"The example {path.name} is no image.", expected="images", got=error.what, hint="take it out of the policy"
        ) from error


class Ask:
    """A model that answers questions says yes or no."""

    def __init__(self, policy: Policy, rule: Rule, models: Models) -> None:
        self.spec, self._models = models.spec(rule, ""), models
        if "ask" not in self.spec.tasks:
            raise self.spec.cannot("ask", "answer questions")
        self._prompt = Prompt(" ".join(rule.wanted), ("yes", "no"))

    def see(self, batch: Batch) -> list[Sight]:
        model = self._models.running(self.spec)
        replies = [model.ask(self._prompt, [data])[0] for data in batch.files]
        # What the model will not answer is for a person to decide.
        return [
            Sight(0.5, reply.problem) if reply.problem else Sight(reply.probabilities.get("yes", 0.0), reply.reason)
            for reply in replies
        ]


_KINDS: Final[dict[str, Callable[[Policy, Rule, Models], Look]]] = {
    "words": Words,
    "classes": Classes,
    "text": Texts,
    "examples": Examples,
    "objects": Objects,
    "ask": Ask,
}
