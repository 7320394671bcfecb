"""The review of boxes in a real browser: right and wrong, corrected with the mouse, then what was missed is drawn."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lucida.catalog import Annotation, Catalog
from lucida.catalog.verb import add
from lucida.results import run_lengths
from lucida.review import ObjectReview, ObjectTerms, verify
from patience import NEVER_SLOW

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.browser

SIZE = (320, 200)
DISCS = [(20, 30, 90, 100), (130, 40, 200, 110), (230, 90, 300, 160)]


def picture(i: int) -> Image.Image:
    """Draw three discs on a ground of its own colour."""
    image = Image.new("RGB", SIZE, (235 - i, 225, 205 + i))
    pen = ImageDraw.Draw(image)
    for box in DISCS:
        pen.ellipse(box, fill=(150, 60 + 3 * i, 90))
    return image


def detected(catalog: Catalog, *, task: str = "detect", beside: tuple[int, ...] = (1, 4)) -> None:
    """Keep two of the three discs of each picture as found; in some, the second lies beside its disc."""
    run = catalog.runs.start("label", question="discs", model="m", parameters={"task": task})
    for number, image in enumerate(catalog.images.ids()):
        rows = [Annotation(image, "discs", run.id, detail={"count": 2})]
        places = DISCS[0], (150, 60, 220, 130) if number in beside else DISCS[1]
        for item, (left, top, right, bottom) in enumerate(places, 1):
            detail: dict[str, Any] = {"box": [left, top, right, bottom]}
            if task == "segment":
                pixels = np.zeros((SIZE[1], SIZE[0]), bool)
                pixels[top:bottom, left:right] = np.hypot(*np.mgrid[-35:35, -35:35]) < 35
                detail["mask"] = run_lengths.encode(pixels)
            rows.append(
                Annotation(image, "discs", run.id, item=item, label="disc", score=0.9 - 0.2 * item, detail=detail)
            )
        catalog.annotations.append(rows)
    catalog.runs.finish(run.id)


@dataclass
class Served:
    """A review of boxes being served."""

    review: ObjectReview
    url: str
    context: Callable[..., BrowserContext]
    complaints: list[str] = field(default_factory=list)

    def open(self, **options: Any) -> Page:
        """Open the link in a browser of its own."""
        page = self.context(**({"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"} | options)).new_page()
        page.on("console", lambda m: m.type in ("error", "warning") and self.complaints.append(m.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self.url)
        page.wait_for_selector("#page[data-state=ready]")
        return page


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Six drawn pictures."""
    (tmp_path / "discs").mkdir()
    for i in range(6):
        picture(i).save(tmp_path / "discs" / f"disc {i}.png")
    add([tmp_path / "discs"], catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as opened:
        yield opened


@pytest.fixture
def serving(browser: Browser) -> Iterator[Callable[..., Served]]:
    """Serve reviews until the test is over."""
    from lucida.studio import serve_review

    threads: list[threading.Thread] = []
    contexts: list[BrowserContext] = []
    links: list[str] = []

    def context(**options: Any) -> BrowserContext:
        contexts.append(browser.new_context(**options))
        contexts[-1].set_default_timeout(20_000)
        contexts[-1].add_init_script(NEVER_SLOW)
        return contexts[-1]

    def serve(review: ObjectReview) -> Served:
        up = threading.Event()

        def note(url: str) -> None:
            links.append(url)
            up.set()

        threads.append(
            threading.Thread(target=lambda: serve_review(review, open_browser=False, on_url=note), daemon=True)
        )
        threads[-1].start()
        assert up.wait(60)
        return Served(review, links[-1], context)

    yield serve
    if threads[-1].is_alive() and contexts:
        base, request = links[-1].split("/?")[0], contexts[0].request
        turn = request.get(f"{base}/api/review").json()["turn"]
        request.post(f"{base}/api/review", data={"key": "the test is over", "turn": turn, "kind": "pause"})
        request.post(f"{base}/api/review/seen", data={})
    threads[-1].join(30)
    for each in contexts:
        each.close()
    assert not threads[-1].is_alive()


def turn(page: Page, number: int) -> None:
    page.wait_for_selector(f"#page[data-turn='{number}']")


def place(page: Page, x: float, y: float) -> tuple[float, float]:
    """Return where a pixel of the image lies on the screen."""
    frame = page.locator("svg.overlay").bounding_box()
    assert frame is not None
    scale = min(frame["width"] / SIZE[0], frame["height"] / SIZE[1])
    return (
        frame["x"] + frame["width"] / 2 + (x - SIZE[0] / 2) * scale,
        frame["y"] + frame["height"] / 2 + (y - SIZE[1] / 2) * scale,
    )


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*place(page, *start))
    page.mouse.down()
    page.mouse.move(*place(page, (start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
    page.mouse.move(*place(page, *end))
    page.mouse.up()


def test_boxes_are_checked_corrected_and_the_missed_ones_drawn(
    catalog: Catalog, serving: Callable[..., Served], tmp_path: Path
) -> None:
    detected(catalog)
    served = serving(ObjectReview.open(catalog, terms=ObjectTerms(max_error=0.3, max_missed=0.3), reviewer="page"))
    page = served.open()
    assert page.locator(".asks").inner_text() == "Is this right?"
    number = 0
    while page.locator("#page").get_attribute("data-phase") == "check":
        card = served.review.next()
        assert card is not None
        assert card.unit is not None
        assert page.locator(".overlay .chosen.box").count() == 1
        if card.unit.box[0] == 150:
            drag(page, (180, 100), (160, 80))  # moved to where the disc is
            assert "Save the correction" in page.locator(".choices .primary").inner_text()
        page.keyboard.press("Enter")
        number += 1
        turn(page, number)
        assert number < 20
    page.wait_for_selector("#page[data-phase=missed]")
    assert page.locator(".asks").inner_text() == "Is anything missing?"
    page.screenshot(path=str(tmp_path / "missed.png"))
    while page.locator("#page").get_attribute("data-phase") == "missed":
        assert page.locator(".overlay .stands.box").count() == 2
        drag(page, (230, 90), (300, 160))
        assert "Save 1" in page.locator(".choices .primary").inner_text()
        page.keyboard.press("Enter")
        number += 1
        turn(page, number)
    text = page.locator("section.end").inner_text()
    assert "You checked all 12 boxes: 12 stand. Something is missing in at most 6 of the 6 images" in text
    certificate = served.review.certificate
    assert certificate is not None
    assert certificate.missed is not None
    assert certificate.missed["marked"] == certificate.missed["looked"] == 6
    assert verify(str(served.review.certificate_path)).ok
    objects = catalog.annotations.current_objects("discs")
    assert len(objects) == 18
    for one in objects:
        wanted = DISCS[{1: 0, 2: 1}.get(one.item, 2)]
        assert np.abs(np.subtract(one.detail["box"], wanted)).max() < 2.5
    assert served.complaints == []


def test_keys_and_mouse_do_what_they_say(catalog: Catalog, serving: Callable[..., Served]) -> None:
    detected(catalog)
    served = serving(ObjectReview.open(catalog, terms=ObjectTerms(max_error=0.3), reviewer="page"))
    page = served.open()
    first = served.review.next()
    assert first is not None
    page.keyboard.press("x")  # no such object
    turn(page, 1)
    assert "not there" in page.locator(".more").inner_text()
    page.keyboard.press("u")
    turn(page, 2)
    page.keyboard.press("z")
    turn(page, 3)
    page.keyboard.press("Backspace")
    turn(page, 4)
    assert served.review.next() == first
    # A corner is dragged; Escape puts the box back, and nothing is answered.
    assert first.unit is not None
    left, top, right, bottom = first.unit.box
    drag(page, (right, bottom), (right + 10, bottom + 12))
    assert page.locator(".more >> text=As it was").is_visible()
    page.keyboard.press("Escape")
    assert page.locator(".more >> text=As it was").is_hidden()
    drag(page, (right, bottom), (right + 10, bottom + 12))
    page.locator(".choices .primary").click()
    turn(page, 5)
    entry = served.review.journal.entries[-1]
    assert entry.verdict == "wrong"
    assert entry.box is not None
    assert np.abs(np.subtract(entry.box, (left, top, right + 10, bottom + 12))).max() < 2
    # Another class is searched for by name.
    page.keyboard.press("/")
    page.keyboard.type("ring")
    page.keyboard.press("Enter")
    turn(page, 6)
    assert served.review.journal.entries[-1].label == "ring"
    page.keyboard.press("?")
    assert "There is no such object" in page.locator("dialog.keys").inner_text()
    page.keyboard.press("Escape")
    assert served.complaints == []


def test_what_is_missing_is_drawn_named_removed_and_taken(catalog: Catalog, serving: Callable[..., Served]) -> None:
    detected(catalog)
    review = ObjectReview.open(catalog, terms=ObjectTerms(max_error=0.3), reviewer="page")
    while (card := review.next()) is not None and card.unit is not None:
        review.answer(card.id, "right" if card.unit.item == 1 else "unsure")
    served = serving(review)
    page = served.open()
    image = review.next()
    assert image is not None
    assert (len(image.others), len(image.hints)) == (1, 1)
    assert page.locator(".overlay .hint.box").count() == 1
    assert page.locator(".choices .primary").inner_text().endswith("Nothing is missing")
    drag(page, (230, 90), (300, 160))
    page.keyboard.press("/")
    page.keyboard.type("ring")
    page.keyboard.press("Enter")
    page.mouse.click(*place(page, 190, 100))  # the dashed box
    assert page.locator(".overlay .hint.box").count() == 0
    drag(page, (5, 150), (60, 190))
    assert page.locator(".choices .primary").inner_text().endswith("Save 3 and go on")
    page.keyboard.press("Delete")
    assert page.locator(".choices .primary").inner_text().endswith("Save 2 and go on")
    page.keyboard.press("Enter")
    turn(page, 1)
    added = [one for one in catalog.annotations.current_objects("discs") if one.added]
    assert sorted(one.label for one in added) == ["disc", "ring"]
    page.keyboard.press("z")
    turn(page, 2)
    assert review.next() == image
    assert not [one for one in catalog.annotations.current_objects("discs") if one.added]
    page.keyboard.press("u")
    turn(page, 3)
    assert review.status().with_missed == 1
    assert served.complaints == []


def test_masks_are_painted_and_what_stands_is_struck(catalog: Catalog, serving: Callable[..., Served]) -> None:
    detected(catalog, task="segment")
    review = ObjectReview.open(catalog, terms=ObjectTerms(max_error=0.3, max_missed=0.9), reviewer="page")
    served = serving(review)
    page = served.open()
    primary = page.locator(".choices .primary")
    assert "promise that at most 30% are wrong saves answers" in page.locator(".panel .few").inner_text()
    first = review.next()
    assert first is not None
    assert first.unit is not None
    left, top, right, bottom = first.unit.box
    middle = ((left + right) / 2, (top + bottom) / 2)
    before = run_lengths.decode(first.unit.mask or {})
    drag(page, middle, (right + 10, middle[1]))  # painted on to the right
    assert primary.inner_text().endswith("Save the correction")
    page.keyboard.press("r")
    page.keyboard.press("]")
    drag(page, (left, middle[1]), (left + 8, middle[1]))  # erased on the left
    page.keyboard.press("z")
    page.keyboard.press("z")
    assert primary.inner_text().endswith("Yes")
    page.keyboard.press("b")
    drag(page, middle, (right + 10, middle[1]))
    page.keyboard.press("g")
    for x, y in ((0, 0), (30, 0), (30, 12), (0, 12)):
        page.mouse.click(*place(page, left + x, bottom + 10 + y))  # above it may lie the tools
    page.locator("circle.corner").nth(3).wait_for(state="attached")
    page.keyboard.press("Enter")  # closes the polygon, and is no answer
    page.keyboard.press("Enter")
    turn(page, 1)
    entry = review.journal.entries[-1]
    assert entry.verdict == "wrong"
    after = run_lengths.decode(entry.mask or {})
    assert after[before].all()
    wide = int(left), int(bottom + 10)
    assert after[wide[1] + 2 : wide[1] + 10, wide[0] + 2 : wide[0] + 28].all()
    assert after[int(middle[1]), int(right) + 8]
    assert not after[:, int(right) + 30 :].any()
    page.keyboard.press("Delete")  # nothing is left: that cannot be saved
    assert primary.inner_text().endswith("Nothing is left of the mask")
    page.keyboard.press("Enter")
    page.keyboard.press("z")
    for number in range(2, 13):
        page.keyboard.press("Enter")
        turn(page, number)
    page.wait_for_selector("#page[data-phase=missed]")
    looked = review.next()
    assert looked is not None
    for x, y in ((235, 95), (295, 95), (295, 155), (235, 155), (235, 95)):  # the first point closes
        page.mouse.click(*place(page, x, y))
    assert primary.inner_text().endswith("Save 1 and go on")
    page.keyboard.press("d")
    page.mouse.click(*place(page, 55, 65))  # the first disc
    page.keyboard.press("Delete")
    assert page.locator(".overlay .gone.box").count() == 1
    assert primary.inner_text().endswith("Save 2 and go on")
    page.keyboard.press("Enter")
    turn(page, 13)
    (added,) = (one for one in catalog.annotations.current_objects("discs", image=looked.image) if one.added)
    assert run_lengths.extent(added.detail["mask"])[0] == pytest.approx(3600, rel=0.05)
    assert (review.status().marked, review.status().wrong_seen) == (1, 1)
    left_over = {one.item for one in catalog.annotations.current_objects("discs", image=looked.image)}
    assert left_over == {2, 3}
    page.keyboard.press("z")
    turn(page, 14)
    assert review.status().looked == 0
    assert served.complaints == []


def test_the_end_is_named_where_nothing_stands(catalog: Catalog, serving: Callable[..., Served]) -> None:
    detected(catalog)
    served = serving(ObjectReview.open(catalog, terms=ObjectTerms(max_error=0.3), reviewer="page"))
    page = served.open()
    page.keyboard.press("s")
    assert "the review ends here" in page.locator("dialog").inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    turn(page, 1)
    page.keyboard.press("s")
    assert "1 of 12 boxes stand from here on" in page.locator("dialog").inner_text()
    page.locator("dialog button[value=yes]").click()
    page.wait_for_selector("#page[data-phase=missed]")


def test_in_chinese_with_masks_and_on_a_phone(catalog: Catalog, serving: Callable[..., Served], tmp_path: Path) -> None:
    detected(catalog, task="segment")
    served = serving(ObjectReview.open(catalog, terms=ObjectTerms(max_error=0.3), reviewer="page"))
    page = served.open(locale="zh-CN", viewport={"width": 390, "height": 844}, has_touch=True)
    assert page.locator(".asks").inner_text() == "这个对吗？"
    assert "掩膜" in page.locator(".panel").inner_text()
    assert page.locator(".overlay image").count() == 1
    assert page.locator("canvas.paint").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=str(tmp_path / "phone.png"))
    page.locator(".choices .primary").tap()
    turn(page, 1)
    assert served.complaints == []


def test_the_shipped_model_on_blood_cells(serving: Callable[..., Served], tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from lucida.label.verb import label

    source = Path(__file__).parents[3] / "shared" / "data" / "blood_cells" / "validation.parquet"
    if not source.exists():
        pytest.skip("the blood cells are not on this machine")
    (tmp_path / "cells").mkdir()
    for i, image in enumerate(pq.read_table(source, columns=["image"])["image"].to_pylist()[:3]):
        (tmp_path / "cells" / f"cell {i}.png").write_bytes(image["bytes"])
    add([tmp_path / "cells"], catalog=tmp_path / "blood")
    found = label(task="detect", model="blood-cells", question="cells", catalog=tmp_path / "blood")
    assert found.objects > 30
    with Catalog.open(tmp_path / "blood") as opened:
        served = serving(ObjectReview.open(opened, terms=ObjectTerms(max_error=0.4), seed=1, reviewer="page"))
        page = served.open()
        for number in range(6):
            card = served.review.next()
            assert card is not None
            assert card.unit is not None
            page.keyboard.press("Enter" if number % 2 else "x")
            turn(page, number + 1)
        page.keyboard.press("s")
        page.locator("dialog button[value=yes]").click()
        page.wait_for_selector("#page[data-phase=missed]")
        page.keyboard.press("Enter")
        turn(page, 8)
        page.keyboard.press("s")
        page.locator("dialog button[value=yes]").click()
        page.wait_for_selector("section.end")
        assert verify(str(served.review.certificate_path)).ok
        assert served.review.status().looked == 1
        states = {one.state for one in opened.annotations.current_objects("cells")}
        assert states <= {"reviewed", "accepted", "proposed"}
    assert served.complaints == []
