"""The laws of the fold: people, then certificates, then the latest proposal."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucida.catalog import Annotation, Catalog, Current, Run, add
from lucida.catalog.fold import Said, Vote, decide, people

CLOCK = itertools.count(1)


class Story:
    """A catalog in which one question is asked, proposed, reviewed, certified."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.ids = catalog.images.ids()
        self.sequence = itertools.count()

    def label(self, labels: dict[int, str], *, verb: str = "label", taught: dict[int, str] | None = None) -> Run:
        run = self.catalog.runs.start(verb, question="kind", parameters={"n": next(CLOCK)})
        rows = [Annotation(self.ids[i], "kind", run.id, label=label, score=0.5) for i, label in labels.items()]
        rows += [
            Annotation(self.ids[i], "kind", run.id, kind="taught", label=label) for i, label in (taught or {}).items()
        ]
        self.catalog.annotations.append(rows)
        return run

    def review(self, source: Run) -> Run:
        return self.catalog.runs.start("review", question="kind", parent=source.id, parameters={"n": next(CLOCK)})

    def answer(self, run: Run, i: int, verdict: str, label: str | None, actor: str = "ann") -> int:
        number = next(self.sequence)
        row = Annotation(self.ids[i], "kind", run.id, actor=actor, sequence=number, kind="answer", label=label,
                         detail={"verdict": verdict}, time=next(CLOCK))  # fmt: skip
        self.catalog.annotations.append([row])
        return number

    def undo(self, run: Run, i: int, number: int, actor: str = "ann") -> None:
        row = Annotation(self.ids[i], "kind", run.id, actor=actor, sequence=next(self.sequence), kind="undo",
                         detail={"sequence": number}, time=next(CLOCK))  # fmt: skip
        self.catalog.annotations.append([row])

    def certify(self, run: Run, source: Run, labels: dict[int, str]) -> None:
        self.catalog.annotations.append(
            Annotation(
                self.ids[i], "kind", run.id, kind="certified", label=label, score=0.5, detail={"source": source.id}
            )
            for i, label in labels.items()
        )

    def now(self, i: int) -> Current | None:
        found = {current.image: current for current in self.catalog.annotations.current("kind")}
        for id in self.ids:
            assert self.catalog.annotations.of_image("kind", id) == found.get(id), "an image alone comes to the same"
        return found.get(self.ids[i])

    def brief(self, i: int) -> tuple[str | None, str, bool] | None:
        current = self.now(i)
        return None if current is None else (current.label, current.state, current.kept)


@pytest.fixture
def story(catalog: Catalog) -> Story:
    return Story(catalog)


def test_the_latest_run_that_speaks_of_an_image_proposes(story: Story) -> None:
    first = story.label({0: "a", 1: "a", 2: "a"})
    second = story.label({1: "b"})
    assert story.now(0) == Current(story.ids[0], "a", 0.5, "proposed", False, first.id, False)
    assert story.now(1) == Current(story.ids[1], "b", 0.5, "proposed", False, second.id, False)
    assert story.now(3) is None
    assert [current.image for current in story.catalog.annotations.current("kind")] == story.ids[:3]


def test_people_come_before_proposals(story: Story) -> None:
    run = story.label({0: "a", 1: "a", 2: "a"})
    review = story.review(run)
    story.answer(review, 0, "right", "a")
    story.answer(review, 1, "wrong", "b")
    story.answer(review, 2, "right", None)
    assert story.now(0) == Current(story.ids[0], "a", 0.5, "reviewed", False, review.id, False)
    # The score was the proposal's: it says nothing of another label.
    assert story.now(1) == Current(story.ids[1], "b", None, "reviewed", False, review.id, False)
    # "Right" without a label means what was proposed.
    assert story.brief(2) == ("a", "reviewed", False)
    # A newer run does not outvote a person.
    story.label({0: "c", 1: "c"})
    assert story.brief(0) == ("a", "reviewed", False)
    assert story.brief(1) == ("b", "reviewed", False)


def test_an_undone_answer_never_was(story: Story) -> None:
    run = story.label({0: "a", 1: "a"})
    review = story.review(run)
    number = story.answer(review, 0, "wrong", "b")
    story.undo(review, 0, number)
    assert story.brief(0) == ("a", "proposed", False)
    story.answer(review, 0, "wrong", "c")
    assert story.brief(0) == ("c", "reviewed", False)
    # Somebody else's answer, or one of another run, is not taken back by it.
    number = story.answer(review, 1, "wrong", "b")
    story.undo(review, 1, number, actor="bob")
    story.undo(story.review(run), 1, number)
    assert story.brief(1) == ("b", "reviewed", False)


