"""A server that says what a test wants, in the very types in which the real one answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from lucida import __version__
from lucida.serve.headers import Exchange
from lucida.serve.jobs.bodies import JobAnswer, JobsAnswer, Progress
from lucida.serve.routing import bodies as routing
from lucida.serve.watch import bodies as watch
from lucida.serve.watch.metrics import Metrics
from lucida.serve.watch.readings import Reading
from lucida.serve.watch.told import OFF, when

NOW = 1_795_323_600.0
IMAGES = [f"{place:02x}" * 32 for place in range(40)]


def readings(queue: float = 3.0) -> list[Reading]:
    """What the parts of a server say of themselves."""
    told = [
        Reading("lucida_server_info", "", 1, {"version": __version__}),
        Reading("lucida_ready", "", 1.0),
        Reading("lucida_queue_depth", "", queue, {"pool": "looks"}),
        Reading("lucida_places", "", 66.0, {"pool": "looks"}),
        Reading("lucida_cache_hits_total", "", 30.0, kind="counter"),
        Reading("lucida_cache_misses_total", "", 90.0, kind="counter"),
    ]
    for name, revision in (("clothes", "3f8d20aa91c4"), ("embedded", "1")):
        labels = {"model": name}
        told.append(Reading("lucida_model_info", "", 1, {**labels, "revision": revision, "family": "onnx"}))
        told.append(Reading("lucida_model_since_timestamp_seconds", "", NOW, labels))
    return told


def arm(model: str, share: float = 0.0, **more: Any) -> routing.ArmAnswer:
    """One model of a route that has answered 900 images."""
    told = {"belonged": 900, "answered": 900, "kept": 30, "fell_back": 0, "failed": 0, "breaker": "closed"}
    return routing.ArmAnswer(model=model, share=share, **{**told, "failures": 0, "opens": 0.0, "hung": 0, **more})


def verdict(low: float, high: float, better: str | None, judged: int = 240) -> routing.VerdictAnswer:
    """What is known of two arms."""
    bounds: dict[str, Any] = {"low": low, "high": high, "confidence": 0.95, "evidence_a": 0.01, "evidence_b": 44.0}
    paired = routing.PairedAnswer(**bounds, same=judged // 3, only_a=judged // 40, only_b=judged // 8, unclear=2)
    half = judged // 2
    unpaired = routing.UnpairedAnswer(
        **bounds, right_a=half * 3 // 4, judged_a=half, right_b=half * 7 // 8, judged_b=half, matches=half
    )
    return routing.VerdictAnswer(
        a="clothes", b="embedded", better=better, said="", difference=routing.DifferenceAnswer(**bounds),
        paired=paired, unpaired=unpaired,
    )  # fmt: skip


def route(name: str, kind: str, arms: list[routing.ArmAnswer], **more: Any) -> routing.RouteAnswer:
    """A route."""
    told: dict[str, Any] = {"fallbacks": [], "shadow": None, "rollout": None, "verdicts": [], "changes": []}
    records = routing.RecordsAnswer(lasting=True, waiting=0, lost=0, trouble=None)
    return routing.RouteAnswer(
        name=name, kind=kind, tasks=["classify"], since=NOW, arms=arms, records=records, **{**told, **more}
    )


def three_routes() -> list[routing.RouteAnswer]:
    """An A/B test, a chain whose first model is left alone, and a roll-out that went back."""
    change = routing.ChangeAnswer(at=NOW, what="breaker open", why="no answer within 2 s", model="clothes")
    back = routing.ChangeAnswer(at=NOW, what="rolled back", why="errors: 9 of 100 failed", model="embedded")
    shadow = routing.ShadowAnswer(model=None, share=0.1, asked=90, agreed=81, failed=0, skipped=4, waiting=0)
    steps: dict[str, Any] = {"source": "clothes", "target": "embedded", "steps": [1.0, 5.0, 25.0, 100.0], "since": NOW}
    rollout = partial(routing.RolloutAnswer, **steps)
    conditions = [
        routing.ConditionAnswer(name="requests", met=True, text="120 of 100"),
        routing.ConditionAnswer(name="latency", met=None, text="not measured yet"),
    ]
    return [
        route("better", "arms", [arm("clothes", 0.5), arm("embedded", 0.5)],
              verdicts=[verdict(0.021, 0.117, "embedded")], shadow=shadow),
        route("open", "arms", [arm("clothes", 0.9), arm("embedded", 0.1)], verdicts=[verdict(-0.08, 0.13, None, 40)]),
        route("silent", "arms", [arm("clothes", 0.9), arm("embedded", 0.1)], verdicts=[verdict(-1, 1, None, 0)]),
        route("safe", "chain", [arm("clothes", 1.0, breaker="open", opens=12.2, fell_back=40), arm("embedded")],
              fallbacks=["embedded"], changes=[change]),
        route("new", "rollout", [arm("clothes", 0.95), arm("embedded", 0.05)], verdicts=[verdict(-0.3, 0.4, None, 12)],
              rollout=rollout(step=1, share=0.05, state="running", why="", conditions=conditions)),
        route("back", "rollout", [arm("clothes", 1.0), arm("embedded", 0.0)], changes=[back],
              rollout=rollout(step=1, share=0.0, state="rolled back", why=back.why, conditions=[])),
    ]  # fmt: skip


def curve(name: str, points: list[float]) -> watch.Curve:
    """Evidence after each ten images."""
    told = [(when(NOW + 60 * place), 10 * (place + 1), value) for place, value in enumerate(points)]
    return watch.Curve(name=name, about=name, now=points[-1], crossed=points[-1] >= 0, points=told)


def alarm(queue: str = "", **more: Any) -> watch.Alarm:
    """Images that became darker."""
    images = [
        watch.ChangedImage(image=one, request="r", time=when(NOW), label="<b>dress</b>", score=0.61, blame=1.0,
                           witness=0.1, kept=place < 6)
        for place, one in enumerate(IMAGES[:8])
    ]  # fmt: skip
    changed = watch.Changed(
        name="brightness", direction=-1, words="darker", evidence=1.2, since_row=60, at_row=90, median_rank=0.06
    )
    told: dict[str, Any] = {"id": "20261122-050000-1", "open": True, "expired": ["runs/review-1/certificate.json"]}
    return watch.Alarm(
        time=when(NOW + 600), since=when(NOW), changed=["darker", "less contrast"], signals=[changed],
        classes=[watch.Mix(label="dress", before=0.1, now=0.24)], rows=30, images=images, queue=queue,
        **{**told, **more},
    )  # fmt: skip


def drawn(number: int) -> watch.DrawnAnswer:
    """An answer that waits for a person."""
    return watch.DrawnAnswer(
        number=number, image=IMAGES[number], time=when(NOW), request=f"r{number}", task="classify", label="dress",
        score=0.83, text="", kept=True,
    )  # fmt: skip


def day(name: str, right: int, wrong: int, unanswered: int, low: float, high: float) -> watch.Day:
    """A day of 1,200 answers."""
    return watch.Day(day=name, rate=0.02, answers=1200, drawn=right + wrong + unanswered, right=right, wrong=wrong,
                     unsure=0, unanswered=unanswered, low=low, high=high)  # fmt: skip


def quiet() -> watch.WatchAnswer:
    """A watch that has seen images and found nothing."""
    reference = watch.Compared(
        given="live", about="the first images that came", note="The reference is what came first, not what the model "
        "was trained or proven on.", images=300, wanted=300, began=when(NOW),
    )  # fmt: skip
    accuracy = watch.Accuracy(
        rate=0.02, confidence=0.95, today=day("2026-11-22", 18, 1, 3, 0.7312, 0.9847),
        days=[day("2026-11-22", 18, 1, 3, 0.7312, 0.9847), day("2026-11-21", 22, 2, 0, 0.78, 0.97)],
        waiting=[drawn(number) for number in (7, 8, 9)],
    )  # fmt: skip
    curves = [curve("brightness", [-6.4, -5, -4, -4.5]), curve("vectors", [-7, -6, -6, -6])]
    curves += [curve(f"component {place}", [-6.4, -6.5, -6.6, -6.2]) for place in range(1, 8)]
    told = OFF.model_dump() | {"phase": "watching", "model": "clothes", "task": "classify", "images": 140}
    told |= {"classes": ["dress", "hat", "shoe"], "false_alarms": 0.05, "keep_images": True}
    return watch.WatchAnswer(**told | {"reference": reference, "curves": curves, "accuracy": accuracy})


def drifted() -> watch.WatchAnswer:
    """A watch that has raised an alarm."""
    found = quiet()
    found.curves[0] = curve("brightness", [-6.4, -5, -2, 0.8])
    found.phase, found.changed, found.alarms = "alarm", ["darker", "less contrast"], [alarm()]
    return found


def job(id: str, state: str, done: int) -> JobAnswer:
    """A job of 100 images."""
    progress = Progress(done=done, failed=2, total=100, share=(done + 2) / 100, rate=4.0, seconds_left=12.0)
    told = {"id": id, "task": "classify", "model": "clothes", "state": state, "created": when(NOW), "started": None}
    return JobAnswer(**told, finished=None, expires=None, progress=progress, lasting=True, error=None, notes=[])


@dataclass
class Played:
    """Answers as the real server does; what a test changes is told the next time.

    Attributes:
        gone: Whether nobody answers.
        key: That is needed; "" for none.
        refuses: Status of everything below an address.
        asked: What was posted, in order.
        headers: Of the last request.
    """

    routes: list[routing.RouteAnswer] = field(default_factory=list)
    watch: watch.WatchAnswer = field(default_factory=quiet)
    jobs: list[JobAnswer] = field(default_factory=list)
    gone: bool = False
    key: str = ""
    refuses: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    picture: Callable[[str], bytes] = lambda id: b""

    def __post_init__(self) -> None:
        self.metrics = Metrics(lambda: ["clothes", "embedded"], readings)
        self.transport = httpx.MockTransport(self._answer)

    def traffic(self, count: int, status: int = 200, seconds: float = 0.03, model: str = "clothes") -> None:
        """Have so many requests been answered."""
        for place in range(count):
            self.metrics.watch(
                Exchange(f"r{place}", "classify", model, status, seconds * (1 + place % 5 / 4), looked=1)
            )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.headers = dict(request.headers)
        if self.gone:
            raise httpx.ConnectError("[Errno 111] Connection refused", request=request)
        path = request.url.path
        refused = next((status for under, status in self.refuses.items() if path.startswith(under)), 0)
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            refused = 401
        if refused:
            parts = {"what": "No.", "expected": "a key", "got": "none", "hint": "ask for one"}
            return httpx.Response(refused, json={"error": parts, "request_id": "r"})
        if request.method == "POST":
            return self._post(path, json.loads(request.content or b"null"))
        if path.startswith("/v1/watch/images/"):
            return httpx.Response(200, content=self.picture(path[-64:]), headers={"content-type": "image/jpeg"})
        if path == "/metrics":
            return httpx.Response(200, content=self.metrics.text()[0], headers={"content-type": "text/plain"})
        answers = {
            "/v1/watch": self.watch,
            "/v1/routes": routing.RoutesAnswer(data=self.routes),
            "/v1/jobs": JobsAnswer(data=self.jobs, next=None),
        }
        if path not in answers:
            return httpx.Response(404, json={"error": {"what": "No such address."}})
        return httpx.Response(200, json=json.loads(answers[path].model_dump_json()))

    def _post(self, path: str, body: Any) -> httpx.Response:
        self.asked.append((path, body))
        accuracy = self.watch.accuracy
        found: Any = self.watch
        if path.endswith("/queue"):
            self.watch.alarms = [alarm(queue="drift-20261122")]
            found = watch.QueueAnswer(
                question="drift-20261122", run="label-1", images=26, lost=4,
                review="lucida review --question drift-20261122 --teach 26",
                train="lucida train classify --question drift-20261122 --include reviewed",
            )  # fmt: skip
        elif path.endswith("/close"):
            self.watch = quiet()
            found = self.watch
        elif path.endswith("/verdicts") and accuracy is not None and accuracy.today is not None:
            given = watch.VerdictRequest.model_validate(body)
            accuracy.waiting = [one for one in accuracy.waiting if one.number != given.number]
            setattr(accuracy.today, given.verdict, getattr(accuracy.today, given.verdict) + 1)
            accuracy.today.unanswered = len(accuracy.waiting)
            found = watch.VerdictAnswer(today=accuracy.today, waiting=accuracy.waiting)
        return httpx.Response(200, json=json.loads(found.model_dump_json()))


def clock(step: float = 4.0) -> Callable[[], float]:
    """Return a clock that goes on by so many seconds whenever it is read."""
    began = time.monotonic()
    count = iter(range(10**9))
    return lambda: began + step * next(count)
