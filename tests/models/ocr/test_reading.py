"""Text is read for real, offline, from pages that the tests render."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw

from lucida.errors import MissingExtra, ModelError
from lucida.images import Image
from lucida.models import Model, find
from lucida.predict.verb import predict
from lucida.results import Reading
from models.ocr.pages import CHINESE, ENGLISH, as_image, cjk, errors, latin, page

pytest.importorskip("rapidocr", reason="reading text needs the extra 'see'")
LOOKS = ({}, {"ink": (255, 255, 255), "paper": (20, 60, 140), "turn": 3.0}, {"paper": (240, 220, 120), "turn": -5.0})


@pytest.fixture(scope="module")
def reader() -> Model:
    return find("rapidocr").load()


def read(reader: Model, picture: Pillow.Image) -> Reading:
    (found,) = reader.predict([as_image(picture)])
    assert isinstance(found, Reading)
    return found


@pytest.mark.parametrize("size", [12, 24, 64])
def test_english_is_read(reader, size):
    look = LOOKS[(12, 24, 64).index(size)]
    assert errors(read(reader, page(ENGLISH, latin(size), **look)), ENGLISH)[0] <= 1


@pytest.mark.parametrize("size", [16, 40])
def test_chinese_is_read(reader, size):
    font = cjk(size)
    if font is None:
        pytest.skip("no Chinese font on this machine (fonts-noto-cjk)")
    assert errors(read(reader, page(CHINESE, font, **LOOKS[size == 40])), CHINESE)[0] <= 1


def test_lines_lie_where_they_stand_and_come_in_order(reader):
    picture = Pillow.new("RGB", (700, 300), (255, 255, 255))
    pen = ImageDraw.Draw(picture)
    places = {"Second line here": (60, 200), "First line here": (40, 60), "and its end": (420, 62)}
    boxes = {}
    for text, at in places.items():
        pen.text(at, text, fill=(0, 0, 0), font=latin(30))
        boxes[text] = pen.textbbox(at, text, font=latin(30))
    found = read(reader, picture)
    assert [line.text for line in found.lines] == ["First line here", "and its end", "Second line here"]
    for line in found.lines:
        assert np.abs(np.array(line.box) - np.array(boxes[line.text])).max() < 14
        assert 0.9 < line.score <= 1
        # From the top left, clockwise.
        (x0, y0), (x1, _), (_, y2), _ = line.corners
        assert x1 > x0
        assert y2 > y0


def test_text_upside_down_begins_at_its_first_corner(reader):
    picture = page(("Keep this side up please", "Handle with care always"), latin(30)).rotate(180)
    found = read(reader, picture)
    assert {line.text for line in found.lines} == {"Keep this side up please", "Handle with care always"}
    for line in found.lines:
        (x0, y0), (x1, _), (_, y2), _ = line.corners
        assert x1 < x0
        assert y2 < y0


def test_a_large_image_loses_neither_its_small_nor_its_large_text(reader, monkeypatch):
    from lucida.models.ocr import model, pieces

    # The same as with thousands of pixels, in less time.
    monkeypatch.setattr(model, "SIDE", 900)
    monkeypatch.setattr(pieces, "TILE", 800)
    picture = Pillow.new("RGB", (1700, 900), (255, 255, 255))
    pen = ImageDraw.Draw(picture)
    pen.text((60, 30), "SALE", fill=(200, 0, 0), font=latin(260))
    line = "A long line that goes on through the whole width and is cut by no piece"
    pen.text((40, 700), line, fill=(0, 0, 0), font=latin(40))
    pen.text((900, 500), "small print 2048", fill=(0, 0, 0), font=latin(14))
    assert [one.text for one in read(reader, picture).lines] == ["SALE", "small print 2048", line]


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (200, 200), (40, 2)])
def test_an_image_without_text_has_no_lines(reader, shape):
    assert read(reader, Pillow.new("RGB", shape[::-1], (90, 90, 90))).lines == ()


def test_several_threads_read_as_one_does_and_leave_the_image_alone(reader):
    images = [as_image(page((text, "of several", "lines"), latin(20))) for text in ("One page", "Another")]
    before = [image.pixels.copy() for image in images]
    alone = [reader.predict([image])[0] for image in images]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda image: reader.predict([image])[0], images)) == alone
    assert reader.predict(images) == alone
    assert all(np.array_equal(image.pixels, kept) for image, kept in zip(images, before, strict=True))


def test_grey_and_deep_images_are_read(reader):
    grey = np.asarray(page(("Grey", "and deep"), latin(30)).convert("L"))
    for image in (Image(grey, "L"), Image(grey.astype(np.uint16) * 257, "I;16")):
        assert reader.predict([image])[0].text == "Grey\nand deep"


def test_the_verb_reads_offline_by_itself(tmp_path):
    page(("Read", "offline"), latin(24)).save(tmp_path / "page.png")
    found = predict(tmp_path / "page.png", task="read", save=tmp_path / "drawn")
    assert (found.model, found.results[0].to_json()["text"]) == ("rapidocr", "Read\noffline")
    assert (tmp_path / "drawn" / "page.png").is_file()


def test_what_it_says_of_itself(reader):
    spec = reader.spec
    assert (spec.tasks, spec.licence, reader.engine) == (("read",), "Apache-2.0", "onnxruntime fp32")
    assert find("RapidOCR").key == spec.key
    with pytest.raises(ModelError, match="cannot run int8"):
        spec.load("int8")


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(MissingExtra) as caught:
        find("rapidocr").load()
    assert 'pip install "camera-lucida[see]"' in caught.value.hint
