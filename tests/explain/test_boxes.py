"""Where detectors look: at the object that is asked for, not at others like it."""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_grad_cam")
pytestmark = pytest.mark.torch

from lucida.errors import ModelError  # noqa: E402
from lucida.explain.boxes import box_target, surest_box  # noqa: E402
from lucida.explain.heat import dependence, heat  # noqa: E402

SIDE, CELL = 64, 8


class _Colours(torch.nn.Module):  # type: ignore[misc, name-defined]
    """A place for every cell, which sees red, green and blue things."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = torch.nn.Conv2d(3, 3, CELL, stride=CELL, bias=False)
        self.classify = torch.nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            self.maps.weight.zero_()
            for k in range(3):
                self.maps.weight[k, k] = 1 / CELL**2
            self.classify.weight.copy_(8 * (torch.eye(3) - 0.3)[..., None, None])
            self.classify.bias.fill_(-3)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scores = self.classify(torch.relu(self.maps(images))).sigmoid().flatten(2).transpose(1, 2)
        side = images.shape[-1] // CELL
        y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
        corner = torch.stack([x.flatten(), y.flatten()], dim=1) * float(CELL)
        return scores, torch.cat([corner, corner + CELL], dim=1).expand(len(images), -1, -1)


def _image(*spots: tuple[int, int, int, float]) -> torch.Tensor:
    image = torch.zeros(1, 3, SIDE, SIDE)
    for left, top, channel, value in spots:
        image[0, channel, top : top + CELL, left : left + CELL] = value
    return image


def test_the_map_is_at_the_surest_box_and_not_at_others_of_its_class() -> None:
    network, image = _Colours().eval(), _image((8, 40, 1, 1.0), (48, 16, 1, 0.8), (48, 48, 0, 0.7))
    answer = surest_box(network, image)
    assert answer.label == 1
    assert answer.box.tolist() == [8, 40, 16, 48]
    target = box_target(answer, image)
    assert (target.name, target.side, target.head) == ("network.maps", 8, ("network.classify",))
    found = heat(answer.asked, target, image, 0, placed=True)
    y, x = np.unravel_index(found.argmax(), found.shape)
    assert 8 <= x < 16
    assert 40 <= y < 48
    assert found[16:24, 48:56].max() < 0.05
    # The gradient that is averaged shows the other one as well.
    assert heat(answer.asked, target, image, 0)[16:24, 48:56].max() > 0.5


def test_a_map_of_boxes_depends_on_the_weights() -> None:
    network = _Colours().eval()
    image = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 0.3
    image = image + _image((8, 40, 1, 0.7))
    answer = surest_box(network, image)
    before = [weight.clone() for weight in network.parameters()]
    found = dependence(answer.asked, box_target(answer, image), image, 0, placed=True)
    assert found.depends
    assert all((one == other).all() for one, other in zip(before, network.parameters(), strict=True))


@pytest.mark.parametrize("name", ["ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_fpn", "embedded"])
def test_the_layer_is_found_in_the_detectors_that_can_be_trained(name: str) -> None:
    pytest.importorskip("torchvision")
    pytest.importorskip("timm")
    from lucida.train.detect import models

    torch.manual_seed(0)
    network = models.build(name, ("a", "b"), "nothing").network.eval()
    image = torch.randn(1, 3, 128, 128)
    answer = surest_box(network, image)
    target = box_target(answer, image)
    assert 4 <= target.side <= 32
    assert np.isfinite(heat(answer.asked, target, image, 0, placed=True)).all()


def test_a_network_without_maps_is_refused() -> None:
    class Flat(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.line = torch.nn.Linear(3 * 16 * 16, 2)

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.line(images.flatten(1)).sigmoid()[:, None], torch.zeros(len(images), 1, 4)

    network, image = Flat().eval(), torch.rand(1, 3, 16, 16)
    with pytest.raises(ModelError, match="No layer"):
        box_target(surest_box(network, image), image)
