"""Training a restorer on one's own images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from lucida.data.unlabelled import read_images  # noqa: E402
from lucida.errors import InputError, UnknownName  # noqa: E402
from lucida.images.bicubic import resize  # noqa: E402
from lucida.train import train  # noqa: E402
from lucida.train.restore import recipe as module  # noqa: E402
from lucida.train.restore.beginning import load_folded  # noqa: E402
from lucida.train.restore.examples import Kind, Training, middle  # noqa: E402
from lucida.train.restore.network import Restorer, Shape, enlarged  # noqa: E402

TINY = {2: Shape(2, width=8, blocks=1), 1: Shape(1, width=8, blocks=1)}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(10):
        random = np.random.default_rng(number)
        pixels = resize(random.integers(0, 256, (9, 11 + number, 3)).astype(np.uint8), 8)
        PIL.Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHAPES", TINY)


def test_what_goes_in_lies_where_what_should_come_out_lies(photos: Path) -> None:
    training = Training(read_images(photos), Kind(2, side=16))
    for row in range(10):
        small, good, _ = training.piece(row, np.random.default_rng(row))
        off = (enlarged(small[None], 2)[0] - good).abs().mean()
        assert off < 0.02
        assert off < 0.5 * (enlarged(small[None], 2)[0] - good.roll(1, 2)).abs().mean()


@pytest.mark.parametrize(("scale", "before"), [(2, "psnr_bicubic"), (1, "psnr_noisy")])
def test_a_run_is_a_model_that_gives_what_was_trained(
    photos: Path, tmp_path: Path, tiny: None, scale: int, before: str
) -> None:
    def again() -> object:
        return train(
            "restorer", data=photos, scale=scale, epochs=2, size=16, start="nothing", workers=0, catalog=tmp_path / "c"
        )

    result = again()
    assert result.metrics[before] > 15
    assert result.metrics["psnr"] > 15
    assert again().run == result.run
    network = Restorer(TINY[scale])
    load_folded(network, Path(result.folder) / "model" / "model.onnx")
    from lucida.models.engine import open_session

    feeds = {"image": np.random.default_rng(0).random((1, 3, 22, 30), dtype=np.float32)}
    if scale == 1:
        feeds["noise"] = np.full((1, 1, 1, 1), 0.1, np.float32)
    found = open_session(Path(result.folder) / "model" / "model.onnx", "fp32")(feeds, ("restored",))[0]
    with torch.inference_mode():
        expected = network.eval()(*(torch.from_numpy(value) for value in feeds.values())).numpy()
    assert np.abs(found - expected).max() < 1e-4


def test_refuses_what_cannot_be_learnt(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this scale") as caught:
        train("restorer", data=photos, scale=8, catalog=tmp_path / "c")
    assert "one after the other" in str(caught.value)
    with pytest.raises(UnknownName):
        train("restorer", data=photos, model="resnet50", catalog=tmp_path / "c")
    with pytest.raises(InputError, match="large enough"):
        Training(read_images(photos), Kind(4, side=200))
    with pytest.raises(InputError, match="not for"):
        train("classify", data=photos, scale=2, catalog=tmp_path / "c")


def test_images_that_judge_fit_the_scale() -> None:
    assert middle(np.zeros((1001, 37, 3), np.uint8), 4).shape == (480, 36, 3)
