"""Momentum contrast: what lowers the loss, whom an image is told apart from, and what is remembered."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from lucida.tuning.contrast import Contrast, follow  # noqa: E402

pytestmark = pytest.mark.torch


def contrast(length: int = 32) -> Contrast:
    torch.manual_seed(0)
    return Contrast(8, hidden=16, outputs=4, length=length).eval()


def vectors(n: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(n, 8, generator=torch.Generator().manual_seed(seed))


def test_equal_views_lose_less_than_views_of_other_images():
    one, sets = vectors(16), torch.zeros(16, dtype=torch.long)
    matched = float(contrast()(one, one, sets).detach())
    mixed = float(contrast()(one, one.roll(1, 0), sets).detach())
    assert matched < mixed
    assert matched < math.log(16)


def test_images_are_told_apart_within_their_own_set_only():
    one = vectors(6)
    alone = float(contrast()(one, one, torch.arange(6)).detach())
    assert alone == pytest.approx(0, abs=1e-5)
    assert float(contrast()(one, one, torch.zeros(6, dtype=torch.long)).detach()) > 0.1


def test_the_loss_is_that_of_the_paper():
    module = contrast()
    old, new = vectors(5, 2), vectors(3, 3)
    module(old, old, torch.zeros(5, dtype=torch.long))
    near = torch.nn.functional.normalize(module.projection(new), dim=1)
    keys = torch.nn.functional.normalize(module.slow(torch.cat([new, old])), dim=1)
    expected = torch.nn.functional.cross_entropy(near @ keys.T / module.temperature, torch.arange(3))
    found = module(new, new, torch.zeros(3, dtype=torch.long))
    torch.testing.assert_close(found, expected)


def test_the_oldest_keys_are_forgotten():
    module = contrast(length=4)
    for seed, number in ((1, 3), (2, 5)):
        module(vectors(3, seed), vectors(3, seed), torch.full((3,), number))
    assert module.sets.tolist() == [5, 5, 5, 3]


def test_keys_get_no_gradient():
    module = contrast()
    keys = vectors(4).requires_grad_()
    module(vectors(4, 2), keys, torch.zeros(4, dtype=torch.long)).backward()
    assert keys.grad is None
    assert all(p.grad is None for p in module.slow.parameters())


def test_the_slow_copy_follows():
    fast, slow = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    with torch.no_grad():
        fast.weight.fill_(3.0)
        fast.num_batches_tracked.fill_(7)
    follow(slow, fast, 0.75)
    assert slow.weight.tolist() == [1.5, 1.5]
    assert int(slow.num_batches_tracked) == 7
