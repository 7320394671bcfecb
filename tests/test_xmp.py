"""Descriptions in image files: read back by Pillow, pixels as they were."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from lucida.errors import ImageError
from lucida.images.xmp import DC, IPTC, RDF, described, packet_of

KINDS = ("JPEG", "PNG", "WEBP", "WEBP lossless", "TIFF", "TIFF pages", "JPEG exif", "PNG alpha", "WEBP alpha")


def encoded(kind: str, **more: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (21, 33, 4 if "alpha" in kind else 3), np.uint8)
    picture, out, name = Image.fromarray(pixels), io.BytesIO(), kind.split()[0]
    if "lossless" in kind or "WEBP alpha" in kind:
        more["lossless"] = True
    if "pages" in kind:
        more |= {"save_all": True, "append_images": [picture.rotate(180)], "compression": "tiff_lzw"}
    if "exif" in kind:
        exif = Image.Exif()
        exif[0x010E] = "kept"
        more["exif"] = exif
    picture.save(out, name, **more)
    return out.getvalue()


def values(data: bytes, space: str, name: str) -> list[str]:
    """Return what Pillow's own reader finds."""
    packet = Image.open(io.BytesIO(data)).info["xmp"]
    root = ElementTree.fromstring(packet)
    return [item.text or "" for item in root.findall(f".//{{{space}}}{name}//{{{RDF}}}li")]


def frames(data: bytes) -> list[np.ndarray]:
    picture = Image.open(io.BytesIO(data))
    found = []
    for number in range(getattr(picture, "n_frames", 1)):
        picture.seek(number)
        found.append(np.asarray(picture).copy())
    return found


WORDS = {"title": "A <red> dress", "alternative": "A red dress & a hat. 一条红裙子", "keywords": ["red", "dress", "帽"]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_description_is_read_back_and_the_pixels_are_the_same(kind):
    before = encoded(kind)
    after = described(before, **WORDS)
    assert values(after, DC, "title") == [WORDS["title"]]
    assert values(after, DC, "description") == [WORDS["alternative"]]
    assert values(after, IPTC, "AltTextAccessibility") == [WORDS["alternative"]]
    assert values(after, DC, "subject") == WORDS["keywords"]
    assert len(frames(after)) == len(frames(before))
    assert all(np.array_equal(a, b) for a, b in zip(frames(after), frames(before), strict=True))
    opened = Image.open(io.BytesIO(after))
    assert (opened.mode, opened.size) == (Image.open(io.BytesIO(before)).mode, (33, 21))
    if kind == "JPEG exif":
        assert opened.getexif()[0x010E] == "kept"
    # Another description takes its place.
    again = described(after, title="New", alternative="Other", keywords=[])
    assert values(again, DC, "title") == ["New"]
    assert values(again, DC, "subject") == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_what_else_stands_in_the_packet_is_kept(kind):
    other = (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about=""'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/></rdf:RDF></x:xmpmeta>'
    )
    if kind == "TIFF":
        before = encoded(kind, tiffinfo={700: other.encode()})
    elif kind == "PNG":
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", other, zip=True)
        before = encoded(kind, pnginfo=info)
    else:
        before = encoded(kind, xmp=other.encode())
    assert b"Rating" in packet_of(before)
    after = described(before, **WORDS)
    assert b'Rating="4"' in packet_of(after)
    assert packet_of(after).count(b"xmpmeta") == 2
    assert values(after, DC, "title") == [WORDS["title"]]


def test_pillow_finds_one_packet_in_a_big_endian_tiff():
    pixels = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    out = io.BytesIO()
    pixels.save(out, "TIFF", big_endian=True)
    if out.getvalue()[:2] != b"MM":
        pytest.skip("this Pillow writes no big-endian TIFF")
    after = described(out.getvalue(), **WORDS)
    assert values(after, DC, "subject") == WORDS["keywords"]
    assert np.array_equal(frames(after)[0], np.asarray(pixels))


def test_signs_that_xml_cannot_hold_are_left_out():
    after = described(encoded("PNG"), title="a\x00b\x1b", alternative="c", keywords=[])
    assert values(after, DC, "title") == ["ab"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_damaged_files_and_packets_are_refused(kind):
    whole = encoded(kind)
    for cut in (9, 14, 25, 40):
        try:
            described(whole[:cut], **WORDS)
        except ImageError:
            continue
    evil = b'<!DOCTYPE x [<!ENTITY a "b">]><x/>'
    for packet, said in ((evil, "entities"), (b"<x", "no XML"), (b"<x/>", "without statements")):
        more = {"tiffinfo": {700: packet}} if kind == "TIFF" else {"xmp": packet}
        if kind != "PNG":
            with pytest.raises(ImageError, match=said):
                described(encoded(kind, **more), **WORDS)
    with pytest.raises(ImageError, match="of this kind"):
        described(b"GIF89a", **WORDS)


def test_a_description_that_is_too_long_for_a_jpeg():
    with pytest.raises(ImageError, match="longer than a JPEG"):
        described(encoded("JPEG"), title="x" * 40_000, alternative="y" * 40_000, keywords=[])
