"""What a card shows beside its proposal: the model's own words, only where they belong."""

from __future__ import annotations

from typing import Any

import pytest

from lucida.catalog import Annotation, Catalog, Run
from lucida.review.cards import LONGEST_REASON, Card, Said
from lucida.review.workflow import Review, Terms

REASON = "It is round and bright."


def test_what_a_model_gave_is_read_from_the_details() -> None:
    said = Said.of("disc", {"reason": REASON, "by": "gpt-x", "agree": [2, 3]})
    assert said == Said("disc", REASON, "gpt-x", (2, 3))
    assert said.beside("disc") == {"reason": REASON, "by": "gpt-x", "agree": (2, 3)}


def test_a_reason_for_another_label_says_which_and_no_agreement() -> None:
    said = Said.of("disc", {"reason": REASON, "by": "gpt-x", "agree": [2, 3]})
    assert said.beside("square") == {"reason": REASON, "by": "gpt-x", "said": "disc"}
    assert Said.of("disc", {"agree": [2, 3]}).beside("square") == {}


def test_it_survives_being_kept_with_a_later_proposal() -> None:
    said = Said.of("disc", {"reason": REASON, "by": "gpt-x", "agree": [2, 3]})
    for proposal in ("disc", "square"):
        assert Said.of(proposal, said.detail(proposal)).beside(proposal) == said.beside(proposal)
    assert Said.of("disc", {}).detail("disc") == {}


def test_an_image_to_compare_with_stays_whatever_is_proposed() -> None:
    said = Said.of("near-duplicate", {"reason": REASON, "like": "abc"})
    assert said.beside("near-duplicate")["like"] == "abc"
    assert said.beside("fine")["like"] == "abc"
    assert Said.of("fine", said.detail("fine")).beside("fine") == said.beside("fine")
    assert Said.of("near-duplicate", {"like": "abc"}).beside("fine") == {"like": "abc"}


@pytest.mark.parametrize(
    "detail",
    [
        {"reason": 3, "by": ["x"], "agree": "23"},
        {"agree": [3, 2]},
        {"agree": [True, True]},
        {"agree": [1, 2, 3]},
        {"agree": [-1, 2]},
        {"agree": None, "reason": None, "said": {}, "like": 7},
    ],
)
def test_what_is_not_as_it_should_be_is_left_out(detail: dict[str, Any]) -> None:
    assert Said.of("disc", detail) == Said("disc")


def test_a_reason_is_one_line_without_control_characters_and_not_endless() -> None:
    assert Said.of("disc", {"reason": "a\nb\tc\x1b[31m \u202ed"}).reason == "a b c [31m d"
    long = Said.of("disc", {"reason": "round " * 500}).reason
    assert len(long) <= LONGEST_REASON
    assert long.endswith("…")


@pytest.fixture
def explained(catalog: Catalog) -> Run:
    """A run that gives a reason for each label of the run before it."""
    before = catalog.runs.latest("kind", "label")
    assert before is not None
    parameters = {k: v for k, v in before.parameters.items() if k in ("classes", "mode")} | {"again": 1}
    run = catalog.runs.start(
        "label", question="kind", model=before.model, revision=before.revision, parameters=parameters
    )
    ids, labels, scores, details = catalog.annotations.table(before.id)
    rows = zip(ids, labels, scores, details, strict=True)
    catalog.annotations.append(
        Annotation(i, "kind", run.id, label=name, score=float(s), detail=d | {"reason": f"A {name}.", "agree": [2, 3]})
        for i, name, s, d in rows
    )
    catalog.runs.finish(run.id)
    return run


def test_checking_shows_the_reasons_of_the_frozen_run(catalog: Catalog, explained: Run) -> None:
    card = Review.open(catalog, terms=Terms(), teach=False).next()
    assert card is not None
    assert (card.reason, card.agree, card.said) == (f"A {card.proposal}.", (2, 3), "")


def test_teaching_and_what_is_frozen_after_it_show_them_too(
    catalog: Catalog, explained: Run, truth: dict[str, str]
) -> None:
    own = dict(zip(*catalog.annotations.table(explained.id)[:2], strict=True))

    def fits(card: Card) -> bool:
        if card.proposal == own[card.image]:
            return (card.reason, card.agree, card.said) == (f"A {card.proposal}.", (2, 3), "")
        return (card.reason, card.agree, card.said) == (f"A {own[card.image]}.", None, own[card.image])

    review = Review.open(catalog, terms=Terms(), teach=True)
    for number in range(30):
        card = review.next()
        assert card is not None
        assert fits(card)
        # A new class, so that the head comes to disagree with the model here and there.
        review.answer(card.image, "wrong", "spiral" if number % 2 else truth[card.image])
    review.freeze()
    assert review.source.verb == "teach"
    every = [review._now.card_of(image) for image in review.population.ids]
    assert all(fits(card) for card in every)
    assert {card.said == "" for card in every} == {True, False}
