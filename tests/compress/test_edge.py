"""A classifier without this package: the same answers in a browser, and in the format for phones."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
import pytest
from PIL import Image

from lucida.compress.edge.folder import PAGE, write_edge
from lucida.compress.edge.ort_format import shares, write_ort
from lucida.compress.edge.runtime import FILES, find_runtime
from lucida.errors import InputError, ModelError
from lucida.images import Image as Decoded
from lucida.images import decode
from lucida.models.engine import OnnxRuntimeSession
from lucida.models.needs import ImageNeeds, Interpolation
from lucida.models.onnx.model import run_batch
from pictures import scene

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from lucida.models.onnx.card import Card

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PREPARE = """async ([image, ways]) => {
    const { fit, normalise } = await import("./prepare.js");
    const whole = { ...image, pixels: Uint8ClampedArray.from(image.pixels) };
    return ways.map((needs) => Array.from(normalise(fit(whole, needs), needs).numbers));
}"""
SOURCE = Path(__file__).parents[2] / "src/lucida/compress/edge/page"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[str]:
    """Serve the temporary folder as any static web server would; the address of its root."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no Chromium on this machine (looked for {', '.join(BROWSERS)}, and CHROMIUM in the environment)")
    with playwright.sync_playwright() as p:
        opened = p.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    found = browser.new_page()
    yield found
    found.close()


@pytest.fixture
def runtime() -> Path:
    """The npm package onnxruntime-web, where a person has put it: a folder that is named and is not one is an error."""
    if "ORT_WEB" in os.environ:
        return find_runtime(Path(os.environ["ORT_WEB"]))
    try:
        return find_runtime()
    except InputError:
        pytest.skip(
            "the npm package onnxruntime-web is not at hand: npm pack onnxruntime-web && tar xzf onnxruntime-web-*.tgz,"
            " then ORT_WEB=package/dist in the environment"
        )


def write_photos(folder: Path) -> list[Path]:
    """Write photos as cameras and programs do: JPEG, wide and tall, lying on its side, grey, with transparency."""
    folder.mkdir()
    wide, tall = scene(1, 300).crop((0, 0, 300, 180)), scene(2, 240).crop((0, 0, 150, 240))
    turned = Image.Exif()
    turned[0x0112] = 6
    wide.save(folder / "wide.jpg", quality=92)
    tall.save(folder / "tall.png")
    wide.save(folder / "turned.jpg", quality=92, exif=turned)
    scene(3, 40).convert("L").save(folder / "grey.png")
    glass = scene(4, 90).convert("RGBA")
    glass.putalpha(Image.linear_gradient("L").resize((90, 90)))
    glass.save(folder / "glass.png")
    scene(5, 128).save(folder / "small.webp", quality=90)
    return sorted(folder.iterdir())


def expected(card: Card, photo: Path) -> dict[str, float]:
    batch = card.needs.prepare(decode(photo.read_bytes()))[None]
    logits = run_batch(OnnxRuntimeSession(card.file, "fp32"), card, batch, (card.logits,))[0]
    return dict(zip(card.classes, shares(card, logits)[0].tolist(), strict=True))


@pytest.mark.browser
@pytest.mark.parametrize("task", ["encode", "tag"])
def test_the_page_answers_as_python_does(classifier, runtime, page, serve, tmp_path, task):
    card = classifier(task=task)
    photos = write_photos(tmp_path / "photos")
    found = write_edge(card, tmp_path / "out", runtime)
    assert found.bytes["model.onnx"] > 1000
    said, fetched = [], []
    page.on("console", lambda line: said.append(line.text))
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(f"{serve}/out/")
    page.wait_for_selector("#photo:not([disabled])", timeout=60_000)
    for photo in photos:
        page.set_input_files("#photo", photo)
        page.wait_for_selector("#status:has-text('Done')")
        rows = page.eval_on_selector_all(
            "#answers li",
            "rows => rows.map(r => [r.querySelector('span').textContent, +r.querySelector('data').value])",
        )
        want = expected(card, photo)
        assert rows[0][0] == max(want, key=want.get), photo.name
        assert dict(rows) == pytest.approx(want, abs=0.02), photo.name
        page.evaluate("() => { document.getElementById('status').textContent = ''; }")
    assert not [url for url in fetched if not url.startswith((serve, "blob:"))]
    assert not [text for text in said if "Content Security Policy" in text]


