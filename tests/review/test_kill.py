"""`kill -9` at random moments of label and review: nothing lost, nothing double."""

import csv
import json
import sqlite3
import sys

import pytest

from killing import kill_at_random, lucida, run
from lucida.catalog import Catalog
from lucida.review.journal import history, spoken, standing
from pictures import write_pictures

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a POSIX signal")
KILLS = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("kill")
    key = write_pictures(place / "photos", 200, first_seed=1000)
    write_pictures(place / "examples", 3, by_class=True)
    with (place / "truth.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label"])
        rows.writerows(key.items())
    run(lucida("add", "photos"), place)
    return place


def count(folder, query):
    """Return one number from the catalog, read as any program could."""
    try:
        with sqlite3.connect(f"file:{folder / 'lucida-catalog/catalog.sqlite'}?mode=ro", uri=True) as connection:
            return connection.execute(query).fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def answers(folder):
    return count(folder, "select count(*) from annotations where kind in ('answer', 'undo')")


def test_label_and_review_survive_kill_9(folder):
    label = lucida("label", "--examples", "examples", "--question", "kind")
    runs = [0]

    def labelling():
        return count(folder, "select count(*) from vectors") > runs[0]

    kill_at_random(label, folder, times=KILLS, seed=1, begun=labelling, longest=0.4)
    run(label, folder)
    with Catalog.open(folder / "lucida-catalog") as catalog:
        (labelled,) = (r for r in catalog.runs.all() if r.verb == "label")
        ids, _, _, _ = catalog.annotations.table(labelled.id)
        assert sorted(ids) == sorted(catalog.images.ids())

    review = lucida("review", "--answers", "truth.csv", "--teach", "40", "--max-error", "0.1", "--seed", "3")
    seen = [-1]

    def reviewing():
        now = answers(folder)
        begun, seen[0] = now > seen[0], max(now, seen[0])
        return begun

    kill_at_random(review, folder, times=KILLS, seed=2, begun=reviewing, longest=0.3)
    body = json.loads(run([*review, "--json"], folder).stdout)

    with Catalog.open(folder / "lucida-catalog") as catalog:
        said = spoken(catalog, "kind")
        assert [kind for kind, _ in history(said)].count("undo") == 0
        images = [e.image for e in standing(said)]
        assert len(images) == len(set(images)), "an image was asked twice"
        (taught,) = (r for r in catalog.runs.all() if r.verb == "teach")
        assert len(spoken(catalog, "kind", taught.id)) == 40
        (checked,) = (r for r in catalog.runs.all() if r.verb == "review")
        entries = standing(spoken(catalog, "kind", checked.id))
        assert [e.sequence for e in entries] == list(range(len(entries)))
        assert len(entries) == len(body["reviewed"])
        certified = catalog.annotations.rows(run=checked.id, kind="certified")
        assert len(certified) == len(body["kept"])
    run(lucida("export", "out"), folder)
    run(lucida("verify", "out/certificate.json"), folder)
