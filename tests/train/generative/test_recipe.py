"""Training a generator on one's own images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from lucida.data.unlabelled import read_some  # noqa: E402
from lucida.errors import InputError  # noqa: E402
from lucida.models.registry import find  # noqa: E402
from lucida.train import train  # noqa: E402
from lucida.train.generative import adversarial, methods  # noqa: E402
from lucida.train.generative import recipe as module  # noqa: E402
from lucida.train.generative.judge import copies  # noqa: E402
from lucida.train.generative.recipe import GenerateRecipe  # noqa: E402
from lucida.train.parts import parts  # noqa: E402
from lucida.train.request import Request  # noqa: E402
from lucida.train.settings import Settings  # noqa: E402
from lucida.train.standing import LAST  # noqa: E402
from lucida.train.trained import Trained  # noqa: E402
from lucida.tuning import checkpoint  # noqa: E402

SIDE = 8
COLOURS = {"red": (200, 40, 40), "blue": (40, 40, 200)}


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Red and blue squares of noise."""
    folder = tmp_path_factory.mktemp("album")
    for name, colour in COLOURS.items():
        for part, count in (("train", 30), ("validation", 10)):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                random = np.random.default_rng([number, len(part), len(name)])
                pixels = np.clip(random.normal(colour, 30, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
                PIL.Image.fromarray(pixels).save(folder / part / name / f"{number}.png")
    return folder


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, small in {"WIDTH": 8, "WIDE": 32, "DEPTH": 2, "LEAST": dict.fromkeys(methods.LEAST, 50)}.items():
        monkeypatch.setattr(methods, name, small)
    monkeypatch.setattr(adversarial.PairShape, "__init__", _narrow(adversarial.PairShape.__init__))
    monkeypatch.setattr(module, "DRAWN", 8)
    monkeypatch.setattr(GenerateRecipe, "drawn", 8)


def _narrow(begin: Any) -> Any:
    return lambda self, channels, classes, side: begin(self, channels, classes, side, 8, 8)


def recipe(album: Path, name: str, **extra: Any) -> GenerateRecipe:
    samples = parts(read_some(album))
    return GenerateRecipe(Request(samples, name, size=SIDE, extra=extra))


@pytest.mark.parametrize("name", ["flow", "gan"])
def test_a_killed_training_goes_on_to_the_same_weights(album: Path, tmp_path: Path, name: str) -> None:
    short = Settings(epochs=2, batch=20, workers=0, save_seconds=0.0, rounds=1)
    found = []
    for folder, kill in (("whole", 0), ("killed", 8 + 4)):  # the first eight steps only measure the speed
        (tmp_path / folder).mkdir()
        one = recipe(album, name)
        if kill:
            plain, calls = one.loss, []

            def spoilt(network: Any, batch: Any, plain: Any = plain, calls: Any = calls, kill: int = kill) -> Any:
                calls.append(1)
                if len(calls) == kill:
                    raise KeyboardInterrupt
                return plain(network, batch)

            one.loss = spoilt  # type: ignore[method-assign]
            with pytest.raises(KeyboardInterrupt):
                one.fit(short, tmp_path / folder)
            assert checkpoint.load(tmp_path / folder / LAST)[1]["step"] == 3
            one = recipe(album, name)
        state = one.fit(short, tmp_path / folder)
        assert state.step == 6
        assert (tmp_path / folder / "samples" / "0000006.png").is_file()
        found.append(checkpoint.load(tmp_path / folder / LAST)[0])
    for group in ("network", "average"):
        assert all(torch.equal(value, found[1][group][key]) for key, value in found[0][group].items())
    assert state.metrics["kernel_distance_embedded"] == -state.metrics["minus_kernel_distance_embedded"]


def test_a_run_draws_what_the_network_draws(album: Path, tmp_path: Path) -> None:
    def again() -> Any:
        return train("generator", data=album, size=SIDE, epochs=1, batch=30, workers=0, catalog=tmp_path / "c")

    result = again()
    assert again().run == result.run
    assert result.metrics["near_copies"] >= 0
    assert any("nearest.png" in note for note in result.notes)
    folder = Path(result.folder)
    assert (folder / "samples" / "nearest.png").is_file()
    one = recipe(album, "flow")
    one.network.load_state_dict(Trained.open(folder).network().state_dict())
    for weights in one.network.parameters():
        weights.data = weights.data.half().float()
    expected = one.pictures(one.network.eval(), torch.device("cpu"), range(4))
    from lucida.models.generator import GenerationRequest

    model = find(str(folder)).load("fp32")
    for row, prompt in enumerate(("blue", "red")):  # in alphabetical order, as classes have their numbers
        seeds = [row, row + 2]
        pictures = model.generate(GenerationRequest(prompt, size=(SIDE, SIDE)), seeds, lambda *_: None)
        for seed, picture in zip(seeds, pictures, strict=True):
            assert np.abs(picture.pixels.astype(int) - expected[seed]).max() <= 2


def test_a_flow_learns_the_latents_of_an_autoencoder(album: Path, tmp_path: Path) -> None:
    shared = {"data": album, "size": SIDE, "batch": 30, "workers": 0, "catalog": tmp_path / "c"}
    coder = train("generator", model="vae", epochs=1, **shared)
    assert (Path(coder.folder) / "model" / "encoder.onnx").is_file()
    drawn = train("generator", model="flow", latent=coder.run, epochs=1, **shared)
    spec = find(drawn.folder)
    assert spec.generates is not None
    assert spec.generates.size == (SIDE, SIDE)
    one = GenerateRecipe(
        Request(parts(read_some(album)), "flow", start=drawn.folder, size=SIDE, extra={"latent": coder.folder})
    )
    data = one.space.data(torch.from_numpy(one.known.pixels.transpose(0, 3, 1, 2).copy()))
    assert data.mean().abs() < 0.2
    with pytest.raises(InputError, match="Only an autoencoder"):
        recipe(album, "flow", latent=drawn.folder)
    with pytest.raises(InputError, match="Latents are for"):
        recipe(album, "gan", latent=coder.folder)


def test_refuses_what_cannot_be_learnt(album: Path, tmp_path: Path) -> None:
    for number in range(3):
        PIL.Image.new("RGB", (40, 40), (number, 0, 0)).save(tmp_path / f"{number}.png")
    with pytest.raises(InputError, match="too few images") as caught:
        train("generator", data=tmp_path, model="gan", catalog=tmp_path / "c")
    assert "50" in caught.value.expected
    assert "lora" in caught.value.hint
    with pytest.raises(InputError, match="changed"):
        GenerateRecipe(Request(parts(read_some(album)), augmentation="strong"))


def test_small_images_are_noted(album: Path) -> None:
    large = GenerateRecipe(Request(parts(read_some(album)), "flow", size=16))
    assert any("All training images are smaller than 16" in note for note in large.notes)


def test_copies_are_those_nearer_than_held_out_images_are() -> None:
    random = np.random.default_rng(0)
    known, held_out, fresh = (random.standard_normal((200, 16)).astype(np.float32) for _ in range(3))
    by_heart = np.concatenate([fresh[:150], known[:50] + 0.01])
    share, rows, cosines = copies(by_heart, held_out, known)
    assert 0.25 <= share < 0.32
    assert (rows[150:] == np.arange(50)).all()
    assert cosines[150:].min() > 0.99
