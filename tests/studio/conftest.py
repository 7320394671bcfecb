"""A review in memory, and images to show in it."""

from __future__ import annotations

import colorsys
import io
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image, ImageDraw

from lucida.errors import InputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CLASSES = ("circle", "square", "triangle")


@dataclass(frozen=True)
class FakeCard:
    image: str
    path: str
    proposal: str
    score: float
    runner_ups: tuple[tuple[str, float], ...]
    phase: str
    reason: str = ""
    by: str = ""
    agree: tuple[int, int] | None = None
    said: str = ""
    like: str = ""


@dataclass(frozen=True)
class FakeStatus:
    phase: str
    question: str = "shape"
    answers: int = 0
    taught: int = 0
    reviews: int = 0
    errors_found: int = 0
    total: int = 0
    kept: int = 0
    accepted: int = 0
    bound: float = 0.0
    rate_left: float = 0.0
    max_error: float = 0.05
    confidence: float = 0.95
    curve: tuple[tuple[int, int, float], ...] = ()
    expected: tuple[tuple[int, float], ...] = ()
    suggest_freeze: bool = False
    advice: str = ""
    reason: str = ""
    done: bool = False


@dataclass
class FakeReview:
    """A review with the behaviour of the real one and no statistics: the same order each time.

    Everything called is written to `log` in order; `ends` answers in the check phase end it.
    """

    images: dict[str, bytes]
    classes: list[str] = field(default_factory=lambda: list(CLASSES))
    question: str = "shape"
    phase: str = "teach"
    ends: int = 100
    log: list[tuple[Any, ...]] = field(default_factory=list)
    before_answer: Callable[[], None] = lambda: None
    unit: str = "labels"
    asked: str = ""
    beside: dict[str, dict[str, Any]] = field(default_factory=dict)
    _given: list[tuple[str, str, str | None]] = field(default_factory=list)
    _taught: int = 0
    _from: int = 0

    @property
    def names(self) -> list[str]:
        return list(self.images)

    def _card(self, place: int) -> FakeCard:
        image = self.names[place]
        proposal = self.classes[place % 3]
        others = [c for c in self.classes if c != proposal][:2]
        ups = ((others[0], 0.2), (others[1], 0.07)) if len(others) == 2 else ()
        beside = self.beside.get(image, {})
        return FakeCard(image, f"shapes/{image} a.png", proposal, 0.73, ups, self.phase, **beside)

    def next(self) -> FakeCard | None:
        place = self._from + len(self._given)
        return None if self.phase == "done" or place >= len(self.images) else self._card(place)

    def upcoming(self, k: int) -> list[FakeCard]:
        first = self._from + len(self._given) + 1
        return [self._card(i) for i in range(first, min(first + k, len(self.images)))]

    def answer(self, image: str, verdict: str, label: str | None = None) -> None:
        card = self.next()
        if card is None or card.image != image:
            raise InputError("Not the image asked.", expected=str(card), got=image)
        self.before_answer()
        self._given.append((image, verdict, label))
        self.log.append((image, verdict, label))
        if self.phase == "check" and len(self._given) >= self.ends:
            self.phase = "done"

    def undo(self) -> FakeCard | None:
        if not self._given:
            return None
        self._given.pop()
        self.log.append(("undo",))
        return self.next()

    def freeze(self) -> None:
        self.log.append(("freeze",))
        self._taught, self._from = len(self._given), len(self._given)
        self._given, self.phase = [], "check"

    def stop(self) -> None:
        self.log.append(("stop",))
        self.phase = "done"

    def status(self) -> FakeStatus:
        n = len(self._given)
        if self.phase == "teach":
            expected = tuple((i, min(0.9, 0.2 + i * 0.06)) for i in range(0, n + 1, 2))
            return FakeStatus("teach", answers=n, taught=n, total=900, expected=expected, suggest_freeze=n >= 8)
        kept = 0 if n < 5 else 300 + 40 * n
        curve = tuple((i, 0 if i < 5 else 300 + 40 * i, 0.05) for i in range(n + 1))
        errors = sum(v != "right" for _, v, _ in self._given)
        return FakeStatus(
            self.phase, answers=n, taught=self._taught, reviews=n, errors_found=errors, total=900, kept=kept,
            accepted=max(0, kept - n), bound=0.048 if kept else 0.0, rate_left=0.051 if kept else 0.0, curve=curve,
            done=self.phase == "done",
        )  # fmt: skip

    def image(self, image: str) -> tuple[bytes, str]:
        if image not in self.images:
            raise InputError(f"No image {image}.")
        return self.images[image], "image/png"


