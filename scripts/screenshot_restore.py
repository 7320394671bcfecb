"""Make the picture of the Restore page in docs/images, from a real photo and what the shipped models make of it.

    python -m scripts.screenshot_restore --photos PHOTOS.parquet

PHOTOS is a Parquet file in the `datasets` convention with the column image; by default the clothing photos beside the
project, which are free for any purpose. One of them gets noise of 18 grey levels, as a phone's camera has in the dark,
and is restored on the page: noise estimated, twice as large. The page is what it really shows.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as parquet
from PIL import Image
from scripts.screenshots import DEFAULT, ROOT

from lucida.catalog import Catalog, add
from lucida.models.restorers import family
from lucida.studio import serve_studio
from lucida.studio.looking import Looking
from lucida.studio.restoring import Restoring
from lucida.studio.searching import Searching
from lucida.studio.training import Training

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROW = 900  # a striped hat
SIGMA = 18.0


def noisy(photos: Path, row: int) -> bytes:
    """Return a photo with noise, as a PNG."""
    data = parquet.read_table(photos, columns=["image"])["image"][row].as_py()["bytes"]
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.float64)
    pixels = pixels + np.random.default_rng(0).normal(0, SIGMA, pixels.shape)
    out = io.BytesIO()
    Image.fromarray(np.rint(pixels).clip(0, 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def shot(browser: Browser, base: str, cookies: Any, photo: bytes, **looks: Any) -> Image.Image:
    """Restore the photo on the page, and return what is seen then."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, storage_state=cookies, **looks)
    page = context.new_page()
    page.goto(f"{base}/restore")
    page.wait_for_selector("#page[data-state=ready]")
    page.set_input_files("input[type=file]", {"name": "hat.png", "mimeType": "image/png", "buffer": photo})
    page.wait_for_selector("#page[data-state=ready][data-image]")
    page.check("input[value=auto]", force=True)
    page.click(".go-now")
    page.wait_for_selector("#page[data-state=ready][data-result]", timeout=120_000)
    page.keyboard.press("+")
    page.wait_for_selector(".stage.zoomed.compares")
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    shown = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    context.close()
    return shown


def main() -> None:
    """Make the picture."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, default=DEFAULT)
    parser.add_argument("--row", type=int, default=ROW, help="which photo")
    parser.add_argument("--models", type=Path, help="folder of restorers; those of the package by default")
    parser.add_argument("--chromium", help="path of Chromium; Playwright's own by default")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "restore.png")
    parser.add_argument("--dark-zh", action="store_true", help="dark, and in Chinese")
    asked = parser.parse_args()
    if asked.models is not None:
        family.folder = lambda: asked.models
    looks = {"locale": "zh-CN", "color_scheme": "dark"} if asked.dark_zh else {"locale": "en-US"}
    photo = noisy(asked.photos, asked.row)
    urls: list[str] = []
    up, over = threading.Event(), threading.Event()

    def note(url: str) -> None:
        urls.append(url)
        up.set()

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "photos").mkdir()
        (Path(folder) / "photos" / "hat.png").write_bytes(photo)
        add([Path(folder) / "photos"], catalog=Path(folder) / "catalog")
        with Catalog.open(Path(folder) / "catalog") as catalog, Restoring(catalog) as restoring:
            searching = Searching(catalog)
            pages: dict[str, Any] = {"searching": searching, "looking": Looking(catalog, searching)}
            pages |= {"restoring": restoring, "until": over, "on_url": note, "open_browser": False}
            server = threading.Thread(target=lambda: serve_studio(Training(catalog), **pages), daemon=True)
            server.start()
            up.wait()
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox"])
                first = browser.new_context()
                first.new_page().goto(urls[0])
                shown = shot(browser, urls[0].split("/?")[0], first.storage_state(), photo, **looks)
                browser.close()
            over.set()
            server.join(30)
    small = shown.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.FLOYDSTEINBERG)
    small.save(asked.out, optimize=True)
    print(f"{asked.out.name}  {asked.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
