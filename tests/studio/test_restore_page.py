"""The Restore page: what it takes and refuses, one job after the other, what is shown, and the page in a browser."""

from __future__ import annotations

import base64
import io
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from lucida.catalog import Catalog, add
from lucida.images import LIMITS
from lucida.models.restorers import family
from lucida.restore import Restorer, Wish
from lucida.results import run_lengths
from lucida.studio import jobs, serve_studio, showing
from lucida.studio.application import Site, application, open_site
from lucida.studio.gate import Gate
from lucida.studio.looking import Looking
from lucida.studio.restoring import Restoring
from lucida.studio.searching import Searching
from lucida.studio.training import Training
from models.tiny_restorers import shipped
from pictures import scene
from search.colours import COLOURS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BASE = "http://127.0.0.1:8700"
WIDTH, HEIGHT = 60, 40
PICTURE = scene(5, 80).crop((0, 0, WIDTH, HEIGHT))


def png(picture: Image.Image = PICTURE) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A catalog of two images, with tiny models in place of those that the package ships."""
    folder = tmp_path_factory.mktemp("restoring")
    (folder / "pictures").mkdir()
    for seed in range(2):
        scene(seed, 90).save(folder / "pictures" / f"scene {seed}.png")
    add([folder / "pictures"], catalog=folder / "catalog")
    models = shipped(folder / "models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(family, "folder", lambda: models)
        yield folder


@pytest.fixture(scope="module")
def restoring(home: Path) -> Iterator[Restoring]:
    with Catalog.open(home / "catalog") as catalog, Restoring(catalog) as found:
        yield found
    assert not found.shelf.folder.exists()


@pytest.fixture(scope="module")
def client(restoring: Restoring) -> Iterator[TestClient]:
    """A browser that has opened the link."""
    open_site(Site(None, restoring=restoring))
    gate = Gate(application(), host="127.0.0.1", port=8700)
    with TestClient(gate, base_url=BASE) as client:
        assert client.get(gate.link()).status_code == 200
        yield client
    open_site(None)


def upload(client: TestClient, data: bytes, name: str = "old photo.png", **more: Any) -> Any:
    return client.post("/api/restore/upload", params={"name": name, **more}, content=data)


def start(client: TestClient, **wish: Any) -> Any:
    source = wish.pop("source", None) or upload(client, png()).json()["token"]
    return client.post("/api/restore/start", json={"source": source, **wish})


def over(client: TestClient, job: str) -> dict[str, Any]:
    """Wait for the end of a job."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        view: dict[str, Any] = client.get(f"/api/restore/job/{job}").json()
        if view["state"] not in ("waiting", "working"):
            return view
    raise AssertionError(view)


def pixels(client: TestClient, token: str, place: str = "file", **more: Any) -> np.ndarray:
    content = client.get(f"/api/restore/{place}/{token}", params=more).content
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


class Stuck:
    """Takes the place of the restoring itself: begins, and goes on when it is told, or is given up."""

    def __init__(self) -> None:
        self.began, self.go, self.ended = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, restorer: Restorer, source: Path, target: Path, step: Callable[[float], None], name: str) -> Any:
        self.began.set()
        try:
            while not self.go.wait(0.01):
                step(0.25)
            raise RuntimeError("no such kernel")
        finally:
            self.ended.set()


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stuck]:
    work = Stuck()
    monkeypatch.setattr(Restorer, "file", lambda *given, **named: work(*given, **named))
    yield work
    work.go.set()


def test_strangers_and_other_pages_get_nothing(client: TestClient) -> None:
    strange = TestClient(client.app, base_url=BASE)
    assert strange.get("/restore").status_code == 403
    assert upload(strange, png()).status_code == 403
    elsewhere = {"origin": "http://127.0.0.1:1"}
    assert client.post("/api/restore/upload", content=png(), headers=elsewhere).status_code == 403


