"""The page in a real browser: whole reviews, by keyboard, by touch, in two tabs, over a bad connection."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from patience import NEVER_SLOW

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.browser


@dataclass
class Served:
    """A review being served, and everything its pages said and asked for."""

    review: Any
    url: str
    thread: threading.Thread
    context: Callable[..., BrowserContext]
    origins: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def open(self, **options: Any) -> Page:
        """Open the link in a browser of its own."""
        page = self.tab(self.context(**({"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"} | options)))
        page.goto(self.url)
        ready(page)
        return page

    def tab(self, context: BrowserContext) -> Page:
        """Return a new tab that is listened to."""
        page = context.new_page()
        page.on("request", lambda request: self.origins.add(origin(request.url)))
        page.on("websocket", lambda socket: self.origins.add(origin(socket.url)))
        page.on("console", lambda m: m.type in ("error", "warning") and self.complaints.append(m.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page


def origin(url: str) -> str:
    """Return the scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@pytest.fixture
def served(review: Any, browser: Browser) -> Iterator[Served]:
    """The review, served until the test is over."""
    from lucida.studio import serve_review

    urls: list[str] = []
    up = threading.Event()
    contexts: list[BrowserContext] = []

    def note(url: str) -> None:
        urls.append(url)
        up.set()

    def context(**options: Any) -> BrowserContext:
        contexts.append(browser.new_context(**options))
        contexts[-1].set_default_timeout(20_000)
        contexts[-1].add_init_script(NEVER_SLOW)
        return contexts[-1]

    thread = threading.Thread(target=lambda: serve_review(review, open_browser=False, on_url=note), daemon=True)
    thread.start()
    assert up.wait(60)
    served = Served(review, urls[0], thread, context)
    yield served
    if thread.is_alive() and contexts:
        review.before_answer = lambda: None
        pause(contexts[0], urls[0].split("/?")[0])
    thread.join(30)
    for each in contexts:
        each.close()
    assert not thread.is_alive()


def pause(context: BrowserContext, base: str) -> None:
    """End the page, beside whatever its tabs are doing."""
    turn = context.request.get(f"{base}/api/review", max_retries=3).json()["turn"]
    act = {"key": "the test is over", "turn": turn, "kind": "pause"}
    context.request.post(f"{base}/api/review", data=act, max_retries=3)
    context.request.post(f"{base}/api/review/seen", data={}, max_retries=3)


# Breaks off what the page asks, while `broken.now`; so many requests still reach the server, and the answers are lost.
# Within the page: the browser's own interception misses some requests of a page that was opened by a link.
BROKEN = """(heard) => {
  const real = globalThis.fetch;
  globalThis.broken = { now: true, heard };
  globalThis.fetch = async (path, options) => {
    if (path !== "/api/review" || !broken.now) return real(path, options);
    if (broken.heard-- > 0) await (await real(path, options)).text();
    throw new TypeError("Failed to fetch");
  };
}"""


def ready(page: Page) -> None:
    page.wait_for_selector("#page[data-state=ready]")


def turn(page: Page, number: int) -> None:
    """Wait until the page shows a turn."""
    page.wait_for_selector(f"#page[data-turn='{number}']")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_the_reason_stands_under_the_proposal_as_text(served: Served) -> None:
    evil = "<img src=x onerror=alert(1)> it is round, & <b>has no corner</b>"
    served.review.beside = {
        "id00": {"reason": evil, "by": "gpt-x", "agree": (2, 3)},
        "id01": {"reason": "It has four equal sides.", "said": "triangle"},
    }
    page = served.open()
    assert page.locator(".reason").inner_text() == f"2 of 3 labellers agree · gpt-x: {evil}"
    assert page.locator(".reason *").count() == 0
    press(page, "Enter")
    turn(page, 1)
    assert page.locator(".reason").inner_text() == "The model said “triangle”: It has four equal sides."
    press(page, "Enter")
    turn(page, 2)
    assert page.locator(".reason").is_hidden()
    assert served.complaints == []


def test_an_image_that_is_alike_stands_beside_the_one_that_is_asked_about(served: Served) -> None:
    served.review.beside = {"id00": {"like": "id01"}, "id02": {"like": "gone"}}
    page = served.open()
    pictures = page.locator(".stage img")
    assert [picture.get_attribute("src") for picture in pictures.all()] == ["/image/id00", "/image/id01"]
    one, other = (picture.bounding_box() for picture in pictures.all())
    assert one is not None
    assert other is not None
    assert one["x"] + one["width"] <= other["x"]
    assert one["height"] == other["height"] > 200
    assert page.locator(".other").inner_text() == "Another image, to compare"
    press(page, "Enter")
    turn(page, 1)
    # The one beside is asked about now, alone.
    assert [picture.get_attribute("src") for picture in pictures.all()] == ["/image/id01"]
    assert page.locator(".other").is_hidden()
    press(page, "Enter")
    turn(page, 2)
    # What cannot be shown beside it holds nothing up.
    assert [picture.get_attribute("src") for picture in pictures.all()] == ["/image/id02"]
    press(page, "z", "z")
    turn(page, 4)
    assert pictures.count() == 2
    served.complaints.clear()  # the browser says itself that an image is gone


