"""What the by-example head learns, and how far its probabilities can be believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lucida.errors import InputError, ModelError
from lucida.label import Head


def blobs(n: int, *, gap: float = 4.0, classes: int = 3, dims: int = 6, seed: int = 0):
    """Clouds around one centre a class: float32 (n, dims) and labels."""
    draw = np.random.default_rng(seed)
    truth = np.arange(n) % classes
    centres = np.zeros((classes, dims))
    centres[np.arange(classes), np.arange(classes)] = gap
    features = (centres[truth] + draw.normal(size=(n, dims))).astype(np.float32)
    return features, [f"class {t}" for t in truth]


def share_right(head: Head, features, labels) -> float:
    named = [head.classes[i] for i in head.predict(features).argmax(axis=1)]
    return float(np.mean([a == b for a, b in zip(named, labels, strict=True)]))


@pytest.mark.parametrize("n", [6, 12, 60])
def test_what_can_be_told_apart_is_learnt(n):
    head = Head.fit(*blobs(n, gap=8.0))
    features, labels = blobs(300, gap=8.0, seed=1)
    assert share_right(head, features, labels) >= 0.98
    assert head.accuracy is not None
    assert 0 <= head.accuracy.low <= head.accuracy.value <= head.accuracy.high <= 1
    assert head.accuracy.n == n


@pytest.mark.parametrize("n", [1, 2, 3, 7, 200])
def test_probabilities_sum_to_one(n):
    head = Head.fit(*blobs(n))
    found = head.predict(blobs(50, seed=2)[0])
    assert found.dtype == np.float32
    assert found.shape == (50, len(head.classes))
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert head.predict(np.empty((0, 6), np.float32)).shape == (0, len(head.classes))


@pytest.mark.parametrize("gap", [1.0, 2.0, 3.0])
def test_probabilities_are_truthful(gap):
    head = Head.fit(*blobs(240, gap=gap))
    features, labels = blobs(6000, gap=gap, seed=3)
    found = head.predict(features)
    right = np.array([head.classes[i] for i in found.argmax(axis=1)]) == np.array(labels)
    score = found.max(axis=1)
    assert score.mean() == pytest.approx(right.mean(), abs=0.05)
    for low in np.arange(0.35, 1, 0.1):
        bin = (score >= low) & (score < low + 0.1)
        if bin.sum() >= 200:
            assert score[bin].mean() == pytest.approx(right[bin].mean(), abs=0.13)
    # The estimate from the examples alone agrees with what happens on new data.
    assert head.accuracy is not None
    assert head.accuracy.low - 0.03 <= right.mean() <= head.accuracy.high + 0.03


def test_noise_is_not_believed():
    draw = np.random.default_rng(0)
    head = Head.fit(draw.normal(size=(90, 20)).astype(np.float32), [f"{i % 3}" for i in range(90)])
    assert head.predict(draw.normal(size=(200, 20)).astype(np.float32)).max(axis=1).mean() < 0.6


def test_a_class_without_examples_has_no_probability():
    features, labels = blobs(30, classes=2)
    head = Head.fit(features, labels, classes=["class 1", "never seen", "class 0"])
    found = head.predict(features)
    assert head.classes == ["class 1", "never seen", "class 0"]
    assert (found[:, 1] == 0).all()
    assert share_right(head, features, labels) > 0.95


def test_one_class_and_single_examples():
    features, labels = blobs(4, classes=1)
    only = Head.fit(features, labels, classes=["class 0", "other"])
    np.testing.assert_allclose(only.predict(features), [[1, 0]] * 4, atol=1e-6)
    # With one example a class none can be held out: no estimate, but labels all the same.
    features, labels = blobs(3, gap=10.0)
    single = Head.fit(features, labels)
    assert single.accuracy is None
    assert share_right(single, features, labels) == 1


def test_a_class_with_one_example_beside_full_ones():
    features, labels = blobs(41, gap=10.0, classes=2)
    features = np.concatenate([features, np.full((1, 6), -10, np.float32)])
    head = Head.fit(features, [*labels, "rare"])
    assert head.accuracy is not None
    assert head.accuracy.n == 41
    rare = head.predict(np.full((1, 6), -10, np.float32))[0]
    assert rare[head.classes.index("rare")] > 1 / 42


def test_the_part_that_helps_is_chosen():
    features, labels = blobs(60, gap=3.0)
    draw = np.random.default_rng(5)
    noise = 30 * draw.normal(size=(60, 200)).astype(np.float32)
    parts = {"noise": slice(0, 200), "signal": slice(200, 206)}
    head = Head.fit(np.concatenate([noise, features], axis=1), labels, parts=parts)
    new, truth = blobs(600, gap=3.0, seed=6)
    more = 30 * draw.normal(size=(600, 200)).astype(np.float32)
    together = share_right(head, np.concatenate([more, new], axis=1), truth)
    alone = share_right(Head.fit(features, labels), new, truth)
    assert together >= alone - 0.03


def test_two_parts_that_each_know_half_are_used_together():
    draw = np.random.default_rng(7)
    truth = np.arange(160) % 4
    first = (truth // 2)[:, None] * 4.0 + draw.normal(size=(160, 3))
    second = (truth % 2)[:, None] * 400.0 + 100 * draw.normal(size=(160, 30))
    features = np.concatenate([first, second], axis=1).astype(np.float32)
    parts = {"first": slice(0, 3), "second": slice(3, 33)}
    labels = [str(t) for t in truth]
    head = Head.fit(features[:80], labels[:80], parts=parts)
    assert share_right(head, features[80:], labels[80:]) > 0.9


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    features, labels = blobs(12)
    features[3, 2] = bad
    with pytest.raises(InputError, match="not finite"):
        Head.fit(features, labels)


def test_what_does_not_match_is_refused():
    features, labels = blobs(12)
    for wrong in (features[:5], features[:, 0], features[:0]):
        with pytest.raises(InputError, match="do not match") as caught:
            Head.fit(wrong, labels if len(wrong) else [])
        assert caught.value.expected
        assert caught.value.got
    with pytest.raises(InputError, match="none of the classes") as caught:
        Head.fit(features, labels, classes=["class 0", "class 1"])
    assert caught.value.got == "class 2"
    with pytest.raises(InputError, match="not of the model"):
        Head.fit(features, labels).predict(features[:, :-1])


def test_columns_that_never_vary_do_no_harm():
    features, labels = blobs(30, gap=8.0)
    features = np.concatenate([features, np.zeros((30, 10), np.float32)], axis=1)
    parts = {"signal": slice(0, 6), "nothing": slice(6, 16)}
    head = Head.fit(features, labels, parts=parts)
    new = np.concatenate([blobs(90, gap=8.0, seed=1)[0], np.zeros((90, 10), np.float32)], axis=1)
    assert share_right(head, new, blobs(90, gap=8.0, seed=1)[1]) > 0.95
    same = Head.fit(np.ones((6, 4), np.float32), list("ababab"))
    np.testing.assert_allclose(same.predict(np.ones((1, 4), np.float32)), [[0.5, 0.5]], atol=0.2)


def test_fitting_changes_nothing_and_gives_the_same_again():
    features, labels = blobs(40, gap=2.0)
    before = features.copy()
    features.setflags(write=False)
    first, second = Head.fit(features, labels), Head.fit(features, labels)
    assert np.array_equal(features, before)
    assert np.array_equal(first.predict(features), second.predict(features))


def test_the_order_of_examples_does_not_matter():
    features, labels = blobs(45, gap=2.5)
    order = np.random.default_rng(0).permutation(45)
    shuffled = Head.fit(features[order], [labels[i] for i in order])
    new = blobs(100, gap=2.5, seed=4)[0]
    np.testing.assert_allclose(Head.fit(features, labels).predict(new), shuffled.predict(new), atol=0.1)


def test_a_warm_refit_is_near_a_cold_one():
    features, labels = blobs(110, gap=2.5)
    parts = {"a": slice(0, 3), "b": slice(3, 6)}
    earlier = Head.fit(features[:100], labels[:100], parts=parts)
    warm = Head.fit(features, labels, parts=parts, warm=earlier)
    cold = Head.fit(features, labels, parts=parts)
    new, truth = blobs(600, gap=2.5, seed=8)
    assert share_right(warm, new, truth) == pytest.approx(share_right(cold, new, truth), abs=0.03)
    assert np.abs(warm.predict(new) - cold.predict(new)).mean() < 0.05


def test_a_warm_start_of_another_kind_is_no_obstacle():
    features, labels = blobs(30)
    earlier = Head.fit(features, labels, parts={"old": slice(0, 6)})
    parts = {"a": slice(0, 3), "b": slice(3, 6)}
    warm, cold = Head.fit(features, labels, parts=parts, warm=earlier), Head.fit(features, labels, parts=parts)
    np.testing.assert_allclose(warm.predict(features), cold.predict(features), atol=1e-5)
    # A class came since.
    more, names = blobs(36, classes=4)
    grown = Head.fit(more, names, warm=Head.fit(*blobs(30)), classes=sorted(set(names)))
    assert share_right(grown, more, names) > 0.9


def test_a_head_is_kept_in_a_file(tmp_path: Path):
    features, labels = blobs(40, gap=2.0)
    labels = [{"class 0": "连衣裙", "class 1": "帽子", "class 2": "鞋"}[label] for label in labels]
    head = Head.fit(features, labels, parts={"a": slice(0, 3), "b": slice(3, 6)}, classes=[*sorted(set(labels)), "无"])
    head.save(tmp_path / "head.npz")
    again = Head.load(tmp_path / "head.npz")
    assert again.classes == head.classes
    assert again.accuracy == head.accuracy
    new = blobs(50, seed=9)[0]
    assert np.array_equal(again.predict(new), head.predict(new))
    assert [p.name for p in tmp_path.iterdir()] == ["head.npz"]


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"no head", lambda b: None])
def test_a_damaged_file_is_refused(tmp_path: Path, damage):
    path = tmp_path / "head.npz"
    Head.fit(*blobs(12)).save(path)
    data = damage(path.read_bytes())
    path.unlink() if data is None else path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        Head.load(path)
    assert all((caught.value.what, caught.value.expected, caught.value.got, caught.value.hint))


def test_many_examples(tmp_path: Path):
    features, labels = blobs(2500, gap=2.5)
    head = Head.fit(features, labels)
    new, truth = blobs(1000, gap=2.5, seed=11)
    few = Head.fit(features[:60], labels[:60])
    assert share_right(head, new, truth) >= share_right(few, new, truth) - 0.01


@pytest.mark.parametrize("n", [60, 300])
def test_digits_are_named_as_well_as_by_logistic_regression(n):
    datasets = pytest.importorskip("sklearn.datasets")
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    digits = datasets.load_digits()
    features = digits.data.astype(np.float32)
    labels = [str(t) for t in digits.target]
    order = np.random.default_rng(0).permutation(len(features))
    train, test = order[:n], order[n:]
    head = Head.fit(features[train], [labels[i] for i in train])
    ours = share_right(head, features[test], [labels[i] for i in test])
    scaler = StandardScaler().fit(features[train])
    theirs = LogisticRegression(max_iter=500).fit(scaler.transform(features[train]), digits.target[train])
    assert ours >= theirs.score(scaler.transform(features[test]), digits.target[test]) - 0.02
    assert head.accuracy is not None
    assert head.accuracy.value == pytest.approx(ours, abs=0.08)
