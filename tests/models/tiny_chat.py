"""Tiny models that see and write, with random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import transformers as t

from models.tiny_hub import SIDE, byte_tokenizer

TEMPLATE = (
    "{% for m in messages %}<|startoftext|>{{ m['role'] }}:{{ ' ' }}{% if m['content'] is string %}{{ m['content'] }}"
    "{% else %}{% for c in m['content'] %}{% if c['type'] in ['image', 'image_url'] %}IMAGE"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}<|endoftext|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|startoftext|>assistant:{% endif %}"
)
LENGTH = 2048


def _tokenizer(*special: str) -> t.PreTrainedTokenizerFast:
    tokenizer = byte_tokenizer(LENGTH)
    tokenizer._tokenizer.post_processor = None
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    return tokenizer


def _language(tokenizer: t.PreTrainedTokenizerFast, **more: object) -> dict[str, object]:
    return {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": LENGTH,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        **more,
    }


def smolvlm(folder: Path) -> None:
    torch.manual_seed(0)
    rows = [f"<row_{i}_col_{j}>" for i in range(1, 3) for j in range(1, 3)]
    tokenizer = _tokenizer("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *rows)
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = t.SmolVLMConfig(
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=0,
        scale_factor=2,
        vision_config={**tower, "image_size": SIDE, "patch_size": 8},
        text_config=_language(tokenizer, model_type="llama"),
    )
    t.SmolVLMForConditionalGeneration(config).save_pretrained(folder)
    size = {"size": {"longest_edge": SIDE}, "max_image_size": {"longest_edge": SIDE}}
    tokenizer.image_token = "<image>"
    t.SmolVLMProcessor(
        image_processor=t.SmolVLMImageProcessor(**size, do_image_splitting=False),
        tokenizer=tokenizer,
        video_processor=t.SmolVLMVideoProcessor(**size),
        image_seq_len=4,
        chat_template=TEMPLATE.replace("IMAGE", "<image>"),
    ).save_pretrained(folder)


def _qwen(folder: Path, kind: str, processor: type, videos: type, tower: dict[str, object], rope: object) -> None:
    torch.manual_seed(0)
    tokenizer = _tokenizer("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
    number = tokenizer.convert_tokens_to_ids
    config = getattr(t, f"{kind}Config")(
        text_config=_language(tokenizer, rope_parameters=rope, head_dim=16),
        vision_config={
            "depth": 2,
            "num_heads": 2,
            "hidden_size": 32,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            **tower,
        },
        image_token_id=number("<|image_pad|>"),
        video_token_id=number("<|video_pad|>"),
        vision_start_token_id=number("<|vision_start|>"),
        vision_end_token_id=number("<|vision_end|>"),
    )
    getattr(t, f"{kind}ForConditionalGeneration")(config).save_pretrained(folder)
    tokenizer.image_token, tokenizer.video_token = "<|image_pad|>", "<|video_pad|>"
    processor(
        image_processor=t.Qwen2VLImageProcessor(size={"shortest_edge": 28 * 28, "longest_edge": 56 * 56}),
        tokenizer=tokenizer,
        video_processor=videos(),
        chat_template=TEMPLATE.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>"),
    ).save_pretrained(folder)


ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}


def qwen2_vl(folder: Path) -> None:
    _qwen(folder, "Qwen2VL", t.Qwen2VLProcessor, t.Qwen2VLVideoProcessor, {"embed_dim": 32, "mlp_ratio": 2}, ROPE)


def qwen25_vl(folder: Path) -> None:
    # Windows of attention, and one layer that looks at all of the image.
    tower = {"out_hidden_size": 32, "intermediate_size": 64, "window_size": 28, "fullatt_block_indexes": [1]}
    _qwen(folder, "Qwen2_5_VL", t.Qwen2_5_VLProcessor, t.Qwen2VLVideoProcessor, tower, ROPE)


def qwen3_vl(folder: Path) -> None:
    # Layers of the tower that go into layers of the language, and learned places that are scaled to the image.
    tower = {"out_hidden_size": 32, "intermediate_size": 64, "num_position_embeddings": 16}
    tower["deepstack_visual_indexes"] = [0, 1]
    _qwen(folder, "Qwen3VL", t.Qwen3VLProcessor, t.Qwen3VLVideoProcessor, tower, {**ROPE, "mrope_interleaved": True})


def _words(*more: str) -> t.BertTokenizer:
    signs = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "[ENC]", *"abcdefghijklmnopqrstuvwxyz?.:", *more]
    signs += [f"##{sign}" for sign in "abcdefghijklmnopqrstuvwxyz"]
    return t.BertTokenizer(vocab={sign: i for i, sign in enumerate(signs)}, model_max_length=LENGTH)


def _blip(folder: Path, model: type) -> None:
    torch.manual_seed(0)
    tokenizer = _words()
    text = {"hidden_size": 32, "encoder_hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    text |= {
        "num_attention_heads": 2,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 64,
        "projection_dim": 16,
    }
    text |= {"bos_token_id": 5, "eos_token_id": 2, "pad_token_id": 0, "sep_token_id": 3}
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = t.BlipConfig(
        text_config=text, vision_config={**tower, "image_size": SIDE, "patch_size": 8}, projection_dim=16
    )
    model(config).save_pretrained(folder)
    size = {"height": SIDE, "width": SIDE}
    t.BlipProcessor(image_processor=t.BlipImageProcessor(size=size), tokenizer=tokenizer).save_pretrained(folder)


def blip(folder: Path) -> None:
    _blip(folder, t.BlipForConditionalGeneration)


def blip_vqa(folder: Path) -> None:
    _blip(folder, t.BlipForQuestionAnswering)


def blip2(folder: Path) -> None:
    torch.manual_seed(0)
    tokenizer = _tokenizer("<image>")
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    language = {"hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "dropout": 0.0}
    language |= {"word_embed_proj_dim": 32, "vocab_size": len(tokenizer), "max_position_embeddings": 128}
    config = t.Blip2Config(
        vision_config={**tower, "image_size": SIDE, "patch_size": 8},
        qformer_config={**tower, "encoder_hidden_size": 32, "vocab_size": 10},
        text_config={"model_type": "opt", **language, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
        num_query_tokens=4,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    t.Blip2ForConditionalGeneration(config).save_pretrained(folder)
    image = t.BlipImageProcessor(size={"height": SIDE, "width": SIDE})
    t.Blip2Processor(image_processor=image, tokenizer=tokenizer, num_query_tokens=4).save_pretrained(folder)


def llava(folder: Path) -> None:
    torch.manual_seed(0)
    tokenizer = _tokenizer("<image>")
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = t.LlavaConfig(
        vision_config=t.CLIPVisionConfig(**tower, image_size=SIDE, patch_size=8),
        text_config=t.LlamaConfig(**_language(tokenizer)),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )
    t.LlavaForConditionalGeneration(config).save_pretrained(folder)
    size = {"height": SIDE, "width": SIDE}
    t.LlavaProcessor(
        image_processor=t.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=size),
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE.replace("IMAGE", "<image>"),
    ).save_pretrained(folder)


BUILDERS: dict[str, Callable[[Path], None]] = {
    "smolvlm": smolvlm,
    "qwen2-vl": qwen2_vl,
    "qwen2.5-vl": qwen25_vl,
    "qwen3-vl": qwen3_vl,
    "llava": llava,
    "blip": blip,
    "blip-vqa": blip_vqa,
    "blip2": blip2,
}