def test_a_whole_review_by_keyboard(served: Served) -> None:
    review, page = served.review, served.open()
    review.ends = 8
    assert page.locator(".label").inner_text() == "circle"
    press(page, "Enter", " ", "1", "2", "u", "0", "x")
    turn(page, 7)
    press(page, "z", "Backspace", "3")
    turn(page, 10)
    press(page, "/")
    page.keyboard.type("tri")
    page.wait_for_selector("[role=option]:has-text('triangle')")
    press(page, "Enter")
    turn(page, 11)
    press(page, "/")
    page.keyboard.type("star")
    page.wait_for_selector("[role=option]:has-text('star')")
    press(page, "Enter")
    turn(page, 12)
    press(page, "?")
    page.wait_for_selector("dialog.keys")
    press(page, "Enter", "f", "Escape")  # the dialogs take the keys meanwhile; Escape changes nothing
    page.wait_for_selector("dialog", state="detached")
    assert page.locator("#page").get_attribute("data-phase") == "teach"
    press(page, "f", "Enter")
    page.wait_for_selector("#page[data-phase=check]")
    turn(page, 13)
    taught = review.log[:]
    press(page, "Enter", "2", "z", "3", "u", *["Enter"] * 5)
    page.wait_for_selector("#page[data-phase=done]")
    text = page.locator(".end").inner_text()
    assert "620 labels are proven" in text
    assert "at most 4.8% are wrong, with 95% confidence" in text
    assert "lucida export out/" in text
    assert "can close this page" in text
    served.thread.join(20)
    assert not served.thread.is_alive()  # the server ends once the end has been shown

    assert taught == [
        ("id00", "right", "circle"),
        ("id01", "right", "square"),
        ("id02", "right", "triangle"),
        ("id03", "wrong", "square"),
        ("id04", "unsure", None),
        ("id05", "unsure", None),
        ("id06", "wrong", None),
        ("undo",),
        ("undo",),
        ("id05", "wrong", "square"),
        ("id06", "wrong", "triangle"),
        ("id07", "wrong", "star"),
        ("freeze",),
    ]
    checked = [line for line in review.log[len(taught) :] if line != ("undo",)]
    assert checked[:4] == [
        ("id08", "right", "triangle"),
        ("id09", "wrong", "square"),
        ("id09", "wrong", "triangle"),
        ("id10", "unsure", None),
    ]
    assert [line[0] for line in checked[4:]] == [f"id{i}" for i in range(11, 16)]
    assert {line[1] for line in checked[4:]} == {"right"}
    here = urlsplit(served.url).netloc
    assert served.origins == {f"http://{here}", f"ws://{here}"}
    assert served.complaints == []


def test_keys_pressed_at_once_are_all_counted_once_and_in_order(served: Served) -> None:
    page = served.open()
    page.evaluate(
        """() => {
          for (let i = 0; i < 30; i++)
            window.dispatchEvent(new KeyboardEvent("keydown", {key: i % 3 ? "Enter" : "2", bubbles: true}));
          window.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", repeat: true}));
        }"""
    )
    turn(page, 30)
    ready(page)
    assert [line[0] for line in served.review.log] == [f"id{i:02d}" for i in range(30)]
    assert [line[1] for line in served.review.log] == ["wrong", "right", "right"] * 10


def test_keys_of_other_keyboards_are_taken_by_their_place(served: Served) -> None:
    page = served.open()
    for key, code in (
        ("я", "KeyZ"),
        ("г", "KeyU"),
        ("é", "Digit2"),
        ("&", "Digit1"),
        ("Process", "KeyU"),
        ("o", "KeyS"),
    ):
        page.evaluate("([key, code]) => window.dispatchEvent(new KeyboardEvent('keydown', {key, code}))", [key, code])
    turn(page, 5)
    ready(page)
    assert [line[1] for line in served.review.log] == ["unsure", "wrong", "right", "unsure"]
    assert page.locator("dialog").count() == 0