def test_an_image_is_restored_and_downloaded_under_its_name(client: TestClient, tmp_path: Path) -> None:
    taken = upload(client, png(), "../old <photo>.png").json()
    assert (taken["name"], taken["width"], taken["whole"]) == ("old _photo_.png", WIDTH, True)
    assert (pixels(client, taken["token"], "picture") == np.asarray(PICTURE)).all()
    view = over(client, start(client, source=taken["token"], upscale=3, denoise=20).json()["job"])
    done = view["result"]
    assert (view["state"], done["name"], done["before"]) == ("done", "old _photo_-restored.png", [WIDTH, HEIGHT])
    assert (done["width"], done["height"], done["noise"], done["factor"]) == (3 * WIDTH, 3 * HEIGHT, 20, 3)
    assert [stage["task"] for stage in done["stages"]] == ["denoise", "upscale"]
    assert "then reduced" in done["notes"][0]["text"]
    assert done["engine"]
    answer = client.get(f"/api/restore/file/{done['token']}")
    assert "attachment" in answer.headers["content-disposition"]
    assert "old%20_photo_-restored.png" in answer.headers["content-disposition"]
    direct = tmp_path / "direct.png"
    Restorer(Wish(3.0, 20.0)).file(png(), direct)
    assert (pixels(client, done["token"]) == np.asarray(Image.open(direct))).all()
    # What came of it can be restored further; it does not get a second suffix.
    again = over(client, start(client, source=done["token"], denoise="auto").json()["job"])["result"]
    assert again["name"] == "old _photo_-restored.png"


def test_an_image_of_the_catalog_is_opened(client: TestClient, restoring: Restoring) -> None:
    assert restoring.catalog is not None
    ids = restoring.catalog.images.ids()
    opened = client.post("/api/restore/open", json={"image": ids[1]}).json()
    assert (opened["name"], opened["width"]) == ("scene 1.png", 90)
    assert client.post("/api/restore/open", json={"image": "0" * 64}).json()["error"]["what"]


