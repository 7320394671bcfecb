"""Short names of well-known models, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lucida.models.spec import Task


@dataclass(frozen=True)
class Alias:
    """A short name.

    Attributes:
        name: What people type.
        uri: What it stands for: "hf:ORGANISATION/NAME" or "timm:NAME".
        tasks: What the model can do.
        about: What it is good for.
        licence: Licence of its weights, as its authors state it.
        megabytes: Size of the weights to download.
    """

    name: str
    uri: str
    tasks: tuple[Task, ...]
    about: str
    licence: str
    megabytes: int


_WORDS: tuple[Task, ...] = ("encode", "words")
_OWN: tuple[Task, ...] = ("encode", "classify")
_1K = "the 1,000 classes of ImageNet"

ALIASES: tuple[Alias, ...] = (
    Alias("clip", "hf:openai/clip-vit-base-patch32", _WORDS, "English words; fast", "MIT", 605),
    Alias("clip-large", "hf:openai/clip-vit-large-patch14", _WORDS, "English words", "MIT", 1710),
    Alias("siglip", "hf:google/siglip-base-patch16-224", _WORDS, "English words", "Apache-2.0", 813),
    Alias("siglip2", "hf:google/siglip2-base-patch16-224", _WORDS, "words of many languages", "Apache-2.0", 1500),
    Alias("siglip2-large", "hf:google/siglip2-large-patch16-256", _WORDS, "the same, better", "Apache-2.0", 3530),
    Alias("chinese-clip", "hf:OFA-Sys/chinese-clip-vit-base-patch16", _WORDS, "Chinese words", "Apache-2.0", 753),
    Alias("mobilenetv3", "timm:mobilenetv3_large_100.ra_in1k", _OWN, f"{_1K}; very fast", "Apache-2.0", 22),
    Alias("resnet50", "timm:resnet50.a1_in1k", _OWN, _1K, "Apache-2.0", 102),
    Alias("efficientnet", "timm:efficientnet_b0.ra_in1k", _OWN, f"{_1K}; fast", "Apache-2.0", 21),
    Alias("convnext", "timm:convnext_tiny.in12k_ft_in1k", _OWN, _1K, "Apache-2.0", 114),
    Alias("vit", "hf:google/vit-base-patch16-224", _OWN, _1K, "Apache-2.0", 346),
    Alias("swin", "timm:swin_tiny_patch4_window7_224.ms_in1k", _OWN, _1K, "MIT", 114),
    Alias("dinov2", "hf:facebook/dinov2-small", ("encode",), "labels by example", "Apache-2.0", 88),
    Alias("dinov2-base", "hf:facebook/dinov2-base", ("encode",), "labels by example, better", "Apache-2.0", 346),
    Alias("smolvlm", "hf:HuggingFaceTB/SmolVLM-256M-Instruct", ("ask",), "questions; small", "Apache-2.0", 513),
    Alias("qwen-vl", "hf:Qwen/Qwen2-VL-2B-Instruct", ("ask",), "questions; many languages", "Apache-2.0", 4420),
)
BY_NAME: dict[str, Alias] = {alias.name: alias for alias in ALIASES}


def alias_of(name: str) -> Alias | None:
    """Return the alias of a short name, in any case, with or without hyphens."""
    plain = name.casefold().replace("-", "").replace("_", "")
    return next((alias for alias in ALIASES if alias.name.replace("-", "") == plain), None)