def test_an_undo_brings_back_the_answer_before(story: Story) -> None:
    review = story.review(story.label({0: "a"}))
    story.answer(review, 0, "wrong", "b")
    number = story.answer(review, 0, "wrong", "c")
    assert story.brief(0) == ("c", "reviewed", False)
    story.undo(review, 0, number)
    assert story.brief(0) == ("b", "reviewed", False)


def test_the_majority_of_people_wins_and_the_latest_where_it_is_split(story: Story) -> None:
    review = story.review(story.label({0: "a", 1: "a"}))
    for actor, label in (("ann", "b"), ("bob", "b"), ("cid", "c")):
        story.answer(review, 0, "wrong", label, actor)
    assert story.brief(0) == ("b", "reviewed", False)
    current = story.now(0)
    assert current is not None
    assert current.disagreement
    story.answer(review, 1, "wrong", "b", "ann")
    story.answer(review, 1, "wrong", "c", "bob")
    assert story.brief(1) == ("c", "reviewed", False)
    # Each person has one vote: changing one's mind counts once.
    story.answer(review, 1, "wrong", "b", "bob")
    current = story.now(1)
    assert current is not None
    assert (current.label, current.disagreement) == ("b", False)


def test_unsure_gives_no_answer(story: Story) -> None:
    run = story.label({0: "a", 1: "a"})
    review = story.review(run)
    story.answer(review, 0, "unsure", None)
    assert story.now(0) == Current(story.ids[0], "a", 0.5, "proposed", False, run.id, False)
    story.answer(review, 1, "unsure", None, "ann")
    story.answer(review, 1, "wrong", "b", "bob")
    current = story.now(1)
    assert current is not None
    assert (current.label, current.state, current.disagreement) == ("b", "reviewed", False)


def test_wrong_without_the_right_label_leaves_no_label(story: Story) -> None:
    run = story.label({0: "a", 1: "a"})
    review = story.review(run)
    story.certify(review, run, {0: "a"})
    story.answer(review, 0, "wrong", None)
    assert story.brief(0) == (None, "reviewed", False)
    story.answer(review, 1, "wrong", "b", "ann")
    story.answer(review, 1, "wrong", None, "bob")
    assert story.brief(1) == ("b", "reviewed", False)


def test_a_certificate_keeps_what_nobody_looked_at(story: Story) -> None:
    run = story.label(dict.fromkeys(range(5), "a"))
    review = story.review(run)
    story.answer(review, 1, "right", "a")
    story.answer(review, 2, "wrong", "b")
    story.answer(review, 3, "unsure", None)
    story.certify(review, run, dict.fromkeys(range(4), "a"))
    assert story.now(0) == Current(story.ids[0], "a", 0.5, "accepted", True, review.id, False)
    assert story.brief(1) == ("a", "reviewed", True)
    assert story.brief(2) == ("b", "reviewed", True)
    assert story.brief(3) == ("a", "proposed", False)
    assert story.brief(4) == ("a", "proposed", False)


@pytest.mark.parametrize("verb", ["label", "teach"])
def test_a_model_run_again_voids_the_certificate(story: Story, verb: str) -> None:
    run = story.label({0: "a", 1: "a"})
    review = story.review(run)
    story.answer(review, 1, "right", "a")
    story.certify(review, run, {0: "a", 1: "a"})
    assert story.brief(0) == ("a", "accepted", True)
    # Another question's run, and another review, change nothing.
    story.catalog.runs.start("label", question="other")
    story.review(run)
    assert story.brief(0) == ("a", "accepted", True)
    if verb == "teach":
        # Teaching under way proposes nothing yet: what is certified stands until it is frozen.
        story.catalog.runs.start("teach", question="kind")
        assert story.brief(0) == ("a", "accepted", True)
    again = story.label({0: "b"}, verb=verb)
    story.catalog.runs.finish(again.id)
    assert story.brief(0) == ("b", "proposed", False)
    assert story.brief(1) == ("a", "reviewed", False)
    # A certificate on the new run holds again.
    review = story.review(again)
    story.certify(review, again, {0: "b"})
    assert story.brief(0) == ("b", "accepted", True)


def test_of_several_reviews_only_the_latest_counts(story: Story) -> None:
    """Each promise holds for its own set; the sets put together would break both."""
    run = story.label({0: "a", 1: "a", 2: "a"})
    story.certify(story.review(run), run, {0: "a", 1: "a"})
    story.certify(story.review(run), run, {1: "a", 2: "a"})
    assert [story.brief(i)[1] for i in range(3)] == ["proposed", "accepted", "accepted"]


