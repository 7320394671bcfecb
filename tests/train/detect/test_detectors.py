"""Every detector of the table is called in one way; what replaces torchvision's own steps does the same."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")

from lucida.errors import InputError, UnknownName  # noqa: E402
from lucida.train.detect import models  # noqa: E402
from lucida.train.detect.export import again  # noqa: E402
from lucida.train.detect.network import SmallDetector, boxes_at, places  # noqa: E402
from lucida.train.export import folded  # noqa: E402
from lucida.train.standing import BEST  # noqa: E402
from lucida.tuning import checkpoint  # noqa: E402

pytestmark = pytest.mark.torch
CLASSES = ("disc", "square", "star")
# Those that are quick enough to be built here; the others differ from them in size.
QUICK = ("embedded", "ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_fpn", "rtdetr", "detr")
SIDE = 128


@pytest.fixture(scope="module", params=QUICK)
def network(request):
    if request.param in ("rtdetr", "detr"):
        pytest.importorskip("transformers")
    torch.manual_seed(0)
    return models.build(request.param, CLASSES, "nothing").network


def batch():
    torch.manual_seed(1)
    boxes = [torch.tensor([[10.0, 10, 60, 50], [70, 70, 120, 110]]), torch.zeros(0, 4)]
    return torch.rand(2, 3, SIDE, SIDE), boxes, [torch.tensor([0, 2]), torch.zeros(0, dtype=torch.int64)]


def test_with_boxes_it_gives_a_loss_that_can_be_lowered(network):
    network.train()
    losses = network(*batch())
    assert torch.isfinite(losses["loss"])
    losses["loss"].backward()
    gradients = [p.grad for p in network.parameters() if p.requires_grad and p.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    network.zero_grad()


def test_without_boxes_it_gives_scores_and_boxes_of_places(network):
    network.eval()
    with torch.inference_mode():
        scores, boxes = network(batch()[0])
    assert scores.shape == (2, boxes.shape[1], 3)
    assert boxes.shape[2] == 4
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert torch.isfinite(boxes).all()


def test_an_image_is_seen_alone_as_in_a_batch(network):
    network.eval()
    images = batch()[0]
    with torch.inference_mode():
        together = [part[:1] for part in network(images)]
        alone = network(images[:1])
    if torch.allclose(together[0], alone[0], atol=1e-4):
        torch.testing.assert_close(alone[1], together[1], atol=0.05, rtol=1e-3)
    else:  # places are chosen, and an untrained network hardly prefers any
        assert again([part.numpy() for part in together], [part.numpy() for part in alone]) > 0.5


def test_folding_changes_nothing():
    torch.manual_seed(0)
    network = models.build("embedded", CLASSES, "nothing").network
    images, boxes, labels = batch()
    network.train()
    for _ in range(3):
        network(images, boxes, labels)  # so that the norms have seen something
    network.eval()
    with torch.inference_mode():
        for expected, found in zip(network(images), folded(network)(images), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-4)


def test_no_norm_is_left_once_it_is_folded():
    network = folded(models.build("embedded", CLASSES, "nothing").network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())


def test_boxes_of_untrained_places_lie_around_them():
    centres, strides = places([(4, 6), (2, 3), (1, 2)], torch.device("cpu"))
    assert centres[0].tolist() == [4, 4]
    assert centres[-1].tolist() == [48, 16]
    found = boxes_at(torch.zeros(1, len(centres), 4), centres, strides)
    assert found[0, 0].tolist() == [0, 0, 8, 8]
    assert torch.isfinite(boxes_at(torch.full((1, len(centres), 4), 1e4), centres, strides)).all()


def test_the_small_detector_learns_one_picture_by_heart():
    torch.manual_seed(0)
    network = models.build("embedded", CLASSES, "auto").network
    assert isinstance(network, SmallDetector)
    images, boxes, labels = batch()
    images[0, :, 10:50, 10:60] += 1
    images[0, :, 70:110, 70:120] -= 1
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    network.train()
    losses = []
    for _ in range(25):
        loss = network(images, boxes, labels)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_regions_are_pooled_as_torchvision_does():
    from lucida.train.detect.torchvision import _pool

    torch.manual_seed(0)
    network = models.build("fasterrcnn_mobilenet_v3_large_fpn", CLASSES, "nothing").network.eval()
    pool = network.model.roi_heads.box_roi_pool
    features = {name: torch.randn(2, 16, side, side) for name, side in (("0", 8), ("1", 4))}
    corners = torch.rand(2, 30, 2) * 60
    regions = torch.cat([corners, corners + 4 + torch.rand(2, 30, 2) * 60], dim=2)
    expected = pool(features, list(regions), [(SIDE, SIDE)] * 2)
    torch.testing.assert_close(_pool(list(features.values()), regions, SIDE, pool.output_size), expected)


def test_weights_of_timm_go_into_the_backbones_of_torchvision():
    timm = pytest.importorskip("timm")
    from lucida.train.detect.torchvision import BACKBONES, copy_in_order

    name = "fasterrcnn_mobilenet_v3_large_fpn"
    torch.manual_seed(0)
    whole = timm.create_model(BACKBONES[name], pretrained=False).eval()
    body = models.build(name, CLASSES, "nothing").network.model.backbone.body.eval()
    copy_in_order(whole, body)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = whole.blocks(whole.bn1(whole.conv_stem(images)))
        found = list(body(images).values())[-1]
    assert found.shape[2:] == expected.shape[2:]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)


def test_layers_of_another_network_are_refused():
    from lucida.train.detect.torchvision import copy_in_order

    with pytest.raises(ValueError, match="shape"):
        copy_in_order(torch.nn.Linear(3, 4), torch.nn.Linear(4, 4))


def test_names_that_nobody_knows_are_refused():
    with pytest.raises(UnknownName, match="embedded"):
        models.architecture("embeded")


def test_published_weights_that_cannot_be_had_are_refused_where_they_are_asked_for(monkeypatch):
    pytest.importorskip("transformers")
    from lucida.train.detect import transformers

    def gone(*_):
        raise OSError("no network")

    monkeypatch.setattr(transformers, "cached", gone)
    with pytest.raises(InputError, match="no network"):
        models.build("rtdetr", CLASSES, "hub")
    with pytest.raises(InputError, match="org/name"):
        models.build("hf:org/name", CLASSES, "auto")
    with pytest.raises(InputError, match="published weights only"):
        models.build("hf:org/name", CLASSES, "nothing")


def test_it_begins_from_the_weights_of_an_earlier_run(tmp_path):
    torch.manual_seed(0)
    earlier = models.build("embedded", ("a", "b"), "nothing").network
    checkpoint.save(tmp_path / BEST, {"network": earlier.state_dict()}, {})
    built = models.build("embedded", CLASSES, str(tmp_path))
    assert built.start == str(tmp_path)
    own, theirs = built.network.state_dict(), earlier.state_dict()
    assert torch.equal(own["trunk.stem.0.weight"], theirs["trunk.stem.0.weight"])
    assert torch.equal(own["locate.last.weight"], theirs["locate.last.weight"])
    assert own["classify.last.weight"].shape != theirs["classify.last.weight"].shape


def test_weights_of_another_network_are_refused(tmp_path):
    with pytest.raises(InputError, match="no weights to begin from"):
        models.build("embedded", CLASSES, str(tmp_path))
    checkpoint.save(tmp_path / BEST, {"network": {"other.weight": torch.zeros(3, 3)}}, {})
    with pytest.raises(InputError, match="another network"):
        models.build("embedded", CLASSES, str(tmp_path))
