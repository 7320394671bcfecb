"""Where networks look, of several kinds, and whether that depends on what they have learned."""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pictures import picture, write_pictures

torch = pytest.importorskip("torch")
pytest.importorskip("timm")
pytest.importorskip("pytorch_grad_cam")
pytestmark = pytest.mark.torch

from lucida.cli import run  # noqa: E402
from lucida.errors import ModelError  # noqa: E402
from lucida.explain.heat import dependence, heat, rank_correlation, shuffle, target_of  # noqa: E402
from lucida.train.backbone import Classifier, build  # noqa: E402


class _Colours(torch.nn.Module):  # type: ignore[misc, name-defined]
    """Maps of how red, green and blue each place is."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = torch.nn.Conv2d(3, 3, 4, stride=4, bias=False)
        with torch.no_grad():
            self.maps.weight.zero_()
            for k in range(3):
                self.maps.weight[k, k] = 1 / 16

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.maps(x).mean(dim=(2, 3))


def _colours() -> Classifier:
    network = Classifier(_Colours(), 3, 3).eval()
    with torch.no_grad():
        network.head.weight.copy_(torch.eye(3) - 0.5)
    return network


def _spot(left: int, top: int, channel: int) -> torch.Tensor:
    image = torch.zeros(1, 3, 32, 32)
    image[0, channel, top : top + 8, left : left + 8] = 1
    return image


@pytest.mark.parametrize(("left", "top", "channel"), [(0, 0, 0), (24, 8, 1), (8, 24, 2)])
def test_the_map_is_where_the_class_is(left: int, top: int, channel: int) -> None:
    network = _colours()
    found = heat(network, target_of(network, 3, 32), _spot(left, top, channel), channel)
    y, x = np.unravel_index(found.argmax(), found.shape)
    assert left <= x < left + 8
    assert top <= y < top + 8
    assert found.min() >= 0
    assert found.max() == pytest.approx(1, abs=1e-3)


def test_a_class_that_nothing_speaks_for_has_an_empty_map() -> None:
    network = _colours()
    assert not heat(network, target_of(network, 3, 32), _spot(0, 0, 0), 1).any()


def test_a_map_that_shows_the_image_and_not_the_network_is_seen_through() -> None:
    """Where all channels are one, no head can make another map of them than the image's own."""
    network = _colours()
    with torch.no_grad():
        network.trunk.maps.weight.fill_(1 / 48)
        network.head.weight.fill_(0.5)
    image = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = dependence(network, target_of(network, 3, 32), image, 0)
    assert found.head > 0.9
    assert not found.depends
    before = [weight.clone() for weight in network.parameters()]
    dependence(network, target_of(network, 3, 32), image, 0)
    assert all((one == other).all() for one, other in zip(before, network.parameters(), strict=True))


def test_shuffling_keeps_the_numbers() -> None:
    layer = torch.nn.Linear(6, 5)
    before = layer.weight.detach().clone()
    shuffle(layer, torch.Generator().manual_seed(0))
    assert not (layer.weight == before).all()
    assert torch.equal(layer.weight.detach().flatten().sort().values, before.flatten().sort().values)


def test_rank_correlation_is_that_of_ranks() -> None:
    one = np.random.default_rng(0).random((32, 32)).astype(np.float32)
    assert rank_correlation(one, one**3) == pytest.approx(1)
    assert rank_correlation(one, 1 - one) == pytest.approx(-1)
    assert rank_correlation(one, np.zeros((32, 32), np.float32)) == 0


@pytest.mark.parametrize(
    ("name", "size", "layer", "side"),
    [
        ("embedded", 64, "trunk.blocks.4", 4),
        ("test_resnet", 160, "trunk.layer4", 5),
        ("test_efficientnet", 160, "trunk.bn2", 5),
        # The class token alone is read at the end: the patches matter up to the last attention only.
        ("test_vit", 160, "trunk.blocks.5.norm1", 10),
        ("test_vit2", 160, "trunk.norm", 10),
        ("swin_tiny_patch4_window7_224", 64, "trunk.layers.2", 4),
    ],
)
def test_the_layer_is_found_by_running_the_network(name: str, size: int, layer: str, side: int) -> None:
    torch.manual_seed(0)
    backbone = build(name, start="nothing", size=size)
    network = Classifier(backbone.trunk, backbone.width, 3).eval()
    target = target_of(network, 3, size)
    assert (target.name, target.side) == (layer, side)
    image = torch.randn(1, 3, size, size)
    assert max(heat(network, target, image, label).max() for label in range(3)) > 0
    with torch.no_grad():
        given: list[torch.Tensor] = []
        handle = target.layer.register_forward_hook(lambda module, inputs, output: given.append(output))
        network(image)
        handle.remove()
    assert target.spatial(given[0]).shape[2:] == (side, side)


def test_a_network_without_maps_is_refused() -> None:
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64, 8))
    with pytest.raises(ModelError, match="No layer"):
        target_of(Classifier(flat, 8, 2).eval(), 3, 8)


def test_a_run_of_tags_is_explained_with_the_training_images_it_resembles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.chdir(tmp_path)
    (tmp_path / "tags").mkdir()
    for split, seed in (("train", 0), ("validation", 500)):
        key = write_pictures(tmp_path / split, 6, first_seed=seed)
        rows = [
            {"image": {"bytes": (tmp_path / split / name).read_bytes(), "path": name}, "tags": [kind, "any"]}
            for name, kind in key.items()
        ]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "tags" / f"{split}.parquet")
    train = ["train", "tag", "--data", "tags", "--model", "test_resnet", "--size", "64", "--start", "nothing"]
    assert run([*train, "--epochs", "1", "--batch", "9", "--rate", "0.001", "--workers", "0", "--json"]) == 0
    name = json.loads(capsys.readouterr().out)["run"]
    picture("disc", 99).save("photo.png")
    assert run(["explain", name, "photo.png", "-o", "out", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (one,) = found["photos"]
    assert len(one["nearest"]) == 5
    assert all(near["label"].endswith(", any") for near in one["nearest"])
    assert found["notes"] == []


def test_a_run_is_explained_from_photos_and_from_its_own_mistakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_pictures(tmp_path / "data", 16, by_class=True)
    train = ["train", "classify", "--data", "data", "--model", "test_resnet", "--size", "64", "--start", "nothing"]
    assert run([*train, "--epochs", "1", "--batch", "16", "--rate", "0.001", "--json"]) == 0
    name = json.loads(capsys.readouterr().out)["run"]
    picture("disc", 99).save("photo.png")
    Path("text.jpg").write_text("no photo")
    assert run(["explain", name, "photo.png", "text.jpg", "-o", "out", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (one,) = found["photos"]
    assert one["label"] in ("disc", "square", "stripes")
    assert set(one["weights"]) == {"depends", "head", "all"}
    assert len(one["nearest"]) == 5
    assert all(near["label"] for near in one["nearest"])
    assert found["skipped"].keys() == {"text.jpg"}
    assert Path(one["heat"]).read_bytes().startswith(b"\x89PNG")
    page = Path(found["report"]).read_text()
    assert "http" not in page
    assert (tmp_path / "lucida-catalog" / "runs" / name / "nearest.npz").is_file()
    assert run(["explain", name, "text.jpg", "-o", "out", "--json"]) == 1
    assert run(["evaluate", "--json"]) == 0
    capsys.readouterr()
    assert run(["explain", name, "--wrong", "2", "-o", "out2", "--json"]) == 0
    wrong = json.loads(capsys.readouterr().out)["photos"]
    assert all(one["truth"] != one["label"] for one in wrong)