def draw(place: int, side: int = 120) -> bytes:
    """Return a PNG of a shape, each of another colour."""
    colour = tuple(int(255 * c) for c in colorsys.hsv_to_rgb(place * 0.13 % 1, 0.6, 0.85))
    picture = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(picture)
    box = (side // 5, side // 5, side - side // 5, side - side // 5)
    if place % 3 == 0:
        pen.ellipse(box, fill=colour)
    elif place % 3 == 1:
        pen.rectangle(box, fill=colour)
    else:
        pen.polygon([(side // 2, box[1]), (box[0], box[3]), (box[2], box[3])], fill=colour)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def review() -> FakeReview:
    """A review of 40 shapes, in the teach phase."""
    return FakeReview({f"id{i:02d}": draw(i) for i in range(40)})


class Visitor:
    """A client that is no browser, let in by the link."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx.Client(base_url=url.split("/?")[0])
        assert self.client.get(url).status_code == 200

    def view(self) -> dict[str, Any]:
        """Return what there is to see."""
        return dict(self.client.get("/api/review").json())

    def act(self, kind: str, **more: Any) -> httpx.Response:
        """Do one act on what is asked now."""
        view = self.view()
        shown = {name: view["card"][name] for name in ("image", "proposal")} if view["card"] else {}
        act = {"key": f"{kind}-{view['turn']:08d}", "turn": view["turn"], "kind": kind, **shown, **more}
        return self.client.post("/api/review", json=act)


class Served(Visitor):
    """A review being served in a thread, and its visitor."""

    def __init__(self, review: Any, **options: Any) -> None:
        from lucida.studio import serve_review

        urls: list[str] = []
        up = threading.Event()

        def note(url: str) -> None:
            urls.append(url)
            up.set()

        options = {"open_browser": False, "on_url": note} | options
        self.thread = threading.Thread(target=lambda: serve_review(review, **options), daemon=True)
        self.thread.start()
        assert up.wait(60)
        super().__init__(urls[0])

    def end(self) -> None:
        """Say that the end was seen, and wait for the server to end."""
        self.client.post("/api/review/seen", json={})
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.fixture
def visit() -> type[Visitor]:
    """Visit a page by its link: `visit(url)`."""
    return Visitor


@pytest.fixture
def serve() -> type[Served]:
    """Serve a review to a client that is no browser: `serve(review, port=…)`."""
    return Served


@pytest.fixture
def shape() -> Callable[[int], bytes]:
    """Draw the PNG of a shape: `shape(i)`; circles, squares and triangles by turns."""
    return draw


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium of this machine; the tests skip where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(
            "no Chromium on this machine (looked for " + ", ".join(NAMES) + ", and CHROMIUM in the environment)"
        )
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class FakeDifferences:
    """Where two runs differ, in memory: as many images of each kind as `counts` says."""

    counts: dict[str, int] = field(default_factory=lambda: {"a": 30, "b": 50, "neither": 6, "open": 114})
    asked: list[tuple[str, int, int]] = field(default_factory=list)

    def look(self) -> dict[str, Any]:
        told = {"name": "shapes", "version": 2, "digest": "d"}
        run = {"verb": "label", "revision": "1", "mode": "", "excluded": 0}
        return {
            "question": "shape",
            "a": {"run": "label-20261121-a", "model": "qwen2.5-vl-7b", "instructions": None, "cost": None, "right": 210}
            | run,
            "b": {"run": "label-20261121-b", "model": "gpt-5", "instructions": told, "cost": 3.2, "right": 230} | run,
            "images": 4000,
            "differ": sum(self.counts.values()),
            "open": self.counts["open"],
            "reviewed": {"images": 250, "checked": 200, "taught": 50, "unsure": 2, "drawn": 61},
            "excluded": 12,
            "early": 3,
            "pairs": {"both": 180, "only_a": 30, "only_b": 50, "neither": 6},
            "difference": {"low": 0.003, "high": 0.071, "confidence": 0.95},
            "evidence": {"a": 1.0, "b": 44.0},
            "verdict": "B better",
            "differing": [],
            "simulation": False,
            "notes": [],
            "counts": {"": sum(self.counts.values())} | self.counts,
        }

    def rows(self, kind: str, start: int, count: int) -> list[dict[str, Any]]:
        self.asked.append((kind, start, count))
        kinds = [one for one, n in self.counts.items() if kind in ("", one) for _ in range(n)]
        return [self._row(i, kinds[i]) for i in range(start, min(start + count, len(kinds)))]

    def _row(self, i: int, kind: str) -> dict[str, Any]:
        shapes = [CLASSES[i % 3], CLASSES[(i + 1) % 3]]
        label = {"a": shapes[0], "b": shapes[1], "neither": CLASSES[(i + 2) % 3], "open": None}[kind]
        reason = "It has no corner & <b>one</b> closed line, filled in a single colour on a white ground."
        said = {"by": "", "agree": None, "said": "", "reason": ""}
        return {
            "image": f"id{i:04d}",
            "url": f"/image/id{i:04d}",
            "path": f"photos/some folder/{i:04d} {CLASSES[i % 3]}.png",
            "kind": kind,
            "label": label,
            "a": said | {"label": shapes[0], "score": 0.83, "reason": reason if i % 2 == 0 else ""},
            "b": said
            | {"label": shapes[1], "score": 0.999, "reason": "It has corners.", "by": "gpt-5", "agree": (2, 3)},
        }

    def image(self, image: str) -> tuple[bytes, str]:
        if not image.startswith("id"):
            raise InputError(f"No image {image}.")
        return draw(int(image[2:]), 240), "image/png"


@pytest.fixture
def differences() -> FakeDifferences:
    """Two hundred images on which two runs differ."""
    return FakeDifferences()
