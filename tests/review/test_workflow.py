from dataclasses import replace

import pytest

from lucida.errors import InputError, PopulationTooSmall, UnknownName
from lucida.review.answers import answer_all
from lucida.review.replay import verify
from lucida.review.workflow import Review, Terms

TERMS = Terms(max_error=0.05)


def give(review, truth, times):
    """Answer truly so many times; returns the images asked."""
    asked = []
    for _ in range(times):
        card = review.next()
        if card is None:
            break
        asked.append(card.image)
        right = truth[card.image] == card.proposal
        review.answer(card.image, "right" if right else "wrong", None if right else truth[card.image])
    return asked


def test_a_whole_review_keeps_labels_within_its_promise(catalog, truth):
    review = Review.open(catalog, terms=TERMS, teach=False)
    answer_all(review, truth, teach=0)
    certificate = review.certificate
    assert review.phase == "done"
    assert len(certificate.accepted) > 0
    wrong = sum(truth[certificate.population.ids[i]] != certificate.population.predicted[i] for i in certificate.kept)
    assert wrong <= certificate.bound * len(certificate.kept) + 1e-9
    assert verify(review.certificate_path).ok


def test_the_certificate_marks_its_labels_in_the_catalog(catalog, truth):
    review = Review.open(catalog, terms=TERMS, teach=False)
    answer_all(review, truth, teach=0)
    now = list(catalog.annotations.current("kind"))
    assert sum(c.kept for c in now) == len(review.certificate.kept)
    assert sum(c.state == "accepted" for c in now) == len(review.certificate.accepted)
    assert sum(c.state == "reviewed" for c in now) == len(review.certificate.reviewed)
    assert all(c.label == truth[c.image] for c in now if c.state == "reviewed")


@pytest.mark.parametrize("teach", [0, 12])
def test_a_review_left_at_any_answer_goes_on_where_it_stood(catalog, truth, teach):
    straight = _with_seed(catalog, truth, teach, restart=False, reviewer="one")
    for run in catalog.runs.all(question="kind"):
        assert run.verb in ("label", "teach", "review")
    assert straight.phase == "done"


def _with_seed(catalog, truth, teach, *, restart, reviewer):
    review = Review.open(catalog, terms=TERMS, teach=teach > 0, seed=7, reviewer=reviewer)
    while review.phase != "done":
        before = review.next()
        if restart:
            review = Review.open(catalog, terms=TERMS, teach=teach > 0, seed=7, reviewer=reviewer)
            assert review.next() == before
        if review.phase == "teach" and review.status().answers >= teach:
            review.freeze()
        give(review, truth, 1)
    return review


def test_reopening_before_every_answer_changes_nothing(labelled, tmp_path):
    import shutil
    from pathlib import Path

    from lucida.catalog import Catalog

    folder, key = labelled
    results = []
    for restart in (False, True):
        place = tmp_path / str(restart)
        shutil.copytree(folder / "catalog", place)
        with Catalog.open(place) as catalog:
            truth = {i: key[Path(catalog.images.name(i)).name] for i in catalog.images.ids()}
            review = _with_seed(catalog, truth, 0, restart=restart, reviewer="one")
            body = review.certificate.to_json()
            results.append({k: body[k] for k in ("kept", "accepted", "reviewed", "answers", "bound")})
    assert results[0] == results[1]


def test_undo_takes_back_the_last_answer_and_asks_again(catalog, truth):
    review = Review.open(catalog, terms=TERMS, teach=False, seed=1)
    give(review, truth, 3)
    card = review.next()
    review.answer(card.image, "wrong", "nonsense")
    assert review.undo().image == card.image
    assert review.next().image == card.image
    assert review.status().reviews == 3
    again = Review.open(catalog, terms=TERMS, teach=False, seed=1)
    assert again.status().reviews == 3
    assert again.next().image == card.image


