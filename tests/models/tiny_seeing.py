"""Tiny detectors and segmenters of transformers with random weights, saved as the hub has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import transformers as t

NAMES = {0: "cat", 1: "dog", 2: "bird"}
_LABELS = {"id2label": NAMES, "label2id": {name: k for k, name in NAMES.items()}}
_HEADS = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
}


def save(model: torch.nn.Module, folder: Path) -> None:
    """Save it with weights that differ enough for its objects to differ."""
    with torch.no_grad():
        for value in model.parameters():
            if value.ndim > 1:
                value.add_(torch.randn_like(value) * 0.15)
    model.save_pretrained(folder)


SQUARE = {"height": 64, "width": 64}


def _resnet(stages: list[str]) -> t.ResNetConfig:
    sizes = [8, 16, 16, 32]
    return t.ResNetConfig(
        embedding_size=8, hidden_sizes=sizes, depths=[1, 1, 1, 1], layer_type="basic", out_features=stages
    )


def detr(folder: Path) -> None:
    config = t.DetrConfig(
        use_timm_backbone=False,
        use_pretrained_backbone=False,
        backbone=None,
        backbone_config=_resnet(["stage4"]),
        num_queries=10,
        **_HEADS,
        **_LABELS,
    )
    save(t.DetrForObjectDetection(config), folder)
    t.DetrImageProcessor(size={"shortest_edge": 64, "longest_edge": 96}).save_pretrained(folder)


def rtdetr(folder: Path, kind: str = "RTDetr") -> None:
    backbone = t.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 16, 32],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = getattr(t, f"{kind}Config")(
        backbone_config=backbone,
        encoder_hidden_dim=32,
        encoder_in_channels=[16, 16, 32],
        decoder_in_channels=[32, 32, 32],
        hidden_expansion=0.5,
        num_queries=10,
        eval_size=None,
        **_HEADS,
        **_LABELS,
    )
    save(getattr(t, f"{kind}ForObjectDetection")(config), folder)
    t.RTDetrImageProcessor(size=SQUARE).save_pretrained(folder)


def yolos(folder: Path) -> None:
    config = t.YolosConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=[64, 96],
        patch_size=16,
        num_detection_tokens=10,
        use_mid_position_embeddings=False,
        **_LABELS,
    )
    save(t.YolosForObjectDetection(config), folder)
    t.YolosImageProcessor(size={"shortest_edge": 64, "longest_edge": 96}).save_pretrained(folder)


BUILDERS: dict[str, Callable[[Path], None]] = {
    "detr": detr,
    "rtdetr": rtdetr,
    "rtdetr-v2": lambda folder: rtdetr(folder, "RTDetrV2"),
    "dfine": lambda folder: rtdetr(folder, "DFine"),
    "yolos": yolos,
}


def build(name: str, folder: Path) -> Path:
    """Build one, always with the same weights."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    BUILDERS[name](folder)
    return folder
