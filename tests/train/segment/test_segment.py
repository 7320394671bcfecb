"""A segmenter learns where things are, and refuses masks that it cannot learn from."""

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

from lucida.data.sample import Mask, Sample, Samples  # noqa: E402
from lucida.errors import InputError, UnknownName  # noqa: E402
from lucida.images import decode  # noqa: E402
from lucida.models.onnx import decoders  # noqa: E402
from lucida.models.registry import find  # noqa: E402
from lucida.train.loop import fit  # noqa: E402
from lucida.train.recipe import Recipe  # noqa: E402
from lucida.train.request import Request  # noqa: E402
from lucida.train.segment import models  # noqa: E402
from lucida.train.segment.losses import segmentation_losses  # noqa: E402
from lucida.train.segment.recipe import segment  # noqa: E402
from lucida.train.segment.views import GREY, UNKNOWN, Views  # noqa: E402
from lucida.train.settings import Settings  # noqa: E402

pytestmark = pytest.mark.torch
VALUES = {0: "background", 1: "spot"}


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    PIL.Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def spot(seed: int, split: str = "train", *, empty: bool = False, values: dict[int, str] = VALUES) -> Sample:
    """Return a dark image with a bright spot, and where it is."""
    random = np.random.default_rng(seed)
    height, width = random.integers(40, 90, 2).tolist()
    image = random.integers(0, 60, (height, width, 3)).astype(np.uint8)
    mask = np.zeros((height, width), np.uint8)
    if not empty:
        top, left = random.integers(0, 20, 2).tolist()
        mask[top : top + 18, left : left + 18] = 1
        image[mask > 0] += 150
    pixels, truth = png(image), png(mask)
    return Sample(f"{seed}.png", lambda: pixels, Mask(lambda: truth, values, None), split)


def samples(*items: Sample, classes: tuple[str, ...] = ("background", "spot")) -> Samples:
    return Samples("segment", classes, items, "here")


@pytest.fixture(scope="module")
def spots() -> Samples:
    return samples(*(spot(k) for k in range(12)), *(spot(k, "validation") for k in range(100, 104)))


@pytest.fixture(scope="module")
def trained(spots: Samples, tmp_path_factory) -> tuple[Recipe, dict[str, float], Path]:
    """A recipe, what its training came to, and the folder of its model."""
    folder = tmp_path_factory.mktemp("run")
    recipe = segment(Request(spots, size=64))
    done = fit(recipe, Settings(epochs=12, workers=0, rounds=2, arithmetic="fp32"), folder)
    (folder / "model").mkdir()
    recipe.export(folder / "model")
    return recipe, done.metrics, folder / "model"


@pytest.fixture
def registered(monkeypatch) -> None:
    monkeypatch.setitem(decoders.DECODERS, "masks", "lucida.models.onnx.masks:decode_masks")


def test_it_finds_what_it_was_shown_and_the_model_needs_no_torch(spots: Samples, trained, registered):
    recipe, metrics, folder = trained
    assert metrics["foreground_mean_iou"] > 0.6
    assert metrics["foreground_mean_iou"] == pytest.approx(metrics["iou_spot"])
    spec = find(str(folder))
    assert spec.tasks == ("segment",)
    with torch.inference_mode():
        expected = recipe.find(recipe.network.eval(), torch.device("cpu"))
    for sample, one in zip(spots.of("validation"), expected, strict=True):
        image = decode(sample.read())
        (found,) = spec.load("fp32").predict([image])
        assert found.mask.shape == image.pixels.shape[:2]
        assert (found.mask == one.mask).mean() > 0.99  # weights are stored as int8 and half precision


def test_the_shipped_size_is_kept(trained):
    assert (trained[2] / "model.onnx").stat().st_size < 3_000_000


@pytest.mark.parametrize("name", ["embedded", "unet:test_resnet", "lraspp_mobilenet_v3_large", "segformer"])
def test_every_kind_gives_a_map_for_each_class_and_learns_from_one_image(name: str):
    network = models.build(name, ("background", "a", "b"), "nothing").network.train()
    logits = network(torch.rand(1, 3, 64, 64))
    assert logits.shape[:2] == (1, 3)
    segmentation_losses(logits, torch.randint(0, 3, (1, 64, 64)), 0)["loss"].backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_unknown_names_are_refused():
    with pytest.raises(UnknownName, match="segmenter to train"):
        models.architecture("yunet")
    pytest.importorskip("segmentation_models_pytorch")
    with pytest.raises(UnknownName, match="encoder"):
        models.build("unet:no_such", ("a", "b"), "nothing")


def test_a_mask_of_another_size_is_refused(spots: Samples):
    wrong = replace(spots[0], target=Mask(lambda: png(np.zeros((5, 7), np.uint8)), VALUES, None))
    with pytest.raises(InputError, match=r"The mask of 0.png does not fit its image. .* 7 x 5 pixels"):
        segment(Request(replace(spots, items=(wrong, *spots.items[1:])), size=64))


