"""How each method learns: its loss falls, and it fits the way in which a finished model draws."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from lucida.errors import InputError, UnknownName  # noqa: E402
from lucida.train.generative import methods  # noqa: E402
from lucida.train.generative.adversarial import Adversaries, PairShape  # noqa: E402
from lucida.train.generative.methods import Canvas  # noqa: E402

CANVAS = Canvas(3, 8, 2)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, small in {"WIDTH": 8, "WIDE": 32, "DEPTH": 2}.items():
        monkeypatch.setattr(methods, name, small)


def batch(method: methods.Method, count: int = 16) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(0)
    label = torch.arange(count) % 2
    data = (label * 1.0 - 0.5).view(-1, 1, 1, 1).expand(-1, 3, 8, 8) + 0.1 * torch.randn(
        count, 3, 8, 8, generator=random
    )
    noise = torch.randn(count, *method.noise, generator=random)
    return data, label, noise, torch.randn(count, generator=random)


@pytest.mark.parametrize("name", ["flow", "flow-dit", "diffusion", "vae"])
def test_the_loss_falls(name: str) -> None:
    torch.manual_seed(0)
    method = methods.make(name, CANVAS)
    given = batch(method)
    optimizer = torch.optim.AdamW(method.network.parameters(), lr=3e-3)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = method.loss(method.network, *given)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_each_of_two_adversaries_learns_from_its_own_loss_alone() -> None:
    torch.manual_seed(0)
    pair = Adversaries(PairShape(3, 2, 8, width=8, most=8))
    for weights in pair.parameters():
        weights.data += 0.05 * torch.randn_like(weights)
    image, noise, label = torch.randn(4, 3, 8, 8), torch.randn(4, 64), torch.tensor([0, 1, 0, 1])
    parts = pair(image, noise, label)

    def moved(loss: torch.Tensor) -> tuple[bool, bool]:
        found = torch.autograd.grad(loss, list(pair.parameters()), retain_graph=True, allow_unused=True)
        named = dict(zip((name for name, _ in pair.named_parameters()), found, strict=True))
        return tuple(
            any(value is not None and value.abs().sum() > 0 for name, value in named.items() if name.startswith(part))
            for part in ("generator", "discriminator")
        )

    assert moved(parts["generator"]) == (True, False)
    assert moved(parts["discriminator"]) == (False, True)
    assert moved(parts["slope"]) == (False, True)
    # R1 and R2 as they are written, one image at a time.
    drawn = pair.generator(noise, label).detach()
    squares = []
    for images in (image, drawn):
        given = images.clone().requires_grad_(True)
        slopes = torch.autograd.grad(pair.discriminator(given, label).sum(), given)[0]
        squares.append(slopes.square().sum((1, 2, 3)).mean())
    assert float(parts["slope"].detach()) == pytest.approx(sum(float(one.detach()) for one in squares), rel=1e-4)


def test_the_discriminator_learns_to_tell_them_apart() -> None:
    torch.manual_seed(0)
    method = methods.Adversarial(CANVAS, "")
    method.network = Adversaries(PairShape(3, 2, 8, width=8, most=8))
    given = batch(method)
    optimizer = torch.optim.AdamW(method.network.discriminator.parameters(), lr=3e-3)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        found = method.loss(method.network, *given)
        found["loss"].backward()
        optimizer.step()
        losses.append(float(found["discriminator"].detach()))
    assert losses[-1] < 0.8 * losses[0]


class Knowing(torch.nn.Module):
    """A network that knows the data, and answers what the finished model expects of it at its best."""

    def __init__(self, data: torch.Tensor, spread: float, diffusion: bool) -> None:
        super().__init__()
        self.data, self.spread, self.diffusion = data, spread, diffusion

    def forward(self, x: torch.Tensor, time: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        time = time.view(-1, 1, 1, 1)
        if not self.diffusion:
            return (x - self.data) / time
        sigma = (4 * time).exp()
        whole = (sigma**2 + self.spread**2).sqrt()
        return (self.data - (self.spread / whole) ** 2 * x * whole) / (sigma * self.spread / whole)


@pytest.mark.parametrize("name", ["flow", "diffusion"])
def test_what_is_learned_is_what_drawing_expects(name: str) -> None:
    method = methods.make(name, CANVAS)
    given = batch(method)
    knowing = Knowing(given[0], CANVAS.spread, name == "diffusion")
    assert float(method.loss(knowing, *given)["loss"]) == pytest.approx(0, abs=1e-6)


def test_refuses_what_it_does_not_know() -> None:
    with pytest.raises(UnknownName, match="flow"):
        methods.check("flaw")
    with pytest.raises(InputError, match="size") as caught:
        methods.check_size(40)
    assert "--size 32" in caught.value.hint
