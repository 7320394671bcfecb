"""Restored images beside their references."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lucida import cli
from lucida.errors import InputError, ModelError
from lucida.evaluate import lpips
from lucida.evaluate.metrics.restoration import luma, psnr, shaved, ssim
from lucida.evaluate.pairs import evaluate_pairs


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    from pictures import scene

    reference = np.asarray(scene(5, side=64))
    noisy = reference + np.random.default_rng(0).normal(0, 10, reference.shape)
    return noisy.clip(0, 255).astype(np.uint8), reference


def test_luma_is_that_of_matlab() -> None:
    # rgb2ycbcr of black, white, red, green, blue, as its documentation defines it.
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    np.testing.assert_allclose(luma(colours)[0], [16, 235, 81.481, 144.553, 40.966], atol=1e-9)
    assert np.array_equal(luma(np.array([[7, 9]])), [[7, 9]])


def test_psnr_is_by_definition(pair: tuple[np.ndarray, np.ndarray]) -> None:
    a, b = np.full((20, 20), 100.0), np.full((20, 20), 110.0)
    assert psnr(a, b) == pytest.approx(20 * np.log10(25.5))
    assert psnr(a, a) == 100
    ours, reference = (shaved(luma(one), 4) for one in pair)
    assert ours.shape == (56, 56)
    # A deviation of 10 in each colour, times the length of the weights of luma.
    assert psnr(ours, reference) == pytest.approx(20 * np.log10(255 / (10 * 0.5746)), abs=0.3)


@pytest.mark.torch
def test_figures_are_those_of_torchmetrics(pair: tuple[np.ndarray, np.ndarray]) -> None:
    import torch
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    ours, reference = (luma(one) for one in pair)
    a, b = (torch.from_numpy(one)[None, None] for one in (ours, reference))
    _, theirs = structural_similarity_index_measure(a, b, sigma=1.5, data_range=255.0, return_full_image=True)
    # It mirrors the border; the paper stays where the window lies wholly inside.
    inside = theirs[..., 5:-5, 5:-5].mean()
    assert ssim(ours, reference) == pytest.approx(float(inside), abs=1e-5)
    assert psnr(ours, reference) == pytest.approx(float(peak_signal_noise_ratio(a, b, data_range=255.0)), abs=1e-4)


def test_a_folder_of_pairs_by_the_command_line(
    pair: tuple[np.ndarray, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, pixels in zip(("restored", "high"), pair, strict=True):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "a.png")
        Image.fromarray(pixels[..., 0]).save(tmp_path / name / "grey.png")
    Image.fromarray(pair[1]).save(tmp_path / "restored" / "only.png")
    Image.fromarray(pair[1][:40]).save(tmp_path / "restored" / "small.png")
    Image.fromarray(pair[1]).save(tmp_path / "high" / "small.png")
    call = ["evaluate", "--data", str(tmp_path / "restored"), "--reference", str(tmp_path / "high"), "--border", "4"]
    assert cli.run([*call, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said["images"]) == {"a.png", "grey.png"}
    assert set(said["skipped"]) == {"only.png", "small.png"}
    mean = np.mean([row["psnr_y"] for row in said["images"].values()])
    assert said["metrics"]["psnr_y"]["value"] == pytest.approx(mean, abs=1e-3)
    assert said["images"]["grey.png"]["psnr_y"] == pytest.approx(20 * np.log10(25.5), abs=0.3)
    with pytest.raises(InputError, match="no pair"):
        evaluate_pairs(tmp_path / "restored", tmp_path)


@pytest.mark.torch
def test_lpips_has_weights_or_is_refused(
    pair: tuple[np.ndarray, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from safetensors.torch import save_model
    from torchmetrics.functional.image.lpips import _LPIPS

    monkeypatch.setattr(lpips, "cache_folder", lambda: tmp_path)
    with pytest.raises(ModelError, match="weights of LPIPS") as caught:
        lpips.Lpips()
    assert "PSNR and SSIM need no weights" in caught.value.hint
    torch.manual_seed(0)
    theirs = _LPIPS(pretrained=False, pnet_rand=True, net="alex").eval()
    (tmp_path / "lpips").mkdir()
    save_model(theirs, str(lpips.weights_file()))
    tensors = [torch.from_numpy(one.transpose(2, 0, 1)[None].copy()).float() / 127.5 - 1 for one in pair]
    with torch.inference_mode():
        wanted = float(theirs(*tensors).squeeze())
    assert lpips.Lpips()(*pair) == pytest.approx(wanted, rel=1e-4)
