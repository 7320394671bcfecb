"""The desk: each answer once, in order, and only for the image that is on screen."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from lucida.errors import InputError
from lucida.studio.desk import Act, Desk, choices, corners

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def answer(view: dict[str, Any], key: str, verdict: Any = "right", label: str | None = None) -> Act:
    """Return the act of a page that shows this view."""
    card = view["card"]
    return Act(key, view["turn"], "answer", card["image"], card["proposal"], verdict, label)


@pytest.fixture
def desk(review: Any) -> Any:
    desk = Desk(review)
    yield desk
    desk.close()


def test_an_answer_reaches_the_review_and_the_next_image_comes_back(desk: Desk, review: Any) -> None:
    view = run(desk.view())
    reply = run(desk.act(answer(view, "k1")))
    assert reply.outcome == "done"
    assert review.log == [("id00", "right", "circle")]
    assert reply.view["card"]["image"] == "id01"
    assert reply.view["turn"] == view["turn"] + 1


def test_the_coming_images_are_named_in_order(desk: Desk) -> None:
    assert run(desk.upcoming()) == {"turn": 0, "upcoming": [f"/image/id{i:02d}" for i in range(1, 9)]}
    run(desk.act(answer(run(desk.view()), "k1")))
    assert run(desk.upcoming()) == {"turn": 1, "upcoming": [f"/image/id{i:02d}" for i in range(2, 10)]}


def test_the_same_answer_sent_again_is_acknowledged_and_not_counted(desk: Desk, review: Any) -> None:
    act = answer(run(desk.view()), "k1")
    run(desk.act(act))
    again = run(desk.act(act))
    assert again.outcome == "again"
    assert again.view["card"]["image"] == "id01"
    assert len(review.log) == 1


def test_the_same_undo_sent_again_takes_back_one_answer(desk: Desk, review: Any) -> None:
    for key in ("k1", "k2"):
        run(desk.act(answer(run(desk.view()), key)))
    undo = Act("k3", 2, "undo")
    assert run(desk.act(undo)).outcome == "done"
    assert run(desk.act(undo)).outcome == "again"
    assert [line for line in review.log if line == ("undo",)] == [("undo",)]
    assert run(desk.view())["card"]["image"] == "id01"


def test_an_answer_of_a_tab_that_is_behind_is_refused_and_shown_the_truth(desk: Desk, review: Any) -> None:
    behind = run(desk.view())
    run(desk.act(answer(behind, "tab1")))
    late = run(desk.act(answer(behind, "tab2", "wrong", "square")))
    assert late.outcome == "stale"
    assert late.view["card"]["image"] == "id01"
    assert review.log == [("id00", "right", "circle")]


@pytest.mark.parametrize(
    ("image", "proposal"), [("id05", "circle"), ("nobody", "circle"), ("id00", "square"), (None, None)]
)
def test_an_answer_on_another_image_or_proposal_is_refused(
    desk: Desk, review: Any, image: str | None, proposal: str | None
) -> None:
    reply = run(desk.act(Act("k1", 0, "answer", image, proposal, "right")))
    assert reply.outcome == "stale"
    assert review.log == []
    assert desk.turn == 0


def test_a_proposal_does_not_change_under_the_eyes_of_the_person(desk: Desk, review: Any) -> None:
    view = run(desk.view())
    review.classes = ["triangle", "square", "circle"]  # refitted meanwhile: the next card is another
    assert run(desk.view()) == view
    assert run(desk.act(answer(view, "k1"))).view["card"]["proposal"] == "square"
    assert review.log == [("id00", "right", "circle")]


def test_wrong_with_the_proposed_label_is_right(desk: Desk, review: Any) -> None:
    run(desk.act(answer(run(desk.view()), "k1", "wrong", "circle")))
    assert review.log == [("id00", "right", "circle")]


def test_unsure_has_no_label_and_none_of_these_is_wrong_without_one(desk: Desk, review: Any) -> None:
    run(desk.act(answer(run(desk.view()), "k1", "unsure", "square")))
    run(desk.act(answer(run(desk.view()), "k2", "wrong", None)))
    run(desk.act(answer(run(desk.view()), "k3", "wrong", "  ")))
    assert [line[1:] for line in review.log] == [("unsure", None), ("wrong", None), ("wrong", None)]


def test_a_new_class_may_be_given(desk: Desk, review: Any) -> None:
    run(desk.act(answer(run(desk.view()), "k1", "wrong", " star ")))
    assert review.log == [("id00", "wrong", "star")]


def test_what_undo_would_take_back_is_told(desk: Desk) -> None:
    assert run(desk.view())["undo"] is None
    run(desk.act(answer(run(desk.view()), "k1", "wrong", "square")))
    assert run(desk.view())["undo"] == {"verdict": "wrong", "label": "square"}
    run(desk.act(Act("k2", 1, "undo")))
    assert run(desk.view())["undo"] is None


def test_freeze_is_for_the_teach_phase_and_done_once(desk: Desk, review: Any) -> None:
    assert run(desk.act(Act("k1", 0, "freeze"))).view["phase"] == "check"
    assert run(desk.act(Act("k2", 1, "freeze"))).outcome == "stale"
    assert review.log == [("freeze",)]


def test_after_the_end_nothing_is_taken(desk: Desk, review: Any) -> None:
    view = run(desk.view())
    run(desk.act(Act("k1", 0, "freeze")))
    done = run(desk.act(Act("k2", 1, "stop"))).view
    assert (done["phase"], done["card"]) == ("done", None)
    assert run(desk.upcoming()) == {"turn": 2, "upcoming": []}
    assert desk.over
    assert run(desk.act(answer(view, "k3"))).outcome == "stale"


def test_pausing_ends_the_page_and_not_the_review(desk: Desk, review: Any) -> None:
    assert run(desk.act(Act("k1", 0, "pause"))).view["ended"] == "paused"
    assert desk.over
    assert review.phase == "teach"
    assert review.log == []


def test_a_number_of_answers_hands_the_review_back(review: Any) -> None:
    desk = Desk(review, answers=2)
    assert run(desk.view())["left"] == 2
    run(desk.act(answer(run(desk.view()), "k1")))
    run(desk.act(Act("k2", 1, "undo")))
    run(desk.act(answer(run(desk.view()), "k3")))
    assert not desk.over
    assert run(desk.act(answer(run(desk.view()), "k4"))).view["ended"] == "handed"
    assert desk.over
    desk.close()


def test_a_review_that_goes_on_afterwards_is_not_stopped_from_the_page(review: Any) -> None:
    desk = Desk(review, answers=3)
    run(desk.act(Act("k1", 0, "freeze")))
    assert run(desk.act(Act("k2", 1, "stop"))).outcome == "stale"
    assert run(desk.act(Act("k3", 1, "pause"))).view["ended"] == "handed"
    assert review.log == [("freeze",)]
    desk.close()


def test_a_new_class_is_offered_from_then_on(desk: Desk, review: Any) -> None:
    assert run(desk.classes()) == ["circle", "square", "triangle"]
    review.before_answer = lambda: review.classes.append("star")
    run(desk.act(answer(run(desk.view()), "k1", "wrong", "star")))
    assert "star" in run(desk.classes())
    assert "star" in [label for label, _ in run(desk.view())["card"]["choices"]]


def test_acts_at_the_same_time_keep_their_order_and_only_one_counts_for_a_turn(desk: Desk, review: Any) -> None:
    async def press() -> list[str]:
        view = await desk.view()
        acts = [answer(view, f"k{i}", "wrong", f"label{i}") for i in range(8)]
        return [reply.outcome for reply in await asyncio.gather(*map(desk.act, acts))]

    assert run(press()) == ["done"] + ["stale"] * 7
    assert review.log == [("id00", "wrong", "label0")]


def test_the_event_loop_goes_on_while_the_review_is_busy(desk: Desk, review: Any) -> None:
    free = threading.Event()
    review.before_answer = free.wait

    async def work() -> str:
        view = await desk.view()
        answering = asyncio.create_task(desk.act(answer(view, "k1")))
        content, _ = await desk.image("id03")  # an image is read beside it
        assert content.startswith(b"\x89PNG")
        free.set()
        return (await answering).outcome

    assert run(work()) == "done"


def test_listeners_hear_of_each_change_once(desk: Desk) -> None:
    heard: list[int] = []
    desk.listeners.add(heard.append)
    act = answer(run(desk.view()), "k1")
    run(desk.act(act))
    run(desk.act(act))
    assert heard == [1]


def test_a_review_that_fails_is_told_in_four_parts_and_the_page_looks_again(desk: Desk, review: Any) -> None:
    def full() -> None:
        raise InputError("The disk is full.", expected="room", got="none", hint="free some space")

    view = run(desk.view())
    review.before_answer = full
    reply = run(desk.act(answer(view, "k1")))
    assert reply.outcome == "failed"
    assert reply.error is not None
    assert (reply.error["what"], reply.error["hint"]) == ("The disk is full.", "free some space")
    assert reply.view["card"]["image"] == "id00"
    review.before_answer = lambda: None
    assert run(desk.act(answer(reply.view, "k2"))).outcome == "done"
    assert len(review.log) == 1


def test_an_unknown_image_is_an_error(desk: Desk) -> None:
    with pytest.raises(InputError):
        run(desk.image("nobody"))


def test_the_number_keys_are_the_proposal_the_runner_ups_then_the_rest(review: Any) -> None:
    card = review.next()
    assert choices(card, ["triangle", "ellipse", "circle", "square"]) == [
        ("circle", 0.73),
        ("square", 0.2),
        ("triangle", 0.07),
        ("ellipse", None),
    ]
    many = [f"class {i:03d}" for i in range(500)]
    assert len(choices(card, many)) == 9


def test_the_curve_keeps_its_corners_and_its_end() -> None:
    flat = [(i, 0) for i in range(50)] + [(i, 700) for i in range(50, 400)]
    assert corners(flat) == [(0, 0), (50, 700), (399, 700)]
    assert corners([]) == []
    assert corners([(0, 0)]) == [(0, 0)]
