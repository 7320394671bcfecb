"""What the encoder's card quotes: intervals, probes, labels by words, and how a photo becomes input."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

pytest.importorskip("sklearn")

from recipes.encoder import data, inference, near_duplicates, probe, sources, zero_shot

from lucida.models.embedded.lexicon import Lexicon


def write_images(path: Path, sizes: Sequence[tuple[int, int]]) -> None:
    rows = []
    for size in sizes:
        buffer = io.BytesIO()
        Image.new("RGB", size, (200, 100, 50)).save(buffer, "PNG")
        rows.append({"bytes": buffer.getvalue(), "path": "x.png"})
    table = pa.table({"image": rows, "label": list(range(len(sizes)))})
    feature = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(feature)}), path)


def test_parquet_is_decoded_with_its_names(tmp_path: Path) -> None:
    write_images(tmp_path / "two.parquet", [(8, 6), (8, 6)])
    images = data.load_parquet(tmp_path / "two.parquet")
    assert images.pixels.shape == (2, 6, 8, 3)
    assert images.pixels[0, 0, 0].tolist() == [200, 100, 50]
    assert images.names == ("cat", "dog")


def test_parquet_refuses_mixed_sizes_and_missing_files(tmp_path: Path) -> None:
    write_images(tmp_path / "mixed.parquet", [(8, 6), (5, 5)])
    with pytest.raises(ValueError, match="images of 2 sizes"):
        data.load_parquet(tmp_path / "mixed.parquet")
    with pytest.raises(FileNotFoundError, match="columns image and label"):
        data.load_parquet(tmp_path / "none.parquet")


def test_synonyms_are_split_with_the_usual_word_first(tmp_path: Path) -> None:
    (tmp_path / "classes.tsv").write_text("n1\tbucket, pail\nn2\tdumbbell\n")
    assert data.read_synonyms(tmp_path / "classes.tsv") == {"n1": ["bucket", "pail"], "n2": ["dumbbell"]}


def test_fits_keep_cut_or_pad_a_wide_photo() -> None:
    # Red, green and blue thirds, 96 x 32.
    photo = np.zeros((32, 96, 3), np.uint8)
    for third in range(3):
        photo[:, third * 32 : third * 32 + 32, third] = 255
    image = Image.fromarray(photo)
    squashed, cropped, padded = (inference.fit(image, 24, how) for how in ("squash", "crop", "pad"))
    assert {a.shape for a in (squashed, cropped, padded)} == {(24, 24, 3)}
    assert [squashed[12, x].argmax() for x in (2, 12, 21)] == [0, 1, 2]
    assert (cropped == [0, 255, 0]).all()
    assert (padded[:8] == 127).all()
    assert [padded[12, x].argmax() for x in (2, 12, 21)] == [0, 1, 2]


def test_area_averages_when_shrinking_and_is_smooth_when_enlarging() -> None:
    checks = (np.indices((8, 8)).sum(axis=0) % 2 * 255).astype(np.uint8)
    small = inference.resample(Image.fromarray(checks).convert("RGB"), 4, 4, "area")
    assert np.asarray(small)[..., 0].min() >= 127
    assert np.asarray(small)[..., 0].max() <= 128
    edge = Image.fromarray(np.uint8([[[0] * 3, [255] * 3]]))
    assert len(np.unique(np.asarray(inference.resample(edge, 8, 4, "area")))) > 2


def test_wilson_interval_of_the_textbook() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857, Table I: 81 of 263, and 0 of 20.
    assert probe.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert probe.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_probe_separates_what_is_separable_and_only_that() -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(120) % 3
    noise = generator.normal(size=(120, 8)).astype(np.float32)
    signal = noise + 4 * np.eye(8, dtype=np.float32)[labels]
    for features, low, high in ((signal, 0.95, 1.0), (noise, 0.1, 0.6)):
        result = probe.probe_all((features[:60], labels[:60]), (features[60:], labels[60:]))
        assert low <= result["value"] <= high
    few = probe.probe_draws((signal[:60], labels[:60]), (signal[60:], labels[60:]), 5, draws=3)
    assert few["mean"] > 0.8
    assert few["draws"] == 3


def test_draws_are_balanced_and_without_repetition() -> None:
    labels = np.repeat([0, 1, 2], [30, 10, 20])
    places = probe.draw(labels, 7, np.random.default_rng(1))
    assert np.bincount(labels[places]).tolist() == [7, 7, 7]
    assert len(set(places.tolist())) == 21


def test_centred_cosine_ignores_a_common_offset() -> None:
    vectors = np.random.default_rng(2).normal(size=(50, 6)).astype(np.float32)
    assert inference.centred_cosine(vectors, vectors + 100) == pytest.approx(1, abs=1e-3)
    other = np.random.default_rng(3).normal(size=(50, 6)).astype(np.float32)
    assert inference.centred_cosine(vectors + 100, other + 100) < 0.3


def test_words_are_measured_through_the_matcher_that_ships() -> None:
    angles = np.array([0.0, 0.1, 1.5, 0.2, 1.4], np.float32)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    lexicon = Lexicon(["cat", "tabby", "lorry", "kitten", "truck"], vectors, {})
    known = [["cat", "tabby"], ["lorry"], ["a class without a column"]]
    logits = np.array([[5, 0], [0, 5], [0, 5]], np.float32)
    report = zero_shot.zero_shot(logits, np.array([1, 0, 1]), lexicon, known, ["truck", "kitten"])
    assert report["value"] == pytest.approx(2 / 3, abs=1e-4)
    assert (report["chance"], report["majority"]) == (0.5, 0.6667)
    assert 0.5 <= report["mean_score"] <= 1


def test_an_altered_copy_finds_its_original_where_the_encoder_sees_it() -> None:
    rng = np.random.default_rng(0)
    photos = [Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8)).resize((96, 80)) for _ in range(20)]

    def grey(batch: inference.Floats) -> tuple[inference.Floats, inference.Floats]:
        coarse = batch.reshape(len(batch), 3, 4, 16, 4, 16).mean(axis=(3, 5)).reshape(len(batch), -1)
        return coarse, coarse

    nought, one = np.zeros(3, np.float32), np.ones(3, np.float32)
    result = near_duplicates.retrieval(inference.OnnxEncoder(grey, 64, "squash", "area", nought, one), photos)
    assert result["photos"] == 20
    assert result["soft"]["value"] >= 0.95
    assert result["compressed"]["value"] >= 0.95
    assert result["mirrored"]["value"] <= 0.5


def test_cifar_is_divided_the_same_each_time_and_without_overlap() -> None:
    images = data.ImageSet(np.zeros((4000, 1, 1, 3), np.uint8), np.arange(4000), ())
    train, test = sources.cifar_split(images)
    assert len(test) == sources.HELD_OUT
    assert sorted([*train, *test]) == list(range(4000))
    assert np.array_equal(sources.cifar_split(images)[1], test)
