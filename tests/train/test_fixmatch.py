"""FixMatch: what counts, who is hidden, that it learns, that it goes on as it began, and what it refuses."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("timm")

from PIL import Image  # noqa: E402

from lucida.data import Samples, read_data  # noqa: E402
from lucida.data.sample import TRAIN, VALIDATION  # noqa: E402
from lucida.errors import InputError, TrainingError  # noqa: E402
from lucida.train.backbone import build  # noqa: E402
from lucida.train.fixmatch import (  # noqa: E402
    FixMatchRecipe,
    consistency,
    few_labels,
    strong_views,
    truth,
    weak_views,
)
from lucida.train.loop import fit  # noqa: E402
from lucida.train.request import Request  # noqa: E402
from lucida.train.settings import Settings  # noqa: E402
from lucida.train.standing import BEST  # noqa: E402
from lucida.train.verb import train  # noqa: E402
from lucida.tuning import checkpoint  # noqa: E402
from pictures import write_pictures  # noqa: E402

pytestmark = pytest.mark.torch
SHORT = Settings(epochs=3, batch=14, rate=5e-3, workers=0, save_seconds=0.0)


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> Samples:
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder / "train", 14, by_class=True)
    write_pictures(folder / "validation", 4, first_seed=500, by_class=True)
    return read_data(folder, "classify")


def request(samples: Samples, labels: int | None = 2, seed: int = 0) -> Request:
    return Request(samples, "test_resnet", "nothing", size=32, seed=seed, extra={"labels": labels})


def test_only_sure_guesses_count_and_get_no_gradient():
    guesses = torch.tensor([[9.0, 0.0], [0.1, 0.0], [0.0, 9.0]], requires_grad=True)
    logits = torch.tensor([[1.0, 0.0], [5.0, 0.0], [1.0, 0.0]], requires_grad=True)
    loss, sure = consistency(guesses, logits)
    assert sure.tolist() == [True, False, True]
    expected = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(1))) / 3  # divided by all three images
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    loss.backward()
    assert guesses.grad is None
    assert logits.grad is not None
    assert float(logits.grad[1].abs().sum()) == 0


def test_nothing_sure_is_no_loss_and_not_nan():
    loss, sure = consistency(torch.zeros(4, 3), torch.randn(4, 3))
    assert float(loss) == 0
    assert not sure.any()


def test_labels_are_kept_evenly_and_by_the_seed(samples: Samples):
    part = samples.of(TRAIN)
    rows = few_labels(part, 3, 0)
    assert Counter(part[row].target for row in rows) == {"disc": 3, "square": 3, "stripes": 3}
    assert rows == few_labels(part, 3, 0) != few_labels(part, 3, 1)
    assert len(few_labels(part, None, 0)) == len(few_labels(part, 100, 0)) == len(part)


def test_hidden_labels_are_known_to_the_count_alone(samples: Samples):
    part = samples.of(TRAIN)
    rows = few_labels(part, 2, 0)
    known = truth(part, samples.classes, without=rows)
    assert {row for row, number in enumerate(known) if number < 0} == set(rows)
    assert all(samples.classes[n] == part[row].target for row, n in enumerate(known) if n >= 0)


def test_views_keep_the_size_and_strong_ones_differ_more():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 40, 3)).astype(np.uint8))
    torch.manual_seed(0)
    for views in (weak_views(32), strong_views(32)):
        made = views(image)
        assert made.shape == (3, 32, 32)
        assert made.dtype == torch.uint8
    flat = Image.new("RGB", (32, 32), (200, 30, 90))
    assert weak_views(32)(flat).flatten(1).unique(dim=1).shape[1] == 1
    assert any(strong_views(32)(flat).flatten(1).unique(dim=1).shape[1] > 1 for _ in range(5))


def test_a_batch_has_a_labelled_image_to_every_two(samples: Samples):
    recipe = FixMatchRecipe(request(samples))
    torch.manual_seed(0)
    batch = [recipe.example(row) for row in range(14)]
    images, targets, weak, strong, known = recipe.collate(batch)
    assert images.shape == (7, 3, 32, 32)
    assert targets.sum(1).tolist() == [1.0] * 7
    assert weak.shape == strong.shape == (14, 3, 32, 32)
    assert known.shape == (14,)
    torch.manual_seed(5)  # what is drawn in a batch depends on the examples alone
    assert torch.equal(recipe.collate(batch)[0], images)


@pytest.mark.usefixtures("unexported")
def test_it_learns_and_says_how_sure_and_right_it_is(samples: Samples, tmp_path: Path):
    recipe = FixMatchRecipe(request(samples, labels=5))
    state = fit(recipe, replace(SHORT, epochs=8, save_seconds=60), tmp_path)
    assert state.metrics["accuracy"] > 0.6
    (tmp_path / "model").mkdir()
    more = recipe.export(tmp_path / "model")
    assert 0 <= more["unlabelled_sure"] <= 1
    assert 0 <= more.get("unlabelled_sure_right", 0) <= 1
    assert "15 images have a label, 27 have none." in recipe.notes


def test_a_killed_training_goes_on_to_the_same_weights(samples: Samples, tmp_path: Path, monkeypatch):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    fit(FixMatchRecipe(request(samples)), SHORT, tmp_path / "whole")
    killed, calls, loss = FixMatchRecipe(request(samples)), [], FixMatchRecipe.loss

    def kill(network, batch):
        calls.append(1)
        if len(calls) == 8 + 5:  # the first eight only measure the speed
            raise KeyboardInterrupt
        return loss(killed, network, batch)

    monkeypatch.setattr(killed, "loss", kill)
    with pytest.raises(KeyboardInterrupt):
        fit(killed, SHORT, tmp_path / "killed")
    fit(FixMatchRecipe(request(samples)), SHORT, tmp_path / "killed")
    assert (tmp_path / "whole" / BEST).read_bytes() == (tmp_path / "killed" / BEST).read_bytes()


def test_an_image_that_cannot_be_read_is_left_out(samples: Samples):
    items = [replace(one, read=lambda: b"no image") if row == 3 else one for row, one in enumerate(samples.of(TRAIN))]
    spoilt = replace(samples, items=(*items, *samples.of(VALIDATION)))
    recipe = FixMatchRecipe(request(spoilt))
    assert len(recipe) == len(items) - 1
    assert items[3].name in recipe.skipped


def test_it_refuses_images_that_all_have_labels(samples: Samples):
    with pytest.raises(InputError, match="Every training image has a label") as caught:
        FixMatchRecipe(request(samples, labels=None))
    assert "lucida train classify" in caught.value.message()


@pytest.mark.parametrize("labels", [0, -3])
def test_the_verb_refuses_to_keep_no_label(tmp_path: Path, labels: int):
    write_pictures(tmp_path / "data" / "train", 4, by_class=True)
    with pytest.raises(InputError, match="keeps no label") as caught:
        train("semi-supervised", data=tmp_path / "data", labels=labels, catalog=tmp_path / "catalog")
    assert caught.value.expected
    assert caught.value.got == str(labels)
    assert "--labels 10" in caught.value.hint


def test_it_refuses_labels_of_one_class_alone(samples: Samples):
    items = (replace(one, target=None if one.target != "disc" else "disc") for one in samples)
    with pytest.raises(InputError, match="nothing to tell apart"):
        FixMatchRecipe(request(replace(samples, items=tuple(items)), labels=None))


def test_it_refuses_to_be_judged_by_nothing(samples: Samples):
    items = (replace(one, target=None if one.split == VALIDATION else one.target) for one in samples)
    with pytest.raises(InputError, match="left to judge"):
        FixMatchRecipe(request(replace(samples, items=tuple(items))))


def test_a_loss_that_is_no_number_stops(samples: Samples, tmp_path: Path):
    with pytest.raises(TrainingError, match="no number"):
        fit(FixMatchRecipe(request(samples)), replace(SHORT, rate=1e12, clip=0.0), tmp_path)


def test_the_verb_learns_from_folders_with_an_unlabelled_one(tmp_path: Path):
    write_pictures(tmp_path / "data" / "unlabelled", 10, first_seed=300)
    write_pictures(tmp_path / "data", 8, by_class=True)
    done = train(
        "semi-supervised", data=tmp_path / "data", model="test_resnet", start="nothing", size=32, epochs=1,
        batch=14, rate=1e-3, workers=0, catalog=tmp_path / "catalog",
    )  # fmt: skip
    assert done.task == "semi-supervised"
    assert "unlabelled_sure" in done.metrics
    assert done.validation <= 6


def test_an_option_of_another_recipe_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="--labels is not for `lucida train classify`"):
        train("classify", data=tmp_path, labels=3)


@pytest.mark.parametrize("start", ["auto", "nothing"])
def test_the_embedded_encoder_goes_on_from_a_run_whatever_that_began_from(samples: Samples, tmp_path: Path, start: str):
    recipe = FixMatchRecipe(Request(samples, start=start, size=32, extra={"labels": 2}))
    checkpoint.save(tmp_path / BEST, {"network": recipe.network.state_dict()}, {})
    trunk = build("embedded", start=str(tmp_path)).trunk
    for name, value in recipe.network.trunk.state_dict().items():
        assert torch.equal(trunk.state_dict()[name], value)
