"""Images of every kind go in and come out as they are, only better."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from lucida.errors import ImageError, InputError, ModelError
from lucida.images import decode
from lucida.models import find
from lucida.restore import Restorer, Wish
from lucida.restore import restorer as module
from lucida.restore.colours import through
from lucida.restore.png import PngWriter

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture(scope="module")
def double(embedded: None) -> Restorer:
    """Return what makes images twice as large; its models are those of the first test that uses it."""
    return Restorer(Wish(upscale=2, precision="fp32"))


def saved(pixels: np.ndarray, kind: str = "PNG", mode: str | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(buffer, kind, **options)
    return buffer.getvalue()


def deep_png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    writer = PngWriter(file, pixels.shape[1], pixels.shape[0], pixels.shape[2], deep=True)
    writer.write(pixels)
    writer.close()
    return file.getvalue()


def by_hand(pixels: np.ndarray, name: str = "embedded-x2", noise: float | None = None) -> np.ndarray:
    """Return what a model makes of an image (height, width, channels) of integers, as floats on the same scale."""
    top = np.iinfo(pixels.dtype).max
    return through(find(name).load("fp32"), pixels.astype(np.float32) / top, noise) * top


def test_colours_grey_and_16_bits_stay(double: Restorer, photo: np.ndarray, tmp_path: Path) -> None:
    grey = photo[..., :1]
    deep = photo.astype(np.uint16) * 257 - 100
    files = {
        "RGB": (saved(photo), photo),
        "L": (saved(grey[..., 0]), grey),
        "RGB;16": (deep_png(deep), deep),
        "I;16": (deep_png(deep[..., :1]), deep[..., :1]),
    }
    for mode, (data, pixels) in files.items():
        for suffix in (".png", ".tif"):
            done = double.file(data, tmp_path / f"out{suffix}")
            found = decode(done.written)
            assert found.mode == mode
            assert (done.size, done.became) == ((70, 45), (140, 90))
            assert np.abs(found.stored() - by_hand(pixels)).max() <= 0.51


def test_transparency_is_enlarged_apart_and_hidden_colours_do_not_bleed(
    double: Restorer, photo: np.ndarray, tmp_path: Path
) -> None:
    alpha = np.zeros(photo.shape[:2], np.uint8)
    alpha[:, :35] = 255
    # Black under what is not seen, as most programs leave it.
    hidden = np.dstack([np.where(alpha[..., None] > 0, photo, 0).astype(np.uint8), alpha])
    found = decode(double.file(saved(hidden), tmp_path / "out.png").written)
    assert found.mode == "RGBA"
    assert np.abs(found.pixels[..., 3] - by_hand(alpha[..., None])[..., 0]).max() <= 0.51
    extended = np.concatenate([photo[:, :35], np.repeat(photo[:, 34:35], 35, axis=1)], axis=1)
    assert np.abs(found.pixels[:, :70, :3] - by_hand(extended)[:, :70]).max() <= 0.51
    flat = double.file(saved(hidden), tmp_path / "out.jpg")
    assert "Transparent parts became white, as JPEG holds none." in flat.notes
    assert decode(flat.written).pixels[:, -20:].min() > 245


def test_a_photo_comes_out_upright_with_its_tags_and_profile(
    double: Restorer, photo: np.ndarray, tmp_path: Path
) -> None:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = 6
    tags[ExifTags.Base.Model] = "A camera"
    inner = tags.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.ExifImageWidth] = 70
    tags[ExifTags.IFD.Exif] = inner
    data = saved(photo, "JPEG", quality=95, exif=tags.tobytes(), icc_profile=ICC, dpi=(72, 72))
    for name in ("out.jpg", "out.png", "out.webp", "out.tif"):
        done = double.file(data, tmp_path / name)
        assert done.became == (90, 140)
        with Image.open(done.written) as picture:
            assert picture.size == (90, 140)
            found = Image.Image.getexif(picture)
            assert found.get(ExifTags.Base.Orientation, 1) == 1
            assert found[ExifTags.Base.Model] == "A camera"
            assert found.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] == 90
            assert picture.info["icc_profile"] == ICC


def test_inks_become_colours_and_that_is_said(double: Restorer, photo: np.ndarray, tmp_path: Path) -> None:
    done = double.file(saved(photo, "JPEG", mode="CMYK", quality=95), tmp_path / "out.jpg")
    assert any(note.startswith("CMYK became RGB") for note in done.notes)
    found = decode(done.written)
    assert found.mode == "RGB"
    assert np.abs(found.pixels.astype(float) - by_hand(photo)).mean() < 4


def test_one_pixel_is_enough(double: Restorer, tmp_path: Path) -> None:
    done = double.file(saved(np.array([[[200, 10, 90]]], np.uint8)), tmp_path / "out.png")
    assert decode(done.written).pixels.shape == (2, 2, 3)
    both = Restorer(Wish(upscale=8, denoise=20.0))
    assert decode(both.file(saved(np.full((1, 1), 9, np.uint8)), tmp_path / "out.png").written).pixels.shape == (8, 8)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animations_keep_their_frames_durations_and_loop(
    kind: str, double: Restorer, photo: np.ndarray, tmp_path: Path
) -> None:
    frames = [Image.fromarray(np.roll(photo, 9 * k, axis=1)) for k in range(3)]
    buffer = io.BytesIO()
    options = {"save_all": True, "append_images": frames[1:], "duration": [100, 250, 400], "loop": 3}
    frames[0].save(buffer, kind, **options)
    steps: list[float] = []
    done = double.file(buffer.getvalue(), tmp_path / f"out.{kind.lower()}", steps.append)
    assert (done.frames, done.became) == (3, (140, 90))
    assert steps == sorted(steps)
    assert steps[-1] == pytest.approx(1)
    with Image.open(done.written) as found:
        assert (found.n_frames, found.info["loop"], found.size) == (3, 3, (140, 90))
        for number, duration in enumerate((100, 250, 400)):
            found.seek(number)
            found.load()
            assert found.info["duration"] == duration
            shown = np.asarray(found.convert("RGB"), float)
            wanted = by_hand(np.asarray(frames[number]))
            assert np.abs(shown - wanted).mean() < (1 if kind == "PNG" else 12)
    with pytest.raises(InputError, match="moves") as caught:
        double.file(buffer.getvalue(), tmp_path / "out.jpg")
    assert "out.webp" in caught.value.hint


def test_x3_and_several_stages_are_what_their_parts_make(photo: np.ndarray, tmp_path: Path) -> None:
    third = decode(Restorer(Wish(upscale=3, precision="fp32")).file(saved(photo), tmp_path / "out.png").written)
    four = by_hand(photo, "embedded-x4").clip(0, 255)
    planes = [
        np.asarray(Image.fromarray(np.ascontiguousarray(four[..., c])).resize((210, 135), Image.Resampling.BICUBIC))
        for c in range(3)
    ]
    assert np.abs(third.pixels - np.stack(planes, axis=2).clip(0, 255)).max() <= 1
    both = Restorer(Wish(upscale=2, denoise=15.0, precision="fp32"))
    done = both.file(saved(photo), tmp_path / "both.png")
    clean = by_hand(photo, "embedded-denoise", 15.0)
    wanted = by_hand(np.rint(clean * 257).astype(np.uint16)) / 257
    assert np.abs(decode(done.written).pixels - wanted).max() <= 0.6
    assert done.noise == 15.0


def test_noise_is_estimated_and_left_where_there_is_none(photo: np.ndarray, tmp_path: Path) -> None:
    restorer = Restorer(Wish(denoise="auto"))
    noisy = photo + np.random.default_rng(0).normal(0, 20, photo.shape)
    done = restorer.file(saved(noisy.clip(0, 255).astype(np.uint8)), tmp_path / "out.png")
    assert done.noise == pytest.approx(20, abs=6)
    flat = saved(np.full((40, 40, 3), 90, np.uint8))
    done = restorer.file(flat, tmp_path / "flat.png")
    assert done.noise is None
    assert "No noise to speak of" in done.notes[0]
    assert (decode(done.written).pixels == 90).all()


def test_where_memory_runs_out_tiles_become_smaller(
    photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    restorer = Restorer(Wish(upscale=2, precision="fp32"))
    large = np.tile(photo, (4, 4, 1))
    whole = decode(restorer.file(saved(large), tmp_path / "whole.png").written)
    model = next(iter(restorer._chain._models.values()))
    run, seen, rooms = type(model)._run, [], [10**9] * 8 + [40] * 1000

    def little(self: object, batch: np.ndarray, *more: object) -> np.ndarray:
        seen.append(max(batch.shape[2:]))
        # It breaks off in the middle of the image: rows that were written already stay.
        if seen[-1] > rooms[len(seen) - 1]:
            raise RuntimeError("std::bad_alloc")
        return run(self, batch, *more)

    monkeypatch.setattr(type(model), "_run", little)
    restorer._chain._sides[model.spec.name] = 64
    done = restorer.file(saved(large), tmp_path / "out.png")
    assert any("Memory ran out: embedded-x2 went on with tiles of 32 pixels" in note for note in done.notes)
    assert np.abs(decode(done.written).pixels.astype(int) - whole.pixels).max() <= 1
    rooms[:] = [0] * len(rooms)
    with pytest.raises(ModelError, match="no memory"):
        restorer.file(saved(large), tmp_path / "none.png")
    assert not list(tmp_path.glob("*none*")), "nothing half done is left"


def test_what_would_become_too_large_is_refused_with_the_numbers(
    double: Restorer, photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST", 12_599)
    with pytest.raises(ImageError, match="too large") as caught:
        double.file(saved(photo), tmp_path / "out.png")
    assert "140 x 90, 12,600 pixels" in caught.value.got
    # A header alone says 30,000 x 30,000: nothing of it is decoded.
    file = io.BytesIO()
    PngWriter(file, 30_000, 30_000, 3).close()
    with pytest.raises(ImageError, match="too many pixels") as caught:
        double.file(file.getvalue(), tmp_path / "out.png")
    assert caught.value.got == "30,000 x 30,000 pixels"


def test_what_stops_the_work_leaves_nothing_behind(double: Restorer, photo: np.ndarray, tmp_path: Path) -> None:
    def stop(share: float) -> None:
        raise KeyboardInterrupt

    (tmp_path / "out.png").write_bytes(b"what was there")
    with pytest.raises(KeyboardInterrupt):
        double.file(saved(photo), tmp_path / "out.png", stop)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"what was there"]


def test_a_format_that_is_not_written_is_refused(double: Restorer, photo: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not written") as caught:
        double.file(saved(photo), tmp_path / "out.psd")
    assert ".png" in caught.value.expected
    measured = io.BytesIO()
    Image.fromarray(np.ones((9, 9), np.float32)).save(measured, "TIFF")
    with pytest.raises(ImageError, match="measured values"):
        double.file(measured.getvalue(), tmp_path / "out.png")


def test_blocks_of_a_poor_jpeg_are_spoken_of(double: Restorer, photo: np.ndarray, tmp_path: Path) -> None:
    said = [double.file(saved(photo, "JPEG", quality=q), tmp_path / "out.png").notes for q in (40, 92)]
    assert "of about quality 39" in said[0][0]
    assert said[1] == ()
