"""Tiny diffusers pipelines with random weights, saved as the hub has them: `tiny("sd")` is a folder."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import diffusers
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from lucida.models.quiet import quiet

START, END = "<|startoftext|>", "<|endoftext|>"
READ: Final = 77  # tokens of CLIP; a token a letter here
READ_T5: Final = 128
WIDTH: Final = 32  # of the text encoders
BLOCKS: Final = (32, 64)  # channels of the U-Nets and VAEs: sides are halved once
SIDE: Final = 32  # of the latents that the networks know; pictures are twice that


@cache
def tiny(kind: str) -> Path:
    """Return the folder of a pipeline (or ControlNet, or VAE), made once a process. Never change it.

    Args:
        kind: One of `MAKERS`.
    """
    folder = _home() / kind
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        diffusers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
        MAKERS[kind]().save_pretrained(folder, safe_serialization=True)
    return folder


@cache
def _home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="tiny-pipelines-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return home


# Text


def clip_tokenizer() -> Any:
    """Return CLIP's tokenizer without merges: a token a letter."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), START, END]
    folder = _home() / "clip-tokenizer"
    folder.mkdir(exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({word: row for row, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return transformers.CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=READ, pad_token=END
    )


def clip_text(kind: str = "CLIPTextModel", **more: Any) -> Any:
    """Return a text encoder of CLIP's shape."""
    tokenizer = clip_tokenizer()
    config = transformers.CLIPTextConfig(
        hidden_size=WIDTH, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4,
        vocab_size=len(tokenizer), max_position_embeddings=READ, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.eos_token_id, **more,
    )  # fmt: skip
    return getattr(transformers, kind)(config).eval()


def t5_tokenizer() -> Any:
    """Return a tokenizer as T5's, a token a letter."""
    marks = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    inner = Tokenizer(
        models.Unigram([*marks, *((letter, -2.0) for letter in "▁abcdefghijklmnopqrstuvwxyz ,.")], unk_id=2)
    )
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=READ_T5
    )


def t5(width: int = WIDTH) -> Any:
    """Return a text encoder of T5's shape."""
    config = transformers.T5Config(
        vocab_size=len(t5_tokenizer()), d_model=width, d_kv=8, d_ff=37, num_layers=2, num_heads=4,
        pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    return transformers.T5EncoderModel(config).eval()


# Pictures


def vae(channels: int = 4, **more: Any) -> Any:
    """Return an autoencoder whose latents are half as wide and high as its images."""
    return diffusers.AutoencoderKL(
        block_out_channels=list(BLOCKS), in_channels=3, out_channels=3, latent_channels=channels,
        down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2, **more,
    ).eval()  # fmt: skip


def unet(channels: int = 4, **more: Any) -> Any:
    """Return a U-Net that looks at text."""
    wanted = {"cross_attention_dim": WIDTH, "sample_size": SIDE, **more}
    return diffusers.UNet2DConditionModel(
        block_out_channels=BLOCKS, layers_per_block=1, in_channels=channels, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), **wanted,
    ).eval()  # fmt: skip


def schedule() -> Any:
    """Return the noise schedule of Stable Diffusion."""
    return diffusers.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False
    )


def _xl(**more: Any) -> dict[str, Any]:
    return {
        "attention_head_dim": (2, 4), "use_linear_projection": True, "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8, "transformer_layers_per_block": (1, 2), "cross_attention_dim": 2 * WIDTH,
        "projection_class_embeddings_input_dim": 6 * 8 + WIDTH, **more,
    }  # fmt: skip


def controlnet(**more: Any) -> Any:
    """Return a ControlNet for `sd`; its last layers are not zero, as they are after training."""
    wanted = {"cross_attention_dim": WIDTH, **more}
    found = diffusers.ControlNetModel(
        block_out_channels=BLOCKS, layers_per_block=1, in_channels=4, conditioning_embedding_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), **wanted,
    ).eval()  # fmt: skip
    with torch.no_grad():
        for layer in (
            *found.controlnet_down_blocks,
            found.controlnet_mid_block,
            found.controlnet_cond_embedding.conv_out,
        ):
            layer.weight.normal_(std=0.1)
    return found


@cache
def ip_adapter() -> Path:
    """Return the folder of an IP-Adapter for `sd`: four tokens of an image, beside its encoder."""
    folder, seen = _home() / "ip-adapter", 16
    config = transformers.CLIPVisionConfig(
        hidden_size=WIDTH, intermediate_size=37, num_hidden_layers=1, num_attention_heads=4, image_size=32,
        patch_size=16, projection_dim=seen,
    )  # fmt: skip
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformers.CLIPVisionModelWithProjection(config).save_pretrained(folder / "image_encoder")
        weights = {
            "image_proj.proj.weight": torch.randn(4 * WIDTH, seen), "image_proj.proj.bias": torch.zeros(4 * WIDTH),
            "image_proj.norm.weight": torch.ones(WIDTH), "image_proj.norm.bias": torch.zeros(WIDTH),
        }  # fmt: skip
        looking = [name for name in unet().attn_processors if "attn2" in name]
        for row in range(len(looking)):
            for side in "kv":
                weights[f"ip_adapter.{2 * row + 1}.to_{side}_ip.weight"] = torch.randn(BLOCKS[1], WIDTH)
    save_file(weights, folder / "ip-adapter_tiny.safetensors")
    return folder


