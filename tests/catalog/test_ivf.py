"""The index: what it finds, how it grows, and that nothing harms it for good."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lucida.catalog import Catalog, ImageRecord, ivf, large
from lucida.catalog import vectors as module
from lucida.catalog.sources.found import Found

KEY = "m@1"


def draw(n: int, seed: int = 0, *, centres: int = 40, d: int = 32) -> np.ndarray:
    """Return unit vectors around random centres."""
    random = np.random.default_rng(seed)
    middle = np.random.default_rng(99).normal(size=(centres, d))
    rows = middle[random.integers(centres, size=n)] + 0.7 * random.normal(size=(n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def blocks(rows: np.ndarray, first: int = 0, size: int = 700):
    """Return a function that yields the rows block by block, numbered from `first`."""

    def give() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            yield np.arange(first + start, first + start + len(part)), part

    return give


def recall(index: ivf.Index, rows: np.ndarray, queries: np.ndarray, k: int = 10) -> float:
    found = 0
    for query in queries:
        images, scores = index.search(query, k)
        assert np.allclose(scores, rows[images] @ query, atol=5e-5)
        found += len(set(images.tolist()) & set(np.argsort(-(rows @ query))[:k].tolist()))
    return found / (k * len(queries))


def test_nearly_all_true_neighbours_are_found(tmp_path: Path) -> None:
    rows, queries = draw(6000), draw(30, seed=5)
    ivf.build(tmp_path / "i", len(rows), blocks(rows))
    index = ivf.open_index(tmp_path / "i")
    assert index is not None
    assert len(index.centres) == 155
    assert np.array_equal(index.images, np.arange(6000))
    assert recall(index, rows, queries) >= 0.99
    images, scores = index.search(queries[0], 10_000, probes=155)
    assert len(images) == 6000
    assert np.allclose(scores, rows[images] @ queries[0], atol=5e-5)


def test_it_grows_by_pieces(tmp_path: Path) -> None:
    rows, queries = draw(3000), draw(20, seed=5)
    ivf.build(tmp_path / "i", 2000, blocks(rows[:2000]))
    first = ivf.open_index(tmp_path / "i")
    assert first is not None
    ivf.extend(first, blocks(rows[2000:], 2000))
    second = ivf.open_index(tmp_path / "i")
    assert second is not None
    assert len(second.segments) == 2
    assert recall(second, rows, queries) >= 0.98
    # Who opened it before goes on with what there was.
    assert recall(first, rows[:2000], queries) >= 0.98


def test_few_equal_or_no_vectors(tmp_path: Path) -> None:
    one = np.zeros((50, 8), np.float32)
    one[:, 3] = 1
    ivf.build(tmp_path / "same", 50, blocks(one))
    index = ivf.open_index(tmp_path / "same")
    assert index is not None
    images, scores = index.search(one[0], 5)
    assert len(images) == 5
    assert np.allclose(scores, 1)
    ivf.build(tmp_path / "one", 1, blocks(one[:1]))
    index = ivf.open_index(tmp_path / "one")
    assert index is not None
    assert index.search(one[0], 5)[0].tolist() == [0]


def test_what_comes_twice_is_kept_once(tmp_path: Path) -> None:
    rows = draw(500)

    def twice() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        yield from blocks(rows)()
        yield np.arange(100), rows[:100]

    ivf.build(tmp_path / "i", 600, twice)
    index = ivf.open_index(tmp_path / "i")
    assert index is not None
    assert np.array_equal(index.images, np.arange(500))


@pytest.mark.parametrize("damage", ["gone", "cut", "text", "list", "format", "part"])
def test_what_is_damaged_is_no_index(tmp_path: Path, damage: str) -> None:
    ivf.build(tmp_path, 500, blocks(draw(500)))
    body = json.loads((tmp_path / ivf.FILE).read_text())
    part = tmp_path / f"{body['segments'][0]}-images.npy"
    if damage in ("gone", "cut"):
        part.unlink() if damage == "gone" else part.write_bytes(part.read_bytes()[:-100])
    elif damage == "part":
        np.save(part, np.arange(499))
    else:
        text = {"text": "{", "list": "[]", "format": json.dumps({**body, "format": 99})}[damage]
        (tmp_path / ivf.FILE).write_text(text)
    assert ivf.open_index(tmp_path) is None
    assert ivf.open_index(tmp_path / "nothing") is None


def test_old_pieces_are_deleted_and_new_ones_are_not(tmp_path: Path) -> None:
    rows = draw(300)
    ivf.build(tmp_path, 300, blocks(rows))
    old = set(tmp_path.glob("*.npy"))
    for path in old:
        os.utime(path, (1, 1))
    ivf.build(tmp_path, 300, blocks(rows))
    assert not old & set(tmp_path.glob("*.npy"))
    fresh = set(tmp_path.glob("*.npy"))
    ivf.build(tmp_path, 300, blocks(rows))
    assert fresh <= set(tmp_path.glob("*.npy"))


# ---- within a catalog ----------------------------------------------------------------------------------


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """A catalog that takes a thousand vectors for many."""
    monkeypatch.setattr(module, "EXACT", 1000)
    monkeypatch.setattr(module, "BULK", 200)
    monkeypatch.setattr(large, "UNINDEXED", 300)
    with Catalog.open(tmp_path / "c", create=True) as opened:
        yield opened


def put(catalog: Catalog, rows: np.ndarray, first: int = 0) -> None:
    numbers = range(first, first + len(rows))
    catalog.intake.record(
        [
            (Found(f"{i}.jpg", f"/{i}.jpg", f"{i}.jpg", i, 1), ImageRecord(f"{i:064x}", 1, 1, "JPEG", "RGB", i))
            for i in numbers
        ]
    )
    for start in range(0, len(rows), 250):
        part = slice(start, start + 250)
        catalog.vectors.add(KEY, [f"{i:064x}" for i in numbers[part]], rows[part])


def nearest(catalog: Catalog, query: np.ndarray, k: int = 5, **options: object) -> list[int]:
    return [int(id, 16) for id, _ in catalog.vectors.search(KEY, query, k, **options)]  # type: ignore[arg-type]


def test_a_large_collection_is_indexed_and_kept_up_to_date(catalog: Catalog) -> None:
    rows = draw(2600)
    put(catalog, rows[:1500])
    query = rows[1400]
    before = nearest(catalog, query)  # without an index, by a look at each
    assert before[0] == 1400
    catalog.vectors.ready(KEY)
    assert nearest(catalog, query) == before
    files = set((catalog.path / "vectors").rglob("*-high.npy"))
    assert len(files) == 1
    # A few more are found at once, and wait for the index.
    put(catalog, rows[1500:1700], 1500)
    assert nearest(catalog, rows[1650])[0] == 1650
    catalog.vectors.ready(KEY)
    assert set((catalog.path / "vectors").rglob("*-high.npy")) == files
    # More of them become a piece of it.
    put(catalog, rows[1700:2200], 1700)
    catalog.vectors.ready(KEY)
    assert len(set((catalog.path / "vectors").rglob("*-high.npy"))) == 2
    assert nearest(catalog, rows[2100])[0] == 2100
    # Another one who opens the catalog finds the same.
    with Catalog.open(catalog.path) as other:
        assert nearest(other, rows[2100], 20) == nearest(catalog, rows[2100], 20)
        put(other, rows[2200:], 2200)
    assert nearest(catalog, rows[2500])[0] == 2500


def test_parts_have_an_index_of_their_own(catalog: Catalog) -> None:
    rows = draw(1200) * np.linspace(1, 9, 32, dtype=np.float32)
    put(catalog, rows)
    parts = (slice(0, 8), slice(20, 32))
    expected = nearest(catalog, rows[7], 10, parts=parts)
    catalog.vectors.ready(KEY, parts=parts)
    catalog.vectors.ready(KEY)
    assert len(list((catalog.path / "vectors").glob("*.index"))) == 2
    assert nearest(catalog, rows[7], 10, parts=parts) == expected
    assert nearest(catalog, rows[7], 10) != expected


def test_a_damaged_index_is_made_again(catalog: Catalog) -> None:
    rows = draw(1300)
    put(catalog, rows)
    catalog.vectors.ready(KEY)
    expected = nearest(catalog, rows[3], 8)
    for path in (catalog.path / "vectors").rglob("*-low.npy"):
        path.unlink()
    with Catalog.open(catalog.path) as other:
        assert nearest(other, rows[3], 8) == expected
        other.vectors.ready(KEY)
        assert nearest(other, rows[3], 8) == expected
        assert len(list((catalog.path / "vectors").rglob("*-low.npy"))) == 1


def test_two_may_index_at_a_time(catalog: Catalog) -> None:
    rows = draw(1400)
    put(catalog, rows)
    expected = nearest(catalog, rows[9], 8)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with Catalog.open(catalog.path) as other:
                other.vectors.ready(KEY)
                assert nearest(other, rows[9], 8) == expected
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert nearest(catalog, rows[9], 8) == expected


def test_what_left_sqlite_takes_little_room_in_it(catalog: Catalog) -> None:
    rows = np.random.default_rng(0).normal(size=(1000, 500)).astype(np.float32)
    put(catalog, rows)
    catalog.vectors.compact(KEY)
    with catalog._store.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        free = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
    # A page for each vector would be a thousand.
    assert pages - free < 300
    assert catalog.vectors.missing(KEY) == []
