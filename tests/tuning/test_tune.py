"""Tuning without labels: it changes the encoder, goes on where it was killed, and leaves the images alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from lucida.models.embedded.network import Encoder, fold_batch_norm  # noqa: E402
from lucida.tuning import tune as module  # noqa: E402
from lucida.tuning.tune import Tuning, tune  # noqa: E402

pytestmark = pytest.mark.torch
SHORT = Tuning(steps=6, batch=8, size=16, save_every=2)


def encoder() -> Encoder:
    torch.manual_seed(0)
    made = Encoder(3, (8, 16), (1, 1)).eval()
    fold_batch_norm(made)
    return made


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (24, 28, 28, 3), np.uint8)


def test_the_encoder_changes_and_the_images_do_not(tmp_path: Path, images):
    before, kept, steps = encoder().state_dict(), images.copy(), []
    tuned = encoder()
    tune(tuned, images, SHORT, tmp_path / "saved.safetensors", steps.append)
    assert np.array_equal(images, kept)
    assert sum(steps) == SHORT.steps
    changed = [not torch.equal(before[name], value) for name, value in tuned.state_dict().items()]
    assert sum(changed) > len(changed) / 2
    assert all(torch.isfinite(value).all() for value in tuned.state_dict().values())
    assert not tuned.training
    assert not any(p.requires_grad for p in tuned.parameters())


def test_a_killed_tuning_goes_on_as_if_it_had_not_been(tmp_path: Path, images, monkeypatch):
    whole = encoder()
    tune(whole, images, SHORT, tmp_path / "whole.safetensors", lambda done: None)

    saved, real = tmp_path / "killed.safetensors", module._loss

    def killed(*arguments):
        if arguments[-1] == 5:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(module, "_loss", killed)
    with pytest.raises(KeyboardInterrupt):
        tune(encoder(), images, SHORT, saved, lambda done: None)
    monkeypatch.setattr(module, "_loss", real)
    again, steps = encoder(), []
    tune(again, images, SHORT, saved, steps.append)
    assert steps == [4, 1, 1]
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value)


def test_another_seed_gives_another_encoder(tmp_path: Path, images):
    results = []
    for seed in (0, 1):
        made = encoder()
        tune(made, images, replace(SHORT, seed=seed), tmp_path / f"{seed}.safetensors", lambda done: None)
        results.append(made.stem[0].weight.clone())
    assert not torch.equal(*results)
