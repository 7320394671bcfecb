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
        uri: What it stands for: "hf:ORGANISATION/NAME", "timm:NAME" or "torchvision:NAME".
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
_TALK: tuple[Task, ...] = ("ask", "caption", "answer")
_1K = "the 1,000 classes of ImageNet"
_FIND: tuple[Task, ...] = ("detect",)
_MASK: tuple[Task, ...] = ("segment",)
_BOTH: tuple[Task, ...] = ("detect", "segment")
_POINT: tuple[Task, ...] = ("outline",)
_80 = "the 80 classes of COCO"
_80S = f"{_80}, with pixels"
_150 = "150 classes of scenes"
_OPT, _NVIDIA = "MIT; OPT in it: research only", "NVIDIA, research only"
_21 = "the 20 classes of Pascal VOC"

ALIASES: tuple[Alias, ...] = (
    Alias("clip", "hf:openai/clip-vit-base-patch32", _WORDS, "English words; fast", "MIT", 605),
    Alias("clip-large", "hf:openai/clip-vit-large-patch14", _WORDS, "English words", "MIT", 1710),
    Alias("siglip", "hf:google/siglip-base-patch16-224", _WORDS, "English words", "Apache-2.0", 813),
    Alias("siglip2", "hf:google/siglip2-base-patch16-224", _WORDS, "words of many languages", "Apache-2.0", 1500),
    Alias("siglip2-large", "hf:google/siglip2-large-patch16-256", _WORDS, "the same, better", "Apache-2.0", 3530),
    Alias("chinese-clip", "hf:OFA-Sys/chinese-clip-vit-base-patch16", _WORDS, "Chinese words", "MIT", 753),
    Alias("mobilenetv3", "timm:mobilenetv3_large_100.ra_in1k", _OWN, f"{_1K}; very fast", "Apache-2.0", 22),
    Alias("resnet50", "timm:resnet50.a1_in1k", _OWN, _1K, "Apache-2.0", 102),
    Alias("efficientnet", "timm:efficientnet_b0.ra_in1k", _OWN, f"{_1K}; fast", "Apache-2.0", 21),
    Alias("convnext", "timm:convnext_tiny.in12k_ft_in1k", _OWN, _1K, "Apache-2.0", 114),
    Alias("vit", "hf:google/vit-base-patch16-224", _OWN, _1K, "Apache-2.0", 346),
    Alias("swin", "timm:swin_tiny_patch4_window7_224.ms_in1k", _OWN, _1K, "MIT", 114),
    Alias("dinov2", "hf:facebook/dinov2-small", ("encode",), "labels by example", "Apache-2.0", 88),
    Alias("dinov2-base", "hf:facebook/dinov2-base", ("encode",), "labels by example, better", "Apache-2.0", 346),
    Alias("smolvlm", "hf:HuggingFaceTB/SmolVLM-256M-Instruct", _TALK, "questions; small", "Apache-2.0", 513),
    Alias("qwen2-vl", "hf:Qwen/Qwen2-VL-2B-Instruct", _TALK, "questions; many languages", "Apache-2.0", 4420),
    Alias("qwen-vl", "hf:Qwen/Qwen2-VL-2B-Instruct", _TALK, "the same", "Apache-2.0", 4420),
    Alias("qwen3-vl", "hf:Qwen/Qwen3-VL-2B-Instruct", _TALK, "questions; better", "Apache-2.0", 4260),
    Alias("llava", "hf:llava-hf/llava-1.5-7b-hf", _TALK, "questions; English", "Llama 2", 14130),
    Alias("blip", "hf:Salesforce/blip-image-captioning-base", ("caption",), "a sentence", "BSD-3-Clause", 990),
    Alias("blip-vqa", "hf:Salesforce/blip-vqa-base", ("answer",), "answers of a word", "BSD-3-Clause", 1540),
    Alias("blip2", "hf:Salesforce/blip2-opt-2.7b", ("caption", "answer"), "short answers", _OPT, 14980),
    Alias("detr", "hf:facebook/detr-resnet-50", _FIND, _80, "Apache-2.0", 167),
    Alias("rtdetr", "hf:PekingU/rtdetr_r50vd", _FIND, f"{_80}; better", "Apache-2.0", 172),
    Alias("rtdetr-small", "hf:PekingU/rtdetr_r18vd", _FIND, f"{_80}; fast", "Apache-2.0", 81),
    Alias("dfine", "hf:ustc-community/dfine-small-coco", _FIND, f"{_80}; small, good", "Apache-2.0", 42),
    Alias("yolos", "hf:hustvl/yolos-tiny", _FIND, f"{_80}; small", "Apache-2.0", 26),
    Alias("fasterrcnn", "torchvision:fasterrcnn_resnet50_fpn_v2", _FIND, _80, "BSD-3-Clause", 175),
    Alias("retinanet", "torchvision:retinanet_resnet50_fpn_v2", _FIND, _80, "BSD-3-Clause", 153),
    Alias("ssdlite", "torchvision:ssdlite320_mobilenet_v3_large", _FIND, f"{_80}; fast", "BSD-3-Clause", 14),
    Alias("owlv2", "hf:google/owlv2-base-patch16-ensemble", _FIND, "anything, in words", "Apache-2.0", 620),
    Alias("owlvit", "hf:google/owlvit-base-patch32", _FIND, "anything, in words; faster", "Apache-2.0", 613),
    Alias("grounding-dino", "hf:IDEA-Research/grounding-dino-tiny", _FIND, "anything, in words", "Apache-2.0", 689),
    Alias("maskrcnn", "torchvision:maskrcnn_resnet50_fpn_v2", _BOTH, _80S, "BSD-3-Clause", 186),
    Alias("mask2former", "hf:facebook/mask2former-swin-tiny-coco-instance", _BOTH, _80S, "CC-BY-NC-4.0", 190),
    Alias("oneformer", "hf:shi-labs/oneformer_ade20k_swin_tiny", _BOTH, _150, "MIT", 203),
    Alias("segformer", "hf:nvidia/segformer-b0-finetuned-ade-512-512", _MASK, _150, _NVIDIA, 15),
    Alias("upernet", "hf:openmmlab/upernet-convnext-tiny", _MASK, _150, "MIT", 241),
    Alias("deeplab", "torchvision:deeplabv3_resnet50", _MASK, _21, "BSD-3-Clause", 168),
    Alias("fcn", "torchvision:fcn_resnet50", _MASK, _21, "BSD-3-Clause", 142),
    Alias("lraspp", "torchvision:lraspp_mobilenet_v3_large", _MASK, f"{_21}; fast", "BSD-3-Clause", 13),
    Alias("clipseg", "hf:CIDAS/clipseg-rd64-refined", _MASK, "anything, in words", "Apache-2.0", 603),
    Alias("sam2", "hf:facebook/sam2.1-hiera-tiny", _POINT, "what a point or a box means", "Apache-2.0", 156),
    Alias("sam2-base", "hf:facebook/sam2.1-hiera-base-plus", _POINT, "the same, better", "Apache-2.0", 323),
    Alias("sam", "hf:facebook/sam-vit-base", _POINT, "what a point or a box means", "Apache-2.0", 375),
)
BY_NAME: dict[str, Alias] = {alias.name: alias for alias in ALIASES}

