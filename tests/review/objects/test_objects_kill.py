"""`kill -9` in both stages of a review of boxes: nothing lost, nothing double, the same certificate."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

from killing import kill_at_random, lucida, run
from lucida.catalog import Catalog
from lucida.review import verify
from lucida.review.objects.journal import history, standing

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a POSIX signal")


def test_both_stages_survive_kill_9(world: Any, tmp_path: Path) -> None:
    world.label()
    truth = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cell"}, {"id": 2, "name": "disc"}]}
    for id, image in enumerate(world.images):
        truth["images"].append({"id": id, "file_name": Path(world.catalog.images.name(image)).name})
        for item in range(1, 5):
            if (image, item) not in world.wrong:
                note = {"id": len(truth["annotations"]), "image_id": id, "category_id": 2 - item % 2}
                truth["annotations"].append(note | {"bbox": [2.0 * item, 3.0, 6.0, 9.0]})
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    catalog = tmp_path / "catalog"
    options = ("--answers", "truth.json", "--max-error", "0.15", "--max-missed", "0.08", "--seed", "3")
    review = lucida("review", *options, "--catalog", str(catalog))
    seen = [-1]

    def answers(what: str) -> int:
        try:
            with sqlite3.connect(f"file:{catalog / 'catalog.sqlite'}?mode=ro", uri=True) as connection:
                query = f"select count(*) from annotations where kind = 'answer' and {what}"
                return int(connection.execute(query).fetchone()[0])
        except sqlite3.OperationalError:
            return 0

    def reviewing() -> bool:
        now = answers("true")
        begun, seen[0] = now > seen[0], max(now, seen[0])
        return begun

    kill_at_random(review, tmp_path, times=3, seed=2, begun=reviewing, longest=0.2)
    kill_at_random(review, tmp_path, times=2, seed=4, begun=lambda: answers("item = 0") > 0, longest=0.1)
    body = json.loads(run([*review, "--json"], tmp_path).stdout)
    with Catalog.open(catalog) as opened:
        (checked,) = (r for r in opened.runs.all() if r.verb == "review")
        entries = standing(history(opened.annotations.rows(run=checked.id)))
        asked = [(entry.image, entry.item) for entry in entries]
        assert len(asked) == len(set(asked)), "something was asked twice"
        assert sum(item > 0 for _, item in asked) == len(body["found"]["reviewed"])
        assert sum(item == 0 for _, item in asked) == body["missed"]["looked"]
        assert verify(opened.runs.folder(checked.id) / "certificate.json").ok
