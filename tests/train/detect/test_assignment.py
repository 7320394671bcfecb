"""Places answer for the objects that they see best; scores are to tell how good a box is."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from lucida.train.detect.assignment import PLACES, assign, detection_losses  # noqa: E402

pytestmark = pytest.mark.torch


def grid(side: int = 8, stride: float = 8.0):
    steps = (torch.arange(side) + 0.5) * stride
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def boxes_around(centres, half: float = 8.0):
    return torch.cat([centres - half, centres + half], dim=1)


def test_the_best_places_answer_and_the_best_is_to_say_how_good_it_is():
    centres = grid()
    found = boxes_around(centres)
    truth = torch.tensor([[12.0, 12.0, 28.0, 28.0]])  # exactly the box of the place at (20, 20)
    place, owner, share = assign(torch.full((64, 2), 0.5), found, centres, truth, torch.tensor([1]))
    best = share.argmax()
    assert centres[place[best]].tolist() == [20.0, 20.0]
    assert float(share[best]) == pytest.approx(1.0)
    assert set(owner.tolist()) == {0}
    assert (share[torch.arange(len(share)) != best] < 1).all()


def test_among_equal_boxes_the_place_that_sees_the_class_is_preferred():
    centres = grid()
    truth = torch.tensor([[12.0, 12.0, 28.0, 28.0]])
    found = truth.expand(64, 4)
    scores = torch.full((64, 2), 0.1)
    sure = int(((centres - 20).abs().sum(1)).argmin())
    scores[sure, 1] = 0.9
    place, _, share = assign(scores, found, centres, truth, torch.tensor([1]))
    assert int(place[share.argmax()]) == sure


def test_a_place_answers_for_one_object_and_an_object_has_few_places():
    torch.manual_seed(0)
    centres = grid(16)
    corners = torch.rand(20, 2) * 80
    truth = torch.cat([corners, corners + 10 + torch.rand(20, 2) * 40], dim=1)
    place, owner, _ = assign(torch.rand(256, 3), boxes_around(centres, 12), centres, truth, torch.randint(3, (20,)))
    assert len(place) == len(place.unique())
    assert torch.bincount(owner, minlength=20).max() <= PLACES


def test_an_object_smaller_than_the_grid_has_a_place():
    centres = grid()
    truth = torch.tensor([[15.0, 15.0, 17.0, 17.0]])  # between four places
    place, _, _ = assign(torch.full((64, 1), 0.5), boxes_around(centres), centres, truth, torch.tensor([0]))
    assert len(place) > 0


def test_a_perfect_answer_costs_less_than_a_shifted_one_and_that_less_than_none():
    centres = grid()
    truth, labels = [torch.tensor([[12.0, 12.0, 28.0, 28.0]])], [torch.tensor([0])]
    right = int(((centres - 20).abs().sum(1)).argmin())

    def loss(score: float, shift: float) -> float:
        logits = torch.full((1, 64, 1), -8.0)
        logits[0, right, 0] = score
        # Elsewhere boxes are so small that nothing else is near.
        found = boxes_around(centres, 0.5)[None].clone()
        found[0, right] = truth[0][0] + shift
        return float(detection_losses(logits, found, centres, truth, labels)["loss"])

    assert loss(8.0, 0.0) < loss(8.0, 4.0)
    assert loss(8.0, 0.0) < loss(-8.0, 0.0)


def test_images_without_objects_teach_what_is_none():
    centres = grid()
    logits = torch.zeros(2, 64, 3, requires_grad=True)
    found = boxes_around(centres)[None].repeat(2, 1, 1).requires_grad_()
    nothing = [torch.zeros(0, 4)] * 2, [torch.zeros(0, dtype=torch.int64)] * 2
    losses = detection_losses(logits, found, centres, *nothing)
    losses["loss"].backward()
    assert float(losses["box"].detach()) == 0
    assert (logits.grad > 0).all()
    assert found.grad is not None
