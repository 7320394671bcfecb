"""Tiny detectors and segmenters of transformers with random weights, saved as the hub has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
import transformers as t

from models.tiny_hub import byte_tokenizer

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


def save(model: torch.nn.Module, folder: Path, noise: float = 0.15) -> None:
    """Save it with weights that differ enough for its objects to differ."""
    with torch.no_grad():
        for value in model.parameters():
            if value.ndim > 1:
                value.add_(torch.randn_like(value) * noise)
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


def segformer(folder: Path) -> None:
    config = t.SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 16, 16, 16],
        num_attention_heads=[1, 2, 2, 2],
        decoder_hidden_size=16,
        **_LABELS,
    )
    save(t.SegformerForSemanticSegmentation(config), folder)
    t.SegformerImageProcessor(size=SQUARE).save_pretrained(folder)


def upernet(folder: Path) -> None:
    config = t.UperNetConfig(
        backbone_config=_resnet(["stage1", "stage2", "stage3", "stage4"]),
        hidden_size=16,
        use_auxiliary_head=False,
        auxiliary_in_channels=16,
        **_LABELS,
    )
    save(t.UperNetForSemanticSegmentation(config), folder)
    t.SegformerImageProcessor(size=SQUARE).save_pretrained(folder)


def mobilevit(folder: Path) -> None:
    """Its processor cuts the middle out."""
    config = t.MobileViTConfig(
        hidden_sizes=[8, 12, 16], neck_hidden_sizes=[8, 8, 16, 16, 16, 16, 32], num_attention_heads=2, **_LABELS
    )
    save(t.MobileViTForSemanticSegmentation(config), folder, 0.02)
    t.MobileViTImageProcessor(size={"shortest_edge": 64}, crop_size={"height": 48, "width": 48}).save_pretrained(folder)


def mask2former(folder: Path) -> None:
    config = t.Mask2FormerConfig(
        backbone_config=t.SwinConfig(
            image_size=64,
            embed_dim=8,
            depths=[1, 1, 1, 1],
            num_heads=[1, 1, 2, 2],
            window_size=4,
            out_features=["stage1", "stage2", "stage3", "stage4"],
        ),
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=32,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        dim_feedforward=32,
        num_queries=8,
        **_LABELS,
    )
    save(t.Mask2FormerForUniversalSegmentation(config), folder)
    t.Mask2FormerImageProcessor(size=SQUARE).save_pretrained(folder)


def maskformer(folder: Path) -> None:
    config = t.MaskFormerConfig(
        backbone_config=_resnet(["stage1", "stage2", "stage3", "stage4"]),
        decoder_config=t.DetrConfig(
            num_queries=8, use_timm_backbone=False, backbone_config=_resnet(["stage4"]), **_HEADS
        ),
        fpn_feature_size=32,
        mask_feature_size=32,
        **_LABELS,
    )
    save(t.MaskFormerForInstanceSegmentation(config), folder)
    t.MaskFormerImageProcessor(size=SQUARE).save_pretrained(folder)


def oneformer(folder: Path) -> None:
    tokenizer = byte_tokenizer(16)
    config = t.OneFormerConfig(
        backbone_config=t.SwinConfig(
            image_size=64,
            embed_dim=8,
            depths=[1, 1, 1, 1],
            num_heads=[1, 1, 2, 2],
            window_size=4,
            out_features=["stage1", "stage2", "stage3", "stage4"],
        ),
        num_queries=8,
        hidden_dim=32,
        mask_dim=32,
        conv_dim=32,
        encoder_feedforward_dim=32,
        encoder_layers=1,
        decoder_layers=3,
        query_dec_layers=1,
        num_attention_heads=2,
        dim_feedforward=32,
        task_seq_len=16,
        max_seq_len=16,
        text_encoder_width=16,
        text_encoder_context_length=16,
        text_encoder_num_layers=1,
        text_encoder_vocab_size=len(tokenizer),
        is_training=False,
        **_LABELS,
    )
    save(t.OneFormerForUniversalSegmentation(config), folder)
    # The published one names a file that lies elsewhere on the hub.
    processor = t.OneFormerImageProcessor(size=SQUARE, class_info_file="", repo_path=None)
    processor.save_pretrained(folder)
    table = json.loads((folder / "preprocessor_config.json").read_text())
    table |= {"class_info_file": "coco_panoptic.json", "repo_path": "shi-labs/oneformer_demo"}
    (folder / "preprocessor_config.json").write_text(json.dumps(table))
    tokenizer.save_pretrained(folder)


_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 32,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 64,
    "patch_size": 16,
}


def clipseg(folder: Path) -> None:
    tokenizer = byte_tokenizer(32)
    config = t.CLIPSegConfig(
        text_config={**_TEXT, "vocab_size": len(tokenizer)},
        vision_config=_VISION,
        projection_dim=16,
        extract_layers=[0, 1],
        reduce_dim=16,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=32,
        conditional_layer=0,
    )
    save(t.CLIPSegForImageSegmentation(config), folder)
    t.CLIPSegProcessor(t.ViTImageProcessor(size=SQUARE), tokenizer).save_pretrained(folder)


def owl(folder: Path, kind: str = "Owlv2") -> None:
    tokenizer = byte_tokenizer(32)
    config = getattr(t, f"{kind}Config")(
        text_config={**_TEXT, "vocab_size": len(tokenizer)}, vision_config=_VISION, projection_dim=32
    )
    save(getattr(t, f"{kind}ForObjectDetection")(config), folder, 0.05)
    images = getattr(t, f"{kind}ImageProcessor")(size=SQUARE)
    getattr(t, f"{kind}Processor")(image_processor=images, tokenizer=tokenizer).save_pretrained(folder)


def grounding_dino(folder: Path) -> None:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", "a", "cat", "dog", "red", "hat", "##s", "bolt"]
    tokenizer = t.BertTokenizer(vocab={word: k for k, word in enumerate(words)})
    config = t.GroundingDinoConfig(
        backbone_config=t.SwinConfig(
            image_size=64,
            embed_dim=8,
            depths=[1, 1, 1, 1],
            num_heads=[1, 1, 2, 2],
            window_size=4,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config=t.BertConfig(
            vocab_size=len(words),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=64,
        ),
        num_queries=10,
        max_text_len=32,
        fusion_droppath=0.0,
        **_HEADS,
    )
    save(t.GroundingDinoForObjectDetection(config), folder, 0.05)
    images = t.GroundingDinoImageProcessor(size={"shortest_edge": 128, "longest_edge": 192})
    t.GroundingDinoProcessor(images, tokenizer).save_pretrained(folder)


def sam(folder: Path) -> None:
    config = t.SamConfig(
        vision_config={
            "hidden_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 64,
            "patch_size": 8,
            "output_channels": 16,
            "window_size": 4,
            "global_attn_indexes": [1],
            "num_pos_feats": 8,
            "mlp_dim": 32,
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": 64, "patch_size": 8, "mask_input_channels": 4},
        mask_decoder_config={
            "hidden_size": 16,
            "mlp_dim": 32,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 16,
            "attention_downsample_rate": 1,
        },
    )
    save(t.SamModel(config), folder)
    images = t.SamImageProcessor(
        size={"longest_edge": 64},
        pad_size=SQUARE,
        mask_size={"longest_edge": 16},
        mask_pad_size={"height": 16, "width": 16},
    )
    t.SamProcessor(images).save_pretrained(folder)


def sam2(folder: Path, kind: str = "Sam2") -> None:
    """SAM 2; the published ones are models for videos, with a memory."""
    parts = {
        "vision_config": {
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": 8,
                "num_attention_heads": 1,
                "image_size": [128, 128],
                "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": [8, 16, 32, 64],
                "num_attention_heads_per_stage": [1, 1, 2, 2],
                "window_size_per_stage": [4, 4, 4, 4],
                "window_positional_embedding_background_size": [4, 4],
                "global_attention_blocks": [3],
            },
            "backbone_channel_list": [64, 32, 16, 8],
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
            "fpn_hidden_size": 32,
        },
        "prompt_encoder_config": {"hidden_size": 32, "image_size": 128, "patch_size": 16, "mask_input_channels": 4},
        "mask_decoder_config": {"hidden_size": 32, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 32},
    }
    if kind == "Sam2Video":
        parts |= {
            "image_size": 128,
            "memory_attention_hidden_size": 32,
            "memory_attention_num_layers": 1,
            "memory_attention_feed_forward_hidden_size": 32,
            "memory_attention_rope_feat_sizes": [8, 8],
            "memory_encoder_hidden_size": 32,
            "memory_encoder_output_channels": 8,
            "mask_downsampler_embed_dim": 32,
            "memory_fuser_embed_dim": 32,
            "memory_fuser_intermediate_dim": 32,
        }
    save(getattr(t, f"{kind}Model")(getattr(t, f"{kind}Config")(**parts)), folder, 0.05)
    images = t.Sam2ImageProcessor(size={"height": 128, "width": 128}, mask_size={"height": 32, "width": 32})
    images.save_pretrained(folder)


BUILDERS: dict[str, Callable[[Path], None]] = {
    "detr": detr,
    "rtdetr": rtdetr,
    "rtdetr-v2": lambda folder: rtdetr(folder, "RTDetrV2"),
    "dfine": lambda folder: rtdetr(folder, "DFine"),
    "yolos": yolos,
    "segformer": segformer,
    "upernet": upernet,
    "mobilevit": mobilevit,
    "mask2former-instance": mask2former,
    "mask2former-panoptic": mask2former,
    "mask2former-semantic": mask2former,
    "maskformer": maskformer,
    "oneformer": oneformer,
    "clipseg": clipseg,
    "owlv2": owl,
    "owlvit": lambda folder: owl(folder, "OwlViT"),
    "grounding-dino": grounding_dino,
    "sam": sam,
    "sam2": sam2,
    "sam2-video": lambda folder: sam2(folder, "Sam2Video"),
}


def build(name: str, folder: Path) -> Path:
    """Build one, always with the same weights."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    BUILDERS[name](folder)
    return folder
