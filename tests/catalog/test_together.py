"""Several threads and several processes at one catalog."""

from __future__ import annotations

import multiprocessing
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from lucida.catalog import Annotation, Catalog, add

Draw = Callable[..., Path]


def append(folder: Path, actor: str, shared: bool) -> int:
    """Answer every image, one transaction each; runs in a process of its own."""
    with Catalog.open(folder) as catalog:
        run = catalog.runs.start("review", question="kind")
        return sum(
            catalog.annotations.append(
                [
                    Annotation(
                        id, "kind", run.id, actor="both" if shared else actor, sequence=i, kind="answer", label=actor
                    )
                ]
            )
            for i in range(10)
            for id in catalog.images.ids()
        )


@pytest.mark.parametrize("shared", [False, True])
def test_two_processes_write_at_once(catalog: Catalog, shared: bool) -> None:
    jobs = [(catalog.path, actor, shared) for actor in ("ann", "bob")]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        new = pool.starmap(append, jobs)
    rows = catalog.annotations.rows(kind="answer")
    # Both start the same run; of the same key only the first is taken, and it is never overwritten.
    assert len(catalog.runs.all()) == 1
    assert sum(new) == len(rows) == (120 if shared else 240)
    if not shared:
        assert new == [120, 120]


def test_two_processes_add_the_same_folder(tmp_path: Path, draw: Draw) -> None:
    folder = tmp_path / "p"
    for i in range(600):
        draw(folder / f"{i:04d}.bmp", i, side=4)
    code = f"from lucida.catalog import add; print(add([{str(folder)!r}], catalog={str(tmp_path / 'c')!r}).added)"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outcomes = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outcomes
    assert sum(int(out) for out, _ in outcomes) == 600
    with closing(sqlite3.connect(tmp_path / "c" / "catalog.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM images").fetchone() == (600,)
        assert connection.execute("SELECT count(*) FROM places").fetchone() == (600,)


def test_threads_share_a_catalog(catalog: Catalog) -> None:
    ids = catalog.images.ids()
    run = catalog.runs.start("label", question="kind")

    def work(i: int) -> int:
        new = catalog.annotations.append([Annotation(id, "kind", run.id, sequence=i) for id in ids])
        catalog.vectors.add("m@1", ids, np.full((len(ids), 4), i, np.float32))
        assert len(catalog.annotations.rows(run=run.id)) >= 12
        assert catalog.images.count() == 12
        assert catalog.vectors.get("m@1", ids).shape == (12, 4)
        return new

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(40))) == [12] * 40
    assert len(catalog.annotations.rows(run=run.id)) == 480


def test_readers_see_one_state_while_others_write(catalog: Catalog) -> None:
    ids = catalog.images.ids()
    run = catalog.runs.start("label", question="kind")
    with Catalog.open(catalog.path) as other:
        with other._store.read() as connection:
            count = "SELECT count(*) FROM annotations"
            assert connection.exec_driver_sql(count).scalar() == 0
            catalog.annotations.append(Annotation(id, "kind", run.id) for id in ids)
            assert connection.exec_driver_sql(count).scalar() == 0
        assert len(other.annotations.rows()) == 12


def test_adding_while_another_catalog_is_open_elsewhere(photos: Path, tmp_path: Path) -> None:
    add([photos], catalog=tmp_path / "one")
    with Catalog.open(tmp_path / "one") as one, Catalog.open(tmp_path / "two", create=True) as two:
        assert (one.images.count(), two.images.count()) == (12, 0)
