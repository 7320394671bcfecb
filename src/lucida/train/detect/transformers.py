"""Detectors of transformers (the DETR family), called as `lucida.train.detect.models` says."""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import box_convert

from lucida.errors import InputError, MissingExtra
from lucida.models.hub.download import cached, download
from lucida.models.quiet import quiet
from lucida.train.beginning import HUB, Built

try:
    import transformers
except ImportError as missing:
    raise MissingExtra("transformers", "train", "Training a DETR") from missing

# Short names, and the models of the hub that they stand for.
PUBLISHED = {"rtdetr": "PekingU/rtdetr_r18vd", "detr": "facebook/detr-resnet-50"}


def build(name: str, classes: Sequence[str], start: str) -> Built:
    """Build a detector.

    Args:
        name: "rtdetr", "detr", or "hf:org/name".
        classes: Names of the classes.
        start: "nothing", "hub" for published weights, "auto" for those where they are to be had.

    Raises:
        InputError: The published weights are asked for and are not to be had.
    """
    names = dict(enumerate(classes))
    labels = {"id2label": names, "label2id": {label: number for number, label in names.items()}}
    published = PUBLISHED.get(name, name.removeprefix(HUB))
    if start in ("auto", "hub"):
        try:
            folder = cached(published, None) or download(published, None)
            with quiet():
                model = transformers.AutoModelForObjectDetection.from_pretrained(
                    folder,
                    **labels,
                    ignore_mismatched_sizes=True,
                    local_files_only=True,
                    trust_remote_code=False,
                    use_safetensors=True,
                )
            return Built(Detr(model), "hub", f"as published by {published}", ("model.model",))
        except Exception as error:  # every back end of the hub has errors of its own
            if start == "hub" or name not in PUBLISHED:
                raise InputError(
                    f"The published weights of {published} are not to be had.",
                    expected="a network, or the weights in the hub's cache",
                    got=" ".join(str(error).split())[:160],
                    hint="--model rtdetr --start nothing trains from random weights; embedded has weights offline",
                ) from error
    if name not in PUBLISHED:
        raise InputError(
            f"{name} is known by its published weights only.",
            expected=f"one of {', '.join(PUBLISHED)} to begin from nothing",
            got=f"--start {start}",
            hint="leave out --start",
        )
    with quiet():
        model = transformers.AutoModelForObjectDetection.from_config(random_config(name, labels))
    note = f"The published weights of {published} are not to be had here, so it begins from nothing."
    return Built(Detr(model), "nothing", note=note if start == "auto" else "")


def random_config(name: str, labels: dict[str, Any], **changes: Any) -> Any:
    """Return what a detector from nothing is made of: like the published small ones, no hub needed.

    Args:
        name: "rtdetr" or "detr".
        labels: "id2label" and "label2id".
        changes: Of the configuration.
    """
    if name == "rtdetr":
        backbone = transformers.RTDetrResNetConfig(
            depths=[2, 2, 2, 2],
            layer_type="basic",
            hidden_sizes=[64, 128, 256, 512],
            out_features=["stage2", "stage3", "stage4"],
        )
        options = {"encoder_in_channels": [128, 256, 512], "decoder_layers": 3, "hidden_expansion": 0.5}
        return transformers.RTDetrConfig(backbone_config=backbone, **{**options, **labels, **changes})
    backbone = transformers.ResNetConfig(
        depths=[2, 2, 2, 2], layer_type="basic", hidden_sizes=[64, 128, 256, 512], out_features=["stage4"]
    )
    options = {"use_timm_backbone": False, "use_pretrained_backbone": False}
    return transformers.DetrConfig(backbone_config=backbone, **{**options, **labels, **changes})


class Detr(nn.Module):
    """A detector of transformers: each of its queries is a place, and no two are to find the same object."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, images: Tensor, boxes: Sequence[Tensor] | None = None, labels: Sequence[Tensor] | None = None
    ) -> dict[str, Tensor] | tuple[Tensor, Tensor]:
        """Return the losses where boxes are given, else what is found."""
        height, width = images.shape[-2:]
        sides = torch.tensor([width, height, width, height], device=images.device)
        if boxes is None or labels is None:
            found = self.model(pixel_values=images)
            corners = box_convert(found.pred_boxes.float(), "cxcywh", "xyxy") * sides
            return self._scores(found.logits.float()), corners
        targets = [
            {"class_labels": label, "boxes": box_convert(each, "xyxy", "cxcywh") / sides}
            for each, label in zip(boxes, labels, strict=True)
        ]
        losses = self.model(pixel_values=images, labels=targets)
        return {"loss": losses.loss}

    def _scores(self, logits: Tensor) -> Tensor:
        # The first ones of the family have one more class, for nothing; later ones ask of each class by itself.
        if logits.shape[-1] == self.model.config.num_labels + 1:
            return logits.softmax(dim=-1)[..., :-1]
        return logits.sigmoid()
