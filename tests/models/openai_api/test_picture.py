"""Images as they are sent: small, upright, and without what a camera wrote."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from lucida.errors import ImageError
from lucida.models.openai_api.picture import data_url, fitted, without_notes

PLENTY = 400_000


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    draw = np.random.default_rng(0)
    small = draw.integers(0, 255, (max(1, height // 8), max(1, width // 8), 3)).astype(np.uint8)
    return Image.fromarray(small).resize((width, height)).convert(mode)


def encode(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def open_(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_data_url_is_a_jpeg():
    url = data_url(encode(noise(64, 48), "PNG"), most=PLENTY)
    head, body = url.split(",")
    assert head == "data:image/jpeg;base64"
    assert open_(base64.b64decode(body)).size == (64, 48)


@pytest.mark.parametrize(("size", "sent"), [((3000, 1500), (1024, 512)), ((20, 10), (20, 10)), ((5000, 1), (1024, 1))])
def test_the_longer_side_is_scaled_down_and_never_up(size, sent):
    assert open_(fitted(encode(noise(*size), "PNG"), most=PLENTY)).size == sent


def test_the_budget_is_kept_by_quality_then_by_size():
    rough = np.random.default_rng(1).integers(0, 255, (1200, 1600, 3)).astype(np.uint8)
    data = encode(Image.fromarray(rough))
    sizes = [len(fitted(data, most=most)) for most in (900_000, 400_000, 150_000)]
    assert all(size <= most for size, most in zip(sizes, (900_000, 400_000, 150_000), strict=True))
    assert max(open_(fitted(data, most=150_000)).size) < 1024


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 30, "restart_marker_blocks": 2}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_small_jpeg_keeps_its_pixels_and_loses_its_notes(options, mode):
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    exif.get_ifd(0x8825)[1] = "N"
    data = encode(noise(80, 60, mode), exif=exif, comment=b"secret comment", **options) + b"\0trailing: secret"
    assert b"taken at home" in data
    sent = fitted(data, most=PLENTY)
    assert b"home" not in sent
    assert b"secret" not in sent
    assert not open_(sent).getexif()
    np.testing.assert_array_equal(np.asarray(open_(sent)), np.asarray(open_(data)))


def test_a_turned_photo_is_sent_upright():
    image = Image.new("RGB", (40, 20), "white")
    image.paste("black", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    sent = open_(fitted(encode(image, exif=exif, quality=95), most=PLENTY))
    assert sent.size == (20, 40)
    pixels = np.asarray(sent.convert("L"))
    assert pixels[:15].mean() < 60, "the left side is at the top now"
    assert pixels[25:].mean() > 200


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "CMYK", "I;16", "1"])
def test_any_mode_becomes_plain_colour(mode):
    image = noise(30, 20, "RGB").convert("L" if mode == "I;16" else mode)
    image = image.convert("I;16") if mode == "I;16" else image
    kind = "TIFF" if mode == "CMYK" else "PNG"
    assert open_(fitted(encode(image, kind), most=PLENTY)).mode == "RGB"


def test_a_cmyk_jpeg_is_encoded_anew():
    assert open_(fitted(encode(noise(30, 20, "CMYK")), most=PLENTY)).mode == "RGB"


@pytest.mark.parametrize("cut", [20, 300, -3])
def test_a_broken_file_is_refused_before_it_costs(cut):
    data = encode(noise(200, 100))
    with pytest.raises(ImageError):
        data_url(data[:cut] if cut > 0 else data[: len(data) // 2], most=PLENTY)
    with pytest.raises(ImageError):
        data_url(b"no image", most=PLENTY)


def test_odd_markers_never_lose_the_picture():
    data = encode(noise(40, 40))
    assert without_notes(data) == without_notes(without_notes(data) or b"")
    assert without_notes(data[:100]) is None
    padded = data[:2] + b"\xff\xff" + data[3:]
    assert without_notes(padded) is not None
    assert without_notes(data[:2] + b"\xff\xe1\x00\x01" + data[2:]) is None
