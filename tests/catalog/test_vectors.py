"""Vectors: what goes in comes out, from SQLite and from Lance alike."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lucida.catalog import Catalog, ImageRecord
from lucida.catalog import vectors as module
from lucida.catalog.sources.found import Found
from lucida.errors import InputError, UnknownName

KEY = "embedded@2026-11-21.1"


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Catalog]:
    """A catalog of 300 images that have no files."""
    with Catalog.open(tmp_path / "c", create=True) as catalog:
        batch = [
            (Found(f"{i}.jpg", f"/{i}.jpg", f"{i}.jpg", i, 1), ImageRecord(f"{i:064x}", 1, 1, "JPEG", "RGB", i))
            for i in range(300)
        ]
        catalog.intake.record(batch)
        yield catalog


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(300, 16)).astype(np.float32)


@pytest.fixture(params=["sqlite", "lance", "both"])
def filled(request: pytest.FixtureRequest, many: Catalog, values: np.ndarray) -> Catalog:
    """All vectors pending in SQLite, all in Lance, or half in each."""
    ids = many.images.ids()
    many.vectors.add(KEY, ids[:150], values[:150])
    if request.param != "sqlite":
        many.vectors.compact()
    many.vectors.add(KEY, ids[150:], values[150:])
    if request.param == "lance":
        many.vectors.compact()
    return many


def test_vectors_come_back_in_the_order_asked(filled: Catalog, values: np.ndarray) -> None:
    ids = filled.images.ids()
    assert np.array_equal(filled.vectors.get(KEY, ids), values)
    some = [7, 3, 200, 7, 0]
    got = filled.vectors.get(KEY, [ids[i] for i in some])
    assert got.dtype == np.float32
    assert np.array_equal(got, values[some])
    assert filled.vectors.get(KEY, []).shape == (0, 16)
    assert filled.vectors.count(KEY) == 300


def test_the_nearest_are_found(filled: Catalog, values: np.ndarray) -> None:
    ids = filled.images.ids()
    query = np.random.default_rng(1).normal(size=16).astype(np.float32)
    cosine = values @ query / np.linalg.norm(values, axis=1) / np.linalg.norm(query)
    best = np.argsort(-cosine)[:10]
    found = filled.vectors.search(KEY, query, 10)
    assert [id for id, _ in found] == [ids[i] for i in best]
    assert np.allclose([score for _, score in found], cosine[best], atol=1e-5)
    assert len(filled.vectors.search(KEY, query, 1000)) == 300
    assert filled.vectors.search(KEY, query * 100, 3)[0][0] == found[0][0]


def test_large_collections_are_searched_by_an_index(
    filled: Catalog, values: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = np.random.default_rng(1).normal(size=16).astype(np.float32)
    exact = filled.vectors.search(KEY, query, 10)
    monkeypatch.setattr(module, "EXACT", 100)
    for _ in range(2):
        found = filled.vectors.search(KEY, query, 10)
        assert [id for id, _ in found] == [id for id, _ in exact]
        assert np.allclose([s for _, s in found], [s for _, s in exact], atol=5e-5)
        # The second time round by the index that compaction makes.
        filled.vectors.compact(KEY)


def test_missing_are_the_images_without_a_vector(many: Catalog, values: np.ndarray) -> None:
    ids = many.images.ids()
    assert many.vectors.missing(KEY) == ids
    many.vectors.add(KEY, ids[::2], values[::2])
    assert many.vectors.missing(KEY) == ids[1::2]
    assert many.vectors.missing("other@1") == ids
    assert many.vectors.missing(KEY, [ids[3], ids[2], ids[1]]) == [ids[3], ids[1]]
    many.vectors.compact()
    assert many.vectors.missing(KEY) == ids[1::2]
    with pytest.raises(InputError, match="150 of 300"):
        many.vectors.get(KEY, ids)
    with pytest.raises(UnknownName, match="did you mean"):
        many.vectors.get("embeded@2026-11-21.1", ids)


def test_adding_again_changes_nothing(many: Catalog, values: np.ndarray) -> None:
    ids = many.images.ids()
    assert many.vectors.add(KEY, ids[:200], values[:200]) == 200
    assert many.vectors.add(KEY, ids, -values) == 100
    many.vectors.compact()
    assert many.vectors.add(KEY, ids, -values) == 0
    expected = np.concatenate([values[:200], -values[200:]])
    assert np.array_equal(many.vectors.get(KEY, ids), expected)


def test_keys_do_not_mix(many: Catalog, values: np.ndarray) -> None:
    ids = many.images.ids()
    many.vectors.add("a/b", ids, values)
    many.vectors.add("a.b", ids, values[:, :4])
    many.vectors.compact()
    assert many.vectors.get("a/b", ids).shape == (300, 16)
    assert many.vectors.get("a.b", ids).shape == (300, 4)


@pytest.mark.parametrize("bad", ["shape", "count", "nan", "image", "dimensions"])
def test_bad_vectors_are_refused_and_none_is_written(many: Catalog, values: np.ndarray, bad: str) -> None:
    ids = many.images.ids()
    many.vectors.add(KEY, ids[:1], values[:1])
    spoilt = values.copy()
    spoilt[5, 5] = np.nan
    given = {
        "shape": (ids, values[0]),
        "count": (ids[:5], values),
        "nan": (ids, spoilt),
        "image": ([*ids[:-1], "0" * 63 + "x"], values),
        "dimensions": (ids, values[:, :8]),
    }[bad]
    with pytest.raises(InputError):
        many.vectors.add(KEY, *given)
    assert many.vectors.count(KEY) == 1
    with pytest.raises(InputError, match="query"):
        many.vectors.search(KEY, values[0, :3])


def test_compaction_happens_by_itself_in_bulk(
    many: Catalog, values: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BULK", 100)
    ids = many.images.ids()
    for i in range(0, 300, 30):
        many.vectors.add(KEY, ids[i : i + 30], values[i : i + 30])
        assert np.array_equal(many.vectors.get(KEY, ids[: i + 30]), values[: i + 30])
    assert any((many.path / "vectors").iterdir())


def test_a_crash_between_lance_and_sqlite_does_no_harm(
    many: Catalog, values: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lucida.catalog import lance

    ids, add = many.images.ids(), lance.add
    many.vectors.add(KEY, ids, values)

    def add_and_die(*arguments: object) -> None:
        add(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(lance, "add", add_and_die)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            many.vectors.compact()
        assert np.array_equal(many.vectors.get(KEY, ids), values)
    monkeypatch.undo()
    many.vectors.compact()
    assert np.array_equal(many.vectors.get(KEY, ids), values)
    assert lance._open(many.path / "vectors", KEY).count_rows() == 300  # type: ignore[union-attr]


def test_vectors_that_lance_has_lost_are_missing_again(filled: Catalog, values: np.ndarray) -> None:
    ids = filled.images.ids()
    shutil.rmtree(filled.path / "vectors", ignore_errors=True)
    lost = 300 - len(_pending(filled))
    if lost:
        with pytest.raises(InputError, match=f"{lost} of 300"):
            filled.vectors.get(KEY, ids)
    assert len(filled.vectors.missing(KEY)) == lost
    filled.vectors.add(KEY, ids, values)
    assert np.array_equal(filled.vectors.get(KEY, ids), values)


def _pending(catalog: Catalog) -> list:
    with catalog._store.read() as connection:
        return list(connection.exec_driver_sql("SELECT image FROM vectors WHERE data IS NOT NULL"))


def test_small_collections_never_load_lance(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np\n"
        "from lucida.catalog import Catalog, ImageRecord\n"
        "from lucida.catalog.sources.found import Found\n"
        f"catalog = Catalog.open({str(tmp_path / 'c')!r}, create=True)\n"
        "catalog.intake.record([(Found('a', '/a', 'a', 1, 1), ImageRecord('0' * 64, 1, 1, 'PNG', 'L', 1))])\n"
        "catalog.vectors.add('k@1', ['0' * 64], np.ones((1, 4), np.float32))\n"
        "catalog.vectors.get('k@1', ['0' * 64]), catalog.vectors.search('k@1', np.ones(4))\n"
        "catalog.vectors.missing('k@1')\n"
        "print([name for name in ('lancedb', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_some_images_and_some_parts_are_compared(
    filled: Catalog, values: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = filled.images.ids()
    query = np.random.default_rng(1).normal(size=16).astype(np.float32)
    parts = (slice(0, 4), slice(8, 16))

    def cosine(part: slice) -> np.ndarray:
        rows, one = values[:, part], query[part]
        return rows @ one / np.linalg.norm(rows, axis=1) / np.linalg.norm(one)

    likeness = (cosine(parts[0]) + cosine(parts[1])) / 2
    among = np.arange(0, 300, 7)
    for largest in (200_000, 100, 20):
        monkeypatch.setattr(module, "EXACT", largest)
        assert filled.vectors._is_large(KEY) is (largest < 300)
        found = filled.vectors.search(KEY, query, 5, parts=parts)
        assert [id for id, _ in found] == [ids[i] for i in np.argsort(-likeness)[:5]]
        assert np.allclose([score for _, score in found], np.sort(likeness)[::-1][:5], atol=1e-5)
        best = among[np.argsort(-likeness[among])[:5]]
        chosen = [*(ids[i] for i in among), "0" * 63 + "x"]
        found = filled.vectors.search(KEY, query, 5, parts=parts, among=chosen)
        assert [id for id, _ in found] == [ids[i] for i in best]
        whole = filled.vectors.search(KEY, query, 3, among=chosen)
        cosines = cosine(slice(0, 16))
        assert [id for id, _ in whole] == [ids[i] for i in among[np.argsort(-cosines[among])[:3]]]
        assert filled.vectors.search(KEY, query, 5, among=[]) == []