# Whatever these names begin with may not be used for everything, as its authors' own licence says.
LIMITED: dict[str, str] = {
    "nvidia/segformer": "the NVIDIA Source Code License: for research and evaluation only, not commercially",
    "nvidia/mit-": "the NVIDIA Source Code License: for research and evaluation only, not commercially",
    "facebook/mask2former": "CC BY-NC 4.0 (the model zoo of its authors): not for commercial use",
    "facebook/maskformer": "CC BY-NC 4.0 (the model zoo of its authors): not for commercial use",
    "salesforce/blip2-opt": "the licence of OPT, the language model in it: for research only, not commercially",
    "qwen/qwen2.5-vl-3b": "the Qwen Research License: not for commercial use",
    "llava-hf/llava-1.5": "the Llama 2 Community License: with conditions on what it is used for",
}


def limits_of(name: str) -> str:
    """Return under which licence the weights of a model of the hub are, where that limits their use; else "".

    Args:
        name: "org/name", with or without "hf:".
    """
    plain = name.removeprefix("hf:").casefold()
    return next((limit for begins, limit in LIMITED.items() if plain.startswith(begins)), "")


def alias_of(name: str) -> Alias | None:
    """Return the alias of a short name, in any case, with or without hyphens."""
    plain = name.casefold().replace("-", "").replace("_", "")
    return next((alias for alias in ALIASES if alias.name.replace("-", "") == plain), None)
