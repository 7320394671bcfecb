"""DICOM and deep TIFF keep their values, channels and spacing; what could do harm is refused before it is unpacked."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from lucida.catalog import add
from lucida.errors import ImageError
from lucida.images import Limits, check, decode, probe
from lucida.images.pixels import Image, Spacing

RAMP = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32)


def dicom(pixels: np.ndarray, **changed: Any) -> bytes:
    """Write a DICOM file of one frame, or of several along the first axis of three."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.file_meta.TransferSyntaxUID = changed.pop("syntax", ExplicitVRLittleEndian)
    frames = pixels.ndim == 3 and changed.get("SamplesPerPixel", 1) == 1
    rows, columns = pixels.shape[1:] if frames else pixels.shape[:2]
    if frames:
        dataset.NumberOfFrames = len(pixels)
    bits = pixels.dtype.itemsize * 8
    values = {
        "Rows": rows, "Columns": columns, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1,
        "PixelRepresentation": int(pixels.dtype.kind == "i"), "PixelData": pixels.tobytes(), **changed,
    }  # fmt: skip
    for name, value in values.items():
        setattr(dataset, name, value)
    out = io.BytesIO()
    pydicom.dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def tiff(pixels: np.ndarray, **options: Any) -> bytes:
    tifffile = pytest.importorskip("tifffile")
    out = io.BytesIO()
    tifffile.imwrite(out, pixels, **options)
    return out.getvalue()


GEO_OF_METRES = [(33550, "d", 3, (10.0, 20.0, 0.0)), (34735, "H", 8, (1, 1, 0, 1, 1024, 0, 1, 1))]
GEO_OF_DEGREES = [(33550, "d", 3, (0.25, 0.5, 0.0)), (34735, "H", 8, (1, 1, 0, 1, 1024, 0, 1, 2))]


@pytest.mark.torch  # pydicom and tifffile are installed beside PyTorch
class TestDicom:
    def test_values_are_those_that_were_measured(self) -> None:
        data = dicom(RAMP, RescaleSlope=2, RescaleIntercept=-1024, PixelSpacing=[0.5, 0.25])
        assert probe(data).format == "DICOM"
        assert (probe(data).width, probe(data).height, probe(data).mode) == (32, 24, "I")
        image = decode(data)
        assert image.pixels.dtype == np.int32
        assert np.array_equal(image.pixels, RAMP.astype(np.int32) * 2 - 1024)
        assert image.spacing == Spacing(0.5, 0.25, "mm")
        assert check(data).mode == "I"

    @pytest.mark.parametrize(
        ("stored", "mode"),
        [(np.uint8, "L"), (np.uint16, "I;16"), (np.int16, "I")],
    )
    def test_types_are_kept(self, stored: type, mode: str) -> None:
        pixels = (RAMP % 100).astype(stored)
        image = decode(dicom(pixels))
        assert image.mode == mode
        assert np.array_equal(image.pixels, pixels)
        assert decode(dicom(pixels, RescaleSlope="0.5")).pixels.dtype == np.float32

    def test_the_window_says_what_is_black_and_white(self) -> None:
        shown = decode(dicom(RAMP, WindowCenter=[300, 9], WindowWidth=[201, 9])).rgb8()
        assert shown.shape == (24, 32, 3)
        assert (shown[RAMP <= 199] == 0).all()
        assert (shown[RAMP >= 400] == 255).all()
        assert abs(int(shown[RAMP == 300][0, 0]) - 128) <= 1
        without = decode(dicom(RAMP)).rgb8()
        assert without.min() == 0
        assert without.max() == 255

    @pytest.mark.parametrize("stored", [np.uint8, np.uint16])
    def test_monochrome_1_is_turned_around(self, stored: type) -> None:
        pixels = (RAMP % 200 + 50).astype(stored)
        plain = decode(dicom(pixels, WindowCenter=120, WindowWidth=101)).rgb8()
        turned = decode(dicom(pixels, WindowCenter=120, WindowWidth=101, PhotometricInterpretation="MONOCHROME1"))
        assert np.abs(plain.astype(int) + turned.rgb8() - 255).max() <= 1
        assert turned.pixels.dtype == stored

    def test_the_first_of_several_frames_counts(self) -> None:
        image = decode(dicom(np.stack([RAMP, RAMP + 7, RAMP + 9])))
        assert np.array_equal(image.pixels, RAMP)

    def test_colours(self) -> None:
        colours = np.random.default_rng(0).integers(0, 255, (24, 32, 3)).astype(np.uint8)
        image = decode(dicom(colours, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0))
        assert image.mode == "RGB"
        assert np.array_equal(image.pixels, colours)

    def test_limits_hold_before_pixels_are_read(self) -> None:
        with pytest.raises(ImageError, match="too many pixels"):
            decode(dicom(RAMP), limits=Limits(pixels=100))
        with pytest.raises(ImageError, match="too many pixels"):
            probe(dicom(RAMP, Rows=60000, Columns=60000))

    def test_what_is_truncated_or_no_image_is_refused(self) -> None:
        data = dicom(RAMP)
        with pytest.raises(ImageError):
            decode(data[: len(data) - 200])
        with pytest.raises(ImageError):
            decode(data[:140])
        with pytest.raises(ImageError, match="holds no image"):
            decode(dicom(RAMP, Rows=0))

    def test_a_deflated_file_is_not_opened(self) -> None:
        pytest.importorskip("pydicom")
        from pydicom.uid import DeflatedExplicitVRLittleEndian

        with pytest.raises(ImageError, match="Deflated"):
            probe(dicom(RAMP, syntax=DeflatedExplicitVRLittleEndian))

    def test_a_compression_nobody_decodes_names_what_to_install(self) -> None:
        pytest.importorskip("pydicom")
        from pydicom.encaps import encapsulate
        from pydicom.uid import HTJ2KLossless

        data = dicom(RAMP, syntax=HTJ2KLossless, PixelData=encapsulate([b"\0" * 64]))
        with pytest.raises(ImageError, match="pip install pylibjpeg"):
            decode(data)


