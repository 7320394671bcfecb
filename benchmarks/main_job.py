"""Measure the main job: how much is accepted unchecked, what it costs, and what is truly wrong among the kept.

    python -m benchmarks.main_job --photos ../shared/data/clothing/train.parquet --examples 5 --teach 300
    python -m benchmarks.main_job --photos … --adapt                     # tuned on the photos first; needs PyTorch

Each review draws its examples and its order anew, by its number, so that two versions of the program can be compared on
the same ones. The labels of the file are the answers of the person.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from recipes.photos import unpack

from lucida.catalog import Catalog, add
from lucida.env import versions
from lucida.label import label
from lucida.models.registry import find
from lucida.studio.verb import review


def one(options: argparse.Namespace, folder: Path, number: int) -> dict[str, Any]:
    """Do the whole job once."""
    photos, examples, key = unpack(options.photos, folder, options.examples, seed=number)
    answers, catalog = folder / "truth.csv", folder / "catalog"
    answers.write_text("path,label\n" + "".join(f"{name},{kind}\n" for name, kind in key.items()))
    began = time.monotonic()
    add([photos], catalog=catalog)
    labelled = label(examples=examples, question="kind", adapt=options.adapt, catalog=catalog)
    seconds = time.monotonic() - began
    done = review(
        question="kind",
        answers=answers,
        teach=options.teach,
        max_error=options.max_error,
        seed=number,
        catalog=catalog,
    ).to_json()
    with Catalog.open(catalog) as opened:
        run = opened.runs.latest("kind", "review")
        assert run is not None, "a review has just been done"
        names = opened.images.names(opened.images.ids())
        asked = {row.image for row in opened.annotations.rows(run=run.id, kind="answer")}
        rows = opened.annotations.rows(run=run.id, kind="certified")
    accepted = [row for row in rows if row.image not in asked]
    assert len(accepted) == len(done["accepted"]), "the catalog and the certificate say the same"
    wrong = sum(row.label != key[Path(names[row.image]).name] for row in accepted)
    return {
        "review": number,
        "held_out": labelled.accuracy and round(labelled.accuracy[0], 4),
        "adapted": labelled.adapted,
        "checked": len(done["reviewed"]),
        "accepted": len(accepted),
        "share": round(len(accepted) / len(key), 4),
        "truly_wrong": round(wrong / max(len(accepted), 1), 4),
        "seconds_to_label": round(seconds, 1),
    }


def main() -> None:
    """Do it several times and print a JSON line for each, then the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="Parquet file with the columns image and label")
    parser.add_argument("--examples", type=int, default=5, help="examples a class")
    parser.add_argument("--teach", type=int, default=300, help="answers that teach")
    parser.add_argument("--max-error", type=float, default=0.1)
    parser.add_argument("--reviews", type=int, default=5)
    parser.add_argument("--adapt", action="store_true")
    options = parser.parse_args()
    print(json.dumps({"model": find("embedded").key, **versions(("openvino", "numpy"))}))
    rows = []
    for number in range(1, options.reviews + 1):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(one(options, Path(folder), number))
        print(json.dumps(rows[-1]), flush=True)
    print(
        json.dumps({key: median(row[key] for row in rows) for key in ("checked", "accepted", "share", "truly_wrong")})
    )


if __name__ == "__main__":
    main()
