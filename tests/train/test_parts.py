"""Which images are trained on and which judge, where only some have a label."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lucida.data.sample import TEST, TRAIN, VALIDATION, Samples
from lucida.data.unlabelled import read_some
from lucida.train.parts import parts


@pytest.fixture
def samples(tmp_path: Path, draw) -> Samples:
    for number in range(40):
        name = "abc"[number % 3] if number < 30 else "unlabelled"
        (tmp_path / name).mkdir(exist_ok=True)
        draw(number).save(tmp_path / name / f"{number}.png")
    return read_some(tmp_path)


def test_only_labelled_images_judge(samples: Samples):
    found = parts(samples, some=True)
    assert all(one.target is not None for one in found.of(VALIDATION))
    assert sum(one.target is None for one in found.of(TRAIN)) == 10
    assert 3 <= len(found.of(VALIDATION)) <= 6


def test_a_training_split_gives_the_part_that_judges_from_its_labelled_images(samples: Samples):
    named = replace(samples, items=tuple(replace(one, split=TRAIN) for one in samples))
    found = parts(named, some=True)
    assert 3 <= len(found.of(VALIDATION)) <= 6
    assert all(one.target is not None for one in found.of(VALIDATION))


def test_a_validation_split_stays_as_it_is_and_a_test_split_is_not_trained_on(samples: Samples):
    splits = [VALIDATION if row < 6 else TEST if row > 36 else "" for row in range(len(samples))]
    items = tuple(replace(one, split=split) for one, split in zip(samples, splits, strict=True))
    found = parts(replace(samples, items=items), some=True)
    held = {one.name for one in found.of(VALIDATION)}
    assert {one.name for one in items[:6]} <= held
    assert not {one.name for one in items[37:]} & {one.name for one in found.of(TRAIN)}


def test_without_any_label_a_part_judges_as_usual(samples: Samples):
    bare = replace(samples, items=tuple(replace(one, target=None) for one in samples))
    assert 4 <= len(parts(bare, some=True).of(VALIDATION)) <= 8


def test_too_few_labels_do_not_judge_alone(samples: Samples):
    items = tuple(one if row in (0, 1, 2) else replace(one, target=None) for row, one in enumerate(samples))
    assert len(parts(replace(samples, items=items), some=True).of(VALIDATION)) >= 4