def test_undo_with_nothing_to_take_back(catalog):
    assert Review.open(catalog, terms=TERMS, teach=False).undo() is None
    assert Review.open(catalog, terms=TERMS, teach=True).undo() is None


def test_taught_images_leave_the_population(catalog, truth):
    review = Review.open(catalog, terms=TERMS, teach=True)
    asked = give(review, truth, 25)
    assert len(set(asked)) == 25
    review.freeze()
    assert review.phase in ("check", "done")
    population = review._checking.population
    assert not set(asked) & set(population.ids)
    assert len(population) == len(truth) - 25
    assert review.status().taught == 25


def test_teaching_makes_the_labels_better(catalog, truth):
    def errors(run):
        ids, labels, _, _ = catalog.annotations.table(run)
        return sum(truth[i] != name for i, name in zip(ids, labels, strict=True)) / len(ids)

    review = Review.open(catalog, terms=TERMS, teach=True)
    before = errors(review.source.id)
    give(review, truth, 60)
    review.freeze()
    assert errors(review.source.id) <= before + 0.01
    assert review.source.verb == "teach"


def test_teaching_that_was_left_goes_on(catalog, truth):
    first = Review.open(catalog, terms=TERMS, teach=True)
    asked = give(first, truth, 9)
    second = Review.open(catalog, terms=TERMS, teach=True)
    assert second.phase == "teach"
    assert second.status().answers == 9
    assert second.next().image not in asked


def test_a_new_class_may_be_taught(catalog, truth):
    review = Review.open(catalog, terms=TERMS, teach=True)
    card = review.next()
    review.answer(card.image, "wrong", "spiral")
    give(review, truth, 10)
    assert "spiral" in review.classes


def test_freezing_without_an_answer_checks_the_labels_as_they_are(catalog):
    review = Review.open(catalog, terms=TERMS, teach=True)
    source = review.source.id
    review.freeze()
    assert review.source.id == source


def test_unsure_counts_as_wrong_and_hands_the_image_back(catalog, truth):
    review = Review.open(catalog, terms=TERMS, teach=False)
    card = review.next()
    review.answer(card.image, "unsure")
    assert review.status().errors_found == 1
    now = {c.image: c for c in catalog.annotations.current("kind")}
    assert now[card.image].state == "proposed"
    assert not now[card.image].kept


def test_right_with_another_label_is_wrong(catalog, truth):
    review = Review.open(catalog, terms=TERMS, teach=False)
    card = review.next()
    other = next(c for c in review.classes if c != card.proposal)
    review.answer(card.image, "right", other)
    assert review.status().errors_found == 1


def test_another_attempt_is_in_the_ledger_and_asks_nothing_twice(catalog, truth):
    first = Review.open(catalog, terms=TERMS, teach=False)
    asked = set(give(first, truth, 1000))
    second = Review.open(catalog, terms=replace(TERMS, max_error=0.1), teach=False)
    again = set(give(second, truth, 1000))
    assert not asked & again
    attempts = second.certificate.attempts
    assert [a["max_error"] for a in attempts] == [0.05, 0.1]
    assert verify(second.certificate_path).ok


def test_only_an_explicit_seed_is_a_simulation(catalog, truth):
    drawn = Review.open(catalog, terms=TERMS, teach=False)
    answer_all(drawn, truth, teach=0)
    assert not drawn.certificate.simulation
    given = Review.open(catalog, terms=TERMS, teach=False, seed=5)
    answer_all(given, truth, teach=0)
    assert given.certificate.simulation


def test_stopping_keeps_what_is_proven_and_the_review_can_go_on(catalog, truth):
    review = Review.open(catalog, terms=TERMS, teach=False, seed=3)
    give(review, truth, 5)
    certificate = review.stop()
    assert len(certificate.reviewed) == 5
    assert review.phase == "done"
    with pytest.raises(InputError, match="over"):
        review.answer(certificate.population.ids[0], "right")
    again = Review.open(catalog, terms=TERMS, teach=False, seed=3)
    assert again.phase == "check"
    assert again.undo() is None, "a certificate was written on these answers"
    answer_all(again, truth, teach=0)
    assert len(again.certificate.reviewed) > 5


