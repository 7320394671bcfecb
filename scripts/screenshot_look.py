"""Make the picture of the Look page in docs/images, from drawn pictures and what the shipped models say of them.

    python -m scripts.screenshot_look

The pictures are drawings of blood smears with a label of the slide on them; the detector for blood cells, the reader
and a policy look at them as at any catalog, and a person has called one box wrong. The page is what it really shows.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import threading
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scripts.screenshots import ROOT

from lucida.catalog import Annotation, Catalog, add
from lucida.label import label
from lucida.screen.verb import screen
from lucida.studio import serve_studio
from lucida.studio.asking import Asking
from lucida.studio.looking import Looking
from lucida.studio.searching import Searching
from lucida.studio.training import Training

SIZE = (640, 480)
SCALE = 3  # drawn larger and made smaller: smooth edges
PEOPLE = ("A. Example", "", "B. Sample", "")
POLICY = """
name: privacy
version: "1"
rules:
  - name: patient named
    text: ["re:patient"]
    action: block
"""


def smear(seed: int, patient: str) -> Image.Image:
    """Draw a blood smear: red cells with pale centres, one white cell, platelets, and a label of the slide."""
    random = np.random.default_rng(seed)
    wide, high = (side * SCALE for side in SIZE)
    picture = Image.new("RGB", (wide, high), (226, 214, 214))
    pen = ImageDraw.Draw(picture)
    white = np.array([random.uniform(0.35, 0.65) * wide, random.uniform(0.4, 0.6) * high])
    taken: list[tuple[np.ndarray, float]] = [(white, 105.0 * SCALE)]
    for _ in range(600):
        radius = random.uniform(42, 50) * SCALE
        middle = random.uniform((0, 60 * SCALE), (wide, high))
        if all(np.hypot(*(middle - other)) > 0.95 * (radius + far) for other, far in taken):
            taken.append((middle, radius))
            shade = np.array([196, 148, 156]) + random.integers(-8, 8, 3)
            disc(pen, middle, radius, tuple(int(value) for value in shade))
            disc(pen, middle + random.normal(0, 3, 2), radius * 0.42, (219, 196, 200))
    disc(pen, white, 92 * SCALE, (190, 160, 196))
    for angle in np.linspace(0, 2 * np.pi, 4, endpoint=False) + random.uniform(0, 1):
        lobe = white + 36 * SCALE * np.array([np.cos(angle), np.sin(angle)])
        disc(pen, lobe, random.uniform(30, 40) * SCALE, (112, 82, 178))
    picture = picture.resize(SIZE, Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(1.6))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, SIZE[0], 56), fill=(250, 248, 240))
    text = f"Slide {seed + 12}" + (f"   Patient: {patient}" if patient else "")
    pen.text((14, 20), text, fill=(30, 30, 40), font=ImageFont.load_default(24))
    return picture


def disc(pen: ImageDraw.ImageDraw, middle: np.ndarray, radius: float, colour: tuple[int, ...]) -> None:
    """Draw a filled circle."""
    x, y = middle.tolist()
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def fill(folder: Path) -> Path:
    """Make a catalog of smears, and let the models look at them; returns its folder."""
    pictures, catalog = folder / "slides", folder / "catalog"
    pictures.mkdir()
    for seed, patient in enumerate(PEOPLE):
        smear(seed, patient).save(pictures / f"slide {seed + 12}.png")
    (folder / "policy.yaml").write_text(POLICY)
    add([pictures], catalog=catalog)
    label(task="read", question="text on the slide", catalog=catalog)
    label(task="detect", model="blood-cells", question="cells", catalog=catalog)
    screen(policy=folder / "policy.yaml", catalog=catalog)
    return catalog


def correct(catalog: Catalog) -> None:
    """Let a person call one uncertain box of the first image wrong."""
    found = catalog.runs.latest("cells")
    assert found is not None, "the detector has looked"
    first = catalog.images.ids()[0]
    rows = [row for row in catalog.annotations.rows(image=first, run=found.id) if row.score and row.score >= 0.5]
    review = catalog.runs.start("review", question="cells", model="person", parent=found.id)
    doubted = min(rows, key=lambda row: row.score or 0)
    answer = {"verdict": "wrong"}
    note = Annotation(first, "cells", review.id, doubted.item, "ana", kind="answer", detail=answer)
    catalog.annotations.append([note])


def main() -> None:
    """Make the picture."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chromium", help="path of Chromium; Playwright's own by default")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Catalog.open(fill(Path(folder))) as catalog:
        correct(catalog)
        searching = Searching(catalog)
        looking = Looking(catalog, searching, Asking(catalog, ["openai:gpt-4o"]))
        urls: list[str] = []
        up, over = threading.Event(), threading.Event()

        def note(url: str) -> None:
            urls.append(url)
            up.set()

        def serve() -> None:
            serve_studio(
                Training(catalog), searching=searching, looking=looking, until=over, on_url=note, open_browser=False
            )

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        up.wait()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=asked.chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-US", color_scheme="light")
            page.goto(urls[0])
            page.wait_for_selector("#page[data-state=ready]")
            page.goto(f"{urls[0].split('/?')[0]}/look")
            page.wait_for_selector("#page[data-state=ready] .verdicts")
            page.mouse.move(0, 0)
            shown = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            # An octree keeps colours that few pixels have: they tell the runs apart.
            small = shown.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            small.save(ROOT / "docs" / "images" / "look.png", optimize=True)
            browser.close()
        over.set()
        server.join(30)


if __name__ == "__main__":
    main()
