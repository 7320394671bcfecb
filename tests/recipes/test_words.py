"""The word table's recipe, without its teacher; and how the constants of labels by words are chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from recipes.words import build, calibrate

from lucida.models.embedded import words
from lucida.models.onnx.text import unit


@pytest.mark.parametrize(
    ("noun", "plural"),
    [
        ("dog", "dogs"),
        ("box", "boxes"),
        ("city", "cities"),
        ("toy", "toys"),
        ("dress", "dresses"),
        ("couch", "couches"),
    ],
)
def test_plurals(noun: str, plural: str) -> None:
    assert build.plural(noun) == plural


def test_squeezing_keeps_what_lies_near() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 3)
    vectors = unit(rng.normal(size=(40, 64))[groups] + 0.3 * rng.normal(size=(120, 64)) + 2)
    stored = build.squeeze(vectors, 24)
    assert stored.dtype == np.int8
    assert stored.shape == (120, 24)
    assert build.synonym_recall(unit(stored.astype(np.float32)), groups.tolist()) > 0.95
    assert build.agreement(unit(stored.astype(np.float32)), unit(vectors - vectors.mean(axis=0))) > 0.8


def test_the_lists_in_the_repository_are_clean() -> None:
    pairs = build.chinese_pairs()
    assert len({chinese for chinese, _ in pairs}) == len(pairs) > 2000
    compounds = (build.HERE / "compounds.txt").read_text(encoding="utf-8").splitlines()
    assert compounds == sorted(set(compounds))
    for word in [*compounds, *(english for _, english in pairs)]:
        assert word == word.strip().lower()
        assert word.isascii()
        assert word


def question(seed: int, calibration: words.Calibration) -> calibrate.Question:
    """Make a question whose truths are drawn from the matcher's own probabilities."""
    rng = np.random.default_rng(seed)
    near = rng.uniform(0, 1, (30, 4)).astype(np.float32)
    logits = rng.normal(size=(400, 30)).astype(np.float32) * 3
    found, _ = calibrate.answer(calibrate.Question(near, logits, np.zeros(400, np.int64)), calibration)
    truth = np.array([rng.choice(len(row), p=row / row.sum()) for row in found.astype(np.float64)])
    return calibrate.Question(near, logits, truth)


@pytest.mark.parametrize("far", [None, 0.4])
def test_the_constants_that_made_the_truth_are_as_good_as_those_chosen(far: float | None) -> None:
    truth = words.Calibration(1.0, 9.0, 2.0, 0.03, far)
    asked = [question(seed, truth) for seed in range(10)]
    chosen = calibrate.choose(asked, none=far is not None)
    found = calibrate.measure(asked, chosen)
    assert found["calibration_error"] < 0.06
    assert found["log_loss"] == pytest.approx(calibrate.measure(asked, truth)["log_loss"], abs=0.02)
    assert found["log_loss"] < calibrate.measure(asked, replace(truth, sharpness=2.5, power=1.0))["log_loss"]
    assert (chosen.far is None) == (far is None)


def test_images_of_no_class_count_only_where_they_may_be_none_of_them() -> None:
    blank = calibrate.Question(np.ones((3, 2), np.float32), np.zeros((4, 3), np.float32), np.array([0, 1, 2, 2]))
    assert len(calibrate.answer(blank, words.CLOSED)[1]) == 2
    assert len(calibrate.answer(blank, words.OPEN)[1]) == 4