@pytest.mark.browser
def test_a_file_that_is_no_photo_is_refused_by_the_page(classifier, runtime, page, serve, tmp_path):
    write_edge(classifier(), tmp_path / "out", runtime)
    (tmp_path / "text.jpg").write_text("not a photo")
    page.goto(f"{serve}/out/")
    page.wait_for_selector("#photo:not([disabled])", timeout=60_000)
    page.set_input_files("#photo", tmp_path / "text.jpg")
    page.wait_for_selector("#status:has-text('cannot be read')")
    assert page.locator("#answers li").count() == 0


@pytest.mark.browser
def test_pixels_are_resampled_as_in_python(page, serve, tmp_path):
    """Every way to prepare an image, without a model: the same up to the rounding between two passes.

    Versions of Pillow differ in which pass comes first, which filters with negative weights show more.
    """
    for name in PAGE:
        shutil.copyfile(SOURCE / name, tmp_path / name)
    (tmp_path / "empty.html").write_text("<!doctype html><title>empty</title>")
    page.goto(f"{serve}/empty.html")
    ways = [
        ImageNeeds(
            24,
            resize,
            interpolation,
            channels,
            mean=(0.4, 0.5, 0.6)[:depth],
            std=(0.25,) * depth,
            edge=edge,
            centre=centre,
        )
        for resize, interpolation in product(("squash", "crop", "pad"), get_args(Interpolation))
        for channels, depth in (("RGB", 3), ("BGR", 3), ("L", 1))
        for edge, centre in (((0, "floor"), (31, "round")) if resize != "pad" else ((0, "floor"),))
    ]
    for width, height in ((60, 41), (20, 33)):
        pixels = np.asarray(scene(width).crop((0, 0, width, height)))
        image = {"width": width, "height": height, "depth": 3, "pixels": pixels.ravel().tolist()}
        found = page.evaluate(PREPARE, [image, [asdict(needs) for needs in ways]])
        for needs, ours in zip(ways, found, strict=True):
            theirs = needs.prepare(Decoded(pixels, "RGB"))
            off = np.abs(np.array(ours, np.float32).reshape(theirs.shape) - theirs).max() * 0.25 * 255
            assert off < (2.1 if needs.interpolation in ("bicubic", "lanczos") else 1.01), needs


def test_the_format_for_phones_gives_the_same(classifier, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    card = classifier()
    write_ort(card, tmp_path / "model.ort")
    assert (tmp_path / "model.ort").read_bytes()[4:8] == b"ORTM"
    batch = np.stack([card.needs.prepare(Decoded(np.asarray(scene(i)), "RGB")) for i in range(4)])
    before, after = (
        onnxruntime.InferenceSession(str(file)).run(["logits"], {"image": batch})[0]
        for file in (card.file, tmp_path / "model.ort")
    )
    assert np.allclose(before, after, atol=1e-4)


def test_another_model_under_its_name_is_noticed(classifier, tmp_path, monkeypatch):
    from lucida.compress.edge import ort_format

    card, said = classifier(), iter([np.ones((8, 3), np.float32) / 3, np.eye(3, dtype=np.float32)[[0] * 8]])
    monkeypatch.setattr(ort_format, "_shares", lambda *_: next(said))
    with pytest.raises(ModelError, match=r"differ by 0\.667"):
        write_ort(card, tmp_path / "model.ort")


@pytest.fixture
def pretended(tmp_path: Path) -> Path:
    """A folder with the names of the runtime's files."""
    folder = tmp_path / "package" / "dist"
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_bytes(b"")
    return folder


def test_the_folder_holds_all_that_the_page_names(classifier, pretended, tmp_path):
    card = classifier()
    found = write_edge(card, tmp_path / "out", pretended)
    page = "".join((tmp_path / "out" / name).read_text() for name in PAGE)
    assert "http" not in page.replace("http-equiv", "")
    for name in (*PAGE, "model.onnx", "model.ort", "model.json", *(f"ort/{name}" for name in FILES)):
        assert (tmp_path / "out" / name).is_file(), name
    assert json.loads((tmp_path / "out" / "model.json").read_text())["classes"] == list(card.classes)
    assert "http.server" in str(found)
    write_edge(card, tmp_path / "out", pretended)  # again is no trouble


def test_a_folder_with_other_files_is_left_alone(classifier, pretended, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="holds something else"):
        write_edge(classifier(), tmp_path / "mine", pretended)
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_a_missing_runtime_is_said_with_the_command(pretended, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_runtime(pretended) == find_runtime(pretended.parent) == pretended
    with pytest.raises(InputError, match="npm pack onnxruntime-web"):
        find_runtime()
