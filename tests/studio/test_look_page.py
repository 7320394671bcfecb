"""The Look page: lists, what was said of an image, questions about it, and the page in a real browser."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest

from chat_server import SILENT, ChatServer, error, said, serve
from lucida.catalog import Annotation, Catalog, add
from lucida.results import Finding, Item, Screening, run_lengths
from lucida.studio import serve_studio
from lucida.studio.asking import Asking
from lucida.studio.looking import Looking
from lucida.studio.screened import queues
from lucida.studio.searching import Searching
from lucida.studio.training import Training
from pictures import scene
from search.colours import COLOURS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TROUBLE = "<img src=x onerror=alert(1)>"
IMAGES = 6


def write(catalog: Catalog, question: str, model: str, results: list[list[Item]], **parameters: Any) -> str:
    """Write down what a run says of the images, in their order; returns its id."""
    run = catalog.runs.start("label", question=question, model=model, parameters=parameters)
    for image, items in zip(catalog.images.ids(), results, strict=False):
        rows = (
            Annotation(image, question, run.id, item=i, label=item.label, score=item.score, detail=item.detail)
            for i, item in enumerate(items)
        )
        catalog.annotations.append(rows)
    catalog.runs.finish(run.id)
    return run.id


def mask(side: int = 90) -> dict[str, Any]:
    """Return a disc as run lengths."""
    y, x = np.mgrid[0:side, 0:side]
    return run_lengths.encode((x - 60) ** 2 + (y - 30) ** 2 < 15**2)


def fill(catalog: Catalog) -> None:
    """Let models and people say things of six images of 90 pixels a side."""
    boxes = [
        Item(None, None, {"count": 3}),
        Item("bolt", 0.9, {"box": [10, 10, 40, 40]}),
        Item("bolt", 0.3, {"box": [50, 50, 70, 80]}),
        Item(TROUBLE, 0.8, {"box": [45, 15, 75, 45], "mask": mask()}),
    ]
    write(catalog, "parts", "older", [[Item(None, None, {}), Item("nut", 0.7, {"box": [1, 1, 9, 9]})]], task="detect")
    found = write(catalog, "parts", "finder", [boxes] * IMAGES, task="detect")
    review = catalog.runs.start("review", question="parts", parent=found)
    first = catalog.images.ids()[0]
    about = {"image": first, "question": "parts", "run": review.id, "actor": "ana", "kind": "answer"}
    right = {"verdict": "wrong", "box": [48, 48, 72, 82]}
    catalog.annotations.append(
        [
            Annotation(**about, item=1, detail={"verdict": "wrong"}),
            Annotation(**about, item=2, sequence=1, label="screw", detail=right),
            Annotation(**about, item=0, sequence=2, detail={"verdict": "wrong", "phase": "missed"}),
            Annotation(**about, item=9, sequence=2, label="washer", detail={"phase": "missed", "box": [2, 70, 20, 88]}),
        ]
    )
    kinds = write(catalog, "kind", "namer", [[Item("indoor", 0.8, {"runner_up": [["outdoor", 0.2]]})]] * IMAGES)
    checked = catalog.runs.start("review", question="kind", parent=kinds)
    about |= {"question": "kind", "run": checked.id}
    catalog.annotations.append([Annotation(**about, label="outdoor", detail={"verdict": "wrong"})])
    proven = {"kind": "certified", "label": "indoor", "detail": {"source": kinds}}
    catalog.annotations.append([Annotation(catalog.images.ids()[1], "kind", checked.id, **proven)])
    write(catalog, "text", "reader", [[Item("STOP"), Item("STOP", 0.99, corners())]] * IMAGES, task="read")
    write(catalog, "caption", "teller", [[Item(TROUBLE, 0.6, {"reason": "it looks so"})]] * IMAGES, task="caption")
    finding = Finding("weapons", 0.5, False, "block", "looks like 'a gun'", ((5.0, 5.0, 30.0, 30.0),))
    verdicts = [Screening("ok", 0.9), Screening("ok", 0.6, (finding,)), Screening("weapons", 0.8, (broken(),))]
    judged = [list(one.items()) for one in (*verdicts, verdicts[1], *verdicts[:2])]
    write(catalog, "house rules", "eye", judged, task="screen", mode="screened")


def corners() -> dict[str, Any]:
    return {"corners": [[5, 60], [40, 60], [40, 70], [5, 70]]}


def broken() -> Finding:
    return Finding("weapons", 0.9, True, "block", "looks like 'a gun'")


class Served:
    """The studio of a catalog in which much was said, served in a thread."""

    def __init__(self, folder: Path, models: list[str]) -> None:
        (folder / "pictures").mkdir()
        for seed in range(IMAGES):
            scene(seed, 90).save(folder / "pictures" / f"scene {seed}.png")
        add([folder / "pictures"], catalog=folder / "catalog")
        self.catalog = Catalog.open(folder / "catalog")
        fill(self.catalog)
        urls: list[str] = []
        up, self.over = threading.Event(), threading.Event()

        def note(url: str) -> None:
            urls.append(url)
            up.set()

        searching = Searching(self.catalog, COLOURS)
        options: dict[str, Any] = {"open_browser": False, "on_url": note, "until": self.over, "searching": searching}
        self.asking = Asking(self.catalog, models)
        options["looking"] = Looking(self.catalog, searching, self.asking)
        self.thread = threading.Thread(target=lambda: serve_studio(Training(self.catalog), **options), daemon=True)
        self.thread.start()
        assert up.wait(60)
        self.url, self.base = urls[0], urls[0].split("/?")[0]

    def end(self) -> None:
        """End the server."""
        self.over.set()
        self.thread.join(30)
        assert not self.thread.is_alive()
        self.catalog.close()


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    """A model that answers in words."""
    pytest.importorskip("openai")
    with serve() as server:
        server.respond = lambda request: said(json.dumps({"answer": f"Two. {TROUBLE}", "reason": "I count two."}))
        yield server


@pytest.fixture
def served(tmp_path: Path, chat: ChatServer) -> Iterator[Served]:
    """The studio, until the test is over."""
    studio = Served(tmp_path, [f"api:m@{chat.url}"])
    yield studio
    studio.end()


@pytest.fixture
def visitor(served: Served) -> httpx.Client:
    """A visitor that is let in."""
    found = httpx.Client(base_url=served.base, follow_redirects=False, timeout=30)
    assert found.get(served.url).status_code == 200
    return found


def walk(visitor: httpx.Client, **wanted: Any) -> dict[str, Any]:
    found: dict[str, Any] = visitor.post("/api/look/open", json=wanted).json()
    return found


def look(visitor: httpx.Client, at: int = 0, **wanted: Any) -> dict[str, Any]:
    found: dict[str, Any] = visitor.get(f"/api/look/{walk(visitor, **wanted)['list']}/{at}").json()
    return found


def test_strangers_see_nothing(served: Served) -> None:
    assert httpx.get(f"{served.base}/look").status_code == 403
    for path in ("open", "ask", "keep"):
        assert httpx.post(f"{served.base}/api/look/{path}", json={}).status_code == 403


def test_lists_are_walked_in_order(served: Served, visitor: httpx.Client) -> None:
    ids = served.catalog.images.ids()
    every = walk(visitor, image=ids[3])
    assert (every["count"], every["at"]) == (IMAGES, 3)
    view = visitor.get(f"/api/look/{every['list']}/3").json()
    assert (view["image"], view["name"], view["next"]) == (ids[3], "scene 3.png", [ids[4], ids[2]])
    assert walk(visitor, where=["kind=indoor"])["count"] == IMAGES - 1
    assert look(visitor, where=["kind=outdoor"])["image"] == ids[0]
    assert walk(visitor, screen="house rules") | {"list": ""} == {"list": "", "count": 3, "at": 0, "verdict": "unsure"}
    assert look(visitor, screen="house rules", verdict="breaks")["image"] == ids[2]
    search = visitor.post("/api/search", json={"text": "red", "by": "vectors"}).json()
    assert look(visitor, 5, search=search["search"])["image"] == search["results"][5]["image"]
    # An image that a list does not have is looked at in the order of all.
    assert walk(visitor, where=["kind=outdoor"], image=ids[2])["count"] == IMAGES
    offered = visitor.get("/api/look/lists").json()
    assert offered["questions"]["kind"] == ["indoor", "outdoor"]


def test_all_that_was_said_comes_and_people_win(served: Served, visitor: httpx.Client) -> None:
    parts = {part["question"]: part for part in look(visitor)["said"]}
    assert list(parts) == ["house rules", "caption", "text", "kind", "parts"]
    latest, older = parts["parts"]["runs"]
    assert (latest["model"], latest["latest"], older["model"], older["latest"]) == ("finder", True, "older", False)
    shown = [(one["label"], one["by"]) for one in latest["objects"]]
    assert shown == [("screw", "corrected"), (TROUBLE, ""), ("washer", "added")]
    assert latest["objects"][0]["box"] == [48, 48, 72, 82]
    assert latest["gone"] == 1
    assert (parts["parts"]["looked"], parts["parts"]["people"]) == (True, None)
    assert not parts["kind"]["looked"]
    assert parts["kind"]["people"] == {"label": "outdoor", "same": False, "disagreement": False}
    assert parts["kind"]["runs"][0]["whole"]["label"] == "indoor"
    assert parts["text"]["runs"][0]["objects"][0]["corners"][0] == [5, 60]
    assert parts["caption"]["runs"][0]["whole"]["reason"] == "it looks so"
    (unsure,) = look(visitor, screen="house rules")["said"][0]["runs"]
    assert unsure["whole"]["verdict"] == "unsure"
    assert unsure["objects"][0]["boxes"] == [[5, 5, 30, 30]]
    assert parts["kind"]["kept"] is None
    # On the second image nobody has answered, and what a certificate keeps holds until the models are run again.
    second = {part["question"]: part for part in look(visitor, 1)["said"]}
    assert [one["by"] for one in second["parts"]["runs"][0]["objects"]] == ["", "", ""]
    assert (second["kind"]["people"], second["kind"]["kept"]) == (None, {"label": "indoor"})
    served.catalog.runs.start("label", question="kind", model="another")
    assert {part["question"]: part for part in look(visitor, 1)["said"]}["kind"]["kept"] is None


def test_a_mask_is_sent_where_it_is(visitor: httpx.Client) -> None:
    shape = look(visitor)["said"][-1]["runs"][0]["objects"][1]["mask"]
    left, top, width, height = shape["place"]
    whole = np.zeros((90, 90), bool)
    whole[top : top + height, left : left + width] = run_lengths.decode(shape)
    assert (whole == run_lengths.decode(mask())).all()


def test_the_screening_queue_counts_what_people_decided(served: Served) -> None:
    (queue,) = queues(served.catalog)
    assert queue["counts"] == {"unsure": 3, "breaks": 1, "ok": 2}
    assert queue["command"] == "lucida review --question 'house rules' --per-class"
    ids = served.catalog.images.ids()
    source = served.catalog.runs.latest("house rules")
    assert source is not None
    review = served.catalog.runs.start("review", question="house rules", parent=source.id)
    about: dict[str, Any] = {"question": "house rules", "run": review.id, "actor": "ana", "kind": "answer"}
    served.catalog.annotations.append(
        [
            Annotation(ids[1], **about, label="ok", detail={"verdict": "right"}),
            Annotation(ids[3], **about, sequence=1, label="weapons", detail={"verdict": "wrong"}),
        ]
    )
    assert queues(served.catalog)[0]["counts"] == {"unsure": 1, "breaks": 2, "ok": 3}


def test_questions_are_answered_and_kept(served: Served, visitor: httpx.Client, chat: ChatServer) -> None:
    image, name = served.catalog.images.ids()[0], f"api:m@{chat.url}"
    assert visitor.get("/api/look/model", params={"name": name}).json()["local"] is True
    where = visitor.get("/api/look/model", params={"name": "openai:gpt-4o"}).json()
    assert (where["local"], where["host"]) == (False, "api.openai.com")
    assert 0 < where["most"] < 1
    assert chat.requests == []  # nothing was sent before somebody asks
    body = {"image": image, "model": name, "question": "How many?"}
    first = visitor.post("/api/look/ask", json=body).json()
    assert (first["text"], first["reason"], first["cost"]) == (f"Two. {TROUBLE}", "I count two.", 0.0)
    body |= {"question": "Of what?", "before": [["How many?", first["text"]]]}
    second = visitor.post("/api/look/ask", json=body).json()
    assert len(chat.requests[-1].images) == 1
    assert "How many?" in chat.requests[-1].text
    kept = visitor.post("/api/look/keep", json={"token": second["token"]}).json()
    (row,) = served.catalog.annotations.rows(run=kept["run"])
    assert (row.question, row.label, row.detail["reason"]) == ("Of what?", f"Two. {TROUBLE}", "I count two.")
    assert row.detail["before"] == [["How many?", first["text"]]]
    assert served.catalog.runs.get(kept["run"]).verb == "ask"
    (part, *_) = look(visitor)["said"]
    assert (part["question"], part["runs"][0]["whole"]["text"]) == ("Of what?", f"Two. {TROUBLE}")


def test_what_cannot_be_done_is_refused(served: Served, visitor: httpx.Client, chat: ChatServer) -> None:
    image, name = served.catalog.images.ids()[0], f"api:m@{chat.url}"
    assert visitor.get("/api/look/nothing/0").status_code == 404
    assert visitor.get(f"/api/look/{walk(visitor)['list']}/{IMAGES}").status_code == 422
    assert walk(visitor, where=["colour=red"])["error"]["error"] == "UnknownName"
    assert walk(visitor, image="0" * 64)["error"]["what"]
    assert visitor.post("/api/look/open", json={"verdict": "maybe"}).status_code == 422
    ask = {"image": image, "model": "nobody", "question": "How many?"}
    assert visitor.post("/api/look/ask", json=ask).json()["error"]["error"] == "UnknownName"
    assert "cannot" in visitor.post("/api/look/ask", json=ask | {"model": "embedded"}).json()["error"]["what"]
    assert visitor.post("/api/look/ask", json=ask | {"question": ""}).status_code == 422
    assert visitor.post("/api/look/keep", json={"token": "nothing"}).status_code == 404
    # A question whose name stands for boxes must not get an answer in words.
    answer = visitor.post("/api/look/ask", json=ask | {"model": name, "question": "parts"}).json()
    refused = visitor.post("/api/look/keep", json={"token": answer["token"]})
    assert refused.status_code == 422
    chat.respond = lambda request: error(401, "no such key")
    failed = visitor.post("/api/look/ask", json=ask | {"model": name}).json()["error"]
    assert failed["what"]
    assert failed["hint"]


def test_an_answer_that_nobody_waits_for_is_ended(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    reached, ended = threading.Event(), threading.Event()

    def ask(image: str, model: str, before: Any, question: str, stop: threading.Event) -> dict[str, Any]:
        reached.set()
        if stop.wait(60):
            ended.set()
        return {}

    monkeypatch.setattr(served.asking, "ask", ask)

    async def cancel() -> None:
        async with httpx.AsyncClient(base_url=served.base, timeout=60) as visitor:
            await visitor.get(served.url)
            body = {"image": served.catalog.images.ids()[0], "model": "m", "question": "How many?"}
            asked = asyncio.ensure_future(visitor.post("/api/look/ask", json=body))
            assert await asyncio.to_thread(reached.wait, 60)
            asked.cancel()

    asyncio.run(cancel())
    assert ended.wait(60)


# ---- in a real browser ---------------------------------------------------------------------------------------------


@pytest.fixture
def page(served: Served, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(20_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: m.type in ("error", "warning") and complaints.append(m.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(served.url)
    page.wait_for_selector("#page[data-state=ready]")
    page.goto(f"{served.base}/look")
    page.wait_for_selector("#page[data-state=ready]")
    yield page
    assert [text for text in complaints if "422" not in text] == []
    context.close()


@pytest.mark.browser
def test_a_person_looks_switches_and_asks(page: Page, served: Served, chat: ChatServer) -> None:
    assert page.locator(".place-in-list").inner_text() == "1 of 6"
    assert page.locator(".object.corrected, .object.added").count() == 2
    page.locator("body").press("ArrowRight")
    page.wait_for_selector(".place-in-list:has-text('2 of 6')")
    page.wait_for_selector(".question:has-text('kind') .kept:has-text('indoor')")
    finder = page.locator(".switch", has_text="finder")
    page.wait_for_selector(".counts:has-text('bolt 1/ 2')")  # one is less sure than the threshold
    page.locator(".slide input").fill("0")
    page.wait_for_selector(".counts li:has-text('bolt 2')")
    assert page.locator(".object image").count() == 1
    finder.click()
    assert finder.get_attribute("aria-pressed") == "false"
    assert page.locator(".object image").count() == 0
    # It is remembered, and so is the image.
    page.reload()
    page.wait_for_selector(".place-in-list:has-text('2 of 6')")
    page.wait_for_selector(".switch[aria-pressed=false]:has-text('finder')")
    finder.click()
    page.locator("body").press("+")
    page.wait_for_selector(".stage.zoomed")
    page.locator("body").press("h")
    page.wait_for_function("document.querySelectorAll('.stage .object').length === 0")
    page.locator("body").press("h")
    # Ask, ask further, keep.
    for question in ("How many?", "Of what?"):
        page.locator("body").press("/")
        page.fill(".asking textarea", question)
        page.keyboard.press("Enter")
        page.wait_for_selector(f".turn:has-text('{question}') .answer")
    assert page.locator(".answer .words").first.inner_text() == f"Two. {TROUBLE}"
    assert page.locator("img[src=x]").count() == 0
    page.locator(".answer .keep").last.click()
    page.wait_for_selector(".question:has-text('Of what?')")
    assert served.catalog.annotations.current("Of what?")[0].label == f"Two. {TROUBLE}"
    # What takes too long is cancelled, and can be asked again.
    chat.respond = lambda request: SILENT
    page.fill(".asking textarea", "And now?")
    page.keyboard.press("Enter")
    page.locator(".turn .cancel").click()
    page.wait_for_selector(".turn .ended")
    page.wait_for_selector(".asking[data-state=ready]")
    assert page.input_value(".asking textarea") == "And now?"
    chat.respond = lambda request: error(401, "no such key")
    page.click(".asking .primary")
    page.wait_for_selector(".turn .problem:has-text('Try:')")
    assert page.input_value(".asking textarea") == "And now?"


@pytest.mark.browser
def test_the_queue_a_hit_of_the_search_and_chinese(page: Page, served: Served) -> None:
    page.locator(".policy-name").click()
    page.wait_for_selector(".place-in-list:has-text('1 of 3')")
    page.wait_for_selector(".verdicts [aria-pressed=true]:has-text('Unsure')")
    page.locator(".verdicts button", has_text="Breaks").click()
    page.wait_for_selector(".place-in-list:has-text('1 of 1')")
    assert "verdict=breaks" in page.url
    page.goto(f"{served.base}/search")
    page.wait_for_selector("#page[data-state=ready]")
    page.fill("input.words", "red")
    page.keyboard.press("Enter")
    page.locator(".result .act[title='Show it large']").nth(1).click()
    page.wait_for_selector(".place-in-list:has-text('2 of 6')")
    page.click("[data-language=zh]")
    page.wait_for_selector(".place-in-list:has-text('第 2 张，共 6 张')")
    page.wait_for_selector(".asking .primary:has-text('提问')")
