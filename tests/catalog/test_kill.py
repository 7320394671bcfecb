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

from killing import kill_at_random, lucida, run
from lucida.catalog import Catalog
from lucida.images import content_id

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")

FILES = 1200
KILLS = 5


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


def rows(folder: Path) -> int:
    """Return how many places a catalog holds, as another program would ask."""
    try:
        with closing(sqlite3.connect(f"file:{folder / 'catalog.sqlite'}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM places").fetchone()[0])
    except sqlite3.OperationalError:
        return 0


def test_add_killed_at_random_moments(sources: Path) -> None:
    undisturbed, killed = sources / "undisturbed", sources / "killed"
    run(lucida("add", "photos", "more.tar", "--catalog", undisturbed), sources)
    command = lucida("add", "photos", "more.tar", "--catalog", killed)
    seen: set[str] = set()
    kills = 0
    for seed in range(3 * KILLS):
        if kills == KILLS:
            break
        # By turns from its very start, when the catalog is made, and from its first batch on.
        before = rows(killed)
        started = (killed / "catalog.sqlite").exists if seed % 2 else (lambda before=before: rows(killed) > before)
        now = kill_at_random(command, sources, times=1, seed=seed, begun=started, longest=0.4)
        look(killed, seen)
        kills += now
        if not now:
            # It came to its end: the kills to come must find it at work.
            shutil.rmtree(killed)
            seen.clear()
    assert kills >= KILLS // 2
    run(command, sources)
    look(killed, seen)
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
