"""Is the large model enough? If not: what to train, from what, at what cost, and why.

Every figure says where it comes from: measured here and now, computed, or published by somebody else.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lucida.errors import InputError, LucidaError
from lucida.evaluate.figure import Figure
from lucida.models.registry import find

if TYPE_CHECKING:
    from lucida.catalog import Catalog
    from lucida.catalog.records import Run
    from lucida.models.spec import Spec

# Top-1 accuracy on ImageNet that timm publishes for these weights, in percent, and their usual side in pixels.
# Source: results-imagenet.csv of timm 1.0.
PUBLISHED: Final = {
    "mobilenetv3_large_100": 75.8,
    "mobilenetv4_conv_small": 73.8,
    "efficientnet_b0": 77.7,
    "resnet50": 81.2,
    "vit_small_patch16_224": 81.4,
    "swin_tiny_patch4_window7_224": 80.9,
}
FEW: Final = 20  # labels a class below which a head over fixed vectors does better than training
TIMED: Final = 5


@dataclass(frozen=True)
class Wishes:
    """What the model must keep.

    Attributes:
        latency: Milliseconds that one image may take; None for any.
        private: Whether images must not leave this machine.
        max_error: Share of labels that may be wrong.
        minutes: Time that training may take.
    """

    latency: float | None = None
    private: bool = False
    max_error: float = 0.05
    minutes: float = 20.0


@dataclass(frozen=True)
class Stated:
    """A figure, and where it comes from: "measured", "computed" or "published"."""

    value: float
    unit: str
    origin: str

    def __str__(self) -> str:
        return f"{self.value:,.3g} {self.unit} ({self.origin})"


@dataclass(frozen=True)
class Candidate:
    """A network that could be trained.

    Attributes:
        model: As `lucida train --model` takes it.
        start: "embedded", "hub" where its weights are at hand, else "nothing".
        parameters: In millions.
        size: Of its file in float32.
        latency: Of one image, before compression.
        speed: Images a second in training; None where it was not tried.
        accuracy: That others found with it; None where there is none.
        fits: Whether it keeps the wishes.
    """

    model: str
    start: str
    parameters: Stated
    size: Stated
    latency: Stated
    speed: Stated | None
    accuracy: Stated | None
    fits: bool


@dataclass(frozen=True)
class TrainPlan:
    """Advice, with its reasons.

    Attributes:
        verdict: "the large model is enough", "train", or "label first".
        reasons: Why, a sentence each.
        facts: What is known of the catalog and of the large model: name to a figure or a text.
        candidates: Networks that could be trained, the advised one first.
        command: What to do next.
    """

    verdict: str
    reasons: tuple[str, ...]
    facts: dict[str, str]
    candidates: tuple[Candidate, ...]
    command: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"Advice: {self.verdict}.", *(f"- {reason}" for reason in self.reasons), "", "What is known:"]
        lines += [f"- {name}: {value}" for name, value in self.facts.items()]
        if self.candidates:
            lines += ["", "What could be trained:"]
        for one in self.candidates:
            trained = f", trains at {one.speed}" if one.speed else ""
            known = f"; ImageNet top-1 {one.accuracy}" if one.accuracy else ""
            lines.append(
                f"- {one.model} from {one.start}: {one.parameters}, {one.size}, {one.latency} an image{trained}{known}"
                f"{'' if one.fits else ': too slow for the wish'}"
            )
        return "\n".join([*lines, "", f"Next: {self.command}"])


def read_latency(text: str | None) -> float | None:
    """Read "10ms", "0.2s" or "10" (milliseconds).

    Raises:
        InputError: It is no time above 0.
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*([0-9.]+)\s*(ms|s|)\s*", text)
    try:
        value = float(found[1]) * (1000 if found[2] == "s" else 1) if found else 0.0
    except ValueError:
        value = 0.0
    if value <= 0:
        raise InputError(
            "--latency is no time.", expected="milliseconds or seconds above 0", got=repr(text), hint="--latency 10ms"
        )
    return value