def test_the_same_run_taken_up_again_does_not_void(story: Story) -> None:
    run = story.catalog.runs.start("label", question="kind", parameters={"same": 1})
    story.catalog.annotations.append([Annotation(story.ids[0], "kind", run.id, label="a", score=0.5)])
    review = story.review(run)
    story.certify(review, run, {0: "a"})
    assert story.catalog.runs.start("label", question="kind", parameters={"same": 1}) == run
    story.catalog.annotations.append([Annotation(story.ids[1], "kind", run.id, label="a", score=0.5)])
    assert story.brief(0) == ("a", "accepted", True)
    assert story.brief(1) == ("a", "proposed", False)


def test_a_taught_image_is_reviewed_and_never_kept(story: Story) -> None:
    run = story.label({1: "a"}, taught={0: "b"})
    assert story.brief(0) == ("b", "reviewed", False)
    # A later run without this example proposes again; a person's answer decides in any case.
    story.answer(story.review(run), 0, "wrong", "c")
    assert story.brief(0) == ("c", "reviewed", False)
    story.label({0: "d", 1: "d"})
    assert story.brief(1) == ("d", "proposed", False)


def test_an_answer_without_any_proposal_counts(story: Story) -> None:
    review = story.catalog.runs.start("review", question="kind")
    story.answer(review, 5, "wrong", "z")
    story.answer(review, 6, "unsure", None)
    assert story.brief(5) == ("z", "reviewed", False)
    assert story.brief(6) is None


def test_questions_do_not_mix(story: Story) -> None:
    story.label({0: "a"})
    other = story.catalog.runs.start("label", question="other")
    story.catalog.annotations.append([Annotation(story.ids[0], "other", other.id, label="z")])
    assert story.brief(0) == ("a", "proposed", False)


def test_images_that_no_longer_count_have_no_answer(story: Story, photos: Path) -> None:
    story.label(dict.fromkeys(range(12), "a"))
    (photos / "a b" / "01.png").write_bytes((photos / "日本" / "00.jpg").read_bytes())
    add([Path("photos")])
    assert len(story.catalog.annotations.current("kind")) == 11


def test_filters(story: Story) -> None:
    run = story.catalog.runs.start("label", question="kind")
    story.catalog.annotations.append(
        Annotation(id, "kind", run.id, label="ab"[i % 2], score=i / 12) for i, id in enumerate(story.ids)
    )
    review = story.review(run)
    story.answer(review, 0, "wrong", "b")
    story.certify(review, run, {1: "b"})
    current = story.catalog.annotations.current

    def places(**filters: object) -> list[int]:
        return [story.ids.index(one.image) for one in current("kind", **filters)]  # type: ignore[arg-type]

    assert places(label="a") == [2, 4, 6, 8, 10]
    assert places(state="reviewed") == [0]
    assert places(state=["reviewed", "accepted"]) == [0, 1]
    assert places(min_score=10 / 12) == [10, 11]
    assert places(max_score=2 / 12) == [2]
    assert places(min_score=3 / 12, max_score=5 / 12, label="b") == [3, 5]
    assert places(limit=3) == [0, 1, 2]
    assert places(limit=0) == []


VOTES = st.lists(
    st.builds(
        Vote,
        time=st.integers(0, 5).map(float),
        sequence=st.integers(0, 5),
        actor=st.sampled_from(["ann", "bob", "cid"]),
        verdict=st.sampled_from(["right", "wrong", "unsure"]),
        label=st.sampled_from(["a", "b", None]),
        run=st.integers(1, 3),
    ),
    max_size=6,
    unique_by=lambda vote: (vote.run, vote.actor, vote.sequence),
)
SAID = st.one_of(
    st.none(), st.builds(Said, st.integers(1, 3), st.sampled_from(["a", "b"]), st.just(0.5), st.booleans())
)


@given(votes=VOTES, certified=SAID, said=SAID, order=st.randoms())
def test_laws_of_the_fold(votes: list[Vote], certified: Said | None, said: Said | None, order: object) -> None:
    decision = decide(votes, certified, said)
    shuffled = list(votes)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    again = decide(shuffled, certified, said)
    # Records lie in a table: their order is no part of what they say.
    assert again == decision
    answered = people(votes, "a")
    if decision is None:
        assert certified is None
        assert said is None
        assert answered is None or not answered.sure
        return
    state, kept, record, disagreement = decision
    assert kept <= (certified is not None)
    assert (state == "accepted") <= kept
    assert disagreement <= (state == "reviewed")
    assert (state == "reviewed") == (
        (answered is not None and answered.sure)
        or (answered is None and certified is None and said is not None and said.taught)
    )
    if state == "reviewed" and kept:
        assert record.label is not None
