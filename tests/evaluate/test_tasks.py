"""Every task is judged from images to figures, by models that say what they are told."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
from sklearn import metrics as reference

from lucida.data import Boxes, Mask, Sample
from lucida.errors import InputError
from lucida.evaluate import evaluate_model, predict_samples
from lucida.results import Detections, Oddness, Segmentation
from told_models import broken, model, png, sample, samples

CLASSES = ("cat", "dog", "hen")


def _logits(number: int) -> list[float]:
    """Images 0 to 99 are cats, 100 to 199 dogs; every seventh is taken for the other."""
    right = number // 100 if number % 7 else 1 - number // 100
    return [4.0 if k == right else 0.0 for k in range(3)]


def _animals() -> list[Sample]:
    numbers = range(0, 200, 5)
    return [sample(n, CLASSES[n // 100], side=16 if n % 2 else 100, source="ab"[n % 2]) for n in numbers]


def test_a_classifier_gets_figures_classes_parts_confusion_and_mistakes() -> None:
    spec = model("classify", CLASSES, _logits)
    found, judged = evaluate_model(spec, samples("classify", CLASSES, [*_animals(), broken("cat")]))
    truth = [s.labels[0] for s in judged.samples]
    assert found.figures["accuracy"].value == pytest.approx(reference.accuracy_score(truth, judged.predicted.labels))
    assert found.figures["macro_f1"].value == pytest.approx(
        reference.f1_score(truth, judged.predicted.labels, average="macro")
    )
    assert all(f.low <= f.value <= f.high for f in found.figures.values())
    assert (found.images, found.skipped) == (40, 1)
    assert {row.name for row in found.classes} == {"cat", "dog"}
    assert any("'hen'" in note for note in found.notes)
    assert {(one.key, one.value, one.small) for one in found.slices} == {
        ("source", "a", True), ("source", "b", True), ("image size", "under 64 px", True),
        ("image size", "64 to 127 px", True),
    }  # fmt: skip
    assert found.confusion is not None
    assert found.confusion.counts.sum() == 40
    assert len(found.mistakes) == sum(t != f for t, f in zip(truth, judged.predicted.labels, strict=True)) > 0


def test_parts_are_worst_first() -> None:
    items = [sample(n, "cat", source="phone" if n < 40 else "scan") for n in range(100)]
    spec = model("classify", CLASSES, lambda n: [0, 9, 0] if n < 40 and n % 2 else [9, 0, 0])
    found, _ = evaluate_model(spec, samples("classify", CLASSES, items))
    assert [(one.value, one.images, one.small) for one in found.slices] == [("phone", 40, False), ("scan", 60, False)]
    assert found.slices[0].figure is not None
    assert found.slices[0].figure.value == 0.5


def test_labels_that_the_model_does_not_know_are_all_named() -> None:
    data = samples("classify", ("cat", "cow", "yak"), [sample(0, "cat"), sample(1, "cow"), sample(2, "yak")])
    with pytest.raises(InputError, match=r"'cow'.*'yak'"):
        evaluate_model(model("classify", CLASSES, _logits), data)


def test_nothing_to_judge_by_is_refused() -> None:
    spec = model("classify", CLASSES, _logits)
    with pytest.raises(InputError, match="nothing to judge"):
        evaluate_model(spec, samples("classify", CLASSES, [sample(0, None)]))
    with pytest.raises(InputError, match="None of the images"):
        evaluate_model(spec, samples("classify", CLASSES, [broken("cat")]))
    other = model("tag", CLASSES, _logits)
    with pytest.raises(InputError, match="different things"):
        evaluate_model(spec, samples("classify", CLASSES, [sample(0, "cat")]), against=other)


def test_tags_get_precision_and_f1() -> None:
    truth = [tuple(name for k, name in enumerate(CLASSES) if n >> k & 1) for n in range(1, 8)] * 4
    items = [sample(n, tags) for n, tags in enumerate(truth)]
    spec = model("tag", CLASSES, lambda n: [3.0 if CLASSES[k] in truth[n] and n % 5 else -2.0 - k for k in range(3)])
    found, judged = evaluate_model(spec, samples("tag", CLASSES, items))
    wanted = np.array([[name in tags for name in CLASSES] for tags in truth])
    given = judged.predicted.probabilities
    assert found.figures["map"].value == pytest.approx(reference.average_precision_score(wanted, given))
    assert found.figures["macro_f1"].value == pytest.approx(reference.f1_score(wanted, given > 0.5, average="macro"))
    assert found.mistakes


def _boxes(*boxes: tuple[float, ...], labels: tuple[str, ...]) -> Boxes:
    return Boxes(np.array(boxes, np.float32).reshape(-1, 4), labels)


def test_a_detector_is_judged_by_its_boxes() -> None:
    two = _boxes((2, 2, 12, 12), (16, 16, 30, 30), labels=("cat", "dog"))
    items = [sample(n, two) for n in range(8)] + [sample(9, _boxes(labels=()))]

    def find(number: int) -> Detections:
        if number == 9:
            return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), CLASSES)
        boxes = np.array([[2, 2, 12, 12], [16, 16, 30, 30], [0, 20, 8, 30]], np.float32)
        sure = np.array([0.9, 0.8, 0.1], np.float32)
        return Detections(boxes, sure, np.array([0, 1 if number % 2 else 0, 2]), CLASSES)

    found, judged = evaluate_model(model("detect", CLASSES, find), samples("detect", CLASSES, items))
    assert {row.name: row.figures["AP@50"].value for row in found.classes if row.figures["AP@50"]} == pytest.approx(
        {"cat": 1.0, "dog": 51 / 101}
    )
    assert found.figures["map_50"].value == pytest.approx((1 + 51 / 101) / 2)
    assert found.confusion is not None
    table = dict(zip(found.confusion.rows, found.confusion.counts.tolist(), strict=True))
    assert table["dog"] == [4.0, 4.0, 0.0, 0.0], "half of the dogs are called cats, and the unsure boxes do not count"
    assert judged.quality[-1] == 1.0, "nothing there and nothing found is right"


def _tile(number: int, *, odd: bool) -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((32, 32), np.uint8)
    if odd:
        mask[4:12, 4 : 8 + number % 5] = 1
    return np.full((32, 32, 3), number, np.uint8), mask


def _tiles(labels: dict[int, str]) -> list[Sample]:
    found = []
    for n in range(12):
        mask = Mask(partial(png, _tile(n, odd=bool(n % 2))[1]), labels)
        found.append(sample(n, mask, label="crack" if n % 2 else "free"))
    return found


def test_a_segmenter_is_judged_by_its_pixels() -> None:
    items = _tiles({0: "background", 1: "crack"})

    def paint(number: int) -> Segmentation:
        mask = np.roll(_tile(number, odd=bool(number % 2))[1], 2, axis=1)
        return Segmentation(mask, ("background", "crack"))

    spec = model("segment", ("background", "crack"), paint)
    found, _ = evaluate_model(spec, samples("segment", ("background", "crack"), items))
    truth = np.stack([_tile(n, odd=bool(n % 2))[1] for n in range(12)]).ravel()
    said = np.stack([np.roll(_tile(n, odd=bool(n % 2))[1], 2, axis=1) for n in range(12)]).ravel()
    both = reference.jaccard_score(truth, said, average=None)
    assert found.figures["mean_iou"].value == pytest.approx(both.mean())
    assert found.figures["foreground_iou"].value == found.figures["foreground_mean_iou"].value == pytest.approx(both[1])
    assert found.figures["pixel_accuracy"].value == pytest.approx((truth == said).mean())


def test_masks_of_two_values_without_names_mean_what_the_model_marks() -> None:
    def paint(number: int) -> Segmentation:
        return Segmentation(_tile(number, odd=bool(number % 2))[1], ("background", "crack"))

    items = _tiles({0: "background", 1: "foreground"})
    spec = model("segment", ("background", "crack"), paint)
    found, _ = evaluate_model(spec, samples("segment", ("background", "foreground"), items))
    assert found.figures["foreground_iou"].value == 1
    assert any("taken for 'crack'" in note for note in found.notes)


def test_a_mask_of_another_size_or_with_unknown_values_is_not_taken() -> None:
    def paint(number: int) -> Segmentation:
        return Segmentation(np.zeros((32, 32), np.uint8), ("background", "crack"))

    spec, values = model("segment", ("background", "crack"), paint), {0: "background", 1: "crack"}
    small = sample(1, Mask(lambda: png(np.zeros((8, 8), np.uint8)), values))
    good = sample(2, Mask(lambda: png(np.eye(32, dtype=np.uint8)), values))
    found, _ = evaluate_model(spec, samples("segment", ("background", "crack"), [small, good]))
    assert (found.images, found.skipped) == (1, 1)
    strange = sample(3, Mask(lambda: png(np.full((32, 32), 7, np.uint8)), values))
    with pytest.raises(InputError, match="value 7"):
        evaluate_model(spec, samples("segment", ("background", "crack"), [strange]))


def test_oddities_are_judged_by_image_and_by_pixel() -> None:
    items = _tiles({0: "background", 1: "foreground"})

    def heat(number: int) -> Oddness:
        mask = _tile(number, odd=bool(number % 2))[1]
        score = 1.5 if number % 2 and number != 3 else 0.4 + number / 100
        return Oddness(score, mask + np.linspace(0, 0.5, 32, dtype=np.float32))

    spec = model("anomaly", (), heat)
    found, judged = evaluate_model(spec, samples("anomaly", (), items))
    scores = [heat(n).score for n in range(12)]
    odd = [bool(n % 2) for n in range(12)]
    assert found.figures["image_auroc"].value == pytest.approx(reference.roc_auc_score(odd, scores))
    assert found.figures["pixel_auroc"].value > 0.99
    assert found.figures["accuracy"].value == pytest.approx(11 / 12)
    assert [row.name for row in found.classes] == ["crack"]
    by_name = samples("anomaly", ("good", "crack"), [sample(n, "crack" if n % 2 else "good") for n in range(12)])
    again, _ = evaluate_model(spec, by_name)
    assert again.figures["image_auroc"].value == found.figures["image_auroc"].value
    assert "pixel_auroc" not in again.figures
    with pytest.raises(InputError, match="All of the images are odd"):
        evaluate_model(spec, samples("anomaly", ("crack",), [sample(1, "crack")]))
    assert judged.exact


def test_an_image_that_is_called_odd_is_odd_even_if_its_mask_is_empty() -> None:
    # Training goes by names: judging by masks gave the same model another figure than its training had.
    items = _tiles({0: "background", 1: "foreground"})
    empty = Mask(partial(png, np.zeros((32, 32), np.uint8)), {0: "background", 1: "foreground"})
    items.append(sample(12, empty, label="crack"))

    def heat(number: int) -> Oddness:
        return Oddness(1.5 if number % 2 or number == 12 else 0.5, np.zeros((32, 32), np.float32))

    found, _ = evaluate_model(model("anomaly", (), heat), samples("anomaly", (), items))
    assert found.figures["image_auroc"].value == found.figures["accuracy"].value == 1


def test_answers_come_in_the_order_of_the_samples_whatever_can_be_read() -> None:
    items = [sample(0, "cat"), broken("cat"), sample(101, "dog")]
    found = predict_samples(model("classify", CLASSES, _logits), samples("classify", CLASSES, items))
    assert found.rows.tolist() == [0, 2]
    assert found.labels == ("dog", "dog")
    assert found.skipped.keys() == {"broken.png"}
    assert found.probabilities.sum(axis=1) == pytest.approx([1, 1])
    assert found.probabilities[1, 1] == pytest.approx(math.exp(4) / (math.exp(4) + 2))
