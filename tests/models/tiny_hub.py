"""Tiny hub models with random weights, built from their configurations and saved as the hub has them."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import torch
import transformers as t
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

transformers = t
SIDE = 32
PHRASES = ["a photo of a cat", "a photo of a dog", "a red dress", "hello world", "猫 狗"]


def byte_tokenizer(length: int = 16) -> t.PreTrainedTokenizerFast:
    """Bytes and a few merges, with a start and an end, as CLIP's."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = ["<pad>", "<|startoftext|>", "<|endoftext|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator(
        PHRASES, trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    )
    inner.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>", special_tokens=[("<|startoftext|>", 1), ("<|endoftext|>", 2)]
    )
    return t.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<|startoftext|>",
        eos_token="<|endoftext|>",
        unk_token="<pad>",
        model_max_length=length,
    )


def _tower(**more: object) -> dict[str, object]:
    return {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        **more,
    }


_VISION = _tower(image_size=SIDE, patch_size=8)
_SIZE = {"height": SIDE, "width": SIDE}


def clip(folder: Path, length: int = 32) -> None:
    tokenizer = byte_tokenizer(length)
    text = _tower(
        vocab_size=len(tokenizer), max_position_embeddings=length, bos_token_id=1, eos_token_id=2, pad_token_id=0
    )
    model = t.CLIPModel(t.CLIPConfig(text_config=text, vision_config=_VISION, projection_dim=16))
    model.save_pretrained(folder)
    processor = t.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=_SIZE)
    t.CLIPProcessor(image_processor=processor, tokenizer=tokenizer).save_pretrained(folder)


def siglip2(folder: Path) -> None:
    """SigLIP 2 for one size of image: SigLIP's model with a tokenizer in one file."""
    tokenizer = byte_tokenizer(64)
    tokenizer._tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", 2)]
    )
    text = _tower(vocab_size=len(tokenizer), max_position_embeddings=64, projection_size=32)
    text |= {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    t.SiglipModel(t.SiglipConfig(text_config=text, vision_config=_VISION)).save_pretrained(folder)
    t.SiglipImageProcessor(size=_SIZE).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def siglip(folder: Path) -> None:
    """The first SigLIP, whose tokenizer is a SentencePiece model."""
    import sentencepiece

    # The trainer takes sentences and wants many characters: a few are enough with `hard_vocab_limit` off.
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([phrase.lower() for phrase in PHRASES] * 20),
        model_writer=trained,
        vocab_size=60,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        pad_piece="<pad>",
        eos_piece="</s>",
        minloglevel=2,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spiece.model").write_bytes(trained.getvalue())
    tokenizer = t.SiglipTokenizer(str(folder / "spiece.model"), pad_token="<pad>", model_max_length=64)
    text = _tower(vocab_size=len(tokenizer), max_position_embeddings=64, projection_size=32, pad_token_id=0)
    text |= {"bos_token_id": 1, "eos_token_id": 1}
    t.SiglipModel(t.SiglipConfig(text_config=text, vision_config=_VISION)).save_pretrained(folder)
    t.SiglipImageProcessor(size=_SIZE).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def chinese_clip(folder: Path) -> None:
    tokenizer = t.BertTokenizer(vocab=_bert_words())
    text = _tower(vocab_size=len(tokenizer), max_position_embeddings=64, pad_token_id=0)
    config = t.ChineseCLIPConfig(text_config=text, vision_config=_VISION, projection_dim=16)
    t.ChineseCLIPModel(config).save_pretrained(folder)
    t.ChineseCLIPImageProcessor(size=_SIZE, crop_size=_SIZE).save_pretrained(folder)
    # The published one has no more of its tokenizer than this.
    (folder / "vocab.txt").write_text("\n".join(_bert_words()), encoding="utf-8")


def _bert_words() -> dict[str, int]:
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"一只猫的照片狗张衣裙帽子鞋", "a", "cat", "red", "hat", "!"]
    return {word: i for i, word in enumerate(dict.fromkeys(words))}


def vit(folder: Path) -> None:
    names = {0: "tabby, tabby cat", 1: "crane", 2: "crane", 3: "boot"}
    config = t.ViTConfig(**_VISION, id2label=names, label2id={})
    t.ViTForImageClassification(config).save_pretrained(folder)
    t.ViTImageProcessor(size=_SIZE).save_pretrained(folder)


def resnet(folder: Path) -> None:
    config = t.ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 24], depths=[1, 1], layer_type="basic", id2label={0: "cat", 1: "dog"}
    )
    model = t.ResNetForImageClassification(config)
    model.save_pretrained(folder)
    t.ConvNextImageProcessor(size={"shortest_edge": SIDE}, crop_pct=0.875).save_pretrained(folder)


def dinov2(folder: Path) -> None:
    # Trained at another size than it is used at, as the published ones are: positions are interpolated.
    t.Dinov2Model(t.Dinov2Config(**{**_VISION, "image_size": 2 * SIDE}, mlp_ratio=2)).save_pretrained(folder)
    t.BitImageProcessor(size={"shortest_edge": 40}, crop_size=_SIZE, resample=3).save_pretrained(folder)


def vision_tower(folder: Path) -> None:
    """The image half of a CLIP alone."""
    t.CLIPVisionModelWithProjection(t.CLIPVisionConfig(**_VISION, projection_dim=16)).save_pretrained(folder)
    t.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=_SIZE).save_pretrained(folder)


def mae(folder: Path) -> None:
    """An encoder whose pooler was never trained, and is not in the file."""
    model = t.ViTModel(t.ViTConfig(**_VISION), add_pooling_layer=False)
    model.save_pretrained(folder)
    t.ViTImageProcessor(size=_SIZE).save_pretrained(folder)


def timm_classifier(folder: Path) -> None:
    import timm
    from timm.models import save_for_hf

    model = timm.create_model("mobilenetv3_small_050", pretrained=False).eval()
    save_for_hf(model, folder, safe_serialization=True)


def timm_encoder(folder: Path) -> None:
    import timm
    from timm.models import save_for_hf

    model = timm.create_model("vit_tiny_patch16_224", pretrained=False, num_classes=0, img_size=48, depth=2)
    config = {**model.pretrained_cfg, "input_size": (3, 48, 48), "fixed_input_size": True}
    model.pretrained_cfg = config
    save_for_hf(model, folder, safe_serialization=True, model_args={"img_size": 48, "depth": 2})


BUILDERS: dict[str, Callable[[Path], None]] = {
    "clip": clip,
    "siglip": siglip,
    "siglip2": siglip2,
    "chinese-clip": chinese_clip,
    "vit": vit,
    "resnet": resnet,
    "dinov2": dinov2,
    "vision-tower": vision_tower,
    "mae": mae,
    "timm-classifier": timm_classifier,
    "timm-encoder": timm_encoder,
}


def build(name: str, folder: Path) -> Path:
    """Build one, always with the same weights."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    BUILDERS[name](folder)
    return folder
