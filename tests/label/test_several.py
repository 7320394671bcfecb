"""Several labellers on one question: pooled, or one after the other; what agrees, what it costs, what it saves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lucida.catalog import Catalog
from lucida.errors import InputError, ModelError
from lucida.label.job import run_label
from lucida.label.labeller import Proposal
from lucida.label.several import BATCH, Cascade, Panel, spread
from lucida.results import Classification

CLASSES = ["cat", "dog", "fox"]


class Fixed:
    """Says of every image what a table says: class and probability, or a problem, or nothing at all."""

    accuracy = None
    engine = ""

    def __init__(self, model: str, table: dict[str, tuple[str, float] | str | None], cost: float = 0.0) -> None:
        self.model, self.revision, self.classes = model, "1", list(CLASSES)
        self.table, self.price = table, cost
        self.asked: list[str] = []
        self.folders: list[Path | None] = []
        self.notes: list[str] = [f"{model} works"]

    @property
    def cost(self) -> float | None:
        return self.price * len(self.asked) if self.price else None

    def parameters(self) -> dict[str, object]:
        return {"mode": "asked" if self.price else "words"}

    def check(self, catalog: Catalog, todo: Sequence[str], folder: Path | None) -> None:
        self.folders.append(folder)

    def learn(self, catalog: Catalog, folder: Path) -> None:
        assert folder.is_dir()
        self.folders.append(folder)

    def taught(self, catalog: Catalog) -> dict[str, str]:
        return {}

    def propose(self, catalog: Catalog, ids: Sequence[str]) -> Iterator[list[Proposal]]:
        for image in ids:
            said = self.table[image]
            if said is None:
                continue
            self.asked.append(image)
            detail = {"cost": self.price} if self.price else {}
            if isinstance(said, str):
                yield [Proposal(image, detail=detail, problem=said)]
                continue
            label, score = said
            rest = tuple((name, (1 - score) / 2) for name in CLASSES if name != label)
            yield [Proposal(image, Classification(label, score, rest), {"reason": f"{self.model} sees it", **detail})]


@pytest.fixture
def place(place):
    """The catalog of the tests of label, with its images in order."""
    with Catalog.open(place.catalog) as catalog:
        yield catalog


def tables(ids: Sequence[str], *rows: Sequence[object]) -> list[dict[str, object]]:
    """One table a labeller: the first images get the rows, all others ("cat", .99)."""
    usual = [("cat", 0.99)] * len(rows[0])
    whole = [*rows, *([usual] * (len(ids) - len(rows)))]
    return [dict(zip(ids, column, strict=True)) for column in zip(*whole, strict=True)]


def notes(catalog: Catalog, run: str) -> dict[str, object]:
    return {row.image: row for row in catalog.annotations.rows(run=run, kind="proposal")}


def test_a_panel_gives_the_mean_and_says_who_agrees(place):
    ids = place.images.ids()
    first, second, third = tables(
        ids,
        [("cat", 0.9), ("cat", 0.8), ("dog", 0.6)],
        [("cat", 0.4), ("dog", 0.9), ("dog", 0.7)],
        [("cat", 0.9), "refused", ("cat", 0.5)],
        ["refused", "refused", "refused"],
    )
    panel = Panel([Fixed("a", first), Fixed("b", second), Fixed("c", third, cost=0.01)], ("embedded", "1"))
    result = run_label(place, panel, question="animal")
    found = notes(place, result.run)
    one, two, three = (found[image] for image in ids[:3])
    assert one.label == "cat"
    assert one.score == pytest.approx((0.9 + 0.8 + 0.2) / 3, abs=1e-5)
    assert one.detail["agree"] == [2, 3]
    assert one.detail["reason"] == "a sees it", "a reason for the label that won"
    assert [said["label"] for said in one.detail["said"]] == ["cat", "cat", "dog"]
    assert (two.label, two.detail["agree"]) == ("dog", [2, 3])
    assert two.detail["reason"] == "b sees it"
    assert three.detail["agree"] == [2, 2], "who has no answer does not count"
    assert three.detail["cost"] == 0.01
    assert ids[3] not in found
    assert result.skipped == 1
    assert result.cost == pytest.approx(0.01 * len(ids))
    assert place.runs.get(result.run).model == "a+b+c"


def test_a_cascade_asks_the_next_only_where_one_is_not_sure(place):
    ids = place.images.ids()
    first, second, third = tables(
        ids,
        [("cat", 0.95), ("dog", 0.99), ("dog", 0.99)],
        [("cat", 0.5), ("dog", 0.92), ("fox", 0.99)],
        [("cat", 0.5), ("dog", 0.6), ("fox", 0.7)],
        [("cat", 0.5), "broken", "refused"],
    )
    cheap, middle, dear = Fixed("cheap", first), Fixed("middle", second), Fixed("dear", third, cost=0.02)
    result = run_label(place, Cascade([cheap, middle, dear], ("embedded", "1"), 0.9), question="animal")
    found = notes(place, result.run)
    assert [(found[i].label, found[i].detail["by"]) for i in ids[:3]] == [
        ("cat", "cheap"),
        ("dog", "middle"),
        ("fox", "dear"),
    ]
    assert len(cheap.asked) == len(ids)
    assert middle.asked == ids[1:4]
    assert dear.asked == ids[2:4]
    # Where nobody later answers, what was said first stands, with its low score; what was paid stays counted.
    assert (found[ids[3]].label, found[ids[3]].detail["by"]) == ("cat", "cheap")
    assert found[ids[3]].score == 0.5
    assert result.cost == pytest.approx(0.04)
    (saved,) = [note for note in result.notes if "saved" in note]
    assert f"2 of {len(ids)}" in saved
    assert f"${0.02 * (len(ids) - 2):.4f}" in saved


def test_what_a_limit_leaves_out_comes_again(place):
    ids = place.images.ids()
    for kind in (Panel, Cascade):
        first, second = tables(ids, [("cat", 0.5), None], [("cat", 0.5), ("dog", 0.9)])
        members = [Fixed("cheap", first), Fixed("dear", second, cost=0.02)]
        result = run_label(place, kind(members, ("embedded", "1")), question=kind.__name__)
        assert place.runs.missing(result.run) == [ids[0]]
        assert result.images == len(ids) - 1
        second[ids[0]] = ("fox", 0.8)
        again = run_label(place, kind(members, ("embedded", "1")), question=kind.__name__)
        assert again.run == result.run
        assert again.new == 1
        assert not place.runs.missing(result.run)


def test_each_member_has_a_folder_of_its_own(place):
    (table, other) = tables(place.images.ids(), [("cat", 0.9), ("cat", 0.9)])
    members = [Fixed("a", table), Fixed("b", other)]
    run_label(place, Panel(members, ("embedded", "1")), question="animal")
    assert [member.folders[0] for member in members] == [None, None], "there is no run yet"
    assert members[0].folders[1] != members[1].folders[1]
    run_label(place, Panel(members, ("embedded", "1")), question="animal")
    assert members[0].folders[2] == members[0].folders[1], "the same run goes on in the same folder"


def test_other_classes_and_a_wrong_limit_are_refused():
    odd = Fixed("odd", {})
    odd.classes = ["cat", "wolf"]
    with pytest.raises(InputError) as caught:
        Panel([Fixed("a", {}), odd], ("embedded", "1"))
    assert "wolf" in caught.value.got
    for sure in (0, 1.5, float("nan")):
        with pytest.raises(InputError, match="no probability"):
            Cascade([Fixed("a", {}), Fixed("b", {})], ("embedded", "1"), sure)


def test_what_is_not_listed_shares_what_is_left():
    found = Classification("cat", 0.6, (("dog", 0.2),))
    assert spread(found, ["cat", "dog", "fox", "owl"]) == pytest.approx([0.6, 0.2, 0.1, 0.1])
    assert sum(spread(Classification("cat", 1.0), CLASSES)) == pytest.approx(1)


def test_batches_keep_every_image(place, monkeypatch):
    from lucida.label import several

    assert BATCH > 1
    monkeypatch.setattr(several, "BATCH", 7)
    ids = place.images.ids()
    table, other = tables(ids, [("cat", 0.5), ("dog", 0.9)])
    result = run_label(place, Cascade([Fixed("a", table), Fixed("b", other)], ("embedded", "1")), question="animal")
    assert result.images == len(ids)
    assert len(notes(place, result.run)) == len(ids)


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"model": "embedded,embedded"}, InputError, "not clear"),
        ({"model": "embedded,"}, InputError, "not clear"),
        ({"cascade": True}, InputError, "more than one model"),
        ({"sure": 0.5, "model": "embedded,clip"}, InputError, "when a cascade stops"),
        ({"max_cost": 1.0}, InputError, "--max-cost is for models that are asked"),
        ({"votes": 3}, InputError, "--votes is for models that are asked"),
        ({"template": ["a photo"]}, InputError, "no place for the class"),
        ({"template": ["a photo of a {}"]}, InputError, "not sentences"),
        ({"model": "embedded,onnx:nowhere.toml"}, ModelError, "nowhere"),
        ({"classes": None, "template": ["a {}"]}, InputError, "--template needs classes"),
    ],
)
def test_options_that_do_not_belong_together(place, options, kind, said):
    from lucida.label import label

    with pytest.raises(kind, match=said) as caught:
        label(catalog=place.path, **{"classes": "disc,square", **options})
    assert all((caught.value.expected, caught.value.got, caught.value.hint))
    assert not place.runs.all(), "what is refused starts no run"