@pytest.mark.torch
class TestTiff:
    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
    @pytest.mark.parametrize("planar", ["contig", "separate"])
    def test_many_channels_are_kept(self, dtype: type, planar: str) -> None:
        pixels = np.random.default_rng(0).integers(0, 200, (20, 30, 6)).astype(dtype)
        stored = np.moveaxis(pixels, -1, 0) if planar == "separate" else pixels
        data = tiff(stored, photometric="minisblack", planarconfig=planar, extratags=GEO_OF_METRES)
        assert probe(data).mode == "MULTI"
        image = decode(data)
        assert image.pixels.dtype == dtype
        assert np.array_equal(image.pixels, pixels)
        assert image.spacing == Spacing(20.0, 10.0, "m")
        assert image.rgb8().shape == (20, 30, 3)

    def test_a_fourth_channel_that_is_no_transparency_stays(self) -> None:
        pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 4)).astype(np.uint8)
        image = decode(tiff(pixels, photometric="rgb", extrasamples=["unspecified"]))
        assert image.mode == "MULTI"
        assert np.array_equal(image.pixels, pixels)
        assert np.array_equal(image.rgb8(), pixels[..., :3])

    @pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
    def test_two_channels_stay_two(self, dtype: type) -> None:
        pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 2)).astype(dtype)
        data = tiff(pixels, photometric="minisblack", planarconfig="contig")
        assert np.array_equal(decode(data).pixels, pixels)
        assert (probe(data).channels, probe(data).bits) == (2, 8 * pixels.dtype.itemsize)

    def test_a_header_says_how_far_apart_pixels_lie(self) -> None:
        assert probe(tiff(RAMP, extratags=GEO_OF_METRES)).spacing == Spacing(20.0, 10.0, "m")
        assert probe(tiff(np.ones((8, 8, 6)), photometric="minisblack", extratags=GEO_OF_DEGREES)).spacing == Spacing(
            0.5, 0.25, "degree"
        )
        assert probe(dicom(RAMP, PixelSpacing=[0.5, 0.25])).spacing == Spacing(0.5, 0.25, "mm")
        assert probe(tiff(RAMP)).spacing is None

    @pytest.mark.parametrize("dtype", [np.int16, np.float64, np.uint32])
    def test_heights_are_kept_and_shown(self, dtype: type) -> None:
        pixels = (RAMP.astype(np.float64) - (100 if dtype == np.int16 else 0)).astype(dtype)
        image = decode(tiff(pixels, extratags=GEO_OF_DEGREES))
        assert image.pixels.ndim == 2
        assert np.array_equal(image.pixels.astype(np.float64), pixels.astype(np.float64))
        assert image.spacing == Spacing(0.5, 0.25, "degree")
        assert (image.rgb8().min(), image.rgb8().max()) == (0, 255)

    def test_the_first_page_of_several_counts(self) -> None:
        image = decode(tiff(np.stack([RAMP, RAMP + 1000]), photometric="minisblack"))
        assert image.mode == "I;16"
        assert np.array_equal(image.pixels, RAMP)

    def test_deflated_tiles_are_read_and_bombs_are_not(self) -> None:
        pixels = np.random.default_rng(0).integers(0, 2000, (64, 64, 5)).astype(np.uint16)
        data = tiff(pixels, photometric="minisblack", planarconfig="contig", compression="zlib", tile=(32, 32))
        assert np.array_equal(decode(data).pixels, pixels)
        small = tiff(
            np.zeros((64, 64, 5), np.uint16), photometric="minisblack", planarconfig="contig", compression="zlib"
        )
        packed = zlib.compress(bytes(64 * 64 * 5 * 2))
        start = small.index(packed[:20])
        bomb = zlib.compress(bytes(20_000_000), 9)
        # The strip now ends far behind the header: the count of its bytes is made to fit.
        import tifffile

        with tifffile.TiffFile(io.BytesIO(small)) as opened:
            count = opened.pages[0].tags["StripByteCounts"]
            where, size = count.valueoffset, count.dtype.value
        changed = bytearray(small[:start] + bomb + small[start + len(packed) :])
        assert where < start
        changed[where : where + {3: 2, 4: 4}[size]] = len(bomb).to_bytes({3: 2, 4: 4}[size], "little")
        with pytest.raises(ImageError, match="more than its header says"):
            decode(bytes(changed))

    def test_limits_count_every_channel(self) -> None:
        data = tiff(np.zeros((40, 40, 60), np.float32), photometric="minisblack", planarconfig="contig")
        assert decode(data).pixels.shape == (40, 40, 60)
        with pytest.raises(ImageError, match="too many pixels"):
            decode(data, limits=Limits(pixels=2000))

    def test_what_is_truncated_is_refused(self) -> None:
        data = tiff(np.ones((40, 40, 6), np.uint16), photometric="minisblack", planarconfig="contig")
        for end in (200, len(data) // 2):
            with pytest.raises(ImageError):
                decode(data[:end])

    def test_they_can_be_added(self, tmp_path: Path) -> None:
        (tmp_path / "scans").mkdir()
        (tmp_path / "scans" / "slice").write_bytes(dicom(RAMP))
        many = tiff(np.ones((20, 20, 6), np.uint16), photometric="minisblack", planarconfig="contig")
        (tmp_path / "scans" / "field.tif").write_bytes(many)
        result = add([tmp_path / "scans"], catalog=tmp_path / "catalog")
        assert (result.added, result.refused) == (2, [])


@pytest.mark.torch
def test_damaged_files_are_refused_as_images_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    many = tiff(np.ones((20, 30, 6), np.uint16), photometric="minisblack", planarconfig="contig", compression="zlib")
    scan = dicom(RAMP, RescaleSlope=2, PixelSpacing=[0.5, 0.25], WindowCenter=3, WindowWidth=5)
    refused = 0
    for number in range(400):
        data = bytearray((many, scan)[number % 2])
        for at in rng.integers(0, min(len(data), 900), 6).tolist():
            data[at] = int(rng.integers(256))
        for read in (probe, lambda d, limits: decode(d, limits=limits).rgb8()):
            try:
                read(bytes(data), limits=Limits(pixels=1_000_000))
            except ImageError:
                refused += 1
    assert refused > 50


def raw_tiff(samples: int) -> bytes:
    """Write a TIFF of many channels by hand: classic, little endian, one strip."""
    width = height = 4
    entries = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, 1, 200), (277, 3, 1, samples), (278, 3, 1, height), (279, 4, 1, width * height * samples),
    ]  # fmt: skip
    body = b"".join(
        tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + n.to_bytes(4, "little") + value.to_bytes(4, "little")
        for tag, kind, n, value in entries
    )
    head = b"II*\0" + (8).to_bytes(4, "little") + len(entries).to_bytes(2, "little") + body + bytes(4)
    return head.ljust(200, b"\0") + bytes(width * height * samples)


