"""Make the pictures of the pages in docs/images, from a real review of real photos.

    python -m scripts.screenshots --photos PHOTOS.parquet

PHOTOS is a Parquet file in the `datasets` convention with the columns image and label; by default the clothing photos
beside the project. A few photos a class are the examples; the rest is labelled, taught and checked in the page itself,
in a browser, with the labels of the file as the answers. Every picture is what the page really showed.

    python -m scripts.screenshots --trained CATALOG

makes the pictures of the Train page instead, from the runs of `lucida train` in a catalog.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shutil
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from recipes.photos import unpack

from lucida.catalog import Catalog, add
from lucida.label import label
from lucida.review.differences import differences_of
from lucida.review.workflow import Review, Terms
from lucida.studio import serve_differences, serve_review, serve_studio
from lucida.studio.training import Training

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = ROOT.parent / "shared" / "data" / "clothing" / "train.parquet"
LARGEST = 300_000  # bytes of one picture
AFTER = 8  # answers from the first proof to the picture of it
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
TALL = {"width": 1280, "height": 1280}


@dataclass(frozen=True)
class Shots:
    """One pass through a review: its looks, and the pictures made on the way."""

    name: str
    locale: str
    theme: str
    viewport: dict[str, int]

    def options(self) -> dict[str, Any]:
        """Return the browser's settings."""
        phone = self.viewport["width"] < 600
        return {
            "viewport": self.viewport,
            "locale": self.locale,
            "color_scheme": self.theme,
            "is_mobile": phone,
            "has_touch": phone,
        }


PASSES = (
    Shots("", "en-US", "light", DESK),
    Shots("-dark-zh", "zh-CN", "dark", DESK),
    Shots("-phone", "en-US", "light", PHONE),
)


def labelled(photos: Path, examples: Path, catalog: Path) -> Path:
    """Add and label the photos; returns the catalog."""
    add([photos], catalog=catalog)
    label(examples=examples, question="kind", catalog=catalog)
    return catalog


def answer(page: Page, key: dict[str, str], times: int) -> None:
    """Answer so many images with the right label, as a person does; fewer if the review ends."""
    for _ in range(times):
        turn = page.get_attribute("#page", "data-turn")
        if page.query_selector(".end"):
            return
        right = key[Path(page.text_content(".path") or "").name]
        shown = [page.text_content(".label") or ""]
        shown += [choice.text_content() or "" for choice in page.query_selector_all(".choice:not([hidden]) .text")[1:]]
        if right in shown:
            page.keyboard.press(str(shown.index(right) + 1))
        else:
            page.keyboard.press("/")
            page.keyboard.type(right)
            page.keyboard.press("Enter")
        page.wait_for_selector(f"#page:not([data-turn='{turn}'])", timeout=120_000)


def save(page: Page, out: Path) -> None:
    """Save what the page shows, with few enough colours to stay small."""
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for colours in (256, 128, 64):
        small = picture.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
        small.save(out, optimize=True)
        if out.stat().st_size <= LARGEST:
            break
    print(f"{out.relative_to(ROOT)}  {out.stat().st_size / 1000:.0f} kB", file=sys.stderr)


def served(serve: Callable[..., None], *what: Any) -> tuple[str, threading.Thread]:
    """Serve a page in a thread; returns its address when it answers."""
    urls: list[str] = []
    up = threading.Event()

    def note(url: str) -> None:
        urls.append(url)
        up.set()

    server = threading.Thread(target=lambda: serve(*what, open_browser=False, on_url=note), daemon=True)
    server.start()
    up.wait()
    return urls[0], server


def shoot_differences(browser: Browser, catalog: Path, examples: Path, out: Path, few: int) -> None:
    """Label a reviewed catalog once more with fewer examples, and save a picture of where the two differ."""
    for folder in examples.iterdir():
        for path in sorted(folder.iterdir())[few:]:
            path.unlink()
    label(examples=examples, question="kind", catalog=catalog)
    with Catalog.open(catalog) as opened:
        differences = differences_of(opened, "kind")
        assert differences is not None, "two label runs differ"
        url, server = served(serve_differences, differences)
        page = browser.new_page(**PASSES[0].options())
        page.goto(url)
        page.wait_for_selector(".difference img")
        save(page, out / "differences.png")
        page.close()
        server.join(30)


