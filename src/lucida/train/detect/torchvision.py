"""Detectors of torchvision, called as `lucida.train.detect.models` says."""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import detection
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import roi_align

from lucida.errors import InputError, MissingExtra
from lucida.models.quiet import quiet
from lucida.train.beginning import Built

PROPOSED, REGIONS = 1000, 200  # places of an image where something may be, and those that are looked at again
# Networks of timm whose published weights are safetensors, and the same tensors in the same order. torchvision's own
# are pickled; so are its whole detectors.
BACKBONES: Final = {
    "fasterrcnn_resnet50_fpn": "resnet50.tv_in1k",
    "fasterrcnn_mobilenet_v3_large_fpn": "mobilenetv3_large_100.ra_in1k",
}


def build(name: str, classes: int, start: str) -> Built:
    """Build a detector.

    Args:
        name: Of a function of `torchvision.models.detection`.
        classes: How many, without the background.
        start: "nothing", "hub" for a backbone with published weights, "auto" for those where they are to be had.

    Raises:
        InputError: The published weights are asked for and are not to be had.
    """
    with quiet():
        model = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=classes + 1)
    model.transform = AsGiven()
    wrapper = OneStage if isinstance(model, detection.ssd.SSD) else TwoStage
    network = wrapper(model)
    if start == "nothing" or (name not in BACKBONES and start == "auto"):
        return Built(network, "nothing")
    try:
        licence = _load_backbone(model.backbone.body, BACKBONES[name])
    except Exception as error:  # every back end of the hub has errors of its own
        if start == "auto":
            note = f"Published weights for {name} are not to be had here, so it begins from nothing."
            return Built(network, "nothing", note=note)
        raise InputError(
            f"Published weights for {name} are not to be had.",
            expected=f"a network, or {BACKBONES.get(name, 'weights in safetensors')} in the hub's cache",
            got=" ".join(str(error).split())[:160],
            hint="--start nothing trains from random weights; --model embedded has weights offline",
        ) from error
    return Built(network, "hub", licence, ("model.backbone.body",))


def _load_backbone(body: nn.Module, name: str) -> str:
    """Put published weights into a backbone; return their licence."""
    try:
        import timm
    except ImportError as error:
        raise MissingExtra("timm", "train", "Published weights of a backbone") from error
    with quiet():
        published = timm.create_model(name, pretrained=True)
    copy_in_order(published, body)
    return str(timm.get_pretrained_cfg(name).license or "")


def copy_in_order(source: nn.Module, target: nn.Module) -> None:
    """Copy the weights of a network into one of the same layers under other names, as far as that goes.

    Raises:
        ValueError: The layers are not the same.
    """
    theirs, ours = list(source.state_dict().values()), target.state_dict()
    for (name, value), found in zip(ours.items(), theirs, strict=False):
        if value.shape != found.shape:
            raise ValueError(f"{name} is of shape {tuple(value.shape)}, not {tuple(found.shape)}")
    target.load_state_dict(dict(zip(ours, theirs, strict=False)))
    norms = [[m for m in network.modules() if isinstance(m, nn.BatchNorm2d)] for network in (source, target)]
    for one, other in zip(*norms, strict=False):
        other.eps = one.eps


class AsGiven(nn.Module):
    """Stands where torchvision scales and normalises images: ours are prepared."""

    def forward(self, images: Any, targets: Any = None) -> tuple[ImageList, Any]:
        """Return images (n, 3, h, w) and their targets as they are."""
        return ImageList(images, [(int(images.shape[2]), int(images.shape[3]))] * len(images)), targets

    def postprocess(self, result: Any, sizes: Any, originals: Any) -> Any:
        """Return what was found as it is."""
        return result


class Wrapped(nn.Module):
    """A detector of torchvision, whose class 0 is the background."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, images: Tensor, boxes: Sequence[Tensor] | None = None, labels: Sequence[Tensor] | None = None
    ) -> dict[str, Tensor] | tuple[Tensor, Tensor]:
        """Return the losses where boxes are given, else what is found."""
        if boxes is None or labels is None:
            return self.found(images)
        targets = [{"boxes": each, "labels": label + 1} for each, label in zip(boxes, labels, strict=True)]
        losses: dict[str, Tensor] = self.model(images, targets)
        return {"loss": torch.stack(list(losses.values())).sum(), **losses}

    def found(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (n, places, classes) and boxes (n, places, 4)."""
        raise NotImplementedError


