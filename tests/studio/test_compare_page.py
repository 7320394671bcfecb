"""The page of differences: its routes, and the page in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from lucida.studio import serve_differences, serve_review

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


class Shown:
    """A page being served in a thread."""

    def __init__(self, serve: Callable[..., None], *args: Any, **options: Any) -> None:
        urls: list[str] = []
        up = threading.Event()

        def note(url: str) -> None:
            urls.append(url)
            up.set()

        options |= {"open_browser": False, "on_url": note}
        self.thread = threading.Thread(target=lambda: serve(*args, **options), daemon=True)
        self.thread.start()
        assert up.wait(60)
        self.url, self.base = urls[0], urls[0].split("/?")[0]

    def ended(self) -> bool:
        """Wait for the server to end."""
        self.thread.join(30)
        return not self.thread.is_alive()


@pytest.fixture
def shown(differences: Any) -> Iterator[Shown]:
    """The differences alone, served until the test is over."""
    served = Shown(serve_differences, differences)
    yield served
    assert served.ended()


def client(served: Shown) -> httpx.Client:
    found = httpx.Client(base_url=served.base, follow_redirects=False)
    assert found.get(served.url).status_code == 200
    return found


def test_differences_alone_are_the_whole_page(shown: Shown, differences: Any) -> None:
    visitor = client(shown)
    assert visitor.get("/").headers["location"] == "/compare"
    page = visitor.get("/compare")
    assert page.status_code == 200
    assert 'href="/compare" aria-current=page' in page.text
    assert 'class="place" href="/"' not in page.text
    assert visitor.get("/api/review").status_code == 404
    assert visitor.get("/image/id0003").headers["content-type"] == "image/png"
    assert "sandbox" in visitor.get("/image/id0003").headers["content-security-policy"]
    assert visitor.get("/image/nobody").status_code == 404
    assert len(visitor.get("/api/compare", params={"kind": "b", "start": 45, "count": 40}).json()) == 5
    for wrong in ({"kind": "c"}, {"start": -1}, {"count": 100_000}):
        assert visitor.get("/api/compare", params=wrong).status_code == 422
    assert httpx.get(f"{shown.base}/api/compare").status_code == 403
    assert visitor.post("/api/compare/end").status_code == 204


def test_what_a_model_said_never_becomes_a_script(shown: Shown) -> None:
    visitor = client(shown)
    page = visitor.get("/compare").text
    assert "<b>one</b>" not in page
    assert "u003cb>one" in page
    visitor.post("/api/compare/end")


def test_beside_a_review_it_is_one_more_place(review: Any, differences: Any) -> None:
    served = Shown(serve_review, review, differences=differences)
    visitor = client(served)
    assert 'href="/compare"' in visitor.get("/").text
    assert visitor.get("/compare").status_code == 200
    visitor.post("/api/compare/end")  # closes nothing: the review goes on
    turn = visitor.get("/api/review").json()["turn"]
    visitor.post("/api/review", json={"key": "the test is over", "turn": turn, "kind": "pause"})
    visitor.post("/api/review/seen", json={})
    assert served.ended()


def test_a_review_without_a_second_run_has_no_such_page(review: Any, serve: Any) -> None:
    served = serve(review)
    assert "/compare" not in served.client.get("/").text
    assert served.client.get("/compare").status_code == 307
    assert served.client.get("/api/compare").status_code == 404
    served.act("pause")
    served.end()


# ---- in a real browser ---------------------------------------------------------------------------------------------


@pytest.fixture
def page(shown: Shown, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(20_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: m.type in ("error", "warning") and complaints.append(m.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(shown.url)
    page.wait_for_selector("#page[data-state=ready]")
    yield page
    if page.locator(".closed").count() == 0:
        page.keyboard.press("Escape")
        page.keyboard.press("p")
    page.wait_for_selector(".closed")
    assert complaints == []
    context.close()


@pytest.mark.browser
def test_it_says_who_is_better_and_shows_both(page: Page) -> None:
    assert page.locator("h1").inner_text() == "B is better"
    assert "between +0.3 and +7.1 percentage points" in page.locator(".between").inner_text()
    first = page.locator(".difference").first
    assert first.locator(".label").all_inner_texts() == ["circle", "square"]
    assert first.locator(".because").first.inner_text().startswith("It has no corner & <b>one</b>")
    assert first.locator(".because *").count() == 0
    assert first.locator(".because").nth(1).inner_text() == "2 of 3 agree · gpt-5: It has corners."
    assert first.locator(".person").inner_text() == "Your label circle"
    assert first.locator(".said.right .side").inner_text() == "A"


@pytest.mark.browser
def test_it_loads_as_it_is_read_and_never_all_at_once(page: Page, differences: Any) -> None:
    assert page.locator(".difference").count() < 200
    while (rows := page.locator(".differences").get_attribute("data-rows")) != "200":
        page.locator(".more-to-come").scroll_into_view_if_needed()
        page.wait_for_selector(f".differences:not([data-rows='{rows}'])")
    asked = [(start, count) for kind, start, count in differences.asked if kind == ""]
    assert len(asked) == len(set(asked))
    paths = page.locator(".difference .file").all_text_contents()
    assert len(set(paths)) == 200


@pytest.mark.browser
def test_filters_and_cards_by_keyboard(page: Page) -> None:
    page.keyboard.press("4")
    page.wait_for_selector(".differences[data-rows='6']")
    assert page.locator("[aria-pressed=true]").inner_text().split("\n")[1] == "Both wrong"
    assert page.locator(".difference[data-kind=neither]").count() == 6
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("k")
    page.keyboard.press("j")
    assert page.evaluate("[...document.querySelectorAll('.difference')].indexOf(document.activeElement)") == 1
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog.enlarged")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog", state="detached")
    page.keyboard.press("e")
    page.wait_for_selector("dialog.enlarged")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    page.keyboard.press("?")
    page.wait_for_selector("dialog.keys")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    page.keyboard.press("5")
    page.wait_for_selector(".difference[data-kind=open]")
    assert page.locator(".difference").first.locator(".person").inner_text() == "Not reviewed"


@pytest.mark.browser
def test_it_speaks_chinese_and_fits_a_phone(page: Page) -> None:
    page.click("[data-language=zh]")
    page.wait_for_selector("h1:has-text('B 更好')")
    page.set_viewport_size({"width": 360, "height": 760})
    page.wait_for_selector("#page[data-state=ready]")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.browser
def test_nothing_differs(shown: Shown, differences: Any, browser: Browser) -> None:
    differences.counts = dict.fromkeys(differences.counts, 0)
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(shown.url)
    page.wait_for_selector("#page[data-state=ready]")
    assert page.locator(".status").inner_text() == "The two say the same of every image."
    page.keyboard.press("p")
    page.wait_for_selector(".closed")
    context.close()