def plan_training(catalog: Catalog, question: str, wishes: Wishes) -> TrainPlan:
    """Return advice for a question of a catalog.

    Args:
        catalog: The open catalog.
        question: What was asked.
        wishes: What the model must keep.
    """
    from lucida.data.catalog import read_answers

    answers = read_answers(catalog, question)
    counts = Counter(label for sample in answers for label in sample.labels)
    fewest = min(counts.values(), default=0)
    facts = {
        "images": f"{catalog.images.count():,}",
        "labels that hold": f"{len(answers):,} in {len(counts)} classes, the rarest with {fewest}",
    }
    run = catalog.runs.latest(question, "label")
    large = _large(catalog, run, question) if run else None
    if large:
        facts |= large.facts
    if (vectors := _head_accuracy(catalog, question)) is not None:
        facts["the encoder's vectors with these labels"] = (
            f"{vectors.value:.1%} right when held out, {vectors.low:.1%} to {vectors.high:.1%} (measured)"
        )
    reasons: list[str] = []
    if large and large.enough(wishes, reasons):
        return TrainPlan("the large model is enough", tuple(reasons), facts, (), f"lucida review --question {question}")
    if len(counts) < 2 or fewest < 2:
        reasons.append("There are too few labels that hold: two classes with several images each at least.")
        return TrainPlan("label first", tuple(reasons), facts, (), f"lucida review --question {question}")
    if fewest < FEW:
        reasons.append(
            f"A class has {fewest} labels only; below {FEW} or so, examples over fixed vectors"
            " (lucida label, without training) often do as well, and more answers help most."
        )
    found = sorted(_candidates(wishes), key=_rank)
    best = found[0]
    reasons.append(_why(best, wishes))
    return TrainPlan("train", tuple(reasons), facts, tuple(found), _command(best, question, wishes))


@dataclass
class _Large:
    """The model behind the latest labels."""

    name: str
    leaves: bool
    right: Figure | None
    latency: Stated | None
    cost: Stated | None

    @property
    def facts(self) -> dict[str, str]:
        found = {"large model": f"{self.name}{', which sends images to another machine' if self.leaves else ''}"}
        if self.right:
            found["its labels, checked by people"] = (
                f"{self.right.value:.1%} right of {self.right.n:,}, {self.right.low:.1%} to"
                f" {self.right.high:.1%} (measured; those that a review drew)"
            )
        if self.latency:
            found["its time"] = f"{self.latency} an image"
        if self.cost:
            found["its price"] = f"{self.cost} per 1,000 images"
        return found

    def enough(self, wishes: Wishes, reasons: list[str]) -> bool:
        """Tell whether it keeps the wishes; add why, or why not."""
        start = len(reasons)
        if wishes.private and self.leaves:
            reasons.append(f"{self.name} sends images away, and they must not leave this machine.")
        if wishes.latency and self.latency and self.latency.value > wishes.latency:
            reasons.append(f"{self.name} takes {self.latency} an image; {wishes.latency:g} ms are wished.")
        if self.right is None:
            reasons.append(f"Nobody has checked the labels of {self.name} yet: `lucida review` proves what they are.")
        elif self.right.low < 1 - wishes.max_error:
            reasons.append(
                f"Of its labels that people checked {self.right.value:.1%} were right ({self.right.low:.1%} at least);"
                f" {1 - wishes.max_error:.0%} are wished."
            )
        if len(reasons) > start:
            return False
        reasons.append(f"{self.name} keeps every wish.")
        return True


def _large(catalog: Catalog, run: Run, question: str) -> _Large:
    reviews = {one.id for one in catalog.runs.all(question) if one.verb == "review"}
    verdicts = Counter(
        row.detail.get("verdict")
        for row in catalog.annotations.rows(question=question, kind="answer")
        if row.run in reviews
    )
    checked = verdicts["right"] + verdicts["wrong"]
    costs = [detail["cost"] for detail in catalog.annotations.table(run.id).details if "cost" in detail]
    spec: Spec | None = None
    # A panel of several, or one that is no longer at hand, is not found.
    with contextlib.suppress(LucidaError):
        spec = find(run.model, catalog.models)
    asked = spec is not None and "ask" in spec.tasks
    return _Large(
        run.model,
        leaves=bool(spec and spec.family == "openai_api" and "localhost" not in spec.source),
        right=Figure.share(verdicts["right"], checked) if checked else None,
        latency=_latency(spec) if spec and not asked else None,
        cost=Stated(1000 * float(np.mean(costs)), "US dollars", "measured") if costs else None,
    )


def _latency(spec: Spec) -> Stated | None:
    from lucida.models.precision import made_sample

    model = spec.load()
    image = made_sample(spec.needs, 1)
    work = model.embed if "encode" in spec.tasks else model.logits
    return Stated(_median_ms(lambda: work(image)), "ms", "measured")


def _median_ms(work: Callable[[], object]) -> float:
    work()
    times = []
    for _ in range(TIMED):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return round(1000 * float(np.median(times)), 3)


