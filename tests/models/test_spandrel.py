"""Weights of any architecture that spandrel knows, and what is said of all others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lucida.errors import MissingExtra, ModelError
from lucida.models import find
from lucida.models.fidelity import photos


def test_pickle_is_refused_with_how_to_convert_it(tmp_path: Path) -> None:
    for suffix in (".pth", ".pt", ".ckpt"):
        file = tmp_path / f"RealESRGAN_x4plus{suffix}"
        file.write_bytes(b"\x80\x04")
        with pytest.raises(ModelError, match="is pickle") as caught:
            find(str(file))
        assert "weights_only=True" in caught.value.hint
        assert "RealESRGAN_x4plus.safetensors" in caught.value.hint


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model at"):
        find(str(tmp_path / "none.safetensors"))


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    (tmp_path / "model.safetensors").write_bytes(bytes(16))
    monkeypatch.delitem(sys.modules, "lucida.models.spandrel.model", raising=False)
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(MissingExtra) as caught:
        find(str(tmp_path / "model.safetensors"))
    assert caught.value.hint == 'pip install "camera-lucida[restore]"' or "torch" in caught.value.what


@pytest.mark.torch
@pytest.mark.parametrize("name", ["DnCNN", "Compact", "SPAN", "SwinIR"])
def test_images_are_those_of_spandrel_itself(name: str, tmp_path: Path) -> None:
    import spandrel
    import torch

    from models.tiny_spandrel import write

    file = write(name, tmp_path)
    spec = find(str(file))
    theirs = spandrel.ModelLoader().load_from_file(file).eval()
    assert spec.gives.scale == theirs.scale
    assert name.lower() in spec.source.lower() or theirs.architecture.name in spec.source
    batch = photos(theirs.input_channels)[:2, :, :33, :50].copy()
    found = spec.load("fp32").restore(batch)
    with torch.inference_mode():
        wanted = torch.cat([theirs(torch.from_numpy(one[None].copy())) for one in batch]).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["SPAN", "SwinIR"])
def test_tiles_give_what_the_whole_image_gives(name: str, tmp_path: Path) -> None:
    from lucida.models.restorer import needs_of
    from lucida.restore.colours import through
    from lucida.restore.tiles import as_floats, run_tiles
    from models.tiny_spandrel import write
    from pictures import scene

    # Attention as sharp as that of trained weights: windows that begin elsewhere give other images altogether.
    spec = find(str(write(name, tmp_path, sharper=4.0)))
    model, photo, rows = spec.load("fp32"), np.asarray(scene(3, side=150))[:116], []
    whole = through(model, as_floats(photo))
    needs, scale = needs_of(spec), spec.gives.scale
    run_tiles(photo, lambda piece: through(model, piece), needs, scale, rows.append, kind=np.uint16, side=36)
    assert len(rows) > 2
    assert 255 * np.abs(np.concatenate(rows) / 65535 - whole).max() < 1


@pytest.mark.torch
def test_a_denoiser_with_a_map_is_told_the_level(tmp_path: Path) -> None:
    import torch

    from models.tiny_spandrel import network, write

    spec = find(str(write("FDnCNN", tmp_path)))
    assert spec.tasks == ("denoise",)
    assert spec.restores is not None
    assert spec.restores.noise
    batch = photos(3)[:1]
    with torch.inference_mode():
        level = torch.full((1, 1, *batch.shape[2:]), 40 / 255)
        wanted = network("FDnCNN")(torch.cat([torch.from_numpy(batch), level], dim=1)).clamp(0, 1).numpy()
    np.testing.assert_allclose(spec.load("fp32").restore(batch, 40.0), wanted, atol=1e-4)


@pytest.mark.torch
def test_unknown_and_broken_weights_are_named(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    from models.tiny_spandrel import write

    save_file({"backbone.stem": torch.zeros(3, 4), "head.bias": torch.zeros(9)}, tmp_path / "other.safetensors")
    with pytest.raises(ModelError, match="knows no architecture") as caught:
        find(str(tmp_path / "other.safetensors"))
    assert "backbone.stem (3, 4)" in caught.value.got
    weights = load_file(write("SPAN", tmp_path))
    weights.pop("conv_1.sk.weight", None)
    weights = {key: value for key, value in weights.items() if "block_3" not in key}
    save_file(weights, tmp_path / "half.safetensors")
    with pytest.raises(ModelError) as caught:
        find(str(tmp_path / "half.safetensors"))
    assert caught.value.got
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "SPAN.safetensors").read_bytes()[:200])
    with pytest.raises(ModelError, match="cannot be read"):
        find(str(tmp_path / "cut.safetensors"))
