"""What tells more than the picture does is taken out; pixels stay."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from lucida.errors import ImageError
from lucida.images import decode
from lucida.images.metadata import strip

SECRET = b"SECRET-PLACE"


def picture() -> Image.Image:
    y, x = np.mgrid[0:40, 0:60]
    return Image.fromarray(np.stack([x * 4, y * 6, (x + y) * 2], axis=2).astype(np.uint8))


def exif(orientation: int = 1) -> Image.Exif:
    found = Image.Exif()
    found[ExifTags.Base.Orientation] = orientation
    found[ExifTags.Base.ImageDescription] = SECRET.decode()
    found.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    return found


def encoded(kind: str, orientation: int = 1) -> bytes:
    out = io.BytesIO()
    more: dict[str, object] = {"exif": exif(orientation)}
    if kind == "JPEG":
        more |= {"comment": SECRET, "xmp": b"<x>" + SECRET + b"</x>", "quality": 90}
    if kind == "PNG":
        notes = PngImagePlugin.PngInfo()
        notes.add_text("Author", SECRET.decode())
        notes.add_itxt("XML:com.adobe.xmp", SECRET.decode())
        more["pnginfo"] = notes
    if kind == "WEBP":
        more |= {"xmp": SECRET, "lossless": True}
    picture().save(out, kind, **more)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_notes_go_and_pixels_stay(kind: str, orientation: int) -> None:
    data = encoded(kind, orientation)
    assert SECRET in data
    clean = strip(data)
    assert SECRET not in clean
    assert np.array_equal(decode(clean).pixels, decode(data).pixels) or (kind != "JPEG" and orientation != 1)
    left = Image.open(io.BytesIO(clean)).getexif()
    assert set(left) <= {ExifTags.Base.Orientation}
    assert not left.get_ifd(ExifTags.IFD.GPSInfo)
    assert strip(clean) == clean


def test_what_hides_behind_the_end_of_the_picture_goes_too() -> None:
    assert SECRET not in strip(encoded("JPEG") + SECRET)


def test_the_colour_profile_stays() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("JPEG", "PNG", "WEBP"):
        out = io.BytesIO()
        picture().save(out, kind, icc_profile=profile)
        assert Image.open(io.BytesIO(strip(out.getvalue()))).info["icc_profile"] == profile


def test_other_formats_become_png() -> None:
    out = io.BytesIO()
    picture().save(out, "TIFF", description=SECRET.decode())
    clean = strip(out.getvalue())
    assert SECRET not in clean
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(clean))), np.asarray(picture()))


def test_damaged_files_are_refused() -> None:
    data = encoded("JPEG")
    for bad in (b"no image", data[:2] + b"\x00" * 40, data[:30]):
        with pytest.raises(ImageError):
            strip(bad)
