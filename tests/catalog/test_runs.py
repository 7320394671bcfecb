"""Runs: the same work is the same run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lucida.catalog import Annotation, Catalog, Run, add
from lucida.errors import UnknownName


def start(catalog: Catalog, **changes: object) -> Run:
    given: dict = {"question": "kind", "model": "m", "revision": "1", "parameters": {"b": [1, 2], "a": None}}
    return catalog.runs.start(changes.pop("verb", "label"), **(given | changes))


def test_the_same_work_is_the_same_run(catalog: Catalog) -> None:
    first = start(catalog)
    assert first.id.startswith("label-")
    assert first.program.startswith("camera-lucida ")
    assert first.finished is None
    assert start(catalog, parameters={"a": None, "b": [1, 2]}) == first
    others = [
        start(catalog, verb="teach"),
        start(catalog, question="other"),
        start(catalog, model="n"),
        start(catalog, revision="2"),
        start(catalog, parameters={"a": None}),
        start(catalog, parent=first.id),
    ]
    assert len({run.id for run in [first, *others]}) == 7
    assert catalog.runs.get(first.id) == first
    assert catalog.runs.all() == [first, *others]
    assert [run.question for run in catalog.runs.all("other")] == ["other"]


def test_the_latest_run(catalog: Catalog) -> None:
    assert catalog.runs.latest() is None
    runs = [start(catalog, verb=verb, question=q) for q in ("a", "b") for verb in ("label", "teach", "review")]
    assert catalog.runs.latest() == runs[5]
    assert catalog.runs.latest("a") == runs[2]
    assert catalog.runs.latest("a", "label") == runs[0]
    assert catalog.runs.latest(verb=("label", "teach")) == runs[4]
    assert catalog.runs.latest("none") is None


def test_finish_and_folder(catalog: Catalog) -> None:
    run = start(catalog)
    catalog.runs.finish(run.id)
    assert (catalog.runs.get(run.id).finished or 0) >= run.started
    folder = catalog.runs.folder(run.id)
    assert folder.is_dir()
    assert folder.parent == catalog.path / "runs"
    for ask in (catalog.runs.get, catalog.runs.finish, catalog.runs.folder, catalog.runs.missing):
        with pytest.raises(UnknownName, match="did you mean") as caught:
            ask(run.id[:-1] + "?")
        assert run.id in str(caught.value)


def test_parameters_must_be_plain_values(catalog: Catalog) -> None:
    with pytest.raises((TypeError, ValueError)):
        start(catalog, parameters={"path": Path("x")})
    with pytest.raises(ValueError, match="JSON"):
        start(catalog, parameters={"x": float("nan")})


def test_two_runs_may_draw_the_same_digits(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    digits = iter(["aaaa", "aaaa", "bbbb"])
    monkeypatch.setattr("secrets.token_hex", lambda _: next(digits))
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)
    assert start(catalog).id.endswith("aaaa")
    assert start(catalog, model="n").id.endswith("bbbb")


def test_missing_are_the_images_without_any_record(catalog: Catalog, photos: Path, draw: Callable[..., Path]) -> None:
    run, other, ids = start(catalog), start(catalog, model="n"), catalog.images.ids()
    assert catalog.runs.missing(run.id) == ids
    assert catalog.runs.missing(run.id, limit=3) == ids[:3]
    catalog.annotations.append(Annotation(id, "kind", run.id, label="x") for id in ids[::2])
    assert catalog.runs.missing(run.id) == ids[1::2]
    assert catalog.runs.missing(other.id) == ids
    # New images are missing too; images that no longer count are not.
    draw(photos / "zz.png", 77)
    draw(photos / "a b" / "01.png", 78)
    add([Path("photos")])
    new = [id for id in catalog.images.ids() if id not in ids]
    assert len(new) == 2
    assert ids[0] not in catalog.images.ids()
    assert catalog.runs.missing(run.id) == [*ids[1::2], *new]
    assert catalog.runs.missing(other.id) == [*ids[1:], *new]
