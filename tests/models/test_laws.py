"""What holds for every model, whatever its family."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lucida.errors import InputError, ModelError
from lucida.images import Image
from lucida.models import Model, Spec, find, specs
from lucida.models.onnx.dense import DenseModel
from lucida.models.precision import centred_cosine, made_sample
from lucida.models.spec import Trial

TINY = ("encoder", "classifier", "clip")


# Hub models with random weights, built by the tests that have PyTorch.
HUB = ("clip", "siglip", "siglip2", "chinese-clip", "vit", "resnet", "dinov2", "mae", "timm-classifier", "timm-encoder")
# What reads or answers has laws of its own.
OWN = [spec.name for spec in specs() if not {"ask", "read", "upscale", "denoise", "fill", "generate"} & set(spec.tasks)]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _cached(_own_cache: None, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversions are kept for the module; the fixture of the folder would forget them."""
    monkeypatch.setenv("LUCIDA_CACHE", str(cache))


@pytest.fixture(scope="module", params=[*OWN, *TINY, *(pytest.param(n, marks=pytest.mark.torch) for n in HUB)])
def spec(request: pytest.FixtureRequest, written: Path, cache: Path) -> Spec:
    if request.param in TINY:
        return find(f"onnx:{written / request.param}")
    if request.param in HUB:
        tiny = request.getfixturevalue("tiny_hub")(request.param, cache)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LUCIDA_CACHE", str(cache))
            return find(str(tiny))
    return find(request.param)


@pytest.fixture(scope="module")
def model(spec: Spec) -> Model:
    return spec.load("fp32")


@pytest.fixture(scope="module")
def batch(spec: Spec) -> np.ndarray:
    return made_sample(spec.needs, 5)


def outputs(model: Model, batch: np.ndarray) -> np.ndarray:
    if isinstance(model, DenseModel):
        # What is decoded to boxes, masks or heat maps, a row an image.
        return np.concatenate([raw.reshape(len(batch), -1) for raw in model.raw(batch)], axis=1)
    return model.embed(batch) if "encode" in model.spec.tasks else model.logits(batch)


def test_a_batch_gives_what_its_images_give_one_by_one(model, batch):
    together = outputs(model, batch)
    alone = np.concatenate([outputs(model, image[None]) for image in batch])
    close = {"rtol": 1e-3, "atol": 1e-4 * max(1.0, float(np.abs(together).max()))}
    np.testing.assert_allclose(together, alone, **close)
    # Order matters to nobody.
    np.testing.assert_allclose(outputs(model, batch[::-1].copy()), together[::-1], **close)


def test_the_input_stays_as_it_was_and_the_result_the_same(model, batch):
    before = batch.copy()
    batch.setflags(write=False)
    first = outputs(model, batch)
    kept = first.copy()
    again = outputs(model, batch)
    assert np.array_equal(batch, before)
    assert np.array_equal(first, kept), "a later call must not write into an earlier result"
    np.testing.assert_allclose(first, again, rtol=1e-5, atol=1e-6)


def test_outputs_are_as_wide_as_the_spec_says(model, batch):
    gives = model.spec.gives
    if "encode" in model.spec.tasks:
        vectors = model.embed(batch)
        assert vectors.shape == (5, gives.dimensions)
        assert vectors.dtype == np.float32
        assert np.isfinite(vectors).all()
        assert len(np.unique(vectors.round(5), axis=0)) == 5, "different images have different vectors"
    if "classify" in model.spec.tasks:
        assert model.logits(batch).shape == (5, len(gives.classes))


def test_parts_cover_the_vector_without_a_gap(spec):
    ends = 0
    for part in spec.gives.parts.values():
        assert part.start == ends
        assert part.stop > part.start
        ends = part.stop
    assert ends == spec.gives.dimensions


def test_words_are_matched_whatever_their_number(model, batch):
    if "words" not in model.spec.tasks:
        with pytest.raises(ModelError) as caught:
            model.spec.matcher([["red"], ["blue"]])
        assert "'words'" in caught.value.expected
        assert caught.value.got
        assert caught.value.hint
        return
    found = model.embed(batch) if model.spec.gives.words == "embedding" else model.logits(batch)
    for none in (False, True):
        matcher = model.spec.matcher([["red"], ["blue", "azure"], ["green"]], none=none)
        scores = matcher.logits(found)
        assert scores.shape == (5, 3 + none)
        assert np.isfinite(scores).all()
    with pytest.raises(InputError, match="not of this model"):
        matcher.logits(found[:, :-1])


def test_what_a_model_cannot_do_is_said_in_four_parts(model, batch):
    gives = {"encode": model.embed, "classify": model.logits}
    for task, call in gives.items():
        if task in model.spec.tasks or (task == "classify" and model.spec.gives.classes):
            continue
        with pytest.raises(ModelError) as caught:
            call(batch)
        error = caught.value
        assert repr(model.spec.name) in error.what
        assert task in error.expected
        assert all((error.got, error.hint))


@pytest.mark.parametrize(
    "damage",
    [
        lambda batch: batch.astype(np.float64),
        lambda batch: batch[0],
        lambda batch: batch[:, :, :-1],
        lambda batch: np.full_like(batch, np.nan),
        lambda batch: batch.tolist(),
    ],
    ids=["float64", "one image", "a row short", "NaN", "a list"],
)
def test_a_wrong_batch_is_refused(model, batch, damage):
    with pytest.raises(InputError) as caught:
        outputs(model, damage(batch))
    assert "float32 (n, 3," in caught.value.expected
    assert caught.value.got


def test_the_key_is_the_name_and_the_revision(spec):
    assert spec.key == f"{spec.name}@{spec.revision}"
    assert spec.revision
    assert spec.licence
    assert spec.source
    assert find(spec.name).key == spec.key, "a model is found again under its own name"


def test_the_precision_that_is_picked_is_faithful(spec, model):
    images = made_sample(spec.needs)
    picked = spec.load("auto", trial=Trial(lambda n: images[:n]))
    assert picked.engine.split()[1] in ("fp32", "bf16")
    assert centred_cosine(outputs(picked, images), outputs(model, images)) >= 0.985


def test_a_pair_finds_the_colour_that_a_word_names(written):
    spec = find(f"onnx:{written / 'clip'}")
    pictures = [Image(np.full((20, 30, 3), np.eye(3, dtype=np.uint8)[i] * 200 + 20, np.uint8), "RGB") for i in range(3)]
    model = spec.load("fp32")
    vectors = model.embed(np.stack([spec.needs.prepare(picture) for picture in pictures]))
    scores = model.spec.matcher([["blue"], ["red"], ["something green here"]]).logits(vectors)
    assert scores.argmax(axis=1).tolist() == [1, 2, 0]
    # Cosines, times the scale of the card: by hand, (220, 20, 20) against (1, 0, 0).
    assert scores[0, 1] == pytest.approx(20 * 220 / np.sqrt(220**2 + 2 * 20**2), rel=1e-4)


def test_a_classifier_gives_its_logits(written):
    spec = find(f"onnx:{written / 'classifier'}")
    assert spec.gives.classes == ("red", "green", "blue")
    pixels = np.full((SIDE := 16, SIDE, 3), (30, 20, 10), np.uint8)
    logits = spec.load("fp32").logits(spec.needs.prepare(Image(pixels, "RGB"))[None])
    np.testing.assert_allclose(logits, [[300, 200, 100]], rtol=1e-5)
