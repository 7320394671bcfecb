"""Opening a catalog, and what is said of one that is missing, newer, damaged, locked away, or full."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event

from lucida.catalog import Annotation, Catalog, add
from lucida.catalog.schema import VERSION
from lucida.errors import CatalogError

Draw = Callable[..., Path]


def four_parts(error: CatalogError) -> str:
    assert error.what
    assert error.expected
    assert error.got
    assert error.hint
    return error.message()


def test_open_finds_the_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Catalog.open(create=True) as catalog:
        assert catalog.path == tmp_path / "lucida-catalog"
        assert catalog.images.count() == 0
    with Catalog.open() as catalog:
        assert catalog.images.ids() == []
    monkeypatch.setenv("LUCIDA_CATALOG", "elsewhere")
    with Catalog.open(create=True) as catalog:
        assert catalog.path == tmp_path / "elsewhere"
    with Catalog.open("given", create=True) as catalog:
        assert catalog.path == tmp_path / "given"


def test_a_missing_catalog_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(CatalogError) as caught:
        Catalog.open(tmp_path / "none")
    assert "lucida add FOLDER" in four_parts(caught.value)
    assert not (tmp_path / "none").exists()


def test_a_folder_of_other_things_is_no_catalog(photos: Path) -> None:
    for create in (False, True):
        with pytest.raises(CatalogError) as caught:
            Catalog.open(photos, create=create)
        four_parts(caught.value)
    assert not (photos / "catalog.sqlite").exists()
    file = photos / "日本" / "00.jpg"
    with pytest.raises(CatalogError):
        Catalog.open(file, create=True)


def digest(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_newer_catalog_is_refused_and_not_touched(catalog: Catalog) -> None:
    catalog.close()
    file = catalog.path / "catalog.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
        connection.execute("PRAGMA journal_mode = DELETE")
    before, times = digest(catalog.path), file.stat().st_mtime_ns
    for create in (False, True):
        with pytest.raises(CatalogError, match="newer version") as caught:
            Catalog.open(catalog.path, create=create)
        four_parts(caught.value)
    with pytest.raises(CatalogError, match="newer version"):
        add([Path("photos")])
    assert (digest(catalog.path), file.stat().st_mtime_ns) == (before, times)


def test_a_newer_version_that_only_the_table_tells_is_refused(catalog: Catalog) -> None:
    with catalog._store.write() as connection:
        connection.exec_driver_sql("UPDATE meta SET value = '99' WHERE key = 'version'")
    with pytest.raises(CatalogError, match="newer version"):
        Catalog.open(catalog.path)


def test_what_is_no_database_is_damaged(catalog: Catalog) -> None:
    catalog.close()
    file = catalog.path / "catalog.sqlite"
    for content in (b"not a database at all" * 100, b"SQLite format 3\0 and then nothing"):
        file.write_bytes(content)
        for create in (False, True):
            with pytest.raises(CatalogError, match="damaged") as caught:
                Catalog.open(catalog.path, create=create)
            four_parts(caught.value)
        assert file.read_bytes() == content


def test_a_damaged_catalog_says_what_survives(catalog: Catalog) -> None:
    ids = catalog.images.ids()
    run = catalog.runs.start("label", question="kind")
    catalog.annotations.append(
        Annotation(id, "kind", run.id, sequence=i, label="x" * 200) for id in ids for i in range(300)
    )
    catalog.blobs.write("ab" * 32, b"data")
    catalog.close()
    file = catalog.path / "catalog.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = [row[0] for row in connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'annotations'")]
    with file.open("r+b") as opened:
        opened.seek((pages[0] - 1) * 4096)
        opened.write(b"\xaa" * 4096)
    with Catalog.open(catalog.path) as broken, pytest.raises(CatalogError, match="damaged") as caught:
        broken.annotations.table(run.id)
    text = four_parts(caught.value)
    assert "12 images" in text
    assert "1 runs" in text
    assert "not readable: annotations" in text
    assert "blobs/ holds 1 files" in text
    assert "untouched" in text


def test_a_catalog_that_was_stopped_while_it_was_made_is_finished(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / "catalog.sqlite").touch()
    with Catalog.open(folder) as catalog:
        assert catalog.images.count() == 0
    shutil.rmtree(folder)
    folder.mkdir()
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    with Catalog.open(folder, create=True) as catalog:
        assert catalog.images.count() == 0


def test_another_program_s_database_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as connection:
        connection.execute("CREATE TABLE others (x)")
    before = digest(folder)
    for create in (False, True):
        with pytest.raises(CatalogError, match="not a catalog"):
            Catalog.open(folder, create=create)
    assert digest(folder) == before


@contextmanager
def few_pages(catalog: Catalog, pages: int) -> Iterator[None]:
    """Let the database grow by so many pages and no further: to SQLite this is a full disk."""
    engine = catalog._store._engine

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        count = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {count + pages}")

    event.listen(engine, "checkout", limit)
    try:
        yield
    finally:
        event.remove(engine, "checkout", limit)
        engine.dispose()


def test_a_full_disk_keeps_what_was_committed(catalog: Catalog) -> None:
    ids = catalog.images.ids()
    run = catalog.runs.start("label", question="kind")
    catalog.annotations.append([Annotation(ids[0], "kind", run.id, label="kept")])
    with few_pages(catalog, 3), pytest.raises(CatalogError, match="full") as caught:
        catalog.annotations.append(
            Annotation(id, "kind", run.id, sequence=i, label="x" * 500) for id in ids for i in range(1, 50)
        )
    assert "committed before stays" in four_parts(caught.value)
    assert [row.label for row in catalog.annotations.rows()] == ["kept"]
    catalog.annotations.append([Annotation(ids[1], "kind", run.id, label="goes on")])
    assert len(catalog.annotations.rows()) == 2


def test_a_disk_that_fills_during_add(tmp_path: Path, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "p"
    for i in range(600):
        draw(folder / f"{i:04d}.bmp", i, side=4)
    from lucida.catalog.intake import Intake

    record, calls = Intake.record, 0

    def fail_the_second(self: Intake, batch: list) -> int:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise CatalogError("The disk of the catalog is full.", expected="room", got="none", hint="free some")
        return record(self, batch)

    monkeypatch.setattr(Intake, "record", fail_the_second)
    with pytest.raises(CatalogError, match="full"):
        add([folder], catalog=tmp_path / "c")
    monkeypatch.undo()
    with Catalog.open(tmp_path / "c") as catalog:
        assert catalog.images.count() == 256
    result = add([folder], catalog=tmp_path / "c")
    assert (result.added, result.known) == (344, 256)


def test_a_disk_that_fills_with_bytes_of_archives(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", no_room)
    with pytest.raises(CatalogError, match="full") as caught:
        catalog.blobs.write("ab" * 32, b"data")
    four_parts(caught.value)
    assert [path for path in catalog.blobs.folder.rglob("*") if path.is_file()] == []


@contextmanager
def somebody() -> Iterator[Path]:
    """Become a user without rights for the block, in a folder that everybody may enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_no_permission_is_an_error_with_advice(photos: Path) -> None:
    with somebody() as folder:
        add([photos], catalog=folder / "c")
        os.seteuid(65534)
        try:
            with pytest.raises(CatalogError) as caught:
                Catalog.open(folder / "new", create=True)
            assert "permission" in four_parts(caught.value).lower()
            with pytest.raises(CatalogError) as caught:
                add([folder], catalog=folder / "c")
            assert "permission" in four_parts(caught.value).lower()
        finally:
            os.seteuid(0)
        with Catalog.open(folder / "c") as catalog:
            assert catalog.images.count() == 12


def test_importing_the_package_and_the_verb_is_light() -> None:
    code = (
        "import sys, lucida.catalog, lucida.catalog.verb\n"
        "heavy = {'numpy', 'sqlalchemy', 'pyarrow', 'lancedb', 'PIL', 'simplejpeg'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_names_of_the_package_are_there() -> None:
    import lucida.catalog

    for name in lucida.catalog.__all__:
        assert getattr(lucida.catalog, name)
    with pytest.raises(AttributeError):
        lucida.catalog.nothing  # noqa: B018
