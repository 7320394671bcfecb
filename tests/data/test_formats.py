"""Every format gives the same images and targets, and leaves out what cannot be used, saying so."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lucida.data import Boxes, Mask, read_data
from lucida.data.voc import parse_xml
from lucida.errors import ImageError, InputError
from lucida.images import decode
from pictures import picture, write_pictures

SIZE = (48, 48)
# Left, top, right, bottom of what the layouts below write; the last reaches outside, one more has no area.
WHOLE = [[4, 6, 20, 30], [30, 30, 48, 48]]


def save(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture("disc", seed).save(path)
    return path


def coco(root: Path) -> Path:
    save(root / "val2017" / "a.png")
    save(root / "val2017" / "b.png", 1)
    notes = [
        {"image_id": 1, "category_id": 7, "bbox": [4, 6, 16, 24], "area": 384, "segmentation": [[4, 6, 20, 6, 20, 30]]},
        {"image_id": 1, "category_id": 3, "bbox": [30, 30, 90, 90], "area": 900},
        {"image_id": 1, "category_id": 3, "bbox": [3, 3, 0, 5], "area": 0},
        {"image_id": 1, "category_id": 99, "bbox": [3, 3, 5, 5], "area": 25},
    ]
    images = [
        {"id": 1, "file_name": "a.png", "width": 48, "height": 48},
        {"id": 2, "file_name": "b.png", "width": 48, "height": 48},
        {"id": 3, "file_name": "gone.png", "width": 48, "height": 48},
        {"id": 4, "file_name": "../../outside.png", "width": 48, "height": 48},
    ]
    body = {"images": images, "annotations": notes, "categories": [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]}
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_val2017.json").write_text(json.dumps(body))
    (root / "annotations" / "captions_val2017.json").write_text(json.dumps({"images": [], "annotations": []}))
    save(root.parent / "outside.png")
    return root


def yolo(root: Path) -> Path:
    save(root / "val" / "images" / "a.png")
    save(root / "val" / "images" / "b.png", 1)
    (root / "val" / "images" / "broken.png").write_bytes(b"no image")
    (root / "val" / "labels").mkdir()
    lines = [
        "1 0.25 0.375 0.333333333 0.5",
        f"0 {30 / 48} {30 / 48} 2 {30 / 48} 2 2",
        "0 0.1 0.1 0 0.1",
        "9 0.5 0.5 0.1 0.1",
        "nonsense",
    ]
    (root / "val" / "labels" / "a.txt").write_text("\n".join(lines))
    (root / "data.yaml").write_text("path: /nowhere\nval: ../val/images\nnames: {0: cat, 1: dog}\n")
    return root


def voc(root: Path) -> Path:
    def thing(name: str, *box: float) -> str:
        sides = "".join(f"<{k}>{v}</{k}>" for k, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
        return f"<object><name>{name}</name><bndbox>{sides}</bndbox></object>"

    save(root / "JPEGImages" / "a.png")
    save(root / "JPEGImages" / "b.png", 1)
    (root / "Annotations").mkdir()
    size = "<size><width>48</width><height>48</height></size>"
    things = thing("dog", 5, 7, 20, 30) + thing("cat", 31, 31, 120, 120) + thing("cat", 9, 4, 8, 9)
    (root / "Annotations" / "a.xml").write_text(f"<annotation>{size}{things}</annotation>")
    (root / "Annotations" / "b.xml").write_text(f"<annotation>{size}</annotation>")
    (root / "Annotations" / "gone.xml").write_text(f"<annotation>{size}</annotation>")
    (root / "Annotations" / "broken.xml").write_text("<annotation>")
    (root / "ImageSets" / "Main").mkdir(parents=True)
    (root / "ImageSets" / "Main" / "val.txt").write_text("a\nb\n")
    return root


def parquet(root: Path, objects: object = None) -> Path:
    images = [save(root / name, seed).read_bytes() for seed, name in enumerate(("a.png", "b.png"))]
    things = {"bbox": [[4, 6, 16, 24], [30, 30, 90, 90], [3, 3, 0, 5], [1, 2, 3]], "category": [1, 0, 0, 0]}
    rows = [
        {"image": {"bytes": content, "path": name}, "objects": said}
        for content, name, said in zip(images, ("a.png", "b.png"), (objects or things, None), strict=True)
    ]
    features = {"objects": {"category": {"feature": {"_type": "ClassLabel", "names": ["cat", "dog"]}}}}
    table = pa.Table.from_pylist(rows).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    pq.write_table(table, root / "validation.parquet")
    return root / "validation.parquet"


@pytest.mark.parametrize("write", [coco, yolo, voc, parquet])
def test_boxes_are_the_same_from_every_format(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    (tmp_path / "data").mkdir()
    found = read_data(write(tmp_path / "data"), "detect")
    assert set(found.classes) == {"cat", "dog"}
    assert found.splits == {"validation": 2}
    first, second = found
    assert isinstance(first.target, Boxes)
    assert isinstance(second.target, Boxes)
    np.testing.assert_allclose(first.target.xyxy, WHOLE, atol=1e-4)
    assert first.target.labels == ("dog", "cat")
    assert second.target.xyxy.shape == (0, 4)
    assert decode(first.read()).pixels.shape == (48, 48, 3)
    said = " ".join(found.notes)
    assert "Boxes of zero size: 1 left out" in said
    assert "Boxes that reach outside their image: 1 clipped" in said


def test_what_was_left_out_is_counted(tmp_path: Path) -> None:
    for folder in ("coco", "yolo", "voc"):
        (tmp_path / folder / "data").mkdir(parents=True)
    notes = read_data(coco(tmp_path / "coco" / "data"), "detect").notes
    # A name that climbs out of the folder counts as missing, though the file is there.
    assert "Images whose file is missing: 2 left out (the first: gone.png)." in notes
    assert "Annotations of a class that is not named: 1 left out (the first: a.png)." in notes
    notes = read_data(yolo(tmp_path / "yolo" / "data"), "detect").notes
    assert any(note.startswith("Images that are missing or cannot be read: 1") for note in notes)
    assert any(note.startswith("Boxes of a class that is not named: 1") for note in notes)
    assert any(note.startswith("Lines that are no box or polygon: 1") for note in notes)
    notes = read_data(voc(tmp_path / "voc" / "data"), "detect").notes
    assert any(note.startswith("XML files that are broken: 1") for note in notes)
    notes = read_data(parquet(tmp_path / "parquet"), "detect").notes
    assert "Annotations that are no box of four numbers: 1 left out (the first: validation.parquet/a.png)." in notes


def test_boxes_without_as_many_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"validation\.parquet/a\.png .* not as many classes as boxes"):
        read_data(parquet(tmp_path, {"bbox": [[4, 6, 16, 24]], "category": [1, 0]}), "detect")


def test_boxes_of_an_image_that_cannot_be_read_stay(tmp_path: Path) -> None:
    """It is skipped and counted where images are read; what reads labels does not stop at it."""
    file = parquet(tmp_path)
    broken = [{"bytes": b"no image", "path": "a.png"}]
    things = [{"bbox": [[30, 30, 90, 90]], "category": [0]}]
    pq.write_table(pa.table({"image": broken, "objects": things}), file)
    (found,) = read_data(file, "detect")
    assert isinstance(found.target, Boxes)
    assert found.target.xyxy.tolist() == [[30, 30, 120, 120]]


def test_coco_gives_tags_and_masks(tmp_path: Path) -> None:
    root = coco(tmp_path)
    assert [sample.target for sample in read_data(root, "tag")] == [("dog", "cat"), ()]
    found = read_data(root, "segment")
    mask = found[0].target
    assert isinstance(mask, Mask)
    assert found.classes == ("background", "cat", "dog") or found.classes == ("background", "dog", "cat")
    pixels = decode(mask.read()).pixels
    dog = next(value for value, name in mask.values.items() if name == "dog")
    assert set(np.unique(pixels)) == {0, dog}
    assert pixels[8, 16] == dog
    assert pixels[28, 6] == 0


def test_a_broken_segmentation_is_an_error_of_its_image(tmp_path: Path) -> None:
    root = coco(tmp_path)
    file = root / "annotations" / "instances_val2017.json"
    body = json.loads(file.read_text())
    body["annotations"][0]["segmentation"] = {"counts": [1, 2, 3], "size": [48, 48]}
    file.write_text(json.dumps(body))
    mask = read_data(root, "segment")[0].target
    assert isinstance(mask, Mask)
    with pytest.raises(ImageError, match="run lengths"):
        mask.read()


def test_json_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    (tmp_path / "instances.json").write_text('{"images": [], "annotations": [')
    with pytest.raises(InputError, match="no COCO file"):
        read_data(tmp_path, "detect")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_xml_with_entities_is_refused_before_they_grow(tmp_path: Path, encoding: str) -> None:
    bomb = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE a [<!ENTITY b "ha">]><annotation>&b;</annotation>'
    (tmp_path / "a.xml").write_bytes(bomb.encode(encoding))
    with pytest.raises(InputError, match="document type"):
        parse_xml(tmp_path / "a.xml")


def test_voc_masks_are_read_by_their_palette(tmp_path: Path) -> None:
    save(tmp_path / "VOC2012" / "JPEGImages" / "a.jpg")
    (tmp_path / "VOC2012" / "SegmentationClass").mkdir()
    indices = np.zeros((48, 48), np.uint8)
    indices[10:20], indices[30] = 8, 255
    drawn = Image.fromarray(indices).convert("P")
    drawn.putdata(indices.ravel().tolist())
    drawn.save(tmp_path / "VOC2012" / "SegmentationClass" / "a.png")
    mask = read_data(tmp_path, "segment")[0].target
    assert isinstance(mask, Mask)
    assert mask.values[8] == "cat"
    assert mask.ignore == 255
    assert np.array_equal(decode(mask.read()).pixels, indices)


@pytest.mark.parametrize("task", ["classify", "anomaly"])
def test_a_folder_a_class(tmp_path: Path, task: str) -> None:
    write_pictures(tmp_path, 2, by_class=True)
    save(tmp_path / "stray.png")
    (tmp_path / "empty").mkdir()
    found = read_data(tmp_path, task)  # type: ignore[arg-type]
    assert found.classes == ("disc", "square", "stripes")
    assert len(found) == 6
    assert found.splits == {"": 6}
    assert found.notes == ("Images that lie in no folder of a class: 1 left out (the first: stray.png).",)


def test_a_folder_a_split_and_class(tmp_path: Path) -> None:
    write_pictures(tmp_path / "train", 2, by_class=True)
    write_pictures(tmp_path / "val", 1, by_class=True)
    found = read_data(tmp_path, "classify")
    assert found.splits == {"train": 6, "validation": 3}
    assert found[0].name.startswith("train/disc/")


def test_the_layout_of_mvtec(tmp_path: Path) -> None:
    save(tmp_path / "train" / "good" / "000.png")
    save(tmp_path / "test" / "good" / "000.png", 1)
    save(tmp_path / "test" / "crack" / "000.png", 2)
    save(tmp_path / "test" / "hole" / "000.png", 3)
    (tmp_path / "ground_truth" / "crack").mkdir(parents=True)
    drawn = np.zeros((48, 48), np.uint8)
    drawn[4:9, 4:9] = 255
    Image.fromarray(drawn).save(tmp_path / "ground_truth" / "crack" / "000_mask.png")
    odd = read_data(tmp_path, "anomaly")
    assert odd.splits == {"train": 1, "test": 3}
    assert sorted(str(sample.target) for sample in odd) == ["crack", "good", "good", "hole"]
    masks = read_data(tmp_path, "segment")
    assert masks.classes == ("background", "crack")
    assert masks.notes == ("Images without a mask: 1 left out (the first: test/hole/000.png).",)
    for sample in masks:
        assert isinstance(sample.target, Mask)
        pixels = decode(sample.target.read()).pixels
        assert {sample.target.values[v] for v in np.unique(pixels)} <= {"background", "crack"}
        assert pixels.shape == (48, 48)


def test_folders_of_images_and_masks(tmp_path: Path) -> None:
    values = np.arange(48 * 48, dtype=np.uint8).reshape(48, 48) % 3
    for i, split in enumerate(("train", "val")):
        save(tmp_path / "images" / split / f"{i}.jpg", i)
        (tmp_path / "masks" / split).mkdir(parents=True)
        # Grey saved in colour is grey all the same.
        Image.fromarray(np.repeat(values[..., None], 3, axis=2)).save(tmp_path / "masks" / split / f"{i}.png")
    save(tmp_path / "images" / "val" / "alone.jpg", 9)
    found = read_data(tmp_path, "segment")
    assert found.splits == {"train": 1, "validation": 1}
    assert found.classes == ("background", "1", "2")
    assert found.notes[0].startswith("Images without a mask: 1 left out")
    mask = found[0].target
    assert isinstance(mask, Mask)
    assert np.array_equal(decode(mask.read()).pixels, values)
    (tmp_path / "classes.txt").write_text("none\ncrack\nhole\n")
    assert read_data(tmp_path, "segment").classes == ("none", "crack", "hole")


def test_a_mask_in_colours_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "images" / "a.png")
    save(tmp_path / "masks" / "a.png", 5)
    mask = read_data(tmp_path, "segment")[0].target
    assert isinstance(mask, Mask)
    with pytest.raises(ImageError, match="in colours"):
        mask.read()


def test_the_shades_of_a_jpeg_mask_become_two_values(tmp_path: Path) -> None:
    save(tmp_path / "images" / "a.png")
    drawn = np.zeros((48, 48), np.uint8)
    drawn[10:30, 11:31] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(drawn).save(tmp_path / "masks" / "a_mask.jpg", quality=60)
    found = read_data(tmp_path, "segment")
    mask = found[0].target
    assert isinstance(mask, Mask)
    assert found.classes == ("background", "foreground")
    assert np.mean(decode(mask.read()).pixels == drawn) > 0.98


def test_a_place_of_nothing_names_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_data(tmp_path, "detect")
    assert "YOLO" in caught.value.expected
    assert "COCO" in caught.value.expected
    with pytest.raises(InputError, match="no labelled images"):
        read_data(tmp_path / "missing", "classify")


def test_a_file_that_vanishes_is_an_image_error(tmp_path: Path) -> None:
    write_pictures(tmp_path, 1, by_class=True)
    sample = read_data(tmp_path, "classify")[0]
    (tmp_path / sample.name).unlink()
    with pytest.raises(ImageError):
        sample.read()


def test_reading_an_encoded_mask_gives_a_png(tmp_path: Path) -> None:
    save(tmp_path / "test" / "good" / "a.png")
    (tmp_path / "ground_truth").mkdir()
    mask = read_data(tmp_path, "segment")[0].target
    assert isinstance(mask, Mask)
    assert Image.open(io.BytesIO(mask.read())).getextrema() == (0, 0)
