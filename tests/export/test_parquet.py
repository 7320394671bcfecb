"""Parquet as `datasets` reads it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from lucida.export import export, parquet
from lucida.export.selection import Row
from lucida.images import content_id


def features(schema: Any) -> dict[str, Any]:
    return json.loads(schema.metadata[b"huggingface"])["info"]["features"]


def test_every_row_reads_back_as_it_is_in_the_catalog(labelled: Any) -> None:
    result = export(Path("out"), format="parquet")
    table = pq.read_table("out/train.parquet")
    names = features(table.schema)["label"]["names"]
    current = {c.image: c for c in labelled.catalog.annotations.current("kind")}
    assert [row["id"] for row in table.to_pylist()] == labelled.ids
    assert result.images == table.num_rows == 30
    for row in table.to_pylist():
        said = current[row["id"]]
        assert content_id(row["image"]["bytes"]) == row["id"]
        Image.open(io.BytesIO(row["image"]["bytes"])).verify()
        assert row["path"] == labelled.catalog.images.name(row["id"])
        assert row["image"]["path"] == Path(row["path"]).name
        assert (names[row["label"]], row["score"], row["state"], row["kept"]) == (
            said.label,
            said.score,
            said.state,
            said.kept,
        )


def test_the_features_are_those_of_a_published_data_set(labelled: Any, shared_data: Path) -> None:
    export(Path("out"), format="parquet")
    ours = pq.read_schema("out/train.parquet")
    theirs = pq.read_schema(shared_data / "clothing" / "train.parquet")
    for column in ("image", "label"):
        assert ours.field(column).type == theirs.field(column).type
        assert set(features(ours)[column]) == set(features(theirs)[column])
        assert features(ours)[column]["_type"] == features(theirs)[column]["_type"]
    assert set(features(ours)) == set(ours.names)


def test_datasets_reads_it(labelled: Any) -> None:
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    export(Path("out"), format="parquet")
    data = datasets.load_dataset("parquet", data_files={"train": "out/train.parquet"}, cache_dir="cache")["train"]
    assert data.features["label"].names == ["dress", "hat/cap", "裙子"]
    assert data[0]["image"].size == (96, 96)


def row(image: str, split: str = "") -> Row:
    return Row(image, f"p/{image}.jpg", "x", 0.5, "proposed", False, "run", False, file=f"{image}.jpg", split=split)


def test_large_splits_become_several_files_that_hold_each_row_once() -> None:
    rows = [row(f"{i:03d}", "train" if i % 5 else "test") for i in range(100)]
    files = parquet.shards(rows, 10, limit=300)
    assert list(files) == ["test.parquet", *(f"train-{i:05d}-of-00003.parquet" for i in range(3))]
    assert sorted(r.image for part in files.values() for r in part) == [r.image for r in rows]
    assert all(len(part) * 10 <= 300 for part in files.values())


def test_without_splits_all_is_train() -> None:
    assert list(parquet.shards([row("a")], 10**12)) == ["train.parquet"]
    assert parquet.shards([], 10) == {}


def test_rows_are_written_in_groups_of_bounded_size(labelled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 7)
    export(Path("a"), format="parquet")
    assert pq.read_metadata("a/train.parquet").num_row_groups == 5
    monkeypatch.setattr(parquet, "GROUP_BYTES", 1)
    export(Path("b"), format="parquet")
    assert pq.read_metadata("b/train.parquet").num_row_groups == 30
    assert pq.read_table("a/train.parquet").equals(pq.read_table("b/train.parquet"))


def test_an_exported_parquet_is_the_same_images_when_added(labelled: Any) -> None:
    from lucida.catalog import Catalog, add

    export(Path("out"), format="parquet")
    add([Path("out/train.parquet")], catalog=Path("second"))
    with Catalog.open("second") as second:
        assert set(second.images.ids()) == set(labelled.ids)
    assert add([Path("out/train.parquet")], catalog=labelled.home / "catalog").known == 30
