"""What feedback is worth: what is not known for certain counts for neither arm."""

from __future__ import annotations

from lucida.serve.routing.judging import Heard, Judged, compare
from lucida.serve.routing.said import said


def judged(image: str, model: str, by: str, right: bool, label: str | None = None, *, alone: bool = True) -> Judged:
    return Judged((image, "w"), model, by, right, label, True, alone)


def heard(rows: list[tuple[Judged, dict[str, str | None]]]) -> Heard:
    return Heard([row for row, _ in rows], {row.key: said for row, said in rows})


BOTH = {"a": "cat", "b": "dog"}


def test_a_label_says_who_is_right_of_both() -> None:
    rows = [(judged(f"{n}", "a", "cat", False, "dog"), BOTH) for n in range(3)]
    rows += [(judged("x", "a", "cat", True), BOTH)]  # so the other is wrong
    rows += [(judged("y", "b", "cat", False, "dog"), {"a": "cat", "b": "cat"})]
    rows += [(judged("z", "b", "dog", False, "bird"), BOTH)]
    verdict = compare(heard(rows), "a", "b", confidence=0.95)
    assert (verdict.pairs.only_b, verdict.pairs.only_a, verdict.pairs.both, verdict.unclear) == (3, 1, 2, 0)
    assert (verdict.right, verdict.judged) == ((1, 0), (4, 2))
    assert round(verdict.difference.confidence, 9) == 0.95


def test_a_wrong_answer_alone_says_nothing_of_the_other() -> None:
    # Where clients only say that an answer is wrong, what the other said could have been right or not.
    rows = [(judged(f"{n}", "a", "cat", False), BOTH) for n in range(200)]
    verdict = compare(heard(rows), "a", "b", confidence=0.95)
    assert (verdict.unclear, verdict.better, verdict.paired.verdict) == (200, None, "not known yet")


def test_two_ways_to_say_it_may_both_be_right() -> None:
    rows = [(judged(f"{n}", "a", "cat", True, alone=False), BOTH) for n in range(200)]
    verdict = compare(heard(rows), "a", "b", confidence=0.95)
    assert (verdict.unclear, verdict.pairs.only_a, verdict.better) == (200, 0, None)


def test_an_image_that_both_were_judged_on_is_a_pair_and_who_is_sent_twice_counts_once() -> None:
    said_of = {"a": "x", "b": "y"}
    one, two = judged("i", "a", "x", False, alone=False), judged("i", "b", "y", True, alone=False)
    verdict = compare(heard([(one, said_of), (two, said_of), (one, said_of)]), "a", "b", confidence=0.95)
    assert (verdict.pairs.only_b, verdict.judged, verdict.matches) == (1, (1, 1), 1)


def test_answers_are_compared_by_what_they_say() -> None:
    assert said("classify", b'{"label": "cat", "score": 0.4}') == "cat"
    objects = '{"objects": [{"label": "b", "score": 0.9}, {"label": "a", "score": 0.1}]}'
    assert said("detect", objects.encode()) == '["a", "b"]'
    assert said("caption", {"text": "A  red dress"}) == said("caption", {"text": "a red dress "})
    assert "dress" not in said("caption", {"text": "a red dress"})