def test_without_the_extras_the_refusal_names_the_command(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("lucida.images.dicom.find_spec", lambda name: None)
    monkeypatch.setattr("lucida.images.geo.find_spec", lambda name: None)
    (tmp_path / "slice.dcm").write_bytes(bytes(128) + b"DICM" + bytes(200))
    (tmp_path / "field.tif").write_bytes(raw_tiff(6))
    Pillow.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    result = add([tmp_path], catalog=tmp_path / "catalog")
    reasons = {Path(one.path).name: one.reason for one in result.refused}
    assert "camera-lucida[medical]" in reasons["slice.dcm"]
    assert "camera-lucida[geo]" in reasons["field.tif"]
    assert result.added == 1


def test_a_map_that_pillow_reads_keeps_its_spacing_without_extras() -> None:
    out = io.BytesIO()
    Pillow.new("RGB", (8, 6), "red").save(out, "TIFF", tiffinfo={33550: (10.0, 20.0, 0.0)})
    image = decode(out.getvalue())
    assert image.mode == "RGB"
    assert image.spacing == Spacing(20.0, 10.0, "m")


def test_many_channels_are_shown_by_their_first_three() -> None:
    deep = np.zeros((10, 10, 5), np.uint16)
    deep[..., 0] = np.arange(100).reshape(10, 10) * 30
    shown = Image(deep, "MULTI").rgb8()
    assert (shown[..., 0].min(), shown[..., 0].max()) == (0, 255)
    assert shown.shape == (10, 10, 3)
    two = Image(np.full((4, 4, 2), 9, np.uint8), "MULTI").rgb8()
    assert (two == 9).all()