# Pipelines


def sd(channels: int = 4, kind: str = "StableDiffusionPipeline") -> Any:
    """Return Stable Diffusion 1.x; with nine channels the one trained for inpainting."""
    return getattr(diffusers, kind)(
        vae=vae(), text_encoder=clip_text(), tokenizer=clip_tokenizer(), unet=unet(channels), scheduler=schedule(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def sdxl() -> Any:
    """Return Stable Diffusion XL."""
    return diffusers.StableDiffusionXLPipeline(
        vae=vae(sample_size=2 * SIDE), text_encoder=clip_text(projection_dim=WIDTH), tokenizer=clip_tokenizer(),
        text_encoder_2=clip_text("CLIPTextModelWithProjection", projection_dim=WIDTH),
        tokenizer_2=clip_tokenizer(), unet=unet(**_xl()), scheduler=schedule(),
    )  # fmt: skip


def sd3() -> Any:
    """Return Stable Diffusion 3."""
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=SIDE, patch_size=1, in_channels=16, out_channels=16, num_layers=1, attention_head_dim=8,
        num_attention_heads=4, caption_projection_dim=32, joint_attention_dim=2 * WIDTH,
        pooled_projection_dim=2 * WIDTH,
    ).eval()  # fmt: skip
    project = "CLIPTextModelWithProjection"
    return diffusers.StableDiffusion3Pipeline(
        transformer=transformer, text_encoder=clip_text(project, projection_dim=WIDTH), tokenizer=clip_tokenizer(),
        text_encoder_2=clip_text(project, projection_dim=WIDTH), tokenizer_2=clip_tokenizer(),
        text_encoder_3=t5(2 * WIDTH), tokenizer_3=t5_tokenizer(), scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=vae(16, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.0609, scaling_factor=1.5),
    )  # fmt: skip


def flux() -> Any:
    """Return FLUX.1."""
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1, in_channels=4, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH, axes_dims_rope=[4, 4, 8],
    ).eval()  # fmt: skip
    return diffusers.FluxPipeline(
        transformer=transformer, text_encoder=clip_text(projection_dim=WIDTH), tokenizer=clip_tokenizer(),
        text_encoder_2=t5(), tokenizer_2=t5_tokenizer(), scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        vae=vae(1, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.0609, scaling_factor=1.5),
    )  # fmt: skip


def _qwen_text() -> tuple[Any, Any]:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {word: row for row, word in enumerate([*letters, END])}
    tokenizer = transformers.Qwen2Tokenizer(vocab=words, merges=[], pad_token=END, eos_token=END, unk_token=END)
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    rope = {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 1e6}
    text = {**size, "num_key_value_heads": 2, "vocab_size": len(tokenizer), "rope_parameters": rope}
    marks = {"bos_token_id": 0, "eos_token_id": 256, "pad_token_id": 256}
    vision = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16}
    config = transformers.Qwen2_5_VLConfig(
        text_config={**text, **marks}, vision_config=vision, image_token_id=1, video_token_id=2,
        vision_start_token_id=3, vision_end_token_id=4,
    )  # fmt: skip
    return transformers.Qwen2_5_VLForConditionalGeneration(config).eval(), tokenizer


def qwen_image() -> Any:
    """Return Qwen-Image."""
    encoder, tokenizer = _qwen_text()
    transformer = diffusers.QwenImageTransformer2DModel(
        patch_size=2, in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16, num_attention_heads=3,
        joint_attention_dim=16, axes_dims_rope=(8, 4, 4),
    ).eval()  # fmt: skip
    pictures = diffusers.AutoencoderKLQwenImage(
        base_dim=24, z_dim=4, dim_mult=[1, 2, 4], num_res_blocks=1, temperal_downsample=[False, True],
        latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
    ).eval()  # fmt: skip
    return diffusers.QwenImagePipeline(transformer=transformer, text_encoder=encoder, tokenizer=tokenizer, vae=pictures,
                                       scheduler=diffusers.FlowMatchEulerDiscreteScheduler())  # fmt: skip


MAKERS: Final[dict[str, Callable[[], Any]]] = {
    "sd": sd,
    "sd-inpainting": lambda: sd(9, "StableDiffusionInpaintPipeline"),
    "sdxl": sdxl,
    "sd3": sd3,
    "flux": flux,
    "qwen-image": qwen_image,
    "controlnet": controlnet,
    "controlnet-sdxl": lambda: controlnet(**_xl()),
}