def test_what_was_painted_is_filled_and_nothing_else(client: TestClient) -> None:
    pytest.importorskip("cv2")
    # Painted on a grid of half the size, as of a very large image.
    painted = np.zeros((HEIGHT // 2, WIDTH // 2), bool)
    painted[5:10, 8:14] = True
    job = start(client, mask=run_lengths.encode(painted)).json()["job"]
    found = pixels(client, over(client, job)["result"]["token"])
    changed = (found != np.asarray(PICTURE)).any(axis=2)
    whole = painted.repeat(2, axis=0).repeat(2, axis=1)
    assert changed[whole].mean() > 0.5
    assert not changed[~whole].any()


def header(width: int, height: int) -> bytes:
    """Return a PNG that says this size, and has no pixels."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b"")))
    made = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


def test_what_is_no_image_or_too_large_is_refused_in_four_parts(client: TestClient, restoring: Restoring) -> None:
    before = set(restoring.shelf.folder.iterdir())
    refused = {
        "no image": upload(client, b"no image"),
        "is empty": upload(client, b""),
        # Only its size was sent, and that is enough.
        "too large": upload(client, b"", size=LIMITS.bytes + 1),
        "too many pixels": upload(client, header(30_000, 30_000)),
        "truncated": upload(client, png()[:-40]),
    }
    for what, answer in refused.items():
        error = answer.json()["error"]
        assert answer.status_code == 415
        assert what in error["what"]
        assert error["expected"]
        assert error["got"]
        assert error["hint"]
    assert set(restoring.shelf.folder.iterdir()) == before


def test_what_cannot_be_done_is_said_before_it_begins(client: TestClient) -> None:
    def error(**wish: Any) -> str:
        return str(start(client, **wish).json()["error"]["what"])

    assert "Unknown model" in error(upscale=2, model="/etc/passwd")
    assert "Nothing" in error()
    assert "Unknown image" in error(source="gone", upscale=2)
    shape = np.zeros((HEIGHT, WIDTH), bool)
    assert "covers nothing" in error(mask=run_lengths.encode(shape))
    assert "covers everything" in error(mask=run_lengths.encode(~shape))
    assert "another form" in error(mask=run_lengths.encode(shape.T))
    assert "cannot be read" in error(mask={"size": [HEIGHT, WIDTH], "counts": "0"})
    for wish in ({"upscale": 17}, {"denoise": 101}, {"denoise": "much"}, {"mask": {"size": [1], "counts": ""}}):
        assert start(client, **wish).status_code == 422
    for place in ("picture", "part", "file"):
        part = {"left": 0, "top": 0, "width": 9, "height": 9}
        assert client.get(f"/api/restore/{place}/gone", params=part).status_code == 404
    assert client.get("/api/restore/job/gone").status_code == 404


def test_one_image_at_a_time_and_a_few_that_wait(client: TestClient, stuck: Stuck) -> None:
    source = upload(client, png()).json()["token"]
    first, *waiting = (start(client, source=source, upscale=2).json()["job"] for _ in range(1 + jobs.QUEUED))
    assert stuck.began.wait(60)
    # The first may not have been taken from the queue when the last came.
    full = start(client, source=source, upscale=2).json()
    assert full["error"]["what"] == "Too many images are waiting."
    places = [client.get(f"/api/restore/job/{job}").json()["place"] for job in (first, *waiting)]
    assert places == [0, 1, 2, 3, 4]
    for job in waiting[1:]:
        assert client.post(f"/api/restore/cancel/{job}").json()["state"] == "cancelled"
    # The page need not wait until the models have noticed.
    assert client.post(f"/api/restore/cancel/{first}").json()["state"] == "cancelled"
    assert stuck.ended.wait(60)
    # The next one has its turn; what a model raises ends this job only.
    stuck.go.set()
    failed = over(client, waiting[0])
    assert (failed["state"], failed["error"]["got"]) == ("failed", "no such kernel")
    assert over(client, first)["state"] == "cancelled"


def test_a_job_that_nobody_asks_for_ends(
    client: TestClient, stuck: Stuck, monkeypatch: pytest.MonkeyPatch, restoring: Restoring
) -> None:
    job = start(client, upscale=2).json()["job"]
    assert stuck.began.wait(60)
    monkeypatch.setattr(restoring.jobs, "unwatched", -1.0)
    assert stuck.ended.wait(60)
    assert over(client, job)["state"] == "cancelled"


def test_a_large_image_is_shown_reduced_and_its_parts_in_full(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(showing, "WHOLE", 1000)
    monkeypatch.setattr(showing, "SIDE", 30)
    taken = upload(client, png()).json()
    assert not taken["whole"]
    assert pixels(client, taken["token"], "picture").shape == (20, 30, 3)
    part = pixels(client, taken["token"], "part", left=11, top=7, width=20, height=100)
    assert (part == np.asarray(PICTURE)[7:, 11:31]).all()
    reduced = pixels(client, taken["token"], "part", left=0, top=0, width=60, height=40, most=30)
    assert reduced.shape == (20, 30, 3)
    # What a browser does not know is sent as something that it knows.
    out = io.BytesIO()
    PICTURE.save(out, "TIFF")
    monkeypatch.setattr(showing, "WHOLE", 10_000)
    scan = upload(client, out.getvalue(), "scan.tif").json()["token"]
    assert (pixels(client, scan, "picture") == np.asarray(PICTURE)).all()
    outside = {"left": 60, "top": 0, "width": 5, "height": 5}
    assert client.get(f"/api/restore/part/{taken['token']}", params=outside).status_code == 415


def test_frames_are_kept_whatever_the_name_says(client: TestClient) -> None:
    out = io.BytesIO()
    PICTURE.save(out, "GIF", save_all=True, append_images=[PICTURE.rotate(90)], duration=80)
    taken = upload(client, out.getvalue(), "moves.jpg").json()
    assert (taken["format"], taken["frames"]) == ("GIF", 2)
    done = over(client, start(client, source=taken["token"], denoise=20).json()["job"])["result"]
    assert (done["name"], done["frames"]) == ("moves-restored.png", 2)


# ---- in a real browser ---------------------------------------------------------------------------------------------


@pytest.fixture
def page(home: Path, browser: Browser) -> Iterator[Page]:
    urls: list[str] = []
    up, until = threading.Event(), threading.Event()

    def note(url: str) -> None:
        urls.append(url)
        up.set()

    with Catalog.open(home / "catalog") as catalog, Restoring(catalog) as restoring:
        searching = Searching(catalog, COLOURS)
        options: dict[str, Any] = {"open_browser": False, "on_url": note, "until": until, "searching": searching}
        options |= {"looking": Looking(catalog, searching), "restoring": restoring}
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
        page.goto(f"{urls[0].split('/?')[0]}/restore")
        page.wait_for_selector("#page[data-state=ready]")
        yield page
        context.close()
        until.set()
        thread.join(30)
        assert not thread.is_alive()
    assert [text for text in complaints if "415" not in text] == []


def drop(page: Page, data: bytes, name: str) -> None:
    """Let go of a file over the page."""
    make = """([text, name]) => {
        const carried = new DataTransfer();
        carried.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name));
        return carried;
    }"""
    carried = page.evaluate_handle(make, [base64.b64encode(data).decode(), name])
    page.dispatch_event(".stage", "drop", {"dataTransfer": carried})


@pytest.mark.browser
def test_a_person_drops_compares_and_downloads(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(page, b"no image", "text.png")
    page.wait_for_selector(".message .problem:has-text('Try:')")
    drop(page, png(), "<img src=x>.png")
    page.wait_for_selector("#page[data-state=ready][data-image]")
    page.wait_for_selector(".size-after:has-text('60 × 40 becomes 120 × 80')")
    # What takes too long is given up, and can be begun again.
    with monkeypatch.context() as patch:
        work = Stuck()
        patch.setattr(Restorer, "file", lambda *given, **named: work(*given, **named))
        page.keyboard.press("r")
        page.wait_for_selector(".working:has-text('25% done')")
        page.click(".working .cancel")
        page.wait_for_selector(".outcome:has-text('Cancelled')")
        assert work.ended.wait(60)
    # Paint over something, and have it made larger.
    page.keyboard.press("m")
    frame = page.locator(".stage").bounding_box()
    assert frame is not None
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y + 40, steps=3)
    page.mouse.up()
    page.keyboard.press("m")
    page.wait_for_selector(".filling:has-text('is removed')")
    page.keyboard.press("3")
    page.click(".go-now")
    page.wait_for_selector("#page[data-state=ready][data-result]")
    page.wait_for_selector(".did:has-text('60 × 40 became 180 × 120')")
    assert page.locator(".did li").count() == 2
    # The divider by keys and by hand; both sides lie over each other whatever the zoom.
    page.wait_for_selector(".stage[data-divided='50']")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(".stage[data-divided='48']")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y, steps=3)
    page.mouse.up()
    assert int(page.get_attribute(".divider", "aria-valuenow") or 0) > 52
    page.keyboard.press("f")
    page.wait_for_selector(".percent:has-text('100%')")
    sides = [page.locator(f".{side} img").bounding_box() for side in ("before", "after")]
    assert sides[0] == sides[1]
    assert sides[0] is not None
    assert round(sides[0]["width"]) == 180
    with page.expect_download() as coming:
        page.keyboard.press("s")
    assert coming.value.suggested_filename == "_img src=x_-restored.png"
    coming.value.save_as(tmp_path / "saved.png")
    assert Image.open(tmp_path / "saved.png").size == (180, 120)
    # The job is found again when the page is loaded anew.
    page.reload()
    page.wait_for_selector("#page[data-state=ready][data-result] .did")
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.browser
def test_an_image_comes_from_look_and_the_page_speaks_chinese(page: Page) -> None:
    page.goto(page.url.replace("/restore", "/look"))
    page.click(".walk a:has-text('Restore')")
    page.wait_for_selector(".walk .file:has-text('scene 0.png · 90 × 90')")
    page.click("[data-language=zh]")
    page.wait_for_selector("#page[data-state=ready] .go-now:has-text('修复')")