def test_a_value_that_stands_for_nothing_is_refused(spots: Samples):
    odd = spot(0, values={0: "background"})
    with pytest.raises(InputError, match="holds the value 1, which stands for nothing"):
        segment(Request(replace(spots, items=(odd, *spots.items[1:])), size=64))


def test_empty_masks_are_background_and_all_of_them_are_nothing_to_learn(spots: Samples):
    some = replace(spots, items=(*spots.items, spot(7, empty=True)))
    recipe = segment(Request(some, size=64))
    assert len(recipe) == 13
    assert any("1 training images have an empty mask" in note for note in recipe.notes)
    none = samples(*(spot(k, empty=True) for k in range(3)), spot(9, "validation"))
    with pytest.raises(InputError, match="anything but background"):
        segment(Request(none, size=64))


def test_images_without_a_mask_are_left_out(spots: Samples):
    bare = replace(spots[0], target=None)
    recipe = segment(Request(replace(spots, items=(bare, *spots.items[1:])), size=64))
    assert len(recipe) == 11
    assert "1 images are left out: they have no mask." in recipe.notes


def test_one_class_or_an_odd_size_is_refused(spots: Samples):
    with pytest.raises(InputError, match="pixel by pixel"):
        segment(Request(replace(spots, classes=("spot",)), size=64))
    with pytest.raises(InputError, match="70 pixels a side"):
        segment(Request(spots, size=70))


def test_rare_classes_are_drawn_more_often():
    values = {0: "background", 1: "spot", 2: "speck"}
    rare = spot(50)
    speck = png((decode(rare.target.read()).pixels > 0).astype(np.uint8) * 2)
    items = [*(spot(k, values=values) for k in range(4)), replace(rare, target=Mask(lambda: speck, values, None))]
    data = samples(*items, spot(9, "validation", values=values), classes=("background", "spot", "speck"))
    weights = segment(Request(data, size=64)).weights()
    assert weights == [0.5, 0.5, 0.5, 0.5, 1.0]


# The loss


def test_the_losses_are_those_of_other_libraries():
    smp = pytest.importorskip("segmentation_models_pytorch")
    torch.manual_seed(0)
    logits, truth = torch.randn(1, 3, 16, 16), torch.randint(0, 3, (1, 16, 16))
    truth[0, :4] = -1
    found = segmentation_losses(logits, truth, background=0)
    expected = torch.nn.functional.cross_entropy(logits, truth, ignore_index=-1)
    assert float(found["pixels"]) == pytest.approx(float(expected), rel=1e-5)
    # Theirs smooths both halves of the fraction by twice as much.
    dice = smp.losses.DiceLoss("multiclass", classes=[1, 2], smooth=0.5)
    seen = dice(logits[..., 4:, :], truth[..., 4:, :])
    assert float(found["overlap"]) == pytest.approx(float(seen), rel=1e-5)


def test_a_batch_in_which_nothing_is_known_costs_nothing():
    logits = torch.randn(2, 3, 8, 8, requires_grad=True)
    found = segmentation_losses(logits, torch.full((2, 8, 8), -1), 0)
    assert float(found["loss"].detach()) == 0.0
    found["loss"].backward()
    assert torch.isfinite(logits.grad).all()


# Views


@pytest.mark.parametrize("strength", ["none", "light", "medium", "strong"])
def test_image_and_mask_stay_together(strength: str):
    mask = torch.zeros(60, 90, dtype=torch.uint8)
    mask[20:40, 30:70] = 1
    image = (mask * 200)[None].repeat(3, 1, 1)
    views = Views(64, 96, strength, background=0)
    for seed in range(8):
        torch.manual_seed(seed)
        picture, labels = views(image, mask)
        assert picture.shape == (3, 64, 64)
        assert labels.shape == (64, 64)
        assert set(labels.unique().tolist()) <= {0, 1, UNKNOWN}
        bright = (picture[0] > 170) & (labels != UNKNOWN)
        dark = (picture[0] < 30) & (labels != UNKNOWN)
        assert (labels[bright] == 1).float().mean() > 0.95 if bright.any() else True
        assert (labels[dark] == 0).float().mean() > 0.95


def test_around_an_image_there_is_grey_that_counts_nowhere():
    image, mask = torch.full((3, 20, 40), 250, dtype=torch.uint8), torch.zeros(20, 40, dtype=torch.uint8)
    picture, labels = Views(64, 64, "none")(image, mask)
    assert (labels == UNKNOWN).sum() == 64 * 32
    assert (picture[:, labels == UNKNOWN] == GREY).all()
    assert (picture[:, labels == 0] == 250).all()


def test_the_same_seed_gives_the_same_view():
    image, mask = torch.randint(0, 255, (3, 50, 50), dtype=torch.uint8), torch.ones(50, 50, dtype=torch.uint8)
    views = Views(32, 64, "strong")
    pairs = []
    for _ in range(2):
        torch.manual_seed(3)
        pairs.append(views(image, mask))
    assert all(torch.equal(one, other) for one, other in zip(*pairs, strict=True))
