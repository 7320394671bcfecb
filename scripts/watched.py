"""Make the pictures of the Watch page in docs/images, from a real server with real traffic.

    python -m scripts.watched --catalog CATALOG --old RUN --new RUN

Two runs of `lucida train classify` on the same classes answer one route, half of the photos each. Photos come as they
are, then darker ones. People's feedback, and their verdicts on drawn answers, are the labels of the file.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from PIL import Image
from recipes.photos import unpack
from scripts.screenshots import DEFAULT, PHONE, ROOT, Shots, save, served

from lucida.catalog import Catalog
from lucida.images import content_id
from lucida.studio import serve_studio
from lucida.studio.training import Training
from lucida.studio.watching import Watching

LONG: Final = {"width": 1280, "height": 1580}
LOOKS: Final = (
    Shots("", "en-US", "light", LONG),
    Shots("-dark-zh", "zh-CN", "dark", LONG),
    Shots("-phone", "zh-CN", "light", PHONE),
)
SHOWN: Final = (("watch", ""), ("drift", ""), ("drift", "-dark-zh"), ("watch", "-phone"))
DARK: Final = 0.35  # of the light that there was
CLIENTS: Final = 2
PACE: Final = 0.04  # seconds that a client waits: the watch looks at images in free moments
PLAN: Final = """\
models: {{clothes-1: {old}, clothes-2: {new}}}
catalog: {catalog}
port: {port}
workers: 2
routes:
  clothes: {{arms: {{clothes-1: 50, clothes-2: 50}}, shadow: 0.2}}
  safe: [clothes-2, clothes-1]
watch: {{reference: live, model: clothes-2, images: 120, review: 0.1, keep_images: yes, a_minute: 100000}}
"""


@dataclass
class Traffic:
    """Photos, with what is in each.

    Attributes:
        client: Asks the server.
        photos: With the label of each.
        labels: By content id, as they were sent.
    """

    client: httpx.Client
    photos: list[tuple[Path, str]]
    labels: dict[str, str]
    place: int = 0

    def send(self, count: int, *, dark: bool = False, judged: float = 0.7) -> None:
        """Ask about so many photos, and say of a share of the answers what is right."""
        some = self.photos[self.place : self.place + count]
        self.place += count
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda one: self._ask(one[0], one[1], dark, judged), some))

    def _ask(self, path: Path, label: str, dark: bool, judged: float) -> None:
        threading.Event().wait(PACE)
        data = path.read_bytes()
        if dark:
            out = io.BytesIO()
            Image.open(path).convert("RGB").point(lambda value: int(value * DARK)).save(out, "JPEG", quality=90)
            data = out.getvalue()
        self.labels[content_id(data)] = label
        if hash(path.name) % 8 == 0:
            self.client.post("/v1/classify", files={"image": data}, data={"model": "safe"})
        answer = self.client.post("/v1/classify", files={"image": data}, data={"model": "clothes"})
        if answer.status_code == 200 and hash(path.name) % 100 < 100 * judged:
            told = {"request_id": answer.headers["x-request-id"], "label": label}
            self.client.post("/v1/feedback", json=told).raise_for_status()

    def judge(self, left: int) -> None:
        """Say of drawn answers whether they are right, but for so many that are left."""
        while True:
            waiting = self.client.get("/v1/watch").json()["accuracy"]["waiting"]
            if len(waiting) <= left:
                return
            one = waiting[0]
            right = self.labels[one["image"]] == one["label"]
            told: dict[str, Any] = {"number": one["number"], "verdict": "right" if right else "wrong"}
            self.client.post("/v1/watch/verdicts", json=told).raise_for_status()

    def alarmed(self) -> bool:
        """Tell whether there is an alarm."""
        return bool(self.client.get("/v1/watch").json()["alarms"])


def shoot(catalog: Catalog, watching: Watching, out: Path, chromium: str) -> None:
    """Save pictures of the page."""
    from playwright.sync_api import sync_playwright

    over = threading.Event()
    page_url, server = served(
        lambda *what, **how: serve_studio(*what, watching=watching, until=over, **how), Training(catalog)
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        entry = browser.new_context()
        entry.new_page().goto(page_url)
        for one in LOOKS:
            context = browser.new_context(**one.options(), storage_state=entry.storage_state())
            page = context.new_page()
            page.goto(page_url.split("/?")[0] + "/watch")
            page.wait_for_selector("#page[data-state=up]")
            for place in page.locator(".grid img").all():
                place.scroll_into_view_if_needed()
            page.wait_for_function("[...document.querySelectorAll('.grid img')].every((one) => one.naturalWidth)")
            for name, part in (("watch", ".server"), ("drift", "[aria-label=Drift], [aria-label=漂移]")):
                page.locator(part).first.evaluate("one => scrollTo(0, one.getBoundingClientRect().top + scrollY - 10)")
                if name == "watch":
                    page.evaluate("scrollTo(0, 0)")
                if (name, one.name) in SHOWN:
                    save(page, out / f"{name}{one.name}.png")
            context.close()
        browser.close()
    over.set()
    server.join(30)


def look(watching: Watching, until: threading.Event) -> None:
    """Look again and again."""
    while not until.wait(1.1):
        watching.look()


def main() -> None:
    """Enter from the shell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalog", type=Path, required=True, help="with the two runs")
    parser.add_argument("--old", required=True, help="a run of lucida train")
    parser.add_argument("--new", required=True, help="a better one")
    parser.add_argument("--photos", type=Path, default=DEFAULT)
    parser.add_argument("--quiet", type=int, default=500, help="photos as they are")
    parser.add_argument("--dark", type=int, default=400, help="darker photos, at most; it ends soon after the alarm")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    asked = parser.parse_args()
    catalog, out = asked.catalog.resolve(), asked.out.resolve()
    with tempfile.TemporaryDirectory() as name, Catalog.open(catalog) as opened:
        photos, _, key = unpack(asked.photos.resolve(), Path(name), 40, seed=1)
        plan = Path(name) / "serve.yaml"
        plan.write_text(PLAN.format(old=asked.old, new=asked.new, catalog=catalog, port=asked.port))
        server = subprocess.Popen([sys.executable, "-m", "lucida", "serve", "--config", str(plan)])
        try:
            url = f"http://127.0.0.1:{asked.port}"
            watching, done = Watching(opened, url), threading.Event()
            with httpx.Client(base_url=url, timeout=60, transport=httpx.HTTPTransport(retries=8)) as client:
                some = [(photos / one, label) for one, label in key.items()]
                # The examples are gone from the front of the file, so that rare classes come late there: a drift.
                random.Random(1).shuffle(some)
                traffic = Traffic(client, some, {})
                while client.get("/readyz").status_code != 200:
                    threading.Event().wait(0.5)
                # As if the page had been open all the time.
                looking = threading.Thread(target=lambda: look(watching, done), daemon=True)
                looking.start()
                traffic.send(asked.quiet)
                while traffic.place < asked.quiet + asked.dark and not traffic.alarmed():
                    traffic.send(20, dark=True)
                traffic.judge(2)
                traffic.send(80, dark=True)
                done.set()
                looking.join()
                print(json.dumps({"photos": traffic.place, "alarm": traffic.alarmed()}), file=sys.stderr)
                shoot(opened, watching, out, asked.chromium)
        finally:
            server.terminate()
            server.wait(60)


if __name__ == "__main__":
    main()