class OneStage(Wrapped):
    """SSD: a place for each of its anchors."""

    def found(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = list(self.model.backbone(images).values())
        heads = self.model.head(features)
        anchors = _anchors(self.model.anchor_generator, images, features)
        scores = functional.softmax(heads["cls_logits"].float(), dim=2)[:, :, 1:]
        moves = heads["bbox_regression"].float()
        boxes = self.model.box_coder.decode_single(moves.flatten(0, 1), anchors.repeat(len(images), 1))
        return scores, boxes.unflatten(0, (len(images), len(anchors)))


class TwoStage(Wrapped):
    """Faster R-CNN: a place for each class of each region that it looks at again.

    As many regions of every image, and overlapping ones left out in one pass, so that it can be exported.

    Source: Ren et al. 2015, Faster R-CNN; Bolya et al. 2019, YOLACT for leaving out in one pass.
    """

    def found(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.model.backbone(images)
        regions = self._regions(images, list(features.values()))
        count, each = regions.shape[:2]
        heads = self.model.roi_heads
        named = [features[name] for name in heads.box_roi_pool.featmap_names if name in features]
        pooled = _pool(named, regions, images.shape[2], heads.box_roi_pool.output_size)
        logits, moves = heads.box_predictor(heads.box_head(pooled))
        scores = functional.softmax(logits.float(), dim=1)[:, 1:]
        boxes = heads.box_coder.decode(moves.float(), [regions.flatten(0, 1)])[:, 1:]
        # A region has a box for every class: each is a place that sees that class alone.
        alone = torch.diag_embed(scores).reshape(count, each * scores.shape[1], scores.shape[1])
        return alone, boxes.reshape(count, each * scores.shape[1], 4)

    def _regions(self, images: Tensor, features: list[Tensor]) -> Tensor:
        """Return where something may be, (n, REGIONS, 4)."""
        proposer = self.model.rpn
        objectness, moves = concat_box_prediction_layers(*proposer.head(features))
        anchors = _anchors(proposer.anchor_generator, images, features)
        count = len(images)
        boxes = proposer.box_coder.decode(moves.float(), [anchors.repeat(count, 1)]).reshape(count, -1, 4)
        height, width = images.shape[2:]
        boxes = torch.stack([boxes[..., k].clamp(0, (width, height)[k % 2]) for k in range(4)], dim=2)
        scores = objectness.float().reshape(count, -1).sigmoid()
        best, order = scores.topk(min(PROPOSED, scores.shape[1]), dim=1)
        boxes = boxes.gather(1, order[..., None].expand(-1, -1, 4))
        # A region that overlaps any better one comes last.
        covered = torch.triu(_overlaps(boxes), diagonal=1).amax(dim=1) > proposer.nms_thresh
        kept = (best - covered.float()).topk(min(REGIONS, best.shape[1]), dim=1).indices
        return boxes.gather(1, kept[..., None].expand(-1, -1, 4))


def _anchors(generator: nn.Module, images: Tensor, features: list[Tensor]) -> Tensor:
    """Return the anchors of one image (k, 4): those of all are the same."""
    found: list[Tensor] = generator(ImageList(images[:1], [(int(images.shape[2]), int(images.shape[3]))]), features)
    return found[0]


def _overlaps(boxes: Tensor) -> Tensor:
    """Return intersections over unions (n, k, k) of boxes (n, k, 4)."""
    one, other = boxes[:, :, None], boxes[:, None]
    sides = (torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])).clamp(min=0)
    common, areas = sides.prod(dim=3), (boxes[..., 2:] - boxes[..., :2]).prod(dim=2)
    return common / (areas[:, :, None] + areas[:, None] - common).clamp(min=1e-6)


def _pool(features: list[Tensor], regions: Tensor, height: int, size: Sequence[int]) -> Tensor:
    """Return what lies in regions (n, k, 4), (n * k, c, *size), each from the level that fits its size.

    Source: Lin et al. 2017, Feature Pyramid Networks, equation 1.
    """
    strides = [height / feature.shape[2] for feature in features]
    count, each = regions.shape[:2]
    image = torch.arange(count, device=regions.device, dtype=regions.dtype)[:, None, None].expand(-1, each, -1)
    rows = torch.cat([image, regions], dim=2).flatten(0, 1)
    sides = (regions[..., 2:] - regions[..., :2]).prod(dim=2).sqrt().flatten()
    first, last = round(math.log2(strides[0])), round(math.log2(strides[-1]))
    level = (4 + torch.log2(sides / 224 + 1e-9) + 1e-6).floor().clamp(first, last) - first
    pooled = torch.zeros(())
    for number, (feature, stride) in enumerate(zip(features, strides, strict=True)):
        part = roi_align(feature.float(), rows, (size[0], size[1]), 1 / stride, 2)
        pooled = pooled + part * (level == number)[:, None, None, None]
    return pooled
