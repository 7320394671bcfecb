"""The Search page: what it asks for and gets, what it refuses, and the page in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from lucida.catalog import Annotation, Catalog, add
from lucida.studio import serve_studio
from lucida.studio.searching import Searching
from lucida.studio.training import Training
from search.colours import COLOURS, write_colours

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


class Served:
    """The studio of a catalog of coloured pictures, served in a thread."""

    def __init__(self, folder: Path) -> None:
        write_colours(folder / "pictures")
        add([folder / "pictures"], catalog=folder / "catalog")
        self.catalog = Catalog.open(folder / "catalog")
        run = self.catalog.runs.start("label", question="size")
        ids = self.catalog.images.ids()
        labels = [Annotation(id, "size", run.id, label="small" if i % 2 else "large") for i, id in enumerate(ids)]
        self.catalog.annotations.append(labels)
        self.catalog.runs.finish(run.id)
        urls: list[str] = []
        up, self.over = threading.Event(), threading.Event()

        def note(url: str) -> None:
            urls.append(url)
            up.set()

        options: dict[str, Any] = {"open_browser": False, "on_url": note, "until": self.over}
        options["searching"] = Searching(self.catalog, COLOURS)
        self.thread = threading.Thread(target=lambda: serve_studio(Training(self.catalog), **options), daemon=True)
        self.thread.start()
        assert up.wait(60)
        self.url, self.base = urls[0], urls[0].split("/?")[0]

    def client(self) -> httpx.Client:
        """Return a visitor that is let in."""
        found = httpx.Client(base_url=self.base, follow_redirects=False, timeout=30)
        assert found.get(self.url).status_code == 200
        return found

    def end(self) -> None:
        """End the server."""
        self.over.set()
        self.thread.join(30)
        assert not self.thread.is_alive()
        self.catalog.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """The studio, until the test is over."""
    studio = Served(tmp_path)
    yield studio
    studio.end()


def find(visitor: httpx.Client, **asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = visitor.post("/api/search", json=asked).json()
    return found


def test_it_is_the_front_door(served: Served) -> None:
    visitor = served.client()
    assert visitor.get("/").headers["location"] == "/search"
    page = visitor.get("/search").text
    assert 'href="/search" aria-current=page' in page
    assert page.index('href="/search"') < page.index('href="/train"')
    assert '"questions":{"size":["large","small"]}' in page
    assert httpx.post(f"{served.base}/api/search", json={"text": "red"}).status_code == 403


def test_searches_are_answered(served: Served) -> None:
    visitor = served.client()
    found = find(visitor, text="red", top=3)
    assert [one["name"].split()[0] for one in found["results"]] == ["red"] * 3
    assert {one["by"] for one in found["results"][0]["found"]} == {"words", "text"}
    assert found["images"] == found["ranked"] == 16
    first = found["results"][0]["image"]
    assert find(visitor, like=[first])["results"][0]["image"] == first
    assert find(visitor, images=[first], text="blue", by="vectors")["results"][1]["name"].startswith("violet")
    assert find(visitor, text="red", where=["size=small"])["images"] == 8
    assert find(visitor, text="red", glob="nothing")["results"] == []
    picture = visitor.get(f"/api/search/picture/{first}", params={"side": 64})
    assert picture.headers["content-type"] == "image/jpeg"
    assert "sandbox" in picture.headers["content-security-policy"]


def test_an_image_from_elsewhere_is_searched_with(served: Served, tmp_path: Path) -> None:
    visitor = served.client()
    data = (tmp_path / "pictures" / "green 1.png").read_bytes()
    known = visitor.post("/api/search/upload", params={"name": "a/b.png"}, content=data).json()
    assert find(visitor, images=[known["image"]])["results"][0]["name"] == "green 1.png"
    other = visitor.post("/api/search/upload", content=data[:-12]).json()["image"]
    assert other != known["image"]
    assert find(visitor, images=[other])["results"][0]["name"].startswith("green")
    assert visitor.get(f"/api/search/picture/{other}").status_code == 200
    assert len(served.catalog.images.ids()) == 16


def test_what_cannot_be_answered_is_refused(served: Served) -> None:
    visitor = served.client()
    assert find(visitor)["error"]["what"] == "There is nothing to look for."
    assert find(visitor, text="x" * 10_000)["error"]["what"] == "The query is too long."
    assert find(visitor, text="red", where=["colour=red"])["error"]["error"] == "UnknownName"
    assert "not at hand" in find(visitor, images=["0" * 64])["error"]["what"]
    assert visitor.post("/api/search", json={"text": "red", "top": 100_000}).status_code == 422
    assert visitor.post("/api/search/upload", content=b"hello").status_code == 415
    assert visitor.get("/api/search/picture/nothing").status_code == 404
    assert visitor.post("/api/search/judge", json={"search": "nothing"}).status_code == 404


def test_answers_say_where_relevance_ends_and_are_kept(served: Served) -> None:
    visitor = served.client()
    search = find(visitor, text="red", by="vectors")["search"]
    reply = visitor.post("/api/search/judge", json={"search": search, "share": 0.8}).json()
    assert reply["claim"]["results"] == 0
    names = served.catalog.images.names(served.catalog.images.ids())
    while reply["next"] is not None:
        image = reply["next"]["image"]
        relevant = Path(names[image]).name.startswith("red")
        body = {"search": search, "share": 0.8, "image": image, "relevant": relevant}
        reply = visitor.post("/api/search/judge", json=body).json()
    assert reply["claim"]["results"] in (4, 5)
    assert reply["claim"]["relevant"] == 4
    again = find(visitor, text="red", by="vectors")["search"]
    assert visitor.post("/api/search/judge", json={"search": again, "share": 0.8}).json() == reply
    body = {"search": search, "image": "0" * 64, "relevant": True}
    assert visitor.post("/api/search/judge", json=body).status_code == 422


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
    yield page
    assert [text for text in complaints if "422" not in text] == []
    context.close()


def test_nothing_comes_from_elsewhere() -> None:
    import lucida.studio

    for path in (Path(lucida.studio.__file__).parent / "static").glob("search*"):
        assert "http:" not in path.read_text(), path
        assert "https:" not in path.read_text(), path


@pytest.mark.browser
def test_a_person_searches_steers_and_judges(page: Page) -> None:
    page.fill("input.words", "red")
    page.keyboard.press("Enter")
    page.wait_for_selector(".result")
    assert "16 results of 16 images" in page.locator(".status").inner_text()
    assert page.locator(".result .file").first.inner_text().startswith("1 red")
    # A click on a picture finds more like it, beside the words.
    page.locator(".result", has_text="violet 0").locator(".thumb").click()
    page.wait_for_selector(".chip.like")
    page.wait_for_selector(".result:first-child:has-text('violet 0')")
    page.locator(".chip .cross").click()
    page.wait_for_selector(".result:first-child:has-text('red')")
    page.locator(".result", has_text="red 3").locator("[aria-label='Less like this']").click()
    page.wait_for_selector(".chip.unlike")
    # The chip is there at once, the new results a moment later.
    page.locator(".result", has_text="red 3").wait_for(state="detached")
    page.locator(".chip .cross").click()
    page.select_option(".filters select >> nth=1", "size=small")
    page.wait_for_selector(".status:has-text('of 8 images')")
    page.locator(".chip .cross").click()
    page.wait_for_selector(".status:has-text('of 16 images')")
    # Where relevance ends, by keyboard.
    page.locator(".ending button").click()
    page.wait_for_selector(".question")
    page.select_option(".ending select", "0.5")
    for _ in range(16):
        page.wait_for_selector(".proven")
        if not page.locator(".question").count():
            break
        before = page.locator(".claim").inner_text()
        name = page.locator(".question .file").inner_text()
        page.locator("body").press("y" if name.startswith("red") else "n")
        page.wait_for_function("before => document.querySelector('.claim').innerText !== before", arg=before)
    assert page.locator(".claim").inner_text().startswith("Of the first ")
    assert page.locator(".results .line").count() == 1
    assert page.locator("[data-answer=yes]").count() >= 1


@pytest.mark.browser
def test_errors_and_chinese(page: Page) -> None:
    page.fill("input.words", "red red red red red red red")
    page.keyboard.press("Enter")
    page.wait_for_selector(".status:has-text('longer than the model reads')")
    page.click("[data-language=zh]")
    page.wait_for_selector(".ask .primary:has-text('搜索')")
    page.fill("input.words", "blue")
    page.keyboard.press("Enter")
    page.wait_for_selector(".status:has-text('16 张图片中的 16 个结果')")
