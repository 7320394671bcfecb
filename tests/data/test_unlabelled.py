"""Images without labels, or with labels for some: folders of any shape, Parquet, a catalog."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lucida.catalog import Catalog, add
from lucida.data.catalog import read_unlabelled
from lucida.data.unlabelled import read_images, read_some
from lucida.errors import InputError
from pictures import picture, write_pictures


def encoded(kind: str, seed: int) -> bytes:
    out = io.BytesIO()
    picture(kind, seed).save(out, "PNG")
    return out.getvalue()


def table(folder: Path, labels: list[str | None] | None) -> Path:
    images = [{"bytes": encoded("disc", seed), "path": f"{seed}.png"} for seed in range(3)]
    columns = {"image": pa.array(images)} | ({"label": pa.array(labels)} if labels else {})
    folder.mkdir()
    pq.write_table(pa.table(columns), folder / "train.parquet")
    return folder


def test_a_folder_of_images_is_read_however_deep_they_lie(tmp_path: Path):
    write_pictures(tmp_path / "all", 1)
    write_pictures(tmp_path / "all" / "deep" / "er", 1, first_seed=50)
    write_pictures(tmp_path / "all" / "ground_truth", 1, first_seed=90)
    found = read_images(tmp_path / "all")
    assert len(found) == 6
    assert {one.target for one in found} == {None}
    assert all(one.read() for one in found)


def test_folders_named_after_splits_are_splits(tmp_path: Path):
    write_pictures(tmp_path / "all" / "train", 1, by_class=True)
    write_pictures(tmp_path / "all" / "test", 1, first_seed=50, by_class=True)
    assert read_images(tmp_path / "all").splits == {"test": 3, "train": 3}


def test_labels_of_parquet_need_not_be_there(tmp_path: Path):
    found = read_images(table(tmp_path / "rows", None))
    assert [one.name for one in found] == ["train.parquet/0.png", "train.parquet/1.png", "train.parquet/2.png"]
    assert found[2].read() == encoded("disc", 2)
    assert found.splits == {"train": 3}


def test_nothing_there_is_said(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(InputError, match="no images"):
            read_images(place)
    (tmp_path / "words").mkdir()
    pq.write_table(pa.table({"text": ["a"]}), tmp_path / "words" / "train.parquet")
    with pytest.raises(InputError, match="no column of images"):
        read_images(tmp_path / "words")


def test_what_lies_beside_the_classes_has_no_label(tmp_path: Path):
    place = tmp_path / "some"
    write_pictures(place, 2, by_class=True)
    write_pictures(place / "unlabelled", 1, first_seed=50)
    write_pictures(place, 1, first_seed=90)
    found = read_some(place)
    assert Counter(one.target for one in found) == {"disc": 2, "square": 2, "stripes": 2, None: 6}
    assert found.classes == ("disc", "square", "stripes")
    assert found.notes == ()


def test_rows_without_a_label_have_none(tmp_path: Path):
    assert [one.target for one in read_some(table(tmp_path / "rows", ["cat", None, "dog"]))] == ["cat", None, "dog"]


def test_a_folder_without_classes_has_no_labels(tmp_path: Path):
    write_pictures(tmp_path / "flat", 1)
    assert {one.target for one in read_some(tmp_path / "flat")} == {None}


def test_all_images_of_a_catalog_are_read_though_nothing_was_asked(tmp_path: Path):
    write_pictures(tmp_path / "photos", 1)
    add([tmp_path / "photos"], catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as catalog:
        found = read_unlabelled(catalog)
    assert len(found) == 3
    assert all(one.target is None and one.read() for one in found)


def test_an_empty_catalog_has_nothing_to_learn_from(tmp_path: Path):
    with Catalog.open(tmp_path / "catalog", create=True) as catalog, pytest.raises(InputError, match="no images"):
        read_unlabelled(catalog)
