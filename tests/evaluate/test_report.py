"""The report: one file that needs nothing else, in the words of the figures."""

from __future__ import annotations

import json
import re
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from lucida.cli import run
from lucida.data import Boxes, Mask
from lucida.errors import InputError
from lucida.evaluate import evaluate_model
from lucida.evaluate.report.page import page
from lucida.evaluate.report.writing import write_page
from lucida.results import Detections, Segmentation
from pictures import picture
from told_models import model, png, sample, samples

CLASSES = ("cat <b>", "dog")


class _Parts(HTMLParser):
    """Collects tags, and addresses that a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]


def _page(task: str, **options: object) -> str:
    if task == "classify":
        spec = model(task, CLASSES, lambda n: [2, 0] if n % 5 else [0, 2])
        items = [sample(n, CLASSES[n // 40], source="ab"[n % 2]) for n in range(80)]
        return page(*evaluate_model(spec, samples(task, CLASSES, items)))
    if task == "detect":
        box = Boxes(np.array([[2, 2, 20, 20]], np.float32), ("dog",))
        found = Detections(np.array([[2, 2, 20, 12]], np.float32), np.array([0.9], "f4"), np.array([0]), CLASSES)
        spec = model(task, CLASSES, lambda n: found)
        return page(*evaluate_model(spec, samples(task, CLASSES, [sample(n, box) for n in range(5)])))
    names = ("background", "dog")
    mask = Mask(partial(png, np.eye(32, dtype=np.uint8)), {0: "background", 1: "dog"})
    spec = model(task, names, lambda n: Segmentation(np.zeros((32, 32), np.uint8), names))
    return page(*evaluate_model(spec, samples(task, names, [sample(n, mask) for n in range(5)])))


@pytest.mark.parametrize("task", ["classify", "detect", "segment"])
def test_a_report_fetches_nothing_and_shows_the_mistakes(task: str) -> None:
    html = _page(task)
    parts = _Parts()
    parts.feed(html)
    assert not {"script", "link", "iframe", "object", "base"} & set(parts.tags)
    assert parts.addresses
    assert all(address.startswith("data:image/jpeg;base64,") for address in parts.addresses)
    assert not re.search(r"https?://|url\(|@import", html)
    assert "img" in parts.tags


def test_names_from_the_data_are_text_in_a_report() -> None:
    html = _page("classify")
    assert "cat <b>" not in html
    assert "cat &lt;b&gt;" in html


def test_a_report_is_written_whole_or_refused(tmp_path: Path) -> None:
    assert write_page(tmp_path, "<p>") == tmp_path / "report.html"
    assert write_page(tmp_path / "new" / "r.html", "<p>").read_text() == "<p>"
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_page(tmp_path / "file" / "r.html", "<p>")


def test_the_verb_evaluates_and_prints_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The embedded model knows some words of its own: no PyTorch, no network."""
    for number, name in enumerate(("goldfish", "bullfrog") * 4):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        picture("disc" if name == "goldfish" else "stripes", number).save(folder / f"{number}.png")
    (tmp_path / "data" / "bullfrog" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    report = tmp_path / "r.html"
    assert run(["evaluate", "embedded", "--data", str(tmp_path / "data"), "-o", str(report), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["task"], found["images"]) == ("classify", 8)
    assert found["report"] == str(report)
    assert set(found["figures"]["accuracy"]) == {"value", "low", "high", "n", "interval"}
    assert report.read_text().startswith("<!doctype html>")
    assert run(["evaluate", "embedded", "--json"]) == 1
    assert "--data" in json.loads(capsys.readouterr().out)["hint"]
