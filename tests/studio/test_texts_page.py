"""The review of captions in a real browser: right, wrong, unsure, corrected by writing what is right."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from lucida.catalog import Annotation, Catalog
from lucida.catalog.verb import add
from lucida.review import Review, Terms
from patience import NEVER_SLOW

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

LONG = "A long answer that tells of a plain picture in one colour, of its straight edges and of all that it lacks, "


@pytest.fixture
def catalog(tmp_path: Path) -> Any:
    """Thirty plain pictures, each with an answer; without scores."""
    (tmp_path / "photos").mkdir()
    for i in range(30):
        Image.fromarray(np.full((60, 80, 3), (8 * i, 90, 200), np.uint8)).save(tmp_path / "photos" / f"{i:02d}.png")
    add([tmp_path / "photos"], catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as opened:
        parameters = {"task": "answer", "questions": ["What colour is it?"]}
        run = opened.runs.start("label", question="colour", model="m", parameters=parameters)
        opened.annotations.append(
            Annotation(image, "colour", run.id, label=LONG * (i % 3) + f"<b>blue</b> number {i}")
            for i, image in enumerate(opened.images.ids())
        )
        opened.runs.finish(run.id)
        yield opened


def test_a_text_is_right_wrong_or_written_anew(catalog: Catalog, browser: Browser, tmp_path: Path) -> None:
    from lucida.studio import serve_review

    review = Review.open(catalog, terms=Terms(max_error=0.3), reviewer="page", seed=1)
    urls: list[str] = []
    complaints: list[str] = []
    up = threading.Event()
    thread = threading.Thread(
        target=lambda: serve_review(review, open_browser=False, on_url=lambda url: (urls.append(url), up.set())[1]),
        daemon=True,
    )
    thread.start()
    assert up.wait(60)
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.add_init_script(NEVER_SLOW)
    page = context.new_page()
    page.on("console", lambda m: m.type in ("error", "warning") and complaints.append(m.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(urls[0])
    page.wait_for_selector("#page[data-state=ready]")
    card = review.next()
    assert card is not None
    assert page.locator(".asks").inner_text() == "What colour is it?"
    assert page.locator("#proposal").inner_text() == card.proposal
    assert page.locator(".score").is_hidden()
    assert "did not say how sure" in page.locator(".reason").inner_text()
    assert page.locator(".choices button:visible").count() == 1
    assert "answers proven" in page.locator(".panel").inner_text()
    page.screenshot(path=str(tmp_path / "text.png"))
    page.keyboard.press("Enter")
    page.wait_for_selector("#page[data-turn='1']")
    page.keyboard.press("/")
    page.screenshot(path=str(tmp_path / "edit.png"))
    page.locator("dialog textarea").fill("plain blue")
    page.locator("dialog .primary").click()
    page.wait_for_selector("#page[data-turn='2']")
    page.keyboard.press("x")
    page.wait_for_selector("#page[data-turn='3']")
    page.keyboard.press("u")
    page.wait_for_selector("#page[data-turn='4']")
    said = [(e.verdict, e.label) for e in review._checking.journal.entries]  # type: ignore[union-attr]
    assert said == [("right", card.proposal), ("wrong", "plain blue"), ("wrong", None), ("unsure", None)]
    page.keyboard.press("p")
    page.wait_for_selector("section.end")
    thread.join(30)
    context.close()
    assert complaints == []
