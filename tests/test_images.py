"""What decoding gives, what it refuses, and that Pillow agrees."""

from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from lucida.errors import ImageError
from lucida.images import Limits, check, content_id, decode, probe, read

HEIGHT, WIDTH = 80, 60


@pytest.fixture(scope="module")
def picture() -> Pillow.Image:
    """A smooth random picture, the same each time."""
    noise = np.random.default_rng(0).integers(0, 255, (8, 6, 3), dtype=np.uint8)
    return Pillow.fromarray(noise).resize((WIDTH, HEIGHT))


def encode(image: Pillow.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png16(pixels: np.ndarray) -> bytes:
    """Write 16-bit PNG by hand, since Pillow writes grey only. Source: the PNG specification."""
    height, width, channels = pixels.shape
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def tiff16(pixels: np.ndarray, order: str) -> bytes:
    """Write an uncompressed 16-bit RGB TIFF by hand. Source: TIFF 6.0."""
    height, width, channels = pixels.shape
    data = pixels.astype(f"{order}u2").tobytes()
    extra = 8 + 2 + 10 * 12 + 4
    tags = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, channels, extra),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (273, 4, 1, extra + 2 * channels),
        (277, 3, 1, channels),
        (278, 3, 1, height),
        (279, 4, 1, len(data)),
        (284, 3, 1, 1),
    ]
    out = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8) + struct.pack(order + "H", len(tags))
    for tag, kind, count, value in tags:
        short = kind == 3 and count == 1
        body = struct.pack(order + "HH", value, 0) if short else struct.pack(order + "I", value)
        out += struct.pack(order + "HHI", tag, kind, count) + body
    return out + struct.pack(order + "I", 0) + struct.pack(order + "H", 16) * channels + data


FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"]
LOSSLESS = [("PNG", {}), ("WEBP", {"lossless": True}), ("BMP", {}), ("TIFF", {}), ("TIFF", {"compression": "jpeg"})]


def needs(kind: str) -> None:
    Pillow.init()
    if kind not in Pillow.SAVE:
        pytest.skip(f"this Pillow cannot write {kind}")


