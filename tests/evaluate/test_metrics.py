"""Metrics against scikit-learn's, and intervals against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from lucida.evaluate import metrics
from lucida.evaluate.figure import Figure
from lucida.evaluate.metrics.ranking import best_threshold
from lucida.evaluate.resample import Metric, counts
from lucida.evaluate.tasks.anomaly import auroc_of_counts


def _answers(n: int = 200, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, classes, n)
    logits = random.normal(size=(n, classes)) + 1.2 * np.eye(classes)[truth]
    sure = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return sure.round(2) / sure.round(2).sum(axis=1, keepdims=True), truth  # rounded: ties must be right as well


def test_figures_of_classes_are_those_of_scikit_learn() -> None:
    sure, truth = _answers()
    found = sure.argmax(axis=1)
    one_hot = np.eye(4)[truth]
    pairs = {
        "accuracy": (metrics.accuracy(found, truth), reference.accuracy_score(truth, found)),
        "balanced": (metrics.balanced_accuracy(found, truth, 4), reference.balanced_accuracy_score(truth, found)),
        "f1": (metrics.macro_f1(found, truth, 4), reference.f1_score(truth, found, average="macro")),
        "auroc": (metrics.macro_auroc(sure, one_hot), reference.roc_auc_score(truth, sure, multi_class="ovr")),
        "loss": (
            metrics.log_loss(np.clip(sure, 1e-9, 1), truth),
            -np.log(np.clip(sure, 1e-9, 1))[range(200), truth].mean(),
        ),
        "map": (
            metrics.mean_average_precision(sure, one_hot),
            reference.average_precision_score(one_hot, sure, average="macro"),
        ),
    }
    for name, (ours, theirs) in pairs.items():
        assert ours[0] == pytest.approx(theirs, abs=1e-9), name


def test_weights_are_images_that_count_several_times() -> None:
    sure, truth = _answers(60)
    drawn = np.random.default_rng(1).integers(0, 60, (3, 60))
    weights = counts(drawn, 60)
    for row, rows in enumerate(drawn):
        again, there = sure[rows], np.eye(4)[truth[rows]]
        assert metrics.macro_auroc(sure, np.eye(4)[truth], weights)[row] == pytest.approx(
            metrics.macro_auroc(again, there)[0]
        )
        assert metrics.mean_average_precision(sure, np.eye(4)[truth], weights)[row] == pytest.approx(
            reference.average_precision_score(there, again, average="macro")
        )
        assert metrics.expected_calibration_error(sure, truth, weights)[row] == pytest.approx(
            metrics.expected_calibration_error(again, truth[rows])[0]
        )


def test_best_f1_is_that_of_the_best_threshold() -> None:
    sure, truth = _answers(120, 2)
    odd = truth == 1
    precision, recall, _ = reference.precision_recall_curve(odd, sure[:, 1])
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    assert metrics.best_f1(sure[:, 1], odd)[0] == pytest.approx(f1.max())
    at = best_threshold(sure[:, 1], odd)
    assert reference.f1_score(odd, sure[:, 1] >= at) == pytest.approx(f1.max())


def test_iou_is_the_jaccard_index_of_all_pixels_but_ignored_ones() -> None:
    random = np.random.default_rng(0)
    truth, found = random.integers(-1, 3, (5, 8, 9)), random.integers(0, 3, (5, 8, 9))
    pixels = metrics.pixels_of([metrics.confusion_of(t, f, 3) for t, f in zip(truth, found, strict=True)], 0)
    kept = truth >= 0
    expected = reference.jaccard_score(truth[kept], found[kept], average=None)
    assert pixels.iou()[0] == pytest.approx(expected)
    assert pixels.mean_iou_of_objects()[0] == pytest.approx(expected[1:].mean())
    assert pixels.accuracy()[0] == pytest.approx((truth == found)[kept].mean())


def test_auroc_of_counts_is_that_of_the_pixels() -> None:
    random = np.random.default_rng(0)
    level, odd = random.integers(0, 9, 300), random.random(300) < 0.3
    both = [np.bincount(level[kind], minlength=9).astype(float)[None] for kind in (odd, ~odd)]
    assert auroc_of_counts(*both)[0] == pytest.approx(reference.roc_auc_score(odd, level))


def test_classes_that_no_image_has_count_nowhere() -> None:
    truth, found = np.array([0, 0, 1]), np.array([0, 1, 1])
    assert metrics.balanced_accuracy(found, truth, 5)[0] == pytest.approx(0.75)
    assert metrics.macro_f1(found, truth, 5)[0] == pytest.approx(reference.f1_score(truth, found, average="macro"))


@pytest.mark.parametrize(("right", "n"), [(0, 5), (5, 5), (37, 50)])
def test_wilsons_interval_is_that_of_scipy(right: int, n: int) -> None:
    from scipy.stats import binomtest

    theirs = binomtest(right, n).proportion_ci(method="wilson")
    ours = Figure.share(right, n)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-6)
    assert ours.low <= ours.value <= ours.high


def test_the_interval_of_a_share_is_wilsons() -> None:
    found = Figure.share(8, 10)
    # Wilson 1927 by hand: (0.8 + 1.92073/10 +- 1.959964 sqrt(0.016 + 0.0096036)) / 1.3841459
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-3)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """95 % is promised; with 200 repetitions 0.90 to 0.99 is what chance allows."""
    random = np.random.default_rng(0)
    inside = []
    for trial in range(200):
        n = 120
        truth = random.random(n) < 0.5
        scores = random.normal(size=n) + truth  # AUROC of the population: Phi(1/sqrt(2))
        metric = Metric("auroc", "", lambda w, s=scores, t=truth: metrics.auroc(s, t, w), n)
        figure = metric.figure(repeats=200, seed=trial)
        assert figure is not None
        inside.append(figure.low <= 0.760250 <= figure.high)
    assert 0.90 <= np.mean(inside) <= 0.99


def test_the_calibration_error_of_a_calibrated_model_may_be_zero() -> None:
    """Resampling shifts it upwards; the basic interval takes that back."""
    random = np.random.default_rng(3)
    reached = []
    for trial in range(40):
        p = random.uniform(0.5, 1, 200)
        sure = np.stack([p, 1 - p], axis=1)
        truth = (random.random(200) > p).astype(np.int64)
        metric = Metric(
            "ece", "", lambda w, s=sure, t=truth: metrics.expected_calibration_error(s, t, w), 200, shifted=True
        )
        figure = metric.figure(repeats=200, seed=trial)
        assert figure is not None
        assert figure.interval == "basic"
        reached.append(figure.low < 0.02)
    assert np.mean(reached) > 0.8


def test_the_same_seed_gives_the_same_interval_and_no_images_give_none() -> None:
    sure, truth = _answers()
    metric = Metric("auroc", "", lambda w: metrics.macro_auroc(sure, np.eye(4)[truth], w), 200)
    assert metric.figure(seed=4) == metric.figure(seed=4) != metric.figure(seed=5)
    assert metric.figure(np.zeros(200, bool)) is None
    assert metric.figure(truth == 9) is None
