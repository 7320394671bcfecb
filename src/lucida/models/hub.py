"""Models that people know from a hub: named here so that asking for one gives an answer."""

from __future__ import annotations

HUB: dict[str, str] = {
    "siglip2": "labels by words, many languages",
    "clip": "labels by words, English",
    "chinese-clip": "labels by words, Chinese",
    "mobilenetv3": "1,000 ImageNet classes, fast",
    "convnext": "1,000 ImageNet classes",
    "resnet50": "1,000 ImageNet classes",
    "vit": "1,000 ImageNet classes",
    "efficientnet": "1,000 ImageNet classes",
    "dinov2": "vectors for labels by example",
    "dinov3": "vectors for labels by example",
}

BETTER_WITH_WORDS = "SigLIP2"


def hub_hint(name: str) -> str:
    """Return what to do instead of a model that is not in this version."""
    plain = name.casefold().replace("-", "").replace("_", "").replace("/", "")
    known = any(hub.replace("-", "") in plain for hub in HUB)
    instead = "--model embedded works offline, and onnx:PATH runs any exported model."
    return f"Hub models come with a later version. {instead}" if known else instead
