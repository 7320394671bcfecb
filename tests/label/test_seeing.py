"""`lucida label --task`: any task over the catalog."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lucida.catalog import Catalog
from lucida.catalog.verb import add
from lucida.errors import InputError, ModelError
from lucida.label.seeing import run_seeing
from lucida.label.verb import label
from lucida.models.chat import Said, Usage
from lucida.models.needs import ImageNeeds
from lucida.models.spec import Gives, Model, Spec
from lucida.results import RESULTS, Detections, Item
from lucida.runs.seeing import Seer, Wish
from lucida.runs.spending import Budget
from pictures import write_pictures
from told_models import model


def boxes(number: int) -> Detections:
    count = number % 3
    xyxy = np.array([[0, 0, 5, 5 + k] for k in range(count)], np.float32).reshape(-1, 4)
    return Detections(xyxy, np.full(count, 0.5, np.float32), np.zeros(count, np.int64), ("cell",))


@pytest.fixture
def catalog(tmp_path: Path):
    write_pictures(tmp_path / "photos", 3)
    add(tmp_path / "photos", catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as opened:
        yield opened


def kept(catalog: Catalog, run: str) -> dict[str, list[Item]]:
    found: dict[str, list[Item]] = {}
    for row in sorted(catalog.annotations.rows(run=run), key=lambda row: row.item):
        found.setdefault(row.image, []).append(Item(row.label, row.score, row.detail))
    return found


def test_objects_are_kept_one_by_one_and_come_back(catalog: Catalog) -> None:
    result = run_seeing(catalog, Seer(model("detect", ("cell",), boxes), Wish("detect")), question="cells")
    assert (result.images, result.new, result.task) == (9, 9, "detect")
    found = kept(catalog, result.run)
    assert len(found) == 9
    results = [RESULTS["detect"].of_items(items) for items in found.values()]
    assert sum(len(one) for one in results if isinstance(one, Detections)) == result.objects
    assert catalog.runs.get(result.run).finished is not None
    # One answer an image for whoever asks about images.
    assert len(catalog.annotations.current("cells")) == 9


def test_the_same_call_goes_on_with_what_is_new(catalog: Catalog, tmp_path: Path) -> None:
    seer = Seer(model("detect", ("cell",), boxes), Wish("detect"))
    first = run_seeing(catalog, seer, question="cells")
    write_pictures(tmp_path / "more", 1, first_seed=100)
    add(tmp_path / "more", catalog=tmp_path / "catalog")
    again = run_seeing(catalog, seer, question="cells")
    assert (again.run, again.new, again.images) == (first.run, 3, 12)
    other = run_seeing(catalog, Seer(seer.spec, Wish("detect", least=0.9)), question="cells")
    assert other.run != first.run
    assert other.objects == 0


class Costly(Model):
    """Says something for ten cents, and for no more."""

    def quote_talk(self, talk) -> Usage:
        return Usage(cost=0.1)

    def say(self, talk) -> Said:
        return Said("a picture", usage=Usage(cost=0.1))


def test_a_limit_of_cost_holds_and_a_higher_one_goes_on(catalog: Catalog) -> None:
    spec = Spec(
        "costly", "test", ("caption",), ImageNeeds(8), Gives(), "MIT", "a test", "1",
        build=lambda spec, precision, trial: Costly(spec),
    )  # fmt: skip

    def run(limit: float):
        return run_seeing(catalog, Seer(spec, Wish("caption"), budget=Budget(limit)), question="caption")

    result = run(0.55)
    assert (result.images, result.skipped, result.cost) == (5, 0, pytest.approx(0.5))
    assert any("4 images left" in note and "higher --max-cost" in note for note in result.notes)
    # The limit is of the run: what an earlier call has paid counts.
    assert run(0.75).new == 2
    assert run(0.75).new == 0
    rest = run(5)
    assert (rest.run, rest.images, rest.cost) == (result.run, 9, pytest.approx(0.2))
    with pytest.raises(InputError, match="less than one image"):
        run_seeing(catalog, Seer(spec, Wish("caption"), budget=Budget(0.05)), question="other")


def test_images_that_are_gone_are_skipped_and_tried_again(catalog: Catalog, tmp_path: Path) -> None:
    gone = sorted((tmp_path / "photos").iterdir())[0]
    data = gone.read_bytes()
    gone.unlink()
    seer = Seer(model("detect", ("cell",), boxes), Wish("detect"))
    result = run_seeing(catalog, seer, question="cells")
    assert (result.images, result.skipped) == (8, 1)
    gone.write_bytes(data)
    assert run_seeing(catalog, seer, question="cells").new == 1


def test_the_verb_takes_any_task(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 1)
    add(tmp_path / "photos", catalog=tmp_path / "catalog")
    result = label(task="detect", model="blood-cells", catalog=tmp_path / "catalog")
    assert (result.question, result.images) == ("detect", 3)
    assert "images have what 'detect' says" in str(result)
    with pytest.raises(InputError, match="Which model is to detect"):
        label(task="detect", catalog=tmp_path / "catalog")
    with pytest.raises(ModelError, match="cannot do the task 'answer'"):
        label(task="answer", model="blood-cells", catalog=tmp_path / "catalog")


def test_an_empty_catalog_is_an_error(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "catalog", create=True) as opened, pytest.raises(InputError, match="no image"):
        run_seeing(opened, Seer(model("detect", ("cell",), boxes), Wish("detect")), question="cells")
