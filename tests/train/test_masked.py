"""The masked autoencoder: the encoder sees only what is shown, only what is hidden counts, and it learns to paint."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
timm = pytest.importorskip("timm")

from lucida.catalog import add  # noqa: E402
from lucida.errors import InputError, TrainingError  # noqa: E402
from lucida.images import decode  # noqa: E402
from lucida.label.verb import label  # noqa: E402
from lucida.models.registry import find  # noqa: E402
from lucida.train.backbone import build  # noqa: E402
from lucida.train.loop import fit  # noqa: E402
from lucida.train.masked import MaskedAutoencoder, cut, reconstruction_loss, waves  # noqa: E402
from lucida.train.pretrain import PretrainRecipe  # noqa: E402
from lucida.train.request import Request  # noqa: E402
from lucida.train.settings import Settings  # noqa: E402
from lucida.train.standing import BEST  # noqa: E402
from lucida.train.trained import Trained  # noqa: E402
from lucida.train.verb import train  # noqa: E402
from pictures import write_pictures  # noqa: E402

pytestmark = pytest.mark.torch
SHORT = Settings(epochs=2, batch=8, rate=2e-3, workers=0, save_seconds=0.0)


def autoencoder(name: str = "test_vit", size: int = 64) -> MaskedAutoencoder:
    torch.manual_seed(0)
    trunk = timm.create_model(name, num_classes=0, img_size=size)
    return MaskedAutoencoder(trunk, trunk.num_features).eval()


def noise(n: int, patches: int = 16) -> torch.Tensor:
    return torch.rand(n, patches, generator=torch.Generator().manual_seed(1))


def images(n: int = 2, size: int = 64) -> torch.Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(2))


def test_three_quarters_are_hidden_and_others_in_every_image():
    painted, hidden = autoencoder()(images(), noise(2))
    assert painted.shape == (2, 16, 3 * 16 * 16)
    assert hidden.sum(1).tolist() == [12, 12]
    assert hidden[0].tolist() != hidden[1].tolist()


@pytest.mark.parametrize("name", ["test_vit", "test_vit2"])
def test_what_is_hidden_cannot_be_seen(name: str):
    model = autoencoder(name)
    with torch.inference_mode():
        painted, hidden = model(images(), noise(2))
        other = cut(images(), 16).clone()
        other[hidden] = 5.0
        blocks = other.reshape(2, 4, 4, 3, 16, 16).permute(0, 3, 1, 4, 2, 5).reshape(2, 3, 64, 64)
        again, _ = model(blocks, noise(2))
    torch.testing.assert_close(painted, again)


def test_only_hidden_patches_count():
    truth, hidden = images(), noise(2) > 0.5
    painted = torch.randn(2, 16, 768, generator=torch.Generator().manual_seed(3), requires_grad=True)
    loss = reconstruction_loss(painted, truth, hidden, 16)
    loss.backward()
    assert painted.grad is not None
    assert torch.equal(painted.grad.abs().sum(-1) > 0, hidden)
    spoilt = torch.where(hidden[:, :, None], painted.detach(), painted.detach() + 100)
    torch.testing.assert_close(reconstruction_loss(spoilt, truth, hidden, 16), loss.detach())


def test_painting_the_truth_loses_nothing_and_painting_the_mean_loses_one():
    truth, hidden = images(), noise(2) > 0.5
    patches = cut(truth, 16)
    exact = (patches - patches.mean(-1, keepdim=True)) / patches.std(-1, keepdim=True)
    assert float(reconstruction_loss(exact, truth, hidden, 16)) == pytest.approx(0, abs=1e-6)
    assert float(reconstruction_loss(torch.zeros_like(exact), truth, hidden, 16)) == pytest.approx(1, abs=0.01)


def test_seeing_everything_is_what_the_trunk_sees():
    model = autoencoder()
    everything = torch.arange(16).expand(2, -1)
    with torch.inference_mode():
        torch.testing.assert_close(model.encode(images(), everything), model.trunk.forward_features(images()))


def test_patches_are_cut_row_by_row():
    image = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert cut(image, 2)[0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_positions_tell_rows_and_columns():
    table = waves((3, 5), 16)[0]
    assert table.shape == (15, 16)
    assert len(table.unique(dim=0)) == 15
    torch.testing.assert_close(table[0, :8], table[5, :8])  # one column
    torch.testing.assert_close(table[0, 8:], table[1, 8:])  # one row


@pytest.mark.parametrize("name", ["test_resnet", "embedded"])
def test_a_network_of_convolutions_is_refused(name: str):
    found = build(name, start="nothing", size=64)
    with pytest.raises(InputError, match="cannot learn from masked images") as caught:
        MaskedAutoencoder(found.trunk, found.width)
    assert "vit_tiny_patch16_224" in caught.value.message()


def test_patches_must_cover_the_image():
    with pytest.raises(InputError, match="do not cover"):
        autoencoder(size=72)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("flat")
    write_pictures(place / "train", 8)
    write_pictures(place / "validation", 3, first_seed=500)
    return place


def request(folder: Path) -> Request:
    from lucida.data.unlabelled import read_images

    return Request(read_images(folder), "test_vit", "nothing", size=64)


def test_the_loss_falls(folder: Path, tmp_path: Path):
    recipe = PretrainRecipe(request(folder))
    with torch.inference_mode():
        before = recipe.measure(recipe.network.eval(), torch.device("cpu"))
    state = fit(recipe, replace(SHORT, epochs=8, save_seconds=60), tmp_path)
    assert state.metrics["loss"] < before["loss"] - 0.05
    assert state.metrics["explained"] == pytest.approx(1 - state.metrics["loss"])


def test_a_killed_training_goes_on_to_the_same_weights(folder: Path, tmp_path: Path, monkeypatch):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    fit(PretrainRecipe(request(folder)), SHORT, tmp_path / "whole")
    killed, calls, loss = PretrainRecipe(request(folder)), [], PretrainRecipe.loss

    def kill(network, batch):
        calls.append(1)
        if len(calls) == 8 + 4:  # the first eight only measure the speed
            raise KeyboardInterrupt
        return loss(killed, network, batch)

    monkeypatch.setattr(killed, "loss", kill)
    with pytest.raises(KeyboardInterrupt):
        fit(killed, SHORT, tmp_path / "killed")
    fit(PretrainRecipe(request(folder)), SHORT, tmp_path / "killed")
    assert (tmp_path / "whole" / BEST).read_bytes() == (tmp_path / "killed" / BEST).read_bytes()


def test_a_loss_that_is_no_number_stops(folder: Path, tmp_path: Path, monkeypatch):
    recipe = PretrainRecipe(request(folder))
    monkeypatch.setattr(recipe, "loss", lambda *_: {"loss": recipe.model.missing.sum() * float("nan")})
    with pytest.raises(TrainingError, match="no number"):
        fit(recipe, SHORT, tmp_path)


def test_a_training_with_labels_begins_from_it_at_any_size_and_photos_are_labelled_by_it(
    folder: Path, tmp_path: Path, monkeypatch, request
):
    monkeypatch.chdir(tmp_path)
    tiny = {"model": "test_vit", "epochs": 1, "batch": 8, "rate": 1e-3, "workers": 0}
    done = train("pretrain", data=folder, start="nothing", size=64, **tiny)
    assert done.task == "pretrain"
    run = Path(done.folder)
    spec = find(done.run, tmp_path / "lucida-catalog" / "models")
    assert spec.tasks == ("encode",)
    network = Trained.open(run).network()
    photo = next((folder / "train").glob("*.png"))
    batch = spec.needs.prepare(decode(photo))[None]
    with torch.inference_mode():
        tokens = network.trunk.forward_features(torch.from_numpy(batch))[:, network.trunk.num_prefix_tokens :]
    np.testing.assert_allclose(spec.load("fp32").embed(batch), tokens.mean(1).numpy(), atol=1e-3)

    trunk = build("test_vit", start=str(run))  # its size comes along
    assert trunk.size == 64
    torch.testing.assert_close(trunk.trunk.pos_embed, network.trunk.pos_embed)
    larger = build("test_vit", start=str(run), size=96)
    assert larger.trunk.pos_embed.shape[1] == 36 + network.trunk.num_prefix_tokens

    write_pictures(tmp_path / "labelled", 4, by_class=True)
    request.getfixturevalue("unexported")  # the classifier is not used
    after = train("classify", data=tmp_path / "labelled", start=done.run, **tiny)
    assert after.start.endswith(done.run)
    add([folder])
    assert label(model=done.run, examples=tmp_path / "labelled").images == 33


def test_another_network_does_not_fit(folder: Path, tmp_path: Path):
    recipe = PretrainRecipe(request(folder))
    fit(recipe, replace(SHORT, epochs=1), tmp_path)
    with pytest.raises(InputError, match="another network"):
        build("test_resnet", start=str(tmp_path))
