"""Models to be served that say what a test tells them to, and what a client sends them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from starlette.testclient import TestClient

from lucida.images import Image
from lucida.models.chat import Said, Talk
from lucida.models.spec import Model, Spec
from lucida.results import Detections, Line, Reading, Segmentation, Text, run_lengths
from lucida.serve.served import Served
from pictures import picture
from told_models import model


def png(kind: str = "disc", seed: int = 0, side: int = 48) -> bytes:
    """Return a picture as a PNG file."""
    out = BytesIO()
    picture(kind, seed, side).save(out, "PNG")
    return out.getvalue()


def upload(*files: bytes, **fields: Any) -> dict[str, Any]:
    """Return what a client sends for a form with files."""
    return {"files": [("image", ("x.jpg", data, "image/jpeg")) for data in files], "data": fields}


def boxes(_: int) -> Detections:
    """Return two objects with their pixels."""
    mask = np.zeros((48, 48), bool)
    mask[3:9, 2:8] = True
    return Detections(
        np.array([[2, 3, 8, 9], [1, 1, 4, 4]], np.float32), np.array([0.9, 0.2], np.float32), np.array([0, 1]),
        ("bolt", "nut"), (run_lengths.encode(mask),) * 2, points=np.zeros((2, 3, 2), np.float32),
    )  # fmt: skip


def pixels(_: int) -> Segmentation:
    """Return a class for every pixel."""
    mask = np.zeros((48, 48), np.uint8)
    mask[:10] = 1
    return Segmentation(mask, ("sky", "sea"), np.full((48, 48), 0.8, np.float32))


def lines(_: int) -> Reading:
    """Return a line of text."""
    return Reading((Line("EXIT", 0.97, ((1, 2), (9, 2), (9, 5), (1, 5))),))


def told(task: Any, classes: Sequence[str], answer: Callable[[int], Any], name: str) -> Served:
    """Return a model that says what it is told."""
    return Served(name, model(task, classes, answer, name))


class _Talker(Model):
    def say(self, talk: Talk) -> Said:
        text = talk.turns[-1].text
        return Said(f"yes: {text}" if text else "a disc", score=0.5, reason="it looks so" if talk.reason else "")


def talker() -> Served:
    """Return a model that answers in words."""
    made = model("answer", (), lambda _: Text(""), "talker")
    return Served("talker", Spec(
        made.name, made.family, ("caption", "answer"), made.needs, made.gives, "MIT", "a test", "1",
        build=lambda spec, precision, trial: _Talker(spec),
    ))  # fmt: skip


class Held(Model):
    """Holds whoever asks until it is let go."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.begun, self.go, self.most = threading.Semaphore(0), threading.Event(), 10.0

    def predict(self, images: Sequence[Image]) -> list[Any]:
        self.begun.release()
        assert self.go.wait(self.most)
        return [boxes(0) for _ in images]


def held() -> tuple[Served, Held]:
    """Return a model that holds whoever asks, and what lets go."""
    found: list[Held] = []

    def build(spec: Spec, *_: Any) -> Model:
        found.append(Held(spec))
        return found[0]

    made = model("detect", ("bolt",), boxes, "held")
    spec = Spec(made.name, "test", ("detect",), made.needs, made.gives, "MIT", "a test", "1", build=build)
    served = Served("held", spec)
    # It is warmed with an image as every model is; that must not wait.
    served.running(served.spec)
    return served, found[0]


def ready(client: TestClient) -> None:
    """Wait until a server has loaded its models."""
    for _ in range(10_000):
        if client.get("/readyz").status_code == 200:
            return
    raise AssertionError(client.get("/readyz").text)
