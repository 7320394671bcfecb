"""The Generate page in a browser.

It stands in a module of its own: two servers of one application at a time wait for each other now and then.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lucida.catalog import Catalog
from lucida.studio import serve_studio
from lucida.studio.generating import Generating
from lucida.studio.training import Training
from studio.toy_generator import Toy, fresh, toys

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture
def toy() -> Iterator[type[Toy]]:
    with fresh() as found:
        yield found


@pytest.fixture
def page(tmp_path: Path, toy: type[Toy], browser: Browser) -> Iterator[Page]:
    urls: list[str] = []
    up, until = threading.Event(), threading.Event()

    def note(url: str) -> None:
        urls.append(url)
        up.set()

    with toys(), Catalog.open(tmp_path / "catalog", create=True) as catalog, Generating(catalog) as generating:
        options: dict[str, Any] = {"open_browser": False, "on_url": note, "until": until, "generating": generating}
        thread = threading.Thread(target=lambda: serve_studio(Training(catalog), **options), daemon=True)
        thread.start()
        assert up.wait(60)
        context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", accept_downloads=True)
        context.set_default_timeout(20_000)
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda m: m.type in ("error", "warning") and complaints.append(m.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(urls[0])
        page.goto(f"{urls[0].split('/?')[0]}/generate")
        page.wait_for_selector("#page[data-begun]")
        yield page
        context.close()
        until.set()
        thread.join(30)
        assert not thread.is_alive()
    assert complaints == []


def stroke(page: Page) -> None:
    """Draw a line in what is open, and say that it is ready."""
    page.wait_for_selector(".painter .stage.painting")
    frame = page.locator(".painter .stage").bounding_box()
    assert frame is not None
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 40, steps=3)
    page.mouse.up()
    page.click(".painter .tools button:last-child")
    page.wait_for_selector(".painter", state="detached")


def test_a_person_draws_looks_rates_and_goes_on_from_a_picture(page: Page, toy: type[Toy]) -> None:
    # A sketch is drawn, the terms are read, and pictures come while others are drawn.
    page.click("[data-role=control_image] button:has-text('Draw')")
    stroke(page)
    page.wait_for_selector("[data-role=control_image][data-state=filled]")
    page.fill(".prompt", "<b>a boat</b>")
    toy.go.clear()
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("dialog.confirm:has-text('For tests')")
    page.click("dialog.confirm .primary")
    page.wait_for_selector(".working progress[value]")
    assert page.locator(".card.coming").count() == 4
    # The work goes on without the page, and is found again.
    page.reload()
    page.wait_for_selector("#page[data-begun][data-state=working]")
    assert page.input_value(".prompt") == "<b>a boat</b>"
    toy.go.set()
    page.wait_for_selector("#page[data-state=ready] .grid[data-count='4']")
    page.wait_for_selector(".remarks:has-text(\"draws its class 'stripes'\")")
    assert toy.asked[0].control_image is not None
    # Large, with its seed; rated; used as the next one's beginning, of which a part is changed.
    page.click(".card:nth-child(2) .frame")
    page.wait_for_selector("dialog.large[data-told]")
    page.keyboard.press("4")
    page.wait_for_selector("dialog.large .stars[data-stars='4']")
    with page.expect_download() as coming:
        page.keyboard.press("s")
    assert coming.value.suggested_filename.startswith("b-a-boat-b-")
    page.click("dialog.large button:has-text('Begin from it')")
    page.wait_for_selector("[data-role=image][data-state=filled]")
    page.wait_for_selector(".card:nth-child(2) .stars[data-stars='4']")
    page.click("[data-role=image] button:has-text('Change a part')")
    stroke(page)
    page.wait_for_selector("[data-role=image]:has-text('Only the part that you painted')")
    page.click("[data-role=control_image] button:has-text('Remove')")
    page.fill(".prompt", "a house")
    page.click(".go-now")  # the terms are known
    page.wait_for_selector(".past-one:has-text('a house')")
    assert toy.asked[-1].mask is not None
    # An earlier request fills the form again.
    page.click(".past-one:has-text('a boat')")
    page.wait_for_selector("[data-role=control_image][data-state=filled]")
    page.wait_for_selector("[data-role=image][data-state=empty]")
    assert page.input_value(".prompt") == "<b>a boat</b>"
    assert page.locator(".past b").count() == 0


def test_a_model_that_can_little_is_asked_little_and_the_page_speaks_chinese(page: Page) -> None:
    page.select_option("select[aria-label=Model]", "toy-plain")
    page.wait_for_selector("#page[data-model=toy-plain]")
    for gone in ("Size", "Steps", "Guidance", "Sampler", "Not this: what is not to be seen"):
        assert not page.locator(f"[aria-label='{gone}']").is_visible()
    assert not page.locator(".slot").first.is_visible()
    page.fill(".prompt", "fail")
    page.click(".go-now")
    page.wait_for_selector(".message .problem:has-text('no such kernel')")
    # Errors speak of the command line; the page names its fields, and leaves out what it has none for.
    hints = {
        "--size 96 64, the nearest": "Try: “Size” 96 64, the nearest",
        "did you mean 'toy'? lucida models --task generate": "Try: did you mean 'toy'?",
        "-o FILE.png; or a smaller --size": "Try: or a smaller “Size”",
        "lucida restore photo.jpg --upscale 2": None,
        'pip install "camera-lucida[generate]"': 'Try: pip install "camera-lucida[generate]"',
    }
    asked = "hints => import('/static/problem.js').then((m) => hints.map((hint) => m.lines({ what: 'x', hint })[1]))"
    assert page.evaluate(asked, list(hints)) == list(hints.values())
    page.click("[data-language=zh]")
    page.wait_for_selector("#page[data-begun] .go-now:has-text('绘制')")
