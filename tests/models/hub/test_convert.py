"""Converted models give what the libraries they come from give: prepared images, vectors, logits, labels by words."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from lucida.errors import InputError, MissingExtra, ModelError
from lucida.images import Image
from lucida.models import find
from lucida.models.hub import convert
from lucida.models.precision import centred_cosine, made_sample
from lucida.models.spec import Trial

pytestmark = pytest.mark.torch
CLASSES = ["cat", "Dog!", "a red dress, on a beach", "猫"]


@pytest.fixture(scope="module")
def home(tiny_hub, _one_cache: Path):
    """A function that gives a tiny model."""
    return lambda name: tiny_hub(name, _one_cache)


@pytest.fixture(scope="module", autouse=True)
def _one_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Conversions are kept for the module; the fixture of the folder above would forget them."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _cached(_own_cache, _one_cache, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LUCIDA_CACHE", str(_one_cache))


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    draw = np.random.default_rng(3)
    small = draw.integers(0, 255, (9, 13, 3), np.uint8)
    return np.asarray(Pillow.fromarray(small).resize((107, 81), Pillow.Resampling.BICUBIC))


def ours(name: Path, photo: np.ndarray):
    spec = find(str(name))
    return spec, spec.load("fp32"), spec.needs.prepare(Image(photo, "RGB"))[None]


@pytest.mark.parametrize("name", ["clip", "siglip", "siglip2", "chinese-clip"])
def test_a_pair_scores_as_its_library_does(home, photo, name):
    import torch
    import transformers

    folder = home(name)
    spec, model, batch = ours(folder, photo)
    scores = spec.matcher([[c] for c in CLASSES], templates=["{}"]).logits(model.embed(batch))
    reference = transformers.AutoModel.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    padding = {"padding": "max_length", "max_length": 64} if name.startswith("siglip") else {"padding": True}
    words = tokenizer(CLASSES, return_tensors="pt", **padding)
    if name.startswith("siglip"):
        words.pop("attention_mask", None)
    picture = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")(
        images=Pillow.fromarray(photo), return_tensors="pt"
    )
    with torch.inference_mode():
        expected = reference(**words, **picture).logits_per_image.numpy()
    # A bias, where there is one, is the same for all classes.
    expected = expected - float(getattr(reference, "logit_bias", torch.zeros(1)))
    np.testing.assert_allclose(scores, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["vit", "resnet"])
def test_a_classifier_scores_as_its_library_does(home, photo, name):
    import torch
    import transformers

    folder = home(name)
    spec, model, batch = ours(folder, photo)
    reference = transformers.AutoModelForImageClassification.from_pretrained(folder)
    picture = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")(
        images=Pillow.fromarray(photo), return_tensors="pt"
    )
    with torch.inference_mode():
        expected = reference(**picture).logits.numpy()
    np.testing.assert_allclose(model.logits(batch), expected, atol=1e-4)
    assert len(set(spec.gives.classes)) == expected.shape[1], "names are told apart"
    assert model.embed(batch).shape == (1, spec.gives.dimensions)


@pytest.mark.parametrize("name", ["timm-classifier", "timm-encoder"])
def test_a_timm_model_gives_what_timm_gives(home, photo, name):
    import timm
    import torch

    folder = home(name)
    spec, model, batch = ours(folder, photo)
    reference = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(reference), is_training=False)
    picture = transform(Pillow.fromarray(photo))[None]
    np.testing.assert_allclose(batch, picture.numpy(), atol=1e-5)
    with torch.inference_mode():
        features = reference.forward_head(reference.forward_features(picture), pre_logits=True).numpy()
        np.testing.assert_allclose(model.embed(batch), features, atol=1e-4)
        if "classify" in spec.tasks:
            np.testing.assert_allclose(model.logits(batch), reference(picture).numpy(), atol=1e-4)
            assert spec.gives.classes[:2] == ("tench", "goldfish")


@pytest.mark.parametrize("name", ["dinov2", "vision-tower", "mae"])
def test_an_encoder_gives_its_pooled_output(home, photo, name):
    import torch
    import transformers

    folder = home(name)
    _, model, batch = ours(folder, photo)
    kind = "CLIPVisionModelWithProjection" if name == "vision-tower" else "AutoModel"
    reference = getattr(transformers, kind).from_pretrained(folder)
    with torch.inference_mode():
        found = reference(pixel_values=torch.from_numpy(batch))
    expected = {
        "dinov2": lambda: found.pooler_output,
        "vision-tower": lambda: found.image_embeds,
        # The pooler of such a model holds whatever the library filled in: the class token is what was trained.
        "mae": lambda: found.last_hidden_state[:, 0],
    }[name]()
    np.testing.assert_allclose(model.embed(batch), expected.numpy(), atol=1e-4)


def test_once_converted_it_runs_without_pytorch(home, photo, monkeypatch):
    spec, model, batch = ours(home("vit"), photo)
    for package in ("torch", "transformers", "lucida.models.transformers.network"):
        monkeypatch.setitem(sys.modules, package, None)
    again = find(str(home("vit")))
    assert again.key == spec.key
    np.testing.assert_array_equal(again.load("fp32").logits(batch), model.logits(batch))


def test_a_model_that_has_to_be_converted_names_the_extra(home, monkeypatch, tmp_path):
    folder = home("vit")
    monkeypatch.setenv("LUCIDA_CACHE", str(tmp_path / "empty"))
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtra) as caught:
        find(str(folder))
    assert "camera-lucida[hub]" in caught.value.hint


def test_weights_that_do_not_fill_the_model_are_refused(home, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "holes"
    folder.mkdir()
    for file in home("vit").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    weights = load_file(folder / "model.safetensors")
    taken = next(name for name in weights if name.endswith("weight"))
    save_file({k: v for k, v in weights.items() if k != taken}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError) as caught:
        find(str(folder))
    assert "1 missing" in caught.value.got
    (folder / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(ModelError):
        find(str(folder))


def test_a_conversion_that_changes_the_outputs_is_not_kept(home, monkeypatch, tmp_path):
    monkeypatch.setenv("LUCIDA_CACHE", str(tmp_path / "fresh"))
    monkeypatch.setattr(convert, "CLOSE", -1.0)
    with pytest.raises(ModelError, match="changed what it gives"):
        find(str(home("vit")))
    assert not list((tmp_path / "fresh" / "converted").iterdir())


def test_a_description_that_is_too_long_is_refused(home):
    spec = find(str(home("clip")))
    with pytest.raises(InputError) as caught:
        spec.matcher([["cat"], ["a very long description of a dog " * 20]])
    assert "at most 32 tokens" in caught.value.expected


def test_int8_is_made_once_and_is_faithful(home):
    spec = find(str(home("clip")))
    images = made_sample(spec.needs, 64)
    trial = Trial(lambda n: images[:n], count=10_000)
    small = spec.load("int8", trial=trial)
    assert small.engine == "openvino int8"
    assert centred_cosine(small.embed(images), spec.load("fp32").embed(images)) > 0.95
    (file,) = (convert.cache_folder() / "int8").glob("*.xml")
    before = file.stat().st_mtime_ns
    spec.load("int8", trial=trial)
    assert file.stat().st_mtime_ns == before


def test_a_precision_that_changes_labels_is_not_taken(home, monkeypatch):
    from lucida.models import engine

    monkeypatch.setattr(engine, "has_bf16", lambda: False)
    spec = find(str(home("clip")))
    images = made_sample(spec.needs, 64)
    spec.load("int8", trial=Trial(lambda n: images[:n], count=10_000))
    calls = []

    def decide(outputs: np.ndarray) -> np.ndarray:
        # The second that is asked, the fast one, sees other labels.
        calls.append(len(outputs))
        return np.eye(2, dtype=np.float32)[np.full(len(outputs), len(calls) > 1, int)]

    picked = spec.load("auto", trial=Trial(lambda n: images[:n], 10_000, "embedding", decide, "contrary"))
    assert calls
    assert picked.engine == "openvino fp32"