def test_stopping_while_teaching_proves_nothing_and_loses_nothing(catalog, truth):
    review = Review.open(catalog, terms=TERMS, teach=True)
    give(review, truth, 4)
    assert review.stop() is None
    assert Review.open(catalog, terms=TERMS, teach=True).status().answers == 4


def test_upcoming_is_what_comes_next(catalog, truth):
    review = Review.open(catalog, terms=TERMS, teach=False)
    expected = [c.image for c in review.upcoming(5)]
    give(review, truth, 1)
    got = []
    for _ in range(5):
        got.append(review.next().image)
        give(review, truth, 1)
    assert got == expected


def test_too_few_images_are_refused_with_advice(catalog):
    review = Review.open(catalog, terms=replace(TERMS, max_error=0.01), teach=False)
    with pytest.raises(PopulationTooSmall, match="label them all"):
        review.refuse_too_small()


def test_a_refused_check_leaves_no_trace_and_all_can_be_taught(catalog, truth):
    terms = replace(TERMS, max_error=0.01)
    for teach in (False, True):
        with pytest.raises(PopulationTooSmall):
            answer_all(Review.open(catalog, terms=terms, teach=teach, refuse_small=True), truth, teach=5)
    assert not [r for r in catalog.runs.all() if r.verb == "review"]
    review = Review.open(catalog, terms=terms, refuse_small=True)
    answer_all(review, truth, teach=len(truth))
    assert review.phase == "done"
    assert {c.image: c.label for c in catalog.annotations.current("kind")} == truth


def test_teaching_on_labels_of_another_revision_is_refused_in_plain_words(catalog, monkeypatch):
    from lucida.models import registry

    find = registry.find
    monkeypatch.setattr(registry, "find", lambda name, home=None: replace(find(name, home), revision="2099"))
    with pytest.raises(InputError, match="another revision"):
        Review.open(catalog, terms=TERMS, teach=True)
    assert Review.open(catalog, terms=TERMS, teach=False).next() is not None


def test_unknown_question(catalog):
    with pytest.raises(UnknownName, match="kind"):
        Review.open(catalog, question="knid")


@pytest.mark.parametrize("bad", [{"max_error": 0}, {"max_error": 1.5}, {"confidence": 95.0}, {"worth": -1}])
def test_terms_out_of_range_are_refused_before_anybody_is_asked(bad):
    with pytest.raises(InputError):
        replace(TERMS, **bad).check()


def test_a_page_can_show_every_image(catalog, truth):
    review = Review.open(catalog, terms=TERMS, teach=False)
    data, media = review.image(review.next().image)
    assert media == "image/png"
    assert data.startswith(b"\x89PNG")


def test_a_kill_between_the_freeze_and_the_check_does_not_teach_again(catalog, truth, monkeypatch):
    review = Review.open(catalog, terms=TERMS)
    taught = give(review, truth, 12)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Review, "_begin_check", killed)
        with pytest.raises(KeyboardInterrupt):
            review.freeze()
    again = Review.open(catalog, terms=TERMS)
    assert again.phase == "check"
    assert not set(again.population.ids) & set(taught)
    assert [run.verb for run in catalog.runs.all(question="kind")].count("teach") == 1
    give(again, truth, 3)
    again.stop()
    # A review that was checked is taught further, as before.
    assert Review.open(catalog, terms=Terms(max_error=0.04)).phase == "teach"


def test_where_too_few_are_left_to_check_teaching_goes_on(catalog, truth, monkeypatch):
    terms = Terms(max_error=0.001)
    review = Review.open(catalog, terms=terms, refuse_small=True)
    give(review, truth, 4)
    with pytest.raises(PopulationTooSmall):
        review.freeze()
    assert Review.open(catalog, terms=terms, refuse_small=True).phase == "teach"
