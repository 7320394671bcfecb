"""Faces and plates on files with random weights, beside what OpenCV's own classes make of the same files."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from lucida.errors import ModelError
from lucida.images import Image, decode
from lucida.models.opencv_zoo import family, files
from lucida.models.opencv_zoo.align import PLACES, cut_out, similarity
from lucida.models.opencv_zoo.decode import best_of, decode_priors, priors
from lucida.models.opencv_zoo.known import KNOWN, PLATES, SFACE, YUNET
from lucida.models.opencv_zoo.pieces import PIECES, pieces
from lucida.models.registry import claimed, find, licence
from lucida.models.verb import models
from lucida.results import Detections
from models.tiny_zoo import write_plates, write_sface, write_yunet
from told_models import png

SIDE = 128


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("zoo")
    write_yunet(folder / YUNET.file)
    write_plates(folder / PLATES.file)
    write_sface(folder / SFACE.file)
    return folder


def photo(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A patchwork of colours, so that places differ."""
    draw = np.random.default_rng(seed)
    small = draw.integers(0, 256, (-(-height // 8), -(-width // 8), 3))
    return np.kron(small, np.ones((8, 8, 1)))[:height, :width].astype(np.uint8)


def image(pixels: np.ndarray) -> Image:
    return decode(png(pixels))


def reference(file: Path, pixels: np.ndarray, least: float) -> np.ndarray:
    detector = cv2.FaceDetectorYN.create(str(file), "", (SIDE, SIDE), least, 0.3, 5000)
    found = detector.detect(np.ascontiguousarray(pixels[:, :, ::-1]))[1]
    return np.zeros((0, 15), np.float32) if found is None else found


@pytest.mark.parametrize(("seed", "least"), [(0, 0.3), (1, 0.3), (2, 0.45)])
def test_faces_and_their_points_are_those_of_opencv(zoo, tmp_path, seed, least) -> None:
    file = write_yunet(tmp_path / "any.onnx", seed=seed)
    pixels = photo(SIDE, SIDE, seed)
    model = find(str(file)).load()
    batch = pixels[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)
    found = model.find(np.ascontiguousarray(batch))
    found = found.take(found.scores >= least)
    found = found.take(best_of(found))
    known = reference(file, pixels, least)
    assert len(known) > 5, "the random weights find something"
    boxes = np.concatenate([known[:, :2], known[:, :2] + known[:, 2:4]], axis=1)
    np.testing.assert_allclose(found.boxes, boxes, atol=2e-4)
    np.testing.assert_allclose(found.points.reshape(-1, 10), known[:, 4:14], atol=2e-4)
    np.testing.assert_allclose(found.scores, known[:, 14], atol=1e-5)


def lpd_reference(loc: np.ndarray, conf: np.ndarray, iou: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Corners in units of the image and scores, after the zoo's own description of the file: a prior at a time."""
    width, height = 320, 240
    corners, scores = [], []
    number = 0
    for stride, sides, rows, columns in (
        (8, (10, 16, 24), 30, 40), (16, (32, 48), 15, 20), (32, (64, 96), 7, 10), (64, (128, 192, 256), 3, 5)
    ):  # fmt: skip
        for i in range(rows):
            for j in range(columns):
                for side in sides:
                    centre = np.array([(j + 0.5) * stride / width, (i + 0.5) * stride / height])
                    extent = np.array([side / width, side / height])
                    each = [centre + loc[number, k : k + 2] * 0.1 * extent for k in (4, 6, 10, 12)]
                    corners.append(np.array(each) * [width, height])
                    scores.append(np.sqrt(conf[number, 1] * min(1, max(0, iou[number, 0]))))
                    number += 1
    return np.array(corners), np.array(scores)


def test_plates_are_decoded_as_the_zoo_describes_them() -> None:
    draw = np.random.default_rng(4)
    assert priors(240, 320).shape == (4385, 4)
    loc, conf, iou = (draw.normal(0, 1, (4385, 14)), draw.uniform(0, 1, (4385, 2)), draw.uniform(-0.2, 1.2, (4385, 1)))
    outputs = {name: value.astype(np.float32) for name, value in (("loc", loc), ("conf", conf), ("iou", iou))}
    found = decode_priors(outputs, (240, 320), 0.8)
    corners, scores = lpd_reference(loc, conf, iou)
    np.testing.assert_allclose(found.points, corners[scores >= 0.8], atol=1e-3)
    np.testing.assert_allclose(found.scores, scores[scores >= 0.8], atol=1e-6)
    assert (found.boxes[:, :2] <= found.points.min(axis=1)).all()


def test_an_image_of_any_size_is_looked_at(zoo) -> None:
    model = find(str(zoo / YUNET.file)).load()
    sizes = [(1, 1), (3000, 20), (40, 700), (300, 200)]
    results = model.predict([image(photo(*size)) for size in sizes])
    for (width, height), result in zip(sizes, results, strict=True):
        assert isinstance(result, Detections)
        assert result.points is not None
        assert result.points.shape == (len(result), 5, 2)
        assert (result.xyxy >= 0).all()
        assert (result.xyxy <= [width, height] * 2).all()
        assert (np.diff(result.confidence) <= 0).all()
    assert len(results[3]) > 3
    (black,) = model.predict([image(np.zeros((90, 90, 3), np.uint8))])
    assert len(black) == 0
    assert black.points is not None
    again = Detections.of_items(results[3].items())
    np.testing.assert_allclose(again.points, results[3].points, atol=0.01)


def test_pieces_are_few_and_nothing_of_the_image_is_left_out() -> None:
    for width, height in [(20000, 20000), (20000, 300), (1, 20000), (700, 500), (640, 640)]:
        found = pieces(width, height, (640, 640))
        scales = sorted({one.scale for one in found})
        assert all(sum(one.scale == scale for one in found) <= PIECES for scale in scales)
        assert scales[1] == 2 * scales[0] == min(1, 640 / max(width, height))
        finest = [one for one in found if one.scale == scales[-1]]
        seen = np.zeros((max(1, round(height * scales[-1])), max(1, round(width * scales[-1]))), bool)
        for one in finest:
            seen[one.top : one.top + one.height, one.left : one.left + one.width] = True
        assert seen.all()
    assert pieces(20000, 300, (640, 640))[-1].scale == 1.0


def test_what_an_inner_edge_cuts_is_left_to_the_neighbour() -> None:
    left = next(one for one in pieces(1000, 500, (640, 640)) if one.scale == 1 and one.left == 0)
    boxes = np.array([[0, 10, 40, 50], [600, 10, 640, 50], [560, 300, 600, 499]], np.float32)
    assert left.inner == (False, False, True, False)
    assert left.whole(boxes).tolist() == [True, False, True]


@pytest.mark.parametrize("seed", range(4))
def test_faces_are_cut_out_as_opencv_does(zoo, seed) -> None:
    draw = np.random.default_rng(seed)
    pixels = cv2.GaussianBlur(photo(300, 200, seed), (0, 0), 3)
    turn = cv2.getRotationMatrix2D((60, 60), draw.uniform(-40, 40), draw.uniform(0.6, 1.6))
    points = (PLACES @ turn[:, :2].T + turn[:, 2] + draw.normal(0, 2, (5, 2)) + [40, 20]).astype(np.float32)
    recogniser = cv2.FaceRecognizerSF.create(str(zoo / SFACE.file), "")
    face = np.concatenate([[0, 0, 1, 1], points.ravel(), [1]]).astype(np.float32)[None]
    aligned = recogniser.alignCrop(np.ascontiguousarray(pixels[:, :, ::-1]), face)
    own = cut_out(pixels, points)
    assert np.abs(own.astype(int) - aligned[:, :, ::-1].astype(int)).max() <= 2
    model = find(str(zoo / SFACE.file)).load()
    (vector,) = model.vectors(image(pixels), [points])
    known = recogniser.feature(aligned)[0]
    assert float(vector @ known / np.linalg.norm(known)) > 0.9999
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    estimated, _ = cv2.estimateAffinePartial2D(PLACES, PLACES * 2 + 3, method=cv2.LMEDS)
    np.testing.assert_allclose(similarity((PLACES).astype(np.float32), PLACES * 2 + 3), estimated, atol=1e-4)


def test_points_that_are_all_one_give_a_black_face() -> None:
    assert not cut_out(photo(50, 50), np.full((5, 2), 7, np.float32)).any()


def test_without_weights_it_says_how_to_get_them(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("LUCIDA_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(files, "at_hand", lambda known, revision=None: None)
    for known in KNOWN:
        assert claimed(known.name)
        assert licence(known.name) == known.licence
        with pytest.raises(ModelError, match="ships in this package") as caught:
            find(known.name)
        assert f"hf download {known.repository} {known.file}" in caught.value.hint
        assert str(tmp_path) in caught.value.expected
    assert {"yunet", "lpd-yunet"} <= {one.name for one in models(task="detect").hub}
    assert [one.name for one in models(task="faces").hub] == ["sface"]


def test_files_that_a_person_brought_are_found_by_name(zoo, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("LUCIDA_CACHE", str(tmp_path))
    files.brought().mkdir()
    shutil.copy(zoo / YUNET.file, files.brought())
    spec = find("YuNet")
    assert (spec.name, spec.tasks, spec.gives.classes, spec.licence) == ("yunet", ("detect",), ("face",), "MIT")
    assert find(str(zoo / YUNET.file)).revision == spec.revision
    assert find("hf:opencv/face_detection_yunet").key == spec.key
    plates = find(f"onnx:{zoo / PLATES.file}")
    assert (plates.gives.classes, plates.load().size) == (("licence plate",), (240, 320))


def test_a_file_of_another_layout_is_refused_with_what_was_found(zoo, tmp_path) -> None:
    wrong = shutil.copy(zoo / SFACE.file, tmp_path / YUNET.file)
    with pytest.raises(ModelError, match="outputs that yunet does not give") as caught:
        find(str(wrong))
    assert "fc1 (1, 64)" in caught.value.got
    other = write_yunet(tmp_path / "six.onnx", keypoints=12)
    with pytest.raises(ModelError, match="another layout") as caught:
        find(str(other)).load()
    assert "kps_8 (1, 256, 12)" in caught.value.got
    (tmp_path / PLATES.file).write_bytes(b"not an ONNX file")
    with pytest.raises(ModelError, match="cannot be read"):
        find(str(tmp_path / PLATES.file))
    assert not family.ZooFamily().claims(str(tmp_path / "missing.onnx"))
