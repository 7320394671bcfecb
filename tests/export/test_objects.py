"""Boxes and masks as COCO, YOLO and VOC: what is read back is what stands, and the certificate lies beside it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lucida.catalog import Annotation, Catalog, add
from lucida.data.coco import CocoFormat
from lucida.data.sample import Boxes
from lucida.data.voc import VocFormat
from lucida.data.yolo import YoloFormat
from lucida.errors import InputError
from lucida.export.verb import export
from lucida.results import run_lengths
from lucida.review import ObjectReview, ObjectTerms, verify
from pictures import scene

READERS = {"coco": CocoFormat, "yolo": YoloFormat, "voc": VocFormat}


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Forty photos of 60 by 60 with up to three boxes each; two share the stem of their names."""
    (tmp_path / "photos").mkdir()
    for i in range(40):
        name = f"été {i:02d}.png" if i else "été 01.jpg"
        scene(i, 60).save(tmp_path / "photos" / name)
    add([tmp_path / "photos"], catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as opened:
        detect(opened)
        yield opened


def detect(catalog: Catalog, *, masks: bool = False) -> None:
    task = "segment" if masks else "detect"
    run = catalog.runs.start("label", question="things", model="m", parameters={"task": task})
    for i, image in enumerate(catalog.images.ids()):
        rows = [Annotation(image, "things", run.id, detail={"count": i % 4})]
        for item in range(1, i % 4 + 1):
            detail: dict[str, Any] = {"box": [4.5 * item, 6, 4.5 * item + 20, 30]}
            if masks:
                pixels = np.zeros((60, 60), bool)
                pixels[6:30, 4 * item : 4 * item + 20] = True
                detail["mask"] = run_lengths.encode(pixels)
            name = "a <b> & 细胞" if item == 2 else "cell"
            rows.append(Annotation(image, "things", run.id, item=item, label=name, score=0.9, detail=detail))
        catalog.annotations.append(rows)
    catalog.runs.finish(run.id)


def reviewed(catalog: Catalog) -> ObjectReview:
    """Review it: third boxes are wrong, one class is corrected, and the image without boxes has one."""
    review = ObjectReview.open(catalog, terms=ObjectTerms(max_error=0.4, max_missed=0.2), seed=2, reviewer="anna")
    while (card := review.next()) is not None:
        if card.unit is not None:
            review.answer(card.id, "wrong" if card.unit.item == 3 else "right")
        else:
            review.look(card.image, [] if card.others else [("cell", (1, 2, 11, 12))])
    return review


def boxes_in(catalog: Catalog, states: tuple[str, ...]) -> dict[str, list[tuple[str, tuple[float, ...]]]]:
    found: dict[str, list[tuple[str, tuple[float, ...]]]] = {}
    for one in catalog.annotations.current_objects("things"):
        if one.state in states:
            found.setdefault(one.image, []).append((one.label, tuple(one.detail["box"])))
    return found


@pytest.mark.parametrize("form", ["coco", "yolo", "voc"])
def test_what_is_written_is_read_back(catalog: Catalog, tmp_path: Path, form: Any) -> None:
    result = export(tmp_path / "out", format=form, catalog=tmp_path / "catalog")
    assert result.images == 40
    assert result.objects == 60
    samples = READERS[form]().read(tmp_path / "out", "detect")
    known = boxes_in(catalog, ("proposed",))
    ids = {catalog.images.read(image): image for image in catalog.images.ids()}
    seen = 0
    for sample in samples.items:
        assert isinstance(sample.target, Boxes)
        expected = known.get(ids[sample.read()], [])
        seen += len(expected)
        assert list(sample.target.labels) == [label for label, _ in expected]
        assert sample.target.xyxy == pytest.approx(np.array([box for _, box in expected]).reshape(-1, 4), abs=0.02)
    assert seen == 60
    assert result.certificate == "none"


@pytest.mark.parametrize("form", ["coco", "yolo", "voc"])
def test_splits_are_read_back_and_hold_every_image_once(catalog: Catalog, tmp_path: Path, form: Any) -> None:
    shares = "train=0.6,validation=0.2,test=0.2"
    result = export(tmp_path / "out", format=form, splits=shares, catalog=tmp_path / "catalog")
    assert sum(result.splits.values()) == 40
    assert result.splits == pytest.approx({"train": 24, "validation": 8, "test": 8}, abs=3)
    samples = READERS[form]().read(tmp_path / "out", "detect").items
    assert Counter(sample.split for sample in samples) == result.splits
    assert sum(len(sample.target.labels) for sample in samples) == 60  # type: ignore[union-attr]
    for split in result.splits:  # the rare class is spread over all of them
        assert any("a <b> & 细胞" in sample.target.labels for sample in samples if sample.split == split)  # type: ignore[union-attr]
    if form == "yolo":
        text = (tmp_path / "out" / "data.yaml").read_text()
        assert "train: images/train\nval: images/validation\ntest: images/test\n" in text
    again = export(tmp_path / "out", format=form, catalog=tmp_path / "catalog")  # without, the same folder again
    assert again.splits == {}
    assert len(READERS[form]().read(tmp_path / "out", "detect").items) == 40


def test_boxes_that_stick_out_are_clipped(catalog: Catalog, tmp_path: Path) -> None:
    run = catalog.runs.start("label", question="things", model="m", parameters={"task": "detect"})
    image, other = catalog.images.ids()[:2]
    rows = [Annotation(one, "things", run.id, detail={"count": 2}) for one in (image, other)]
    for item, box in enumerate(([-3.5, 20, 30, 70], [61, 2, 75, 9]), 1):
        rows.append(Annotation(image, "things", run.id, item=item, label="cell", score=0.9, detail={"box": box}))
    catalog.annotations.append(rows)
    result = export(tmp_path / "out", catalog=tmp_path / "catalog")
    body = json.loads((tmp_path / "out" / "instances.json").read_text())
    boxes = [note["bbox"] for note in body["annotations"] if note["image_id"] == 1]
    assert boxes == [[0, 20, 30, 40]]
    assert any("1 objects lie outside" in note for note in result.notes)


def test_a_certified_export_holds_what_stands_and_its_certificate(catalog: Catalog, tmp_path: Path) -> None:
    reviewed(catalog)
    result = export(tmp_path / "out", catalog=tmp_path / "catalog")
    assert (result.format, result.include, result.certificate) == ("coco", "accepted", "valid")
    assert verify(tmp_path / "out" / "certificate.json").ok
    body = json.loads((tmp_path / "out" / "instances.json").read_text())
    assert body["info"]["claim"] == result.claim
    notes = body["annotations"]
    assert {note["state"] for note in notes} <= {"reviewed", "accepted"}
    assert any("score" not in note for note in notes)  # added by a person
    assert sum(note["kept"] for note in notes) <= result.kept
    standing = boxes_in(catalog, ("reviewed", "accepted"))
    assert len(notes) == sum(map(len, standing.values()))
    text = (tmp_path / "out" / "datasheet.md").read_text()
    assert result.claim in text
    assert "added by people" in str(text)
    # The same command again changes nothing; another run voids the certificate.
    assert export(tmp_path / "out", catalog=tmp_path / "catalog").objects == result.objects
    detect(catalog, masks=True)
    void = export(tmp_path / "out", catalog=tmp_path / "catalog")
    assert void.certificate == "void"
    assert not (tmp_path / "out" / "certificate.json").exists()


def test_masks_are_written_as_run_lengths(catalog: Catalog, tmp_path: Path) -> None:
    detect(catalog, masks=True)
    export(tmp_path / "out", catalog=tmp_path / "catalog")
    note = json.loads((tmp_path / "out" / "instances.json").read_text())["annotations"][0]
    assert run_lengths.decode(note["segmentation"]).sum() == note["area"] == 480


def test_texts_are_written_as_a_table(catalog: Catalog, tmp_path: Path) -> None:
    run = catalog.runs.start("label", question="words", model="m", parameters={"task": "caption"})
    ids = catalog.images.ids()
    catalog.annotations.append(Annotation(i, "words", run.id, label=f"text {i[:4]}", score=0.5) for i in ids)
    catalog.runs.finish(run.id)
    result = export(tmp_path / "out", catalog=tmp_path / "catalog")
    assert (result.format, result.labelled) == ("csv", 40)


def test_what_cannot_be_written_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    place = {"catalog": tmp_path / "catalog"}
    with pytest.raises(InputError, match="within images"):
        export(tmp_path / "out", format="imagefolder", **place)
    with pytest.raises(InputError, match="cannot be read"):
        export(tmp_path / "out", splits="train=0.8,test=0.9", **place)
    with pytest.raises(InputError, match="No object"):
        export(tmp_path / "out", include="kept", **place)
    assert not (tmp_path / "out").exists()
    run = catalog.runs.start("label", question="kind", model="m")
    catalog.annotations.append([Annotation(catalog.images.ids()[0], "kind", run.id, label="a", score=0.5)])
    with pytest.raises(InputError, match="not about objects"):
        export(tmp_path / "out", format="coco", question="kind", **place)
