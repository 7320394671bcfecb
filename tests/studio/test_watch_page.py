"""The Watch page in a real browser, with a server that is played in its own types."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lucida.catalog import Catalog
from lucida.studio import serve_studio
from lucida.studio.training import Training
from lucida.studio.watching import Watching
from studio.conftest import draw
from studio.played_server import Played, clock, drifted, job, three_routes

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

KEY = "lucida-aaaaaaaa-secret"


@pytest.fixture(scope="module")
def played() -> Played:
    """A server with an alarm, six routes, two jobs and three answers that wait for a person."""
    made = Played(routes=three_routes(), watch=drifted(), picture=lambda id: draw(int(id[:2], 16)))
    made.jobs = [job("a", "running", 40), job("b", "failed", 3)]
    return made


@pytest.fixture(scope="module")
def page(played: Played, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page of that server."""
    folder = tmp_path_factory.mktemp("watch")
    with Catalog.open(folder / "catalog", create=True) as catalog:
        watching = Watching(catalog, transport=played.transport, clock=clock())
        for _ in range(8):
            played.traffic(40)
            played.traffic(2, 503)
            watching.look()
        urls: list[str] = []
        up, over = threading.Event(), threading.Event()

        def note(url: str) -> None:
            urls.append(url)
            up.set()

        options = {"watching": watching, "open_browser": False, "on_url": note, "until": over}
        thread = threading.Thread(target=lambda: serve_studio(Training(catalog), **options), daemon=True)
        thread.start()
        assert up.wait(60)
        context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
        # The page that lets a visitor in goes on by itself, and would interrupt the way to another.
        assert context.request.get(urls[0]).ok
        opened = context.new_page()
        opened.set_default_timeout(90_000)
        failed: list[str] = []
        opened.on("pageerror", lambda error: failed.append(str(error)))
        opened.goto(urls[0].split("/?")[0] + "/watch")
        opened.wait_for_selector("#page[data-ready]")
        yield opened
        context.close()
        over.set()
        thread.join(60)
        assert failed == []


@pytest.mark.browser
def test_it_says_how_the_server_is_and_which_model_is_better(page: Page) -> None:
    page.wait_for_selector("#page[data-state=up]")
    assert page.locator(".tiles dd").count() == 8
    assert page.locator(".curves .line").count() >= 4
    assert page.locator(".models tbody tr").count() == 2
    assert page.locator(".jobs .pill").all_inner_texts() == ["running", "failed"]
    better = page.locator("[data-route=better]")
    assert better.locator(".verdict .claim").inner_text() == (
        "Of 100 answers, embedded has between 2.1 and 11.7 more right than clothes. This holds with 95% confidence."
    )
    assert better.locator(".interval.sure").count() == 1
    assert "says the same for 90%" in better.locator(".shadow").inner_text()
    assert "up to 8 fewer right than clothes, or up to 13 more" in page.locator("[data-route=open] .claim").inner_text()
    assert "Nobody has said yet" in page.locator("[data-route=silent] .claim").inner_text()
    assert page.locator("[data-route=safe] .model.open .breaker").inner_text() == "left alone, tried again within 15 s"
    assert page.locator("[data-route=new] .stairs .now").inner_text() == "5%"
    assert "Rolled back" in page.locator("[data-route=back] .rollout .claim").inner_text()


@pytest.mark.browser
def test_an_alarm_names_its_images_and_becomes_a_queue(page: Page, played: Played) -> None:
    alarm = page.locator("[data-alarm]")
    assert alarm.locator("h3").inner_text() == "Darker, less contrast alarm"
    assert "below 94% of the reference" in alarm.locator(".signals").inner_text()
    assert alarm.locator("img").count() == 6
    # What a model calls an image is text, whatever stands in it.
    assert alarm.locator("figcaption strong").first.inner_text() == "<b>dress</b>"
    assert "2 of 8 images were not kept" in alarm.inner_text()
    assert "certificate.json" in alarm.locator(".expired").inner_text()
    assert page.locator(".mark text").text_content() == "alarm"
    alarm.locator("button.primary").first.click()
    page.wait_for_selector("[data-alarm] .queued")
    assert "26 images are in the queue; 4 more were not kept." in alarm.locator(".queued").inner_text()
    alarm.locator("summary", has_text="training set").click()
    shown = alarm.locator("code").all_inner_texts()
    assert "lucida review --question drift-20261122 --teach 26" in shown
    assert "lucida train classify --question drift-20261122 --include reviewed" in shown
    # The queue is in the server's catalog, not in that of this studio.
    alarm.locator("[data-name^=review-]").click()
    page.wait_for_selector("[data-alarm] [role=alert]")
    assert "not in the catalog of this studio" in alarm.inner_text()


@pytest.mark.browser
def test_drawn_answers_are_judged_by_keys_where_they_are_looked_at(page: Page, played: Played) -> None:
    before = len(played.asked)
    card = page.locator(".card-of")
    assert card.get_attribute("data-number") == "7"
    # Nothing is answered by somebody who reads elsewhere.
    page.locator(".part").first.click()
    page.keyboard.press("x")
    assert len(played.asked) == before
    card.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".card-of[data-number='8']")
    page.keyboard.press("/")
    page.wait_for_selector("dialog.search li")
    page.keyboard.type("hat")
    page.keyboard.press("Enter")
    page.wait_for_selector(".card-of[data-number='9']")
    page.keyboard.press("z")
    page.wait_for_selector(".card-of[data-number='8']")
    page.keyboard.press("u")
    page.wait_for_selector(".card-of[data-number='9']")
    assert [body for _, body in played.asked[before:]] == [
        {"number": 7, "verdict": "right"},
        {"number": 8, "verdict": "wrong", "label": "hat"},
        {"number": 8, "verdict": "unsure"},
    ]
    page.keyboard.press("x")
    page.wait_for_selector(".judging[data-state=empty]")
    assert "between 73.1% and 98.5%" in page.locator(".known .claim").inner_text().lower()


@pytest.mark.browser
def test_it_says_what_to_do_where_no_server_answers(page: Page, played: Played) -> None:
    played.gone = True
    page.wait_for_selector("#page[data-state=lost] .trouble h2")
    assert page.locator("[data-name^=queue-]").is_disabled()
    played.gone = False
    page.wait_for_selector("#page[data-state=up]")
    assert page.locator(".trouble").is_hidden()
    played.key = KEY
    page.wait_for_selector("#page[data-state=key] .connect input[name=key]")
    for key, shown in (("wrong", ".trouble:has-text('is not known there')"), (KEY, "#page[data-state=up]")):
        page.locator("input[name=url]").fill("localhost:9000")
        page.locator("input[name=key]").fill(key)
        page.keyboard.press("Enter")
        page.wait_for_selector(shown)
    assert "localhost:9000" in page.locator(".where").inner_text()
    page.wait_for_selector(".connect", state="hidden")
    assert KEY not in page.content()
    played.gone = True
    page.locator(".heading .plain").click()
    page.locator("input[name=url]").fill("file:///etc/passwd")
    page.locator(".connect .primary").click()
    page.wait_for_selector(".wrong-input:not([hidden])")
    page.locator("input[name=url]").fill("localhost:9001")
    page.locator(".connect .primary").click()
    page.wait_for_selector("#page[data-state=none]")
    assert "--watch live" in page.locator(".trouble code").inner_text()
    page.click("[data-language=zh]")
    page.wait_for_selector(".trouble h2:has-text('http://localhost:9001 没有服务器回应')")