def test_language_and_theme_are_switched_and_remembered(served: Served) -> None:
    page = served.open(color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.click("#theme")  # light
    page.click("#theme")  # dark
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate(paper) != light
    page.click("[data-language=zh]")
    page.wait_for_selector("#page[data-state=ready] >> text=对吗")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    assert page.title() == "审核 · Camera Lucida"
    assert page.evaluate(paper) != light  # still dark after the page was loaded anew
    assert page.get_by_role("button", name="不确定").is_visible()
    press(page, "Enter")
    turn(page, 1)
    page.click("[data-language=en]")
    page.wait_for_selector("#page[data-state=ready] >> text=Is this right?")
    assert served.complaints == []


def test_the_browsers_language_is_taken_first(served: Served) -> None:
    page = served.open(locale="zh-CN", color_scheme="dark")
    assert page.get_by_role("button", name="都不是").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 23, 26)"


def test_a_second_tab_sees_the_truth_after_each_answer(served: Served) -> None:
    first = served.open()
    second = served.tab(first.context)
    second.goto(served.url.split("?")[0])
    ready(second)
    press(first, "Enter")
    turn(second, 1)
    assert second.locator(".label").inner_text() == "square"
    press(second, "2")
    turn(first, 2)
    press(first, "z")
    turn(second, 3)
    assert served.review.log == [("id00", "right", "circle"), ("id01", "wrong", "circle"), ("undo",)]


def test_a_tab_that_is_behind_answers_nothing(served: Served) -> None:
    first = served.open()
    second = served.tab(first.context)
    second.route("**/_nicegui_ws/**", lambda route: route.abort())  # it hears nothing of the other tab
    second.route_web_socket("**/_nicegui_ws/**", lambda socket: socket.close())
    second.goto(served.url.split("?")[0])
    ready(second)
    press(first, "Enter")
    turn(first, 1)
    press(second, "3")
    turn(second, 1)
    second.wait_for_selector(".banner:has-text('another window')")
    press(second, "3")
    turn(second, 2)
    assert served.review.log == [("id00", "right", "circle"), ("id01", "wrong", "triangle")]


def test_an_answer_whose_acknowledgement_is_lost_is_counted_once(served: Served) -> None:
    page = served.open()
    page.evaluate(BROKEN, 1)  # the server hears of the answer once; the browser never hears of that
    press(page, "Enter")
    page.wait_for_selector(".banner:has-text('connection')")
    assert [line[0] for line in served.review.log] == ["id00"]
    page.evaluate("broken.now = false")
    turn(page, 1)
    ready(page)
    press(page, "Enter")
    turn(page, 2)
    assert [line[0] for line in served.review.log] == ["id00", "id01"]


def test_without_a_connection_no_key_is_taken_and_the_page_goes_on_by_itself(served: Served) -> None:
    page = served.open()
    page.evaluate(BROKEN, 0)
    press(page, "Enter")
    page.wait_for_selector("#page[data-state=lost]")
    assert page.locator(".banner").is_visible()
    assert page.get_by_role("button", name="Unsure", exact=True).is_disabled()
    press(page, "u", "2", "x")
    page.evaluate("broken.now = false")
    ready(page)
    turn(page, 1)
    assert page.locator(".banner").is_hidden()
    assert served.review.log == [("id00", "right", "circle")]


def test_while_an_answer_takes_long_the_page_says_so_and_takes_no_key(served: Served) -> None:
    page = served.open()
    page.evaluate("slowAfter = 400")
    free = threading.Event()
    served.review.before_answer = free.wait
    press(page, "Enter")
    page.wait_for_selector("#page[data-state=slow]")
    press(page, "Enter", "2")
    free.set()
    turn(page, 1)
    ready(page)
    assert served.review.log == [("id00", "right", "circle")]


def test_an_error_is_shown_and_the_image_stays(served: Served) -> None:
    from lucida.errors import InputError

    def full() -> None:
        raise InputError("The disk is full.", hint="free some space")

    page = served.open()
    served.review.before_answer = full
    press(page, "Enter")
    page.wait_for_selector(".banner:has-text('The disk is full. free some space')")
    ready(page)
    served.review.before_answer = lambda: None
    press(page, "Enter")
    page.wait_for_selector(".label:has-text('square')")
    assert len(served.review.log) == 1


