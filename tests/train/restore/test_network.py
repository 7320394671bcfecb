"""The network of restorers: what its branches, its base and its reach are worth."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from lucida.images.bicubic import resize  # noqa: E402
from lucida.train.export import folded  # noqa: E402
from lucida.train.restore.network import Restorer, Shape, enlarged  # noqa: E402

UPSCALER, DENOISER = Shape(2, width=8, blocks=1), Shape(1, width=8, blocks=1)


def given(shape: Shape, side: int = 64) -> tuple[torch.Tensor, ...]:
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    return (image,) if shape.scale > 1 else (image, torch.full((1, 1, 1, 1), 0.1))


def made(shape: Shape) -> Restorer:
    torch.manual_seed(1)
    network = Restorer(shape)
    for weights in network.parameters():
        weights.data += 0.03 * torch.randn_like(weights)  # no branch and no bias is nothing
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("shape", [UPSCALER, DENOISER])
def test_one_kernel_does_what_all_branches_do(shape: Shape) -> None:
    network = made(shape)
    plain = folded(network)
    assert torch.allclose(plain(*given(shape)), network(*given(shape)), atol=1e-5)
    assert sum(p.numel() for p in plain.parameters()) < 0.6 * sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_it_begins_with_bicubic(scale: int) -> None:
    image = given(UPSCALER)[0][:, :, :20, :24]
    expected = resize(image[0].permute(1, 2, 0).numpy(), scale)
    found = enlarged(image, scale)[0].permute(1, 2, 0).numpy()
    assert found.shape == expected.shape
    assert np.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("shape", [UPSCALER, DENOISER])
def test_nothing_beyond_the_halo_counts(shape: Shape) -> None:
    network, (image, *more) = made(shape), given(shape)
    image.requires_grad_(True)
    middle = 32 * shape.scale
    network(image, *more)[0, :, middle : middle + 2, middle : middle + 2].sum().backward()
    rows = image.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    near = 32 - shape.halo
    assert near <= rows.min() <= near + 2 * shape.folded
    assert rows.max() <= 33 + shape.halo


def test_the_denoiser_is_told_how_much_noise_there_is() -> None:
    network, (image, noise) = made(DENOISER), given(DENOISER)
    assert not torch.allclose(network(image, noise), network(image, noise * 3))