def test_content_id_is_the_sha256_of_the_bytes() -> None:
    assert content_id(b"lucida") == hashlib.sha256(b"lucida").hexdigest()


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_decodes_as_pillow_does(picture: Pillow.Image, kind: str) -> None:
    needs(kind)
    data = encode(picture, kind)
    header, image = probe(data), decode(data)
    assert (header.format, header.height, header.width) == (kind, HEIGHT, WIDTH)
    assert header == check(data)
    assert header.mode == image.mode
    assert np.array_equal(image.rgb8(), np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB")))


MODES = [
    *[("PNG", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")],
    *[("TIFF", mode) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F")],
    *[("JPEG", mode) for mode in ("1", "L", "RGB", "CMYK", "YCbCr")],
]


@pytest.mark.parametrize(("kind", "mode"), MODES)
def test_channels_and_dtype_stay(picture: Pillow.Image, kind: str, mode: str) -> None:
    grey = np.linspace(0, 65535, 48).reshape(8, 6)
    sources = {"I;16": grey.astype(np.uint16), "I": grey.astype(np.int32), "F": (grey / 65535).astype(np.float32)}
    source = Pillow.fromarray(sources[mode]) if mode in sources else picture.convert(mode)
    data = encode(source, kind)
    header, image = probe(data), decode(data)
    dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}.get(mode, np.uint8)
    assert image.pixels.dtype == dtype
    assert image.pixels.dtype.isnative
    assert header.mode == image.mode == {"1": "L", "YCbCr": "RGB"}.get(mode, mode)
    assert image.pixels.shape[:2] == (header.height, header.width)
    assert image.rgb8().shape == (header.height, header.width, 3)
    assert image.rgb8().dtype == np.uint8
    if mode in sources:
        assert np.array_equal(image.pixels, sources[mode])


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_16_bit_colour_png_keeps_all_bits(channels: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    data = png16(pixels)
    assert np.array_equal(decode(data).pixels, pixels)
    assert probe(data).mode == decode(data).mode == {2: "LA;16", 3: "RGB;16", 4: "RGBA;16"}[channels]


@pytest.mark.parametrize("order", ["<", ">"])
def test_16_bit_colour_tiff_keeps_all_bits(order: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 65536, (5, 7, 3), dtype=np.uint16)
    image = decode(tiff16(pixels, order))
    assert image.mode == "RGB;16"
    assert np.array_equal(image.pixels, pixels)


def test_rgb8_follows_its_stated_conversions() -> None:
    assert decode(png16(np.full((1, 1, 3), 257 * 100, np.uint16))).rgb8().tolist() == [[[100] * 3]]
    half = Pillow.new("RGBA", (1, 1), (0, 100, 200, 128))
    over = Pillow.alpha_composite(Pillow.new("RGBA", (1, 1), "white"), half).convert("RGB")
    assert np.abs(decode(encode(half, "PNG")).rgb8().astype(int) - np.asarray(over)).max() <= 1
    floats = np.array([[0.0, 0.5, 1.0, 2.0, -1.0, np.nan]], np.float32)
    rgb = decode(encode(Pillow.fromarray(floats), "TIFF")).rgb8()
    assert rgb[0, :, 0].tolist() == [0, 128, 255, 255, 0, 0]
    cmyk = Pillow.new("CMYK", (4, 4), (10, 60, 110, 5))
    assert np.array_equal(decode(encode(cmyk, "TIFF")).rgb8(), np.asarray(cmyk.convert("RGB")))


def test_a_palette_keeps_its_indices_and_its_transparency() -> None:
    source = Pillow.fromarray(np.array([[0, 1, 2]], np.uint8), "L").convert("P")
    source.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image = decode(encode(source, "PNG", transparency=1))
    assert image.mode == "P"
    assert image.pixels.tolist() == [[0, 1, 2]]
    assert image.rgb8().tolist() == [[[255, 0, 0], [255, 255, 255], [0, 0, 255]]]


def test_a_gif_gives_its_first_frame() -> None:
    frames = [Pillow.new("RGB", (5, 4), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data).rgb8()[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("kind", "options"), [("JPEG", {}), *LOSSLESS[:2], ("TIFF", {}), ("AVIF", {})])
def test_exif_orientation_is_applied(
    picture: Pillow.Image, kind: str, options: dict[str, object], orientation: int
) -> None:
    needs(kind)
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    data = encode(picture, kind, exif=exif, **options)
    expected = np.asarray(ImageOps.exif_transpose(Pillow.open(io.BytesIO(data))).convert("RGB"))
    header, image = probe(data), decode(data)
    assert np.array_equal(image.pixels, expected)
    assert (header.height, header.width) == expected.shape[:2]
    assert header.orientation == orientation


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(("cover", "by"), [(None, 1), (1, 8), (75, 8), (76, 4), (150, 4), (151, 2), (301, 1), (999, 1)])
def test_a_jpeg_is_decoded_at_the_smallest_scale_that_covers(
    picture: Pillow.Image, mode: str, cover: int | None, by: int
) -> None:
    data = encode(picture.resize((800, 600)).convert(mode), "JPEG")
    image = decode(data, cover=cover)
    assert image.pixels.shape[:2] == (600 // by, 800 // by)
    small = np.asarray(picture.resize((800 // by, 600 // by)).convert("L"), float)
    assert abs(image.rgb8().mean() - np.asarray(Pillow.open(io.BytesIO(data)).convert("RGB")).mean()) < 3
    assert small.shape == image.pixels.shape[:2]


@pytest.mark.parametrize(("cover", "eighths"), [(None, 8), (75, 1), (76, 2), (224, 3), (226, 4), (376, 6), (599, 8)])
def test_a_jpeg_may_be_decoded_at_all_eighths(picture: Pillow.Image, cover: int | None, eighths: int) -> None:
    data = encode(picture.resize((800, 600)), "JPEG")
    image = decode(data, cover=cover, fine=True)
    assert image.pixels.shape[:2] == (600 * eighths // 8, 800 * eighths // 8)
    whole = Pillow.fromarray(decode(data).pixels).resize(image.pixels.shape[1::-1], Pillow.Resampling.BOX)
    assert np.abs(np.asarray(whole, float) - image.pixels).mean() < 6


def test_cover_applies_to_the_upright_image_too(picture: Pillow.Image) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    image = decode(encode(picture.resize((800, 600)), "JPEG", exif=exif), cover=100)
    assert image.pixels.shape == (200, 150, 3)


@pytest.mark.parametrize("part", [0.5, 0.9])
@pytest.mark.parametrize("kind", FORMATS)
def test_truncated_files_are_refused(picture: Pillow.Image, kind: str, part: float) -> None:
    needs(kind)
    noise = np.random.default_rng(2).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = encode(Pillow.fromarray(noise), kind)
    cut = data[: int(len(data) * part)]
    for reject in (decode, check, lambda data: decode(data, cover=8)):
        with pytest.raises(ImageError) as caught:
            reject(cut)
        assert caught.value.expected
        assert caught.value.got
        assert caught.value.hint


def test_truncated_progressive_jpegs_are_refused(picture: Pillow.Image) -> None:
    data = encode(picture.resize((300, 300)), "JPEG", progressive=True)
    for cut in (data[: len(data) // 2], data[:-20]):
        with pytest.raises(ImageError, match="truncated"):
            check(cut)
        with pytest.raises(ImageError, match="truncated"):
            decode(cut)


def test_a_jpeg_with_stray_bytes_before_its_end_is_decoded(picture: Pillow.Image) -> None:
    data = encode(picture, "JPEG")
    odd = data[:-2] + b"abc" + data[-2:] + b"trailing"
    assert np.array_equal(decode(odd).pixels, decode(data).pixels)
    assert check(odd).mode == "RGB"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"just text",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff" + b"1" * 500,
        b"\x89PNG\r\n\x1a\n" + b"0" * 100,
        b"GIF89a",
        b"RIFF1234WEBPVP8 ",
        b"RIFF\x40\0\0\0WEBPVP8L" + b"\0" * 50,
        b"II*\0\x08\0\0\0\0\0",
        b"BM" + b"\0" * 12 + b"\x28" + b"\0" * 60,
        b"\0\0\0\x20ftypavif" + b"\0" * 40,
        b"\0\0\0\x20ftypheic" + b"\0" * 40,
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    ],
)
def test_what_is_no_image_is_refused_with_four_parts(data: bytes) -> None:
    for reject in (probe, decode, check):
        with pytest.raises(ImageError) as caught:
            reject(data)
        error = caught.value
        assert error.what
        assert error.expected
        assert error.got
        assert error.hint


def test_corrupt_bytes_never_raise_anything_but_an_image_error(picture: Pillow.Image) -> None:
    rng = np.random.default_rng(3)
    for kind in FORMATS:
        if kind not in Pillow.SAVE:
            continue
        whole = encode(picture, kind)
        for _ in range(40):
            data = bytearray(whole)
            for at in rng.integers(0, len(data), 6):
                data[at] = rng.integers(0, 256)
            for attempt in (probe, decode, check):
                with suppress(ImageError):
                    attempt(bytes(data))


def test_bombs_are_refused_from_their_header(picture: Pillow.Image) -> None:
    def claim(width: int, height: int) -> bytes:
        data = bytearray(png16(np.zeros((1, 1, 3), np.uint16)))
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
        return bytes(data)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for data in (claim(100_000, 100_000), claim(2**31 - 1, 1)):
            for reject in (probe, decode, check):
                with pytest.raises(ImageError, match="too many pixels"):
                    reject(data)
        # Pillow itself would warn here; the limits are ours.
        with pytest.raises(ImageError, match="truncated"):
            decode(claim(10_000, 10_000))


@pytest.mark.parametrize("kind", FORMATS)
def test_limits_hold_for_each_format(picture: Pillow.Image, kind: str) -> None:
    needs(kind)
    data = encode(picture, kind)
    for reject in (probe, decode, check):
        with pytest.raises(ImageError, match="too many pixels"):
            reject(data, limits=Limits(pixels=HEIGHT * WIDTH - 1))
        with pytest.raises(ImageError, match="too large"):
            reject(data, limits=Limits(bytes=len(data) - 1))
    assert decode(data, limits=Limits(pixels=HEIGHT * WIDTH, bytes=len(data))).mode


@pytest.mark.parametrize("kind", FORMATS)
def test_pillows_own_bomb_warning_stays_in(picture: Pillow.Image, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    needs(kind)
    data = encode(picture, kind)
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", HEIGHT * WIDTH - 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(data).pixels.shape[:2] == (HEIGHT, WIDTH)
        assert probe(data).width == check(data).width == WIDTH


def test_paths_are_read_and_named_in_errors(tmp_path: Path, picture: Pillow.Image) -> None:
    path = tmp_path / "ein Bild 图.jpg"
    path.write_bytes(encode(picture, "JPEG"))
    assert decode(path).pixels.shape == decode(str(path)).pixels.shape == (HEIGHT, WIDTH, 3)
    assert read(path) == path.read_bytes()
    missing = tmp_path / "missing.jpg"
    for bad in (missing, tmp_path):
        with pytest.raises(ImageError, match=str(bad)):
            decode(bad)
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(ImageError, match=r"notes\.txt"):
        decode(tmp_path / "notes.txt")


def test_large_files_are_read_whole(tmp_path: Path) -> None:
    noise = np.random.default_rng(4).integers(0, 255, (500, 500, 3), dtype=np.uint8)
    path = tmp_path / "large.bmp"
    path.write_bytes(encode(Pillow.fromarray(noise), "BMP"))
    assert np.array_equal(decode(path).pixels, noise)
    with pytest.raises(ImageError, match="too large"):
        read(path, Limits(bytes=1000))


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes")
def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="regular"):
        read(tmp_path / "pipe.jpg")


def lets_others_run(work: Callable[[], object]) -> bool:
    """Say whether another thread got its turn while `work` ran, where it gets none unless the lock is given up."""
    order: list[str] = []
    started = threading.Event()

    def worker() -> None:
        started.set()
        work()
        order.append("worker")

    interval = sys.getswitchinterval()
    sys.setswitchinterval(100.0)
    try:
        thread = threading.Thread(target=worker)
        thread.start()
        started.wait()
        order.append("main")
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    return order == ["main", "worker"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_decoding_leaves_the_interpreter_to_other_threads(picture: Pillow.Image, kind: str) -> None:
    data = encode(picture.resize((1600, 1200)), kind)
    assert any(lets_others_run(lambda: decode(data)) for _ in range(20))
    assert not any(lets_others_run(lambda: sum(range(100_000))) for _ in range(5))


def test_heic_without_its_package_names_it() -> None:
    code = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from lucida.images import probe\n"
        "from lucida.errors import ImageError\n"
        "try: probe(b'\\0\\0\\0\\x20ftypheic' + bytes(40))\n"
        "except ImageError as error: print(error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install pillow-heif" in done.stdout