def test_by_touch_on_a_phone(served: Served) -> None:
    page = served.open(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.get_by_role("button", name="Yes, it is circle").tap()
    turn(page, 1)
    page.get_by_role("button", name="It is triangle").tap()
    turn(page, 2)
    page.get_by_role("button", name="Unsure", exact=True).tap()
    turn(page, 3)
    page.get_by_role("button", name="Undo").tap()
    turn(page, 4)
    page.get_by_role("button", name="Search all classes").tap()
    page.wait_for_selector("dialog.search")
    page.locator("[role=option]").first.tap()
    turn(page, 5)
    page.get_by_role("button", name="Freeze and check").tap()
    page.locator("dialog .primary").tap()
    page.wait_for_selector("#page[data-phase=check]")
    assert served.review.log == [
        ("id00", "right", "circle"),
        ("id01", "wrong", "triangle"),
        ("id02", "unsure", None),
        ("undo",),
        ("id02", "wrong", "circle"),
        ("freeze",),
    ]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = page.evaluate(
        """[...document.querySelectorAll("button, a.place, a.brand")].filter((b) => b.checkVisibility())
          .map((b) => [b.getAttribute("aria-label") || b.textContent, b.getBoundingClientRect()])
          .filter(([, box]) => box.width && (box.width < 44 || box.height < 44)).map(([name]) => name)"""
    )
    assert small == []


def test_everything_fits_on_a_laptop_without_scrolling(served: Served) -> None:
    page = served.open()
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert page.locator(".picture img").bounding_box()["height"] > 350  # type: ignore[index]
    assert page.get_by_role("button", name="Undo").is_visible()


def test_enter_on_a_button_that_has_the_focus_presses_that_button(served: Served) -> None:
    page = served.open()
    page.get_by_role("button", name="Unsure", exact=True).focus()
    press(page, "Enter")
    turn(page, 1)
    page.get_by_role("button", name="Unsure", exact=True).click()  # by mouse: the keys belong to the page again
    turn(page, 2)
    press(page, "Enter")
    turn(page, 3)
    assert [line[1] for line in served.review.log] == ["unsure", "unsure", "right"]


def test_pause_ends_the_page_and_keeps_the_review_open(served: Served) -> None:
    page = served.open()
    press(page, "Enter", "p")
    page.wait_for_selector("#page[data-phase=paused]")
    assert "run the same command again" in page.locator(".end").inner_text()
    served.thread.join(20)
    assert not served.thread.is_alive()
    assert served.review.phase == "teach"


def test_when_nothing_is_left_to_teach_enter_goes_on_to_the_check(served: Served) -> None:
    served.review.images = dict(list(served.review.images.items())[:2])
    page = served.open()
    press(page, "Enter", "Enter")
    turn(page, 2)
    assert "Go on to the check" in page.locator(".picture").inner_text()
    press(page, "Enter")
    page.wait_for_selector("dialog.confirm")
    press(page, "Enter")
    page.wait_for_selector("#page[data-phase=check][data-state=ready]")
    press(page, "Enter")  # nothing is left to check either: finish
    page.wait_for_selector("#page[data-phase=done]")
    assert served.review.log[-2:] == [("freeze",), ("stop",)]


def test_a_name_of_any_kind_is_shown_as_it_is(served: Served) -> None:
    nasty = '<img src=x onerror=alert(1)> \u202e & "quotes" ' + "long " * 40
    served.review.classes = [nasty, "square", "triangle"]
    page = served.open()
    assert page.locator(".label").inner_text().strip() == nasty.strip()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    press(page, "Enter")
    turn(page, 1)
    assert page.evaluate("document.querySelector('.view').scrollWidth <= document.querySelector('.view').clientWidth")
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert served.review.log == [("id00", "right", nasty)]
    assert served.complaints == []


def test_what_is_opened_while_an_answer_is_under_way_stays_open(served: Served) -> None:
    page = served.open()
    free = threading.Event()
    served.review.before_answer = free.wait
    press(page, "Enter", "f")
    page.wait_for_selector("dialog.confirm")
    free.set()
    turn(page, 1)
    press(page, "Enter")
    page.wait_for_selector("#page[data-phase=check]")
    assert served.review.log == [("id00", "right", "circle"), ("freeze",)]


def test_stopping_with_nothing_proven_is_asked_and_enter_cancels(served: Served) -> None:
    page = served.open()
    press(page, "f", "Enter")
    page.wait_for_selector("#page[data-phase=check][data-state=ready]")
    press(page, "s")
    page.wait_for_selector("dialog.confirm:has-text('nothing proven')")
    press(page, "Enter")
    page.wait_for_selector("dialog", state="detached")
    assert served.review.phase == "check"
    press(page, "s")
    page.locator("dialog .primary").click()
    page.wait_for_selector("#page[data-phase=done]")
    assert served.review.log == [("freeze",), ("stop",)]


def test_a_link_opens_the_page_once(served: Served) -> None:
    page = served.open()
    stranger = served.context().new_page()
    response = stranger.goto(served.url)
    assert response is not None
    assert response.status == 403
    assert "new link" in stranger.locator("h1").inner_text()
    page.goto(served.url)  # the browser that has been let in may follow its link again
    ready(page)
