"""A session: what it asks, what it refuses, what it says."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from lucida.errors import InputError
from lucida.evidence.finite import most_wrong
from lucida.review import Certificate, Session, certify
from lucida.review.replay import replay

N = 2000


def population(
    n: int = N, seed: int = 0, accuracy: float = 0.95
) -> tuple[list[str], list[str], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    q = rng.beta(2 * accuracy, 2 * (1 - accuracy), n)
    ids = [f"image-{i:05}" for i in rng.permutation(n)]
    return ids, rng.choice(["cat", "dog", "owl"], n, p=[0.5, 0.3, 0.2]).tolist(), q, rng.random(n) < q


def finish(session: Session, right: dict[str, bool], most: int = 10**9) -> None:
    while most and (name := session.next()) is not None:
        session.answer(name, "right" if right[name] else "wrong")
        most -= 1


def started(**options: Any) -> tuple[Session, dict[str, bool]]:
    ids, predicted, scores, right = population()
    options = {"max_error": 0.05, "seed": 1} | options
    return Session(ids, predicted, scores, **options), dict(zip(ids, right.tolist(), strict=True))


def same(a: Certificate, b: Certificate) -> bool:
    return (a.to_json() | {"created": ""}) == (b.to_json() | {"created": ""})


def test_a_review_keeps_most_labels_and_the_promise() -> None:
    session, right = started()
    finish(session, right)
    status, certificate = session.status(), session.certificate()
    wrong = np.array([not right[name] for name in session.population.ids])
    assert status.done
    assert status.phase == "done"
    assert status.kept == len(certificate.kept) > 0.6 * N
    assert wrong[certificate.kept].sum() <= most_wrong(0.05, status.kept)
    assert status.bound == certificate.bound == most_wrong(0.05, status.kept) / status.kept <= 0.05
    assert status.reviews == len(certificate.reviewed) < 400
    assert status.errors_found == certificate.errors_found == wrong[certificate.reviewed].sum()
    assert set(certificate.accepted.tolist()) == set(certificate.kept.tolist()) - set(certificate.reviewed.tolist())
    assert (
        certificate.max_wrong_left
        == most_wrong(0.05, status.kept) - wrong[np.intersect1d(certificate.kept, certificate.reviewed)].sum()
    )
    assert certificate.rate_left == pytest.approx(certificate.max_wrong_left / len(certificate.accepted))
    assert wrong[certificate.accepted].sum() <= certificate.max_wrong_left
    points = [(p.reviews, p.kept) for p in status.history]
    assert points == sorted(points)
    assert points[-1] == (status.reviews, status.kept)


def test_certify_asks_by_index() -> None:
    _, predicted, scores, right = population()
    asked: list[int] = []

    def verdict(index: int) -> bool:
        asked.append(index)
        return bool(right[index])

    certificate = certify(predicted, scores, verdict, max_error=0.05, seed=3)
    assert sorted(asked) == certificate.reviewed.tolist()
    assert certificate.simulation
    assert certificate.verify().ok


def test_a_seed_of_its_own_is_drawn_after_the_freeze() -> None:
    (first, right), (second, _) = started(seed=None), started(seed=None)
    assert first.seed != second.seed
    assert re.fullmatch("[0-9a-f]{32}", str(first.seed))
    assert not first.simulation
    finish(first, right)
    assert "SIMULATION" not in first.certificate().claim_in_full
    assert "SIMULATION" in started()[0].certificate().claim_in_full


def test_a_stored_session_goes_on_where_it_stood() -> None:
    session, right = started(seed=None)
    finish(session, right, 150)
    session.undo()
    ids, predicted, scores, _ = population()
    again = Session(ids, predicted, scores, max_error=0.05, seed=session.seed, drawn=True)
    again.replay(session.log.lines)
    assert again.status() == session.status()
    assert again.peek(9) == session.peek(9)
    assert same(again.certificate(), session.certificate())
    finish(session, right)
    finish(again, right)
    assert same(again.certificate(), session.certificate())
    third = Session(ids, predicted, scores, max_error=0.05, seed=session.seed, drawn=True)
    third.replay(session.certificate().answers)
    assert same(third.certificate(), session.certificate())


def test_two_thousand_answers_are_replayed_fast() -> None:
    import time

    ids, predicted, scores, right = population(20_000, accuracy=0.8)
    session = Session(ids, predicted, scores, max_error=0.01, worth=5.0, seed=1)
    finish(session, dict(zip(ids, right.tolist(), strict=True)), 2000)
    assert session.status().reviews == 2000
    again = Session(ids, predicted, scores, max_error=0.01, worth=5.0, seed=1)
    start = time.process_time()
    again.replay(session.log.lines)
    assert time.process_time() - start < 2
    assert again.next() == session.next()


def test_permuting_the_rows_changes_nothing() -> None:
    ids, predicted, scores, right = population()
    truth, shuffle = dict(zip(ids, right.tolist(), strict=True)), np.random.default_rng(5).permutation(N)
    plain = Session(ids, predicted, scores, max_error=0.05, per_class=True, seed=2)
    shuffled = Session(
        [ids[i] for i in shuffle],
        [predicted[i] for i in shuffle],
        scores[shuffle],
        max_error=0.05,
        per_class=True,
        seed=2,
    )
    finish(plain, truth)
    finish(shuffled, truth)
    assert plain.log.lines == shuffled.log.lines
    a, b = plain.certificate(), shuffled.certificate()
    assert {ids[i] for i in a.kept} == {ids[shuffle[i]] for i in b.kept}
    assert (a.digest, a.bound, a.claim) == (b.digest, b.bound, b.claim)


# ---- answers ----------------------------------------------------------------------------------------------------


def test_unsure_counts_as_wrong_and_the_claim_says_so() -> None:
    (unsure, right), (wrong, _) = started(), started()
    while (name := unsure.next()) is not None:
        assert name == wrong.next()
        unsure.answer(name, "right" if right[name] else "unsure")
        wrong.answer(name, "right" if right[name] else "wrong")
    a, b = unsure.certificate(), wrong.certificate()
    assert a.kept.tolist() == b.kept.tolist()
    assert a.errors_found == b.errors_found > 0
    assert "wrong or undecidable" in a.claim
    assert "undecidable" not in b.claim
    assert a.verify().ok


def test_a_label_goes_into_the_log_and_the_predicted_one_means_right() -> None:
    session, _ = started()
    first, second = session.peek(2)
    row = session.population.ids.index(first)
    session.answer(first, "wrong", session.population.predicted[row])
    session.answer(second, "wrong", "bat")
    assert [(line.verdict, line.label) for line in session.log.lines] == [("right", None), ("wrong", "bat")]
    assert session.status().errors_found == 1
    assert session.certificate().answers[1]["label"] == "bat"


def test_a_second_answer_replaces_the_first() -> None:
    session, right = started()
    finish(session, right, 100)
    name = session.log.lines[-1].id
    before = session.status()
    session.answer(name, "wrong")
    session.answer(name, "right" if right[name] else "wrong")
    after = session.status()
    assert (after.reviews, after.errors_found, after.kept) == (before.reviews, before.errors_found, before.kept)
    assert len(session.log.lines) == 102
    assert session.certificate().verify().ok


def test_undo_takes_back_one_answer_after_the_other() -> None:
    session, right = started()
    states = []
    for _ in range(60):
        states.append((session.next(), session.status().reviews, session.status().errors_found))
        finish(session, right, 1)
    for asked, reviews, errors in reversed(states):
        assert session.undo() == asked
        assert session.next() == asked
        assert (session.status().reviews, session.status().errors_found) == (reviews, errors)
    assert session.undo() is None
    finish(session, right)
    assert session.certificate().verify().ok


def test_undo_of_a_changed_answer_brings_back_the_one_before() -> None:
    session, right = started()
    finish(session, right, 30)
    name = session.log.lines[3].id
    before = session.status().errors_found
    session.answer(name, "wrong" if right[name] else "right")
    assert session.status().errors_found != before
    session.undo()
    assert session.status().errors_found == before
    assert session.status().reviews == 30


def test_answers_off_the_order_count() -> None:
    session, right = started()
    for name in list(session.population.ids)[:500]:
        session.answer(name, "right" if right[name] else "wrong")
    assert session.status().reviews == 500
    finish(session, right)
    certificate = session.certificate()
    assert certificate.verify().ok
    assert not set(session.population.ids[:500]) & {session.population.ids[i] for i in certificate.accepted}


@pytest.mark.parametrize("seed", range(6))
def test_a_careless_person_breaks_nothing(seed: int) -> None:
    """Answers on and off the order, changes, undos, in any mixture: the file replays and a new session agrees."""
    rng = np.random.default_rng(seed)
    session, right = started(per_class=seed % 2 == 1, max_reviews=None if seed % 3 else 250, worth=2.0)
    for _ in range(400):
        choice = rng.random()
        name = session.next() if choice < 0.8 else session.population.ids[int(rng.integers(0, N))]
        if choice > 0.95:
            session.undo()
        elif name is not None:
            session.answer(name, "right" if right[name] else ("wrong", "unsure")[int(rng.integers(0, 2))])
    certificate = session.certificate()
    assert replay(certificate).problems == ()
    again, _ = started(per_class=seed % 2 == 1, max_reviews=None if seed % 3 else 250, worth=2.0)
    again.replay(session.log.lines)
    assert same(again.certificate(), certificate)


# ---- small, empty, limited ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 21, 60])
@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("verdict", ["right", "wrong"])
def test_tiny_populations_get_advice_and_no_exception(n: int, per_class: bool, verdict: Any) -> None:
    session = Session([str(i) for i in range(n)], ["a", "b", "c"][:n] + ["a"] * (n - 3), np.arange(n), max_error=0.05,
                      per_class=per_class, seed=1)  # fmt: skip
    while (name := session.next()) is not None:
        session.answer(name, verdict)
    status, certificate = session.status(), session.certificate()
    assert status.done
    assert status.reason
    assert ("abel" in status.advice) == (n > 0)
    assert ("nothing to check" in status.advice) == (n == 0)
    assert status.kept == len(certificate.kept)
    assert certificate.verify().ok
    assert verdict == "right" or not status.kept
    if not status.kept:
        assert certificate.bound == certificate.rate_left == 0.0
        assert "no label is kept" in certificate.claim
    assert str(certificate)


def test_the_advice_to_label_all_begins_at_four_times_the_rule_of_three() -> None:
    for n, advised in ((239, True), (240, False)):  # 4 ln(20) / 0.05 = 239.7
        session = Session([str(i) for i in range(n)], ["a"] * n, np.arange(n), max_error=0.05, seed=1)
        assert ("Label them all" in session.status().advice) == advised


def test_a_hopeless_model_is_told_so() -> None:
    session, right = started()
    finish(session, dict.fromkeys(right, False))
    status = session.status()
    assert status.done
    assert status.reason == "no-gain"
    assert not status.kept
    assert "teach" in status.advice
    assert status.reviews < 150


def test_no_more_is_asked_than_allowed_and_what_was_out_of_reach_is_said() -> None:
    session, right = started(max_reviews=40, max_error=0.02)
    finish(session, right)
    status = session.status()
    assert status.reviews <= 40
    assert status.reason == "max-reviews"
    assert status.aim is not None
    assert status.aim_reviews is not None
    assert "more reviews" in status.advice


def test_labels_worth_more_are_asked_for_longer() -> None:
    (cheap, right), (dear, _) = started(worth=0.2), started(worth=3.0)
    finish(cheap, right)
    finish(dear, right)
    assert dear.status().reviews > cheap.status().reviews
    assert dear.status().kept >= cheap.status().kept


def test_a_reviewer_who_misses_errors_costs_answers_and_is_named() -> None:
    (sharp, right), (blunt, _) = started(), started(reviewer_error=0.1)
    finish(sharp, right)
    finish(blunt, right)
    assert "misses" in blunt.certificate().claim_in_full
    assert blunt.certificate().verify().ok
    assert blunt.status().kept <= sharp.status().kept or blunt.status().reviews > sharp.status().reviews


# ---- per class ----------------------------------------------------------------------------------------------------


def test_each_class_keeps_its_own_promise() -> None:
    session, right = started(per_class=True)
    finish(session, right)
    certificate = session.certificate()
    wrong = np.array([not right[name] for name in session.population.ids])
    predicted = np.array(session.population.predicted)
    assert [group["name"] for group in certificate.groups] == ["cat", "dog", "owl"]
    assert sum(group["level"] for group in certificate.groups) == pytest.approx(0.05)
    for group in certificate.groups:
        rows = certificate.kept[predicted[certificate.kept] == group["name"]]
        assert len(rows) == group["kept"]
        assert group["max_wrong"] == most_wrong(0.05, len(rows))
        assert wrong[rows].sum() <= group["max_wrong"]
    assert certificate.bound == sum(g["max_wrong"] for g in certificate.groups) / len(certificate.kept)
    assert "each" in certificate.claim
    assert certificate.verify().ok


def test_a_class_that_is_too_small_is_named() -> None:
    ids, _, scores, _ = population()
    session = Session(ids, ["cat"] * (N - 30) + ["yak"] * 30, scores, max_error=0.05, per_class=True, seed=1)
    assert "'yak'" in session.status().advice
    assert "'cat'" not in session.status().advice


def test_classes_share_the_answers_allowed() -> None:
    session, right = started(per_class=True, max_reviews=300)
    finish(session, right)
    used = [group.selection.reviews for group in session.groups]
    assert sum(used) <= 300
    assert min(used) >= 20


# ---- refusals ----------------------------------------------------------------------------------------------------

USUAL: dict[str, Any] = {
    "ids": ["a", "b", "c"],
    "predicted": ["x", "y", "x"],
    "scores": [0.5, 0.6, 0.7],
    "max_error": 0.05,
}


@pytest.mark.parametrize(
    "changes",
    [
        {"scores": [0.5, float("nan"), 0.7]},
        {"scores": [0.5, float("inf"), 0.7]},
        {"scores": [0.5, 0.6]},
        {"scores": [[0.5], [0.6], [0.7]]},
        {"scores": ["a", "b", "c"]},
        {"scores": [None, 0.5, 0.5]},
        {"predicted": ["x", "y"]},
        {"ids": ["a", "b", "a"]},
        {"ids": ["a", "b", 3]},
        {"max_error": 0.0},
        {"max_error": 1.0},
        {"max_error": float("nan")},
        {"max_error": "5 %"},
        {"max_error": None},
        {"max_error": True},
        {"confidence": 0.0},
        {"confidence": 1.0},
        {"confidence": 95},
        {"reviewer_error": 1.0},
        {"reviewer_error": -0.1},
        {"worth": -1},
        {"worth": float("inf")},
        {"worth": float("nan")},
        {"max_reviews": -1},
        {"max_reviews": 2.5},
        {"max_reviews": True},
        {"seed": 1.5},
        {"seed": True},
        {"seed": b"x"},
        {"seed": "a\0b"},
    ],
)
def test_refuses_what_it_cannot_use(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        Session(**(USUAL | changes))
    error = caught.value
    assert all((error.what, error.expected, error.got, error.hint))


@pytest.mark.parametrize(
    "arguments", [("z", "right"), (3, "right"), (None, "right"), ("a", "yes"), ("a", "undone"), ("a", "right", "y")]
)
def test_refuses_answers_that_do_not_fit(arguments: tuple[Any, ...]) -> None:
    session = Session(**USUAL, seed=1)
    with pytest.raises(InputError) as caught:
        session.answer(*arguments)
    assert caught.value.expected
    assert caught.value.got
    assert session.status().reviews == 0


def test_a_log_of_another_population_is_refused() -> None:
    session = Session(**USUAL, seed=1)
    with pytest.raises(InputError):
        session.replay([{"id": "elsewhere", "verdict": "right"}])


def test_the_caller_may_change_the_arrays_afterwards() -> None:
    ids, predicted, scores, _ = population()
    session = Session(ids, predicted, scores, max_error=0.05, seed=1)
    digest = session.population.digest()
    scores[:] = 0
    ids[0] = "other"
    assert session.population.digest() == digest
