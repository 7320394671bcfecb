"""Measure the review page: from a key to the next image on screen, in a real browser, answers on disk.

    python benchmarks/page.py --presses 200

A review of scikit-learn's handwritten digits (or of a labelled catalog of your own: --catalog) gets the right
answers by key presses, faster than a person can give them: in the teach phase, with refits beside it, and in the
check phase. A press is timed in the browser, from the key event to the first frame in which another image is
complete. Beside it, on the same server and the same review, a page that is changed by the server (NiceGUI's usual
way), timed the same. Prints the 50th and 95th percentile in milliseconds, and the ratio of the two ways.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import statistics
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucida.catalog import Catalog
from lucida.review.workflow import Review, Terms
from lucida.studio import serve_review
from lucida.studio.frame import Page, Visit, register

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from playwright.sync_api import Page as BrowserPage

Truth = Callable[[str], str]  # path of an image -> its right label

# Time each press: from the key event to the first frame in which another image stands and is complete.
TIMER = """
() => {
  window.times = [];
  if (window.timed) return;
  window.timed = true;
  const source = () => document.querySelector("SELECTOR")?.src;
  addEventListener("keydown", (event) => {
    const before = source();
    const look = () => {
      const image = document.querySelector("SELECTOR");
      if (image && image.src !== before && image.complete && image.naturalWidth) {
        window.times.push(performance.now() - event.timeStamp);
      } else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, true);
}
"""


@dataclass(frozen=True)
class Times:
    """Milliseconds from a key to the next image."""

    presses: int
    p50: float
    p95: float
    most: float

    @classmethod
    def of(cls, times: list[float]) -> Times:
        """Summarise the times of some presses."""
        ordered = sorted(times)
        if not ordered:
            return cls(0, float("nan"), float("nan"), float("nan"))
        p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
        return cls(len(ordered), round(statistics.median(ordered), 1), round(p95, 1), round(ordered[-1], 1))

    def __str__(self) -> str:
        return f"p50 {self.p50:6.1f} ms   p95 {self.p95:6.1f} ms   most {self.most:6.1f} ms   {self.presses} presses"


def digits(folder: Path) -> tuple[Path, Truth]:
    """Make a labelled catalog of handwritten digits; returns it and their key."""
    from lucida.catalog.verb import add
    from lucida.demo.digits import write_digits
    from lucida.label.verb import label

    photos, examples, key = write_digits(folder)
    catalog = folder / "lucida-catalog"
    add([photos], catalog=catalog)
    label(examples=examples, question="digit", catalog=catalog)
    return catalog, lambda path: key[Path(path).name]


def copied(catalog: Path, answers: Path, folder: Path) -> tuple[Path, Truth]:
    """Copy a labelled catalog, so that nothing of it changes; `answers` is a CSV of path,label."""
    with answers.open(newline="", encoding="utf-8") as lines:
        key = {Path(row[0]).name: row[1] for row in csv.reader(lines) if len(row) > 1}
    shutil.copytree(catalog, folder / "lucida-catalog")
    return folder / "lucida-catalog", lambda path: key[Path(path).name]


async def build_pushed(visit: Visit) -> None:
    """Build the page that the server changes: each key goes to the server, each image comes from it."""
    from nicegui import ui

    from lucida.studio.desk import Act

    desk = visit.site.desk
    assert desk is not None, "this page is served for a review"
    view = await desk.view()
    image = ui.html(_image(view), sanitize=False).classes("pushed")
    number = iter(range(10**9))

    async def pressed(event: Any) -> None:
        nonlocal view
        if not event.action.keydown:
            return
        card = view["card"]
        right = str(event.key) == "Enter"
        label = None if right else card["choices"][int(str(event.key)) - 1][0]
        act = Act(
            key=f"pushed-{next(number)}",
            turn=view["turn"],
            kind="answer",
            image=card["image"],
            proposal=card["proposal"],
            verdict="right" if right else "wrong",
            label=label,
        )
        view = (await desk.act(act)).view
        image.content = _image(view)

    ui.keyboard(on_key=pressed, ignore=[])


def _image(view: dict[str, Any]) -> str:
    return f'<img src="{view["card"]["url"]}" width="600">' if view["card"] else ""


def keys(page: BrowserPage, truth: Truth, presses: int, phase: str, pace: float) -> None:
    """Press the right key so many times, each as soon as the next image stands and `pace` seconds have gone by."""
    for done in range(presses):
        view = page.evaluate("fetch('/api/review').then((response) => response.json())")
        if view["phase"] != phase or view["card"] is None:
            return
        card, label = view["card"], truth(view["card"]["path"])
        labels = [choice[0] for choice in card["choices"]]
        right = label == card["proposal"] or label not in labels
        page.keyboard.press("Enter" if right else str(labels.index(label) + 1))
        page.wait_for_function(
            f"window.times.length > {done} || document.querySelector('.end, .pushed:empty')", timeout=120_000
        )
        page.wait_for_timeout(1000 * pace)


def measure(
    browser: Browser, catalog: Path, truth: Truth, presses: dict[str, int], pace: float, *, path: str, selector: str
) -> dict[str, Times]:
    """Serve a review of the catalog and time its page, phase by phase."""
    measured: dict[str, Times] = {}
    teach = presses.get("teach", 0) > 0
    with Catalog.open(catalog) as opened:
        review = Review.open(opened, terms=Terms(max_error=0.05), teach=teach, background=True)
        urls: list[str] = []
        up = threading.Event()

        def note(url: str) -> None:
            urls.append(url)
            up.set()

        server = threading.Thread(target=lambda: serve_review(review, open_browser=False, on_url=note), daemon=True)
        server.start()
        up.wait()
        # The timer is put into the page, which its policy forbids to others.
        page = browser.new_page(viewport={"width": 1280, "height": 800}, bypass_csp=True)
        page.goto(urls[0])
        page.wait_for_selector("#page[data-state=ready]")
        if path != "/":
            page.goto(urls[0].split("?")[0].rstrip("/") + path)
            page.wait_for_selector(selector)
            page.wait_for_function("window.did_handshake")
        for phase in ("teach", "check") if teach else ("check",):
            if phase == "check" and teach:
                page.keyboard.press("f")
                page.wait_for_selector("dialog")
                page.keyboard.press("Enter")
                page.wait_for_selector("#page[data-phase=check][data-state=ready], .end", timeout=120_000)
            page.evaluate(TIMER.replace("SELECTOR", selector))
            keys(page, truth, presses[phase], phase, pace)
            measured[phase] = Times.of(page.evaluate("window.times"))
        page.goto(urls[0].split("?")[0])
        page.wait_for_selector("#page[data-state=ready], .end")
        page.keyboard.press("p")
        page.wait_for_selector(".end")
        server.join(30)
        page.close()
    return measured


def main() -> None:
    """Enter from the shell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presses", type=int, default=200, help="presses in the check phase")
    parser.add_argument("--teach", type=int, default=40, help="presses in the teach phase; 0 for none")
    parser.add_argument("--pace", type=float, default=0.3, help="seconds a person looks at an image")
    parser.add_argument("--catalog", type=Path, help="a labelled catalog to use instead of digits; it is copied")
    parser.add_argument("--answers", type=Path, help="CSV of path,label with the right answers, for --catalog")
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args()
    if (asked.catalog is None) != (asked.answers is None):
        parser.error("--catalog and --answers go together")
    from playwright.sync_api import sync_playwright

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        catalog, truth = digits(folder) if asked.catalog is None else copied(asked.catalog, asked.answers, folder)
        second = folder / "second"
        shutil.copytree(catalog, second)
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path=asked.chromium, args=["--no-sandbox"]
        )
        register(Page("pushed", "/pushed", "frame.review", "", build_pushed))
        presses = {"teach": asked.teach, "check": asked.presses}
        swapped = measure(browser, catalog, truth, presses, asked.pace, path="/", selector=".picture img")
        presses = {"check": asked.presses}
        pushed = measure(browser, second, truth, presses, asked.pace, path="/pushed", selector=".pushed img")
        browser.close()
    rows = {f"{phase}, the page swaps": times for phase, times in swapped.items()}
    rows["check, the server pushes"] = pushed["check"]
    ratio = round(pushed["check"].p50 / swapped["check"].p50, 2)
    if asked.json:
        print(json.dumps({name: asdict(times) for name, times in rows.items()} | {"ratio": ratio}))
        return
    for name, times in rows.items():
        print(f"{name:<26} {times}")
    print(f"the server's push takes {ratio} times as long at the median; target: p95 under 100 ms")


if __name__ == "__main__":
    main()
