"""Files written row by row are read by others as what was written."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from lucida.images import decode
from lucida.restore.png import PngWriter
from lucida.restore.tiff import TiffWriter

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif() -> bytes:
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "Camera maker"
    tags[ExifTags.Base.Artist] = "A rather long name, which does not fit into four bytes"
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:11:21 10:00:00"
    tags[ExifTags.IFD.Exif] = tags.get_ifd(ExifTags.IFD.Exif)
    return tags.tobytes()


@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_are_those_that_another_library_reads(kind: str, deep: bool, channels: int) -> None:
    draw = np.random.default_rng(channels)
    high, wide = 150, 37
    smooth = np.cumsum(draw.integers(-900, 900, (high, wide, channels)), axis=1) + 30000
    pixels = smooth.clip(0, 65535).astype(np.uint16) if deep else (smooth.clip(0, 65535) // 256).astype(np.uint8)
    file = io.BytesIO()
    writer = {"png": PngWriter, "tiff": TiffWriter}[kind](
        file, wide, high, channels, deep=deep, exif=exif(), icc=ICC, xmp=b"<x/>", dpi=(300.0, 200.0)
    )
    for first, last in ((0, 1), (1, 70), (70, 141), (141, 150)):
        writer.write(pixels[first:last])
    writer.close()
    data = file.getvalue()
    if channels == 2 and deep and kind == "tiff":
        pytest.importorskip("tifffile")
        assert np.array_equal(decode(data).stored(), pixels)
        return
    picture = Image.open(io.BytesIO(data))
    picture.load()
    assert picture.size == (wide, high)
    assert picture.info["icc_profile"] == ICC
    assert [round(value) for value in picture.info["dpi"]] == [300, 200]
    tags = Image.Image.getexif(picture)
    assert tags[ExifTags.Base.Make] == "Camera maker"
    assert tags[ExifTags.Base.Artist].endswith("four bytes")
    assert tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2026:11:21 10:00:00"
    if channels == 2 or (channels == 4 and kind == "tiff" and not deep):
        # OpenCV knows no grey with alpha, and multiplies colours with it where they have 8 bits.
        assert np.array_equal(decode(data).stored(), pixels)
        return
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    seen = seen[..., None] if channels == 1 else seen[..., [2, 1, 0, 3][:channels]]
    assert np.array_equal(seen, pixels)


def test_png_is_about_as_small_as_pillows(photo: np.ndarray) -> None:
    ours, theirs = io.BytesIO(), io.BytesIO()
    writer = PngWriter(ours, 70, 45, 3)
    writer.write(photo)
    writer.close()
    Image.fromarray(photo).save(theirs, "PNG")
    assert len(ours.getvalue()) < 1.1 * len(theirs.getvalue())
