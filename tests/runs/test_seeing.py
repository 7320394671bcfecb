"""What a model says of images: one table of tasks."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.errors import InputError, ModelError, UnknownName
from lucida.models.chat import Said, Talk, Usage
from lucida.models.needs import ImageNeeds
from lucida.models.registry import find
from lucida.models.spec import Gives, Hint, Model, Spec
from lucida.results import Classification, Detections, Tags, Text
from lucida.runs.seeing import TASKS, Seer, Wish
from told_models import model, png

CLASSES = ("cat", "dog", "fox")


def image(number: int) -> bytes:
    return png(np.full((20, 30, 3), number, np.uint8))


def boxes(number: int) -> Detections:
    xyxy = np.array([[0, 0, number, number], [1, 1, 2, 2]], np.float32)
    return Detections(xyxy, np.array([0.9, 0.3], np.float32), np.array([0, 1]), CLASSES)


class Talker(Model):
    """Counts how often it was spoken to in this talk, and says how many images it got."""

    def say(self, talk: Talk) -> Said:
        if "wrong" in talk.turns[-1].text:
            return Said(problem="I do not like that.", usage=Usage(cost=0.5))
        return Said(f"answer {len(talk.turns) // 2 + 1} of {talk.images}", usage=Usage(cost=0.25))


def talker() -> Spec:
    return Spec(
        "talker", "test", ("caption", "answer"), ImageNeeds(8), Gives(), "MIT", "a test", "1",
        build=lambda spec, precision, trial: Talker(spec),
    )  # fmt: skip


def test_a_file_that_is_no_image_spoils_nothing() -> None:
    seer = Seer(model("detect", CLASSES, boxes), Wish())
    good, bad, other = seer.see([image(9), b"no image", image(12)])
    assert bad.result is None
    assert bad.problem
    assert isinstance(good.result, Detections)
    assert isinstance(other.result, Detections)
    assert (good.size, other.result.xyxy[0, 2]) == ((30, 20), 12)


def test_objects_of_other_classes_and_unsure_ones_are_left_out() -> None:
    spec = model("detect", CLASSES, boxes)
    labels = [
        Seer(spec, wish).see([image(9)])[0].result.labels  # type: ignore[union-attr]
        for wish in (Wish(), Wish(classes=("dog",)), Wish(least=0.5), Wish(classes=("fox",)))
    ]
    assert labels == [("cat", "dog"), ("dog",), ("cat",), ()]
    with pytest.raises(UnknownName, match="class of made 'bird'"):
        Seer(spec, Wish(classes=("bird",)))


def test_classes_are_told_apart_among_all_or_some() -> None:
    spec = model("classify", CLASSES, lambda number: [3.0, 2.0, float(number)])
    first = Seer(spec, Wish()).see([image(9)])[0].result
    some = Seer(spec, Wish(classes=("dog", "cat"))).see([image(9)])[0].result
    assert isinstance(first, Classification)
    assert isinstance(some, Classification)
    assert (first.label, some.label) == ("fox", "cat")
    assert some.score == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-5)


def test_tags_are_those_that_are_probable_by_themselves() -> None:
    spec = model("tag", CLASSES, lambda number: [3.0, 1.0, -2.0])
    tags = [Seer(spec, Wish(least=least)).see([image(1)])[0].result for least in (None, 0.9)]
    assert [tag.labels for tag in tags if isinstance(tag, Tags)] == [("cat", "dog"), ("cat",)]


def test_questions_follow_each_other_and_cost_together() -> None:
    seer = Seer(talker(), Wish("answer", questions=("What?", "And why?")))
    seen = seer.see([image(1)])[0]
    assert isinstance(seen.result, Text)
    assert (seen.result.text, seen.result.before) == ("answer 2 of 1", (("What?", "answer 1 of 1"),))
    assert seen.usage.cost == 0.5
    failed = Seer(talker(), Wish("answer", questions=("What?", "wrong"))).see([image(1)])[0]
    assert (failed.result, failed.problem, failed.usage.cost) == (None, "I do not like that.", 0.75)


def test_a_caption_is_what_is_said_without_a_question() -> None:
    assert Seer(talker(), Wish("caption")).see([image(1)])[0].result == Text("answer 1 of 1")


def test_a_model_does_what_it_is_for() -> None:
    assert Seer(talker(), Wish()).wish.task == "caption"
    assert Seer(talker(), Wish(questions=("Why?",))).wish.task == "answer"
    assert Seer(find("blood-cells"), Wish()).wish.task == "detect"
    assert Seer(find("embedded"), Wish()).wish.task == "classify"


def test_what_cannot_be_done_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(UnknownName, match="task"):
        Seer(talker(), Wish("fly"))
    with pytest.raises(ModelError, match="cannot do the task 'read'"):
        Seer(talker(), Wish("read"))
    with pytest.raises(InputError, match="no question"):
        Seer(talker(), Wish("answer", questions=(" ",)))


def test_what_finds_anything_must_be_told_what() -> None:
    asked: list[tuple[str, ...]] = []

    def look_for(classes):
        asked.append(tuple(classes))
        return model("detect", classes, lambda number: boxes(number))

    spec = Spec(
        "open", "test", ("detect",), ImageNeeds(8), Gives(), "MIT", "a test", "1", look_for=look_for
    )  # fmt: skip
    with pytest.raises(InputError, match="told nothing"):
        Seer(spec, Wish())
    seer = Seer(spec, Wish(classes=("bolt", "crack")))
    assert asked == [("bolt", "crack")]
    assert seer.spec.gives.classes == ("bolt", "crack")


def test_words_are_matched_where_the_model_can() -> None:
    found = Seer(find("embedded"), Wish(classes=("dog", "car"))).see([image(100)])[0].result
    assert isinstance(found, Classification)
    assert {found.label, found.runner_up[0][0]} == {"dog", "car"}


def test_a_wish_is_written_down_without_what_it_does_not_ask() -> None:
    assert Wish("detect").to_json() == {"task": "detect"}
    hint = Hint(((1.0, 2.0),), (True,))
    assert Wish("outline", hints=(hint,)).to_json()["hints"] == [
        {"points": ((1.0, 2.0),), "inside": (True,), "box": None}
    ]


def test_every_task_says_which_models_do_it() -> None:
    assert all(way.tasks for way in TASKS.values())
