"""Measure how much of rendered English and Chinese text is read wrongly, and how long a page takes.

    python benchmarks/reading.py --out results.json

Pages of five lines are rendered in several sizes, colours and turns; the character error rate is the number of edits
from what was read to what stands there, as a share of the latter, spaces left out. Chinese needs a font of this
machine (fonts-noto-cjk) and is left out, and said to be, without one.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from lucida.models import find
from models.ocr.pages import (  # type: ignore[import-not-found]
    CHINESE,
    ENGLISH,
    as_image,
    cjk,
    errors,
    latin,
    page,
)

SIZES = (10, 12, 16, 24, 40, 64)
TURNS = (0.0, 3.0, -5.0)
LOOKS = {
    "black on white": ((0, 0, 0), (255, 255, 255)),
    "white on blue": ((255, 255, 255), (20, 60, 140)),
    "brown on yellow": ((120, 30, 30), (240, 220, 120)),
}


def measure() -> dict[str, Any]:
    """Return the rates by language and size."""
    reader = find("rapidocr").load()
    found: dict[str, Any] = {}
    for language, lines, font in (("English", ENGLISH, latin), ("Chinese", CHINESE, cjk)):
        if font(12) is None:
            found[language] = "no font on this machine"
            continue
        sizes, wrong, signs = {}, 0, 0
        began, pages = time.process_time(), 0
        for size in SIZES:
            here, of = 0, 0
            for ink, paper in LOOKS.values():
                for turn in TURNS:
                    chosen = font(size)
                    assert chosen is not None, "asked before"
                    picture = page(lines, chosen, ink=ink, paper=paper, turn=turn)
                    edits, count = errors(reader.predict([as_image(picture)])[0], lines)
                    here, of, pages = here + edits, of + count, pages + 1
            sizes[f"{size} px"] = round(here / of, 4)
            wrong, signs = wrong + here, signs + of
            print(f"{language} {size} px: {here} of {of} signs wrong", file=sys.stderr)
        seconds = (time.process_time() - began) / pages
        found[language] = {"rate": round(wrong / signs, 4), "signs": signs, "sizes": sizes, "cpu s/page": seconds}
    return found


def main() -> None:
    """Run the measurement and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="a file for the results")
    options = parser.parse_args()
    names = ("rapidocr", "onnxruntime", "opencv-python-headless", "pillow")
    result = {
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in names}},
        "character error rate": measure(),
    }
    text = json.dumps(result, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
