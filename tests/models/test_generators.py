"""ONNX models that draw: their cards, what they draw, and what goes wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from lucida.errors import InputError, ModelError, UnknownName
from lucida.models import find
from lucida.models.generator import GenerationRequest, Given
from lucida.models.generators import family
from lucida.models.onnx import latent
from lucida.models.onnx.generating import drawn_noise
from lucida.models.verb import models
from models import tiny_generators as tiny

SEEDS = [3, 11]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generators")
    for name, write in tiny.WRITERS.items():
        write(folder / name)
    return folder


@pytest.fixture(scope="module")
def flow(written: Path):
    return find(f"onnx:{written / 'flow'}").load("fp32")


def exact(mean: np.ndarray, seed: int) -> np.ndarray:
    """Return the picture of a seed that the equation leads to, uint8."""
    colours = mean + tiny.DEVIATION * drawn_noise([seed], (3, tiny.SIDE, tiny.SIDE))[0]
    return ((np.clip((colours + 1) / 2, 0, 1) * 255) + 0.5).astype(np.uint8).transpose(1, 2, 0)


@pytest.mark.parametrize("name", ["flow", "diffusion"])
def test_a_known_network_draws_what_its_equation_leads_to(written: Path, name: str):
    model = find(f"onnx:{written / name}").load("fp32")
    request = GenerationRequest("dogs", steps=60, guidance=1.0)
    for picture in model.generate(request, SEEDS):
        assert np.abs(picture.pixels.astype(int) - exact(tiny.means()[1], picture.seed)).max() <= 1
        assert picture.detail == {"method": name, "class": "dog", "steps": 60, "sampler": "heun", "guidance": 1.0}


def test_guidance_leads_away_from_none_or_from_a_class(flow):
    none, dog, cat = (tiny.means()[i] for i in (3, 1, 0))
    for negative, from_ in (("", none), ("blurry", none), ("cats", cat)):
        request = GenerationRequest("dog", negative, steps=60, guidance=2.0)
        # For Gaussians of one spread, guidance moves the mean alone.
        for picture in flow.generate(request, SEEDS):
            expected = exact(from_ + 2 * (dog - from_), picture.seed)
            assert np.abs(picture.pixels.astype(int) - expected).max() <= 1


def test_noise_depends_on_the_seed_alone_and_stays_as_it_is():
    found = drawn_noise([5, 6], (2,))
    np.testing.assert_array_equal(found[1:], drawn_noise([6], (2,)))
    expected = np.random.Generator(np.random.Philox(5)).standard_normal(2, np.float32)
    np.testing.assert_array_equal(found[0], expected)
    assert drawn_noise(range(2000), (4,)).std() == pytest.approx(1, abs=0.03)


def test_more_seeds_than_go_together_are_drawn_in_parts(flow, monkeypatch: pytest.MonkeyPatch):
    seeds = range(150)
    shapes: list[int] = []
    run = flow.networks.run
    monkeypatch.setattr(flow.networks, "run", lambda x, *more: shapes.append(len(x)) or run(x, *more))
    told: list[float] = []
    pictures = flow.generate(GenerationRequest(""), seeds, told.append)
    assert [picture.seed for picture in pictures] == list(seeds)
    assert max(shapes) == flow.spec.generates.together
    assert len(told) == len(shapes) == 3 * 9
    assert {picture.detail["class"] for picture in pictures} == set(tiny.CLASSES)


def test_a_scribble_is_begun_from_and_that_is_said(flow):
    lines = np.zeros((tiny.SIDE, tiny.SIDE, 3), np.uint8)
    lines[:, 4:] = 255
    request = GenerationRequest("cat", control="scribble", control_image=Given(lines), strength=1.0)
    (picture,) = flow.generate(request, [1])
    (plain,) = flow.generate(GenerationRequest("cat"), [1])
    halves = [one.pixels[:, 4:].mean() - one.pixels[:, :4].mean() for one in (picture, plain)]
    assert halves[0] > halves[1] + 2
    assert any("follows no control image" in remark for remark in flow.remarks(request))
    assert flow.spec.generates.controls == ("scribble",)


def test_values_that_are_no_numbers_are_an_error(flow, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(flow.networks, "run", lambda x, labels, time=None: np.full((len(x), 1, *x.shape[1:]), np.nan))
    with pytest.raises(ModelError, match="no numbers"):
        flow.generate(GenerationRequest("cat", guidance=1.0), [1])


def test_no_memory_is_said_so_that_fewer_can_be_tried(flow, monkeypatch: pytest.MonkeyPatch):
    def fail(*arguments):
        raise RuntimeError("std::bad_alloc")

    monkeypatch.setattr(flow.networks, "run", fail)
    with pytest.raises(MemoryError):
        flow.generate(GenerationRequest("cat"), [1])


def test_images_of_another_size_are_refused(flow):
    for request in (
        GenerationRequest(size=(16, 16)),
        GenerationRequest(image=Given(np.zeros((8, 9, 3), np.uint8))),
    ):
        with pytest.raises(InputError, match="one size only") as caught:
            flow.generate(request, [1])
        assert caught.value.expected == "8 x 8 pixels"


def test_what_lacks_an_encoder_begins_from_no_image(tmp_path: Path):
    for write in (tiny.vae, tiny.latent_flow):
        needs = find(f"onnx:{write(tmp_path / write.__name__, encoder=False)}").generates
        assert (needs.image, needs.mask, needs.controls) == (False, False, ())


def test_latents_of_images_between_and_beyond_them(written: Path):
    model = find(f"onnx:{written / 'vae'}").load("fp32")
    drawn = [picture.pixels for picture in model.generate(GenerationRequest(), [1, 2, 3])]
    codes = latent.encode(model, drawn)
    assert codes.shape == (3, *tiny.LATENT)
    np.testing.assert_allclose(codes, drawn_noise([1, 2, 3], tiny.LATENT), atol=0.05)
    assert np.abs(latent.decode(model, codes).astype(int) - drawn).max() <= 1
    back = latent.arithmetic(codes[0], codes[1], codes[0])
    np.testing.assert_allclose(back, codes[1], atol=1e-6)
    pictures = latent.interpolate(model, Given(drawn[0]), Given(drawn[1]), 5)
    assert [picture.detail["share"] for picture in pictures] == [0, 0.25, 0.5, 0.75, 1]
    for picture, end in ((pictures[0], drawn[0]), (pictures[-1], drawn[1])):
        assert np.abs(picture.pixels.astype(int) - end).max() <= 1
    assert latent.interpolate(model, Given(drawn[0]), Given(drawn[1]), 1)[0].detail == {"share": 0.5}


def test_the_way_between_latents_is_an_arc():
    x, y = np.array([1.0, 0], np.float32), np.array([0, 1.0], np.float32)
    np.testing.assert_allclose(latent.mix(x, y, 3), [[1, 0], [0.5**0.5] * 2, [0, 1]], atol=1e-6)
    np.testing.assert_allclose(latent.mix(x, x, 3), [[1, 0]] * 3)
    np.testing.assert_allclose(latent.mix(x, 0 * x, 3), [[1, 0], [0.5, 0], [0, 0]])


def test_latents_that_cannot_be(written: Path, flow):
    vae = find(f"onnx:{written / 'vae'}").load("fp32")
    image = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ModelError, match="has no latents"):
        latent.encode(flow, [image])
    for wrong in (image[:4], image.astype(np.float32)):
        with pytest.raises(InputError, match="not what the model reads"):
            latent.encode(vae, [wrong])
    with pytest.raises(InputError, match="no latents of this model"):
        latent.decode(vae, np.zeros((1, 2, 2), np.float32))
    with pytest.raises(InputError, match="So many"):
        latent.interpolate(vae, Given(image), Given(image), 0)
    with pytest.raises(UnknownName):
        latent.encode(vae, [image], "cat")


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('method = "flow"', 'method = "magic"', "'method'"),
        ('method = "flow"', 'method = "flow"\nspeed = 3', "speed"),
        ("size = [8, 8]", "size = [8, 16]", "'size'"),
        ("size = [8, 8]", "", "lacks the key 'size'"),
        ('"cat", "dog"', '"cat", "cat"', "names a class twice"),
        ('class = "class"', 'class = ""', "lacks the key 'class'"),
        ('sampler = "heun"', 'sampler = "ddim"', "'sampler'"),
        ("steps = 5", "steps = 0", "'steps'"),
        ("guidance = 1.5", "guidance = -1", "'guidance'"),
        ("[sampler]", "[sampler", "not valid TOML"),
    ],
)
def test_a_card_that_is_wrong_is_refused(written: Path, tmp_path: Path, old: str, new: str, match: str):
    folder = tmp_path / "copy"
    shutil.copytree(written / "flow", folder)
    card = folder / "model.toml"
    assert old in card.read_text()
    card.write_text(card.read_text().replace(old, new))
    with pytest.raises(InputError, match=match) as caught:
        find(f"onnx:{card}")
    assert all((caught.value.expected, caught.value.got))


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ('image = "x"', 'image = "y"', "no input named 'y'"),
        ('image = "x"', 'image = "x"\noutput = "out"', "no output named 'out'"),
        ("size = [8, 8]", "size = [16, 16]", "gives other pictures"),
    ],
)
def test_a_file_that_is_not_as_its_card_says(written: Path, tmp_path: Path, old: str, new: str, match: str):
    folder = tmp_path / "copy"
    shutil.copytree(written / "flow", folder)
    card = folder / "model.toml"
    card.write_text(card.read_text().replace(old, new))
    with pytest.raises(ModelError, match=match):
        find(f"onnx:{card}").load("fp32").generate(GenerationRequest(), [1])
    (folder / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="cannot be loaded"):
        find(f"onnx:{card}").load("fp32")
    (folder / "model.onnx").unlink()
    with pytest.raises(ModelError, match="is missing"):
        find(f"onnx:{card}")


def test_those_of_the_package_are_found_and_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(family, "folder", lambda: tmp_path)
    assert family.GeneratorsFamily().names() == []
    with pytest.raises(UnknownName):
        find("embedded-generator")
    tiny.shipped(tmp_path)
    spec = find(family.USUAL)
    assert (spec.family, spec.tasks, spec.licence) == ("generators", ("generate",), "CC0")
    assert family.USUAL in str(models(task="generate"))
    assert len(spec.load("fp32").generate(GenerationRequest("cat"), [1])) == 1


def test_a_run_of_training_draws(tmp_path: Path):
    run = tmp_path / "runs" / "train-20261201-120000-abcd"
    tiny.flow(run / "model")
    spec = find(run.name, tmp_path / "models")
    assert (spec.name, spec.family, spec.tasks) == (run.name, "trained", ("generate",))
    assert find(str(run)).generates == spec.generates
