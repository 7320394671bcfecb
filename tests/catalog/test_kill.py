"""`add` killed at random moments: whatever it had committed stays, and started again it ends as if undisturbed."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from killing import kill_and_repeat, run_through
from lucida.catalog import Catalog
from lucida.images import content_id

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")

FILES = 1200


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of many small images, some the same and some broken, and an archive."""
    root = tmp_path_factory.mktemp("kill")
    folder = root / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(FILES):
        path = folder / f"{i % 7}" / f"{i:05d}.png"
        path.parent.mkdir(exist_ok=True)
        pixels = rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels if i % 50 else np.full_like(pixels, 7)).save(path, compress_level=1)
        if i % 97 == 0:
            path.write_bytes(b"broken")
    with tarfile.open(root / "more.tar", "w") as archive:
        for i in range(300):
            path = root / "member.png"
            Image.fromarray(rng.integers(0, 255, (20, 20, 3), dtype=np.uint8)).save(path, compress_level=1)
            archive.add(path, f"{i:04d}.png")
    return root


def add(catalog: Path) -> list[str]:
    code = f"from lucida.catalog import add; add(['photos', 'more.tar'], catalog={str(catalog)!r})"
    return [sys.executable, "-c", code]


def contents(folder: Path) -> list[tuple[str, str, list[str]]]:
    """All that a catalog says of its images, in order."""
    with Catalog.open(folder) as catalog:
        return [
            (id, catalog.images.get(id).format, sorted(place.given for place in catalog.images.places(id)))
            for id in catalog.images.ids()
        ]


def look(folder: Path, seen: set[str]) -> None:
    """See that the catalog is whole, holds all it held before, and nothing twice."""
    file = folder / "catalog.sqlite"
    if not file.exists():
        assert not seen
        return
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'images'").fetchone():
            assert not seen
            return
        ids = [row[0] for row in connection.execute("SELECT id FROM images")]
        uris = [row[0] for row in connection.execute("SELECT uri FROM places")]
        homeless = "SELECT count(*) FROM images WHERE number NOT IN (SELECT image FROM places)"
        assert connection.execute(homeless).fetchone() == (0,)
        kept = connection.execute(
            "SELECT id FROM images JOIN places ON image = images.number WHERE uri LIKE '%!/%'"
        ).fetchall()
    assert len(ids) == len(set(ids))
    assert len(uris) == len(set(uris))
    assert seen <= set(ids)
    seen |= set(ids)
    # Bytes from archives lie on disk before the record that speaks of them.
    for (id,) in kept:
        assert content_id((folder / "blobs" / id[:2] / id).read_bytes()) == id


def test_add_killed_at_random_moments(sources: Path) -> None:
    undisturbed, killed = sources / "undisturbed", sources / "killed"
    duration = run_through(add(undisturbed), cwd=sources)
    # Nothing can break before the program is there: the moments begin where the catalog does.
    begin = run_through([sys.executable, "-c", "import lucida.catalog.ingest, lucida.catalog.catalog"], cwd=sources)
    seen: set[str] = set()

    def again() -> None:
        shutil.rmtree(killed)
        seen.clear()

    moments = kill_and_repeat(
        add(killed),
        cwd=sources,
        duration=duration,
        kills=8,
        check=lambda: look(killed, seen),
        again=again,
        begin=min(begin, duration / 2),
    )
    assert len(moments) >= 3
    assert contents(killed) == contents(undisturbed)
    assert len(contents(killed)) > FILES * 0.9


def test_a_batch_is_all_or_nothing(sources: Path) -> None:
    """Killed right before the commit of its third batch, `add` leaves exactly two."""
    folder = sources / "two"
    code = f"""
import os, signal
from lucida.catalog import add
from lucida.catalog import intake
place, calls = intake._place, 0
def die(*arguments):
    global calls
    calls += 1
    place(*arguments)
    if calls == 3:
        os.kill(os.getpid(), signal.SIGKILL)
intake._place = die
add(['photos'], catalog={str(folder)!r})
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=sources, check=False).returncode == -9
    seen: set[str] = set()
    look(folder, seen)
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM places").fetchone() == (512,)
