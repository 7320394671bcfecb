"""What is odd is found from normal images alone, and where."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("torchvision")

from lucida.data.sample import Sample, Samples  # noqa: E402
from lucida.errors import InputError, UnknownName  # noqa: E402
from lucida.images import decode  # noqa: E402
from lucida.models.onnx import decoders  # noqa: E402
from lucida.models.registry import find  # noqa: E402
from lucida.train.anomaly import features  # noqa: E402
from lucida.train.anomaly.memory import Memory, far_apart  # noqa: E402
from lucida.train.anomaly.recipe import anomaly, rebuild  # noqa: E402
from lucida.train.request import Request  # noqa: E402
from lucida.train.settings import Settings  # noqa: E402
from lucida.train.standing import BEST  # noqa: E402
from lucida.train.trained import Trained  # noqa: E402
from lucida.tuning import checkpoint  # noqa: E402

pytestmark = pytest.mark.torch
PLACE = (30, 50)  # row and column of what is odd


def stripes(seed: int, label: str | None, split: str) -> Sample:
    """Return stripes under some light; odd ones have a blot."""
    random = np.random.default_rng(seed)
    pixels = 110 + 40 * np.sin(np.arange(96) / 2 + random.uniform(0, 6))[None] + random.normal(0, 4, (64, 96))
    pixels = pixels * random.uniform(0.6, 1.2)
    if label == "blot":
        row, column = PLACE
        pixels[row - 6 : row + 6, column - 6 : column + 6] = random.uniform(0, 250)
    out = io.BytesIO()
    PIL.Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(out, "PNG")
    data = out.getvalue()
    return Sample(f"{seed}.png", lambda: data, label, split)


@pytest.fixture
def striped() -> Samples:
    train = [stripes(k, "good", "train") for k in range(10)] + [stripes(50, "blot", "train")]
    held = [stripes(k, "good", "validation") for k in range(100, 105)]
    held += [stripes(k, "blot", "validation") for k in range(200, 205)]
    return Samples("anomaly", ("blot", "good"), (*train, *held), "here")


def test_oddities_are_found_and_the_model_needs_no_torch(striped: Samples, tmp_path: Path, monkeypatch):
    monkeypatch.setitem(decoders.DECODERS, "heat", "lucida.models.onnx.heat:decode_heat")
    recipe = anomaly(Request(striped, size=96))
    assert len(recipe) == 10
    assert any("1 images of the training part" in note for note in recipe.notes)
    state = recipe.fit(Settings(), tmp_path)
    assert state.metrics["image_auroc"] == 1.0
    assert state.metrics["normal_below"] >= 0.6
    assert state.metrics["odd_above"] == 1.0
    (tmp_path / "model").mkdir()
    recipe.export(tmp_path / "model")
    spec = find(str(tmp_path / "model"))
    assert spec.tasks == ("anomaly",)
    with torch.inference_mode():
        expected = recipe.find(recipe.model, recipe.validation)
    for sample, one in zip(striped.of("validation"), expected, strict=True):
        (found,) = spec.load("fp32").predict([decode(sample.read())])
        assert found.score == pytest.approx(one.score, rel=0.05)  # weights are stored as int8 and half precision
        assert found.heat.shape == (64, 96)
        if sample.target == "blot":
            row, column = np.unravel_index(found.heat.argmax(), found.heat.shape)
            assert abs(row - PLACE[0]) < 12
            assert abs(column - PLACE[1]) < 12


def test_the_same_images_give_the_same_model(striped: Samples, tmp_path: Path):
    both = [anomaly(Request(striped, size=96)) for _ in range(2)]
    for recipe in both:
        recipe.fit(Settings(), tmp_path)
    one, other = (recipe.model.state_dict() for recipe in both)
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_run_is_built_again(striped: Samples, tmp_path: Path):
    recipe = anomaly(Request(striped, size=96))
    recipe.fit(Settings(), tmp_path)
    network = rebuild(Trained(tmp_path, {"model": "embedded", "start": "auto"}, {}))
    network.load_state_dict(checkpoint.load(tmp_path / BEST)[0]["network"])
    images = torch.rand(2, 3, 96, 96)
    with torch.inference_mode():
        assert torch.equal(network(images), recipe.model(images))


def test_images_that_nobody_names_are_normal(striped: Samples):
    bare = replace(striped, items=tuple(replace(sample, target=None) for sample in striped))
    recipe = anomaly(Request(bare, size=96))
    assert len(recipe) == 11
    assert not any(recipe.validation.odd)


def test_something_must_be_called_normal(striped: Samples):
    names = {"good": "red", "blot": "blue"}
    renamed = tuple(replace(sample, target=names[sample.target]) for sample in striped)
    with pytest.raises(InputError, match="No images are called normal"):
        anomaly(Request(replace(striped, classes=("blue", "red"), items=renamed), size=96))


def test_sizes_and_encoders_that_cannot_be_are_refused(striped: Samples):
    with pytest.raises(InputError, match="100 pixels a side"):
        anomaly(Request(striped, size=100))
    with pytest.raises(UnknownName, match="encoder"):
        anomaly(Request(striped, model="no_such", size=96))


def test_an_encoder_of_timm_gives_maps():
    pytest.importorskip("timm")
    network = features.build("resnet18", "nothing").network
    assert network(torch.rand(1, 3, 64, 64)).shape == (1, 128 + 256, 8, 8)


# The parts


def test_the_border_becomes_a_copy_of_the_edge():
    image = torch.rand(1, 3, 6, 8)
    laid = torch.full((1, 3, 10, 10), features.PAD)
    laid[:, :, 2:8, 1:9] = image
    expected = torch.nn.functional.pad(image, (1, 1, 2, 2), mode="replicate")
    assert torch.equal(features.without_border(laid), expected)
    assert torch.equal(features.inside_border(laid)[0, 0].nonzero().amin(0), torch.tensor([2, 1]))
    assert int(features.inside_border(laid).sum()) == 6 * 8
    plain = torch.full((1, 3, 10, 10), features.PAD)
    assert torch.equal(features.without_border(plain), plain)
    assert features.inside_border(plain).all()


def test_the_border_looks_the_same_around_every_image():
    laid = torch.full((2, 3, 64, 64), features.PAD)
    laid[0, :, 16:48], laid[1, :, 16:48] = torch.rand(3, 32, 64), torch.rand(3, 32, 64) * 0.2
    for shrink in (1, 2):
        one, other = features.EvenLight(shrink)(laid)
        assert one.shape == (3, 64 // shrink, 64 // shrink)
        border = slice(0, 16 // shrink)
        assert torch.equal(one[:, border], other[:, border])
        assert float(one[:, 16 // shrink : 48 // shrink].std()) == pytest.approx(features.SPREAD, rel=0.2)


def test_light_is_taken_away():
    torch.manual_seed(0)
    image = torch.rand(1, 3, 64, 64) * 0.2 + 0.3
    light = torch.linspace(0.5, 2.0, 64).view(1, 1, 1, 64)
    even = features.EvenLight()
    one, other = even(image), even(image * light)
    middle = (slice(None), slice(None), slice(8, -8), slice(8, -8))
    assert float((one - other)[middle].abs().mean()) < 0.03 < float((image - image * light)[middle].abs().mean())


def test_distances_are_those_of_another_library():
    neighbors = pytest.importorskip("sklearn.neighbors")
    generator = torch.Generator().manual_seed(0)
    places = torch.randn(300, 6, generator=generator) * torch.tensor([1.0, 2, 3, 4, 5, 6]) + 1
    memory, owners = Memory.of(places, torch.arange(300), generator)
    scaled = (places - places.mean(0)) / (places.std(0) + 1e-3)
    new = torch.randn(1, 6, 4, 5, generator=generator) * 4
    asked = (new[0].flatten(1).T - places.mean(0)) / (places.std(0) + 1e-3)
    nearest = neighbors.NearestNeighbors(n_neighbors=1).fit(scaled.numpy()).kneighbors(asked.numpy())[0]
    np.testing.assert_allclose(memory(new)[0].flatten().numpy(), nearest[:, 0], rtol=1e-3)
    # Without its own example a place is as far as from the next one.
    own = places[:1].T.reshape(1, 6, 1, 1)
    assert float(memory(own)) < 0.02
    second = neighbors.NearestNeighbors(n_neighbors=2).fit(scaled.numpy()).kneighbors(scaled[:1].numpy())[0][0, 1]
    assert float(memory(own, owners == 0)) == pytest.approx(float(second), rel=1e-3)


def test_examples_are_far_apart():
    points = torch.cat([torch.randn(200, 3) * 0.01, torch.tensor([[5.0, 0, 0], [0, 5.0, 0], [0, 0, 5.0]])])
    rows = far_apart(points, 4, torch.Generator().manual_seed(0))
    assert len(set(rows.tolist())) == 4
    assert {200, 201, 202} <= set(rows.tolist())
    assert torch.equal(far_apart(points, 500, torch.Generator()), torch.arange(203))