def _head_accuracy(catalog: Catalog, question: str) -> Figure | None:
    """Return how often a head over stored vectors names held-out labels rightly; None without vectors."""
    from lucida.label.head import Head

    spec = find("embedded")
    current = catalog.annotations.current(question, state=("reviewed", "accepted"))
    labels = {one.image: one.label for one in current if one.label}
    missing = set(catalog.vectors.missing(spec.key, list(labels)))
    ids = [image for image in labels if image not in missing][:4000]
    if len({labels[image] for image in ids}) < 2:
        return None
    names = [labels[image] for image in ids]
    vectors = catalog.vectors.get(spec.key, ids)
    return Head.fit(vectors, names, parts=spec.gives.parts, classes=sorted(set(names))).accuracy


def _candidates(wishes: Wishes) -> list[Candidate]:
    """Return what could be trained here; timm's networks only where it is installed."""
    from importlib.util import find_spec

    names = ["embedded", *(PUBLISHED if find_spec("timm") and find_spec("torch") else ())]
    found = [_candidate(name, wishes) for name in names] if find_spec("torch") else []
    return found or [_untried(wishes)]


def _untried(wishes: Wishes) -> Candidate:
    """Return the usual model where PyTorch is not installed: its exported encoder tells size and time."""
    spec = find("embedded")
    latency = _latency(spec)
    assert latency is not None, "the embedded encoder always runs"
    return Candidate(
        "embedded",
        "embedded",
        Stated(3.46, "million parameters", "published"),
        Stated(13.9, "MB", "computed"),
        latency,
        None,
        None,
        wishes.latency is None or latency.value <= wishes.latency,
    )


def _candidate(name: str, wishes: Wishes) -> Candidate:
    import torch

    from lucida.models.hub.download import is_cached
    from lucida.train import backbone

    net = backbone.build(name, start="auto" if name == backbone.EMBEDDED else "nothing")
    count = sum(p.numel() for p in net.trunk.parameters())
    image = torch.zeros(1, 3, net.size, net.size)
    with torch.inference_mode():
        latency = Stated(_median_ms(lambda: net.trunk.eval()(image)), "ms", "measured, PyTorch")
    published = PUBLISHED.get(name)
    at_hand = name == backbone.EMBEDDED or is_cached(f"timm:{name}")
    return Candidate(
        name,
        "embedded" if name == backbone.EMBEDDED else "hub" if at_hand else "nothing",
        Stated(round(count / 1e6, 2), "million parameters", "computed"),
        Stated(round(count * 4 / 1e6, 1), "MB", "computed"),
        latency,
        Stated(round(_speed(net.trunk, net.size), 1), "images/s", "measured"),
        Stated(published, "%", "published, timm") if published else None,
        wishes.latency is None or latency.value <= wishes.latency,
    )


def _speed(trunk: Any, size: int, batch: int = 8) -> float:
    """Return images a second of a few training steps in the arithmetic that training would use."""
    import torch

    from lucida.train.device import fast_bf16

    trunk.train().to(memory_format=torch.channels_last)
    images = torch.zeros(batch, 3, size, size).contiguous(memory_format=torch.channels_last)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_bf16()):
            loss = trunk(images).float().square().mean()
        loss.backward()

    step()
    start = time.perf_counter()
    for _ in range(2):
        step()
    return 2 * batch / (time.perf_counter() - start)


def _rank(one: Candidate) -> tuple[bool, int, float]:
    """Sort: those that keep the wishes, then those with weights to begin from, then by what others found."""
    weights = {"hub": 0, "embedded": 1, "nothing": 2}[one.start]
    return not one.fits, weights, -(one.accuracy.value if one.accuracy else 0.0)


def _why(best: Candidate, wishes: Wishes) -> str:
    if not best.fits:
        return (
            f"Nothing here is as fast as {wishes.latency:g} ms before compression; {best.model} comes nearest, and"
            " `lucida compress --int8 --prune 0.3` makes it faster."
        )
    weights = {
        "hub": "its published weights are at hand",
        "embedded": "it has trained weights offline, which the others have not here",
        "nothing": "",
    }[best.start]
    wish = f" and keeps {wishes.latency:g} ms" if wishes.latency else ""
    passes = (
        f"; {wishes.minutes:g} minutes are {wishes.minutes * 60 * best.speed.value:,.0f} images" if best.speed else ""
    )
    return f"{best.model}: {weights}{wish}{passes}."


def _command(best: Candidate, question: str, wishes: Wishes) -> str:
    minutes = f" --minutes {wishes.minutes:g}" if wishes.minutes != 20 else ""
    named = f" --question {question}" if question != "label" else ""
    return f"lucida train classify --model {best.model}{named}{minutes}"