def shoot_training(browser: Browser, catalog: Path, out: Path) -> None:
    """Save a picture of all training runs of a catalog, and of one mistake of the run that is best."""
    over = threading.Event()
    with Catalog.open(catalog) as opened:
        training = Training(opened)
        best = max((run for run in training.runs() if run["state"] == "finished"), key=lambda run: run["best"])
        others = [run["run"] for run in training.runs() if run["run"] != best["run"]]
        url, server = served(lambda *what, **how: serve_studio(*what, until=over, **how), training)
        page = browser.new_page(**PASSES[0].options() | {"viewport": TALL})
        page.goto(url)
        page.wait_for_selector("#page[data-state=ready]")
        for run in [best["run"], *others]:
            page.locator(f"[data-run='{run}'] input").set_checked(run in [best["run"], *others[:3]])
        page.locator(f"[data-run='{best['run']}'] .name").click()
        # Beside a training that is under way mistakes are looked for only when somebody asks.
        if (ask := page.locator(".wrong > button:visible")).count():
            ask.click()
        page.mouse.move(0, 0)
        page.wait_for_selector(".mistakes img", timeout=300_000)
        page.evaluate("scrollTo(0, 0)")
        save(page, out / "train.png")
        page.set_viewport_size({"width": DESK["width"], "height": DESK["height"]})
        page.locator(".mistakes button").nth(2).click()
        page.wait_for_selector(".nearest li", timeout=600_000)
        save(page, out / "mistake.png")
        page.close()
        over.set()
        server.join(30)


def shoot(
    browser: Browser, review: Review, shots: Shots, key: dict[str, str], out: Path, teach: int, check: int
) -> None:
    """Go through a review and save a picture of each phase."""
    url, server = served(serve_review, review)
    page = browser.new_page(**shots.options())
    page.goto(url)
    page.wait_for_selector("#page[data-state=ready]")
    answer(page, key, teach)
    save(page, out / f"teach{shots.name}.png")
    page.keyboard.press("f")
    page.wait_for_selector("dialog")
    page.keyboard.press("Enter")
    page.wait_for_selector("#page[data-phase=check][data-state=ready], .end", timeout=120_000)
    for _ in range(check):
        answer(page, key, 1)
        if page.query_selector(".promise, .end"):
            break
    answer(page, key, AFTER)
    if not page.query_selector(".end"):
        save(page, out / f"check{shots.name}.png")
        page.keyboard.press("s")
        page.locator("dialog .primary").click()
    page.wait_for_selector(".end", timeout=120_000)
    save(page, out / f"done{shots.name}.png")
    server.join(30)
    page.close()


def main() -> None:
    """Enter from the shell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=DEFAULT)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--examples", type=int, default=25, help="examples a class")
    parser.add_argument("--teach", type=int, default=200, help="answers in the teach phase")
    parser.add_argument(
        "--check", type=int, default=260, help="answers in the check phase, if nothing is proven earlier"
    )
    parser.add_argument("--trained", type=Path, help="a catalog with finished trainings: only the Train page")
    parser.add_argument("--max-error", type=float, default=0.1)
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    asked = parser.parse_args()
    if not asked.trained and not asked.photos.exists():
        parser.error(f"{asked.photos} is not there; name another file with --photos")
    from playwright.sync_api import sync_playwright

    asked.out.mkdir(parents=True, exist_ok=True)
    if asked.trained:
        trained, out = asked.trained.resolve(), asked.out.resolve()
        # What the runs were trained on is named as it was given: from the catalog's place.
        with contextlib.chdir(trained.parent), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox"])
            shoot_training(browser, trained, out)
            browser.close()
        return
    parquet, out = asked.photos.resolve(), asked.out.resolve()
    # The page shows paths as they were given: within the folder they are short.
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name), sync_playwright() as playwright:
        photos, examples, key = unpack(parquet, Path(), asked.examples)
        catalog = labelled(photos, examples, Path("catalog"))
        browser = playwright.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox"])
        for shots in PASSES:
            copy = Path(f"catalog{shots.name}")
            if copy != catalog:
                shutil.copytree(catalog, copy)
        for shots in PASSES:
            with Catalog.open(Path(f"catalog{shots.name}")) as opened:
                review = Review.open(opened, terms=Terms(max_error=asked.max_error), background=True)
                shoot(browser, review, shots, key, out, asked.teach, asked.check)
        shoot_differences(browser, catalog, examples, out, asked.examples // 5)
        browser.close()


if __name__ == "__main__":
    main()
