"""Segmenters of transformers: SegFormer, and others of the hub that give one map a class."""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from torch import Tensor, nn

from lucida.errors import InputError, MissingExtra
from lucida.models.hub.download import cached, download
from lucida.models.quiet import quiet
from lucida.train.beginning import HUB, Built

try:
    import transformers
except ImportError as missing:
    raise MissingExtra("transformers", "train", "Training a SegFormer") from missing

# Short names, and the models of the hub that they stand for.
PUBLISHED: Final = {"segformer": "nvidia/segformer-b0-finetuned-ade-512-512"}


def build(name: str, classes: Sequence[str], start: str) -> Built:
    """Build a segmenter.

    Args:
        name: "segformer", or "hf:org/name".
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
                model = transformers.AutoModelForSemanticSegmentation.from_pretrained(
                    folder,
                    **labels,
                    ignore_mismatched_sizes=True,
                    local_files_only=True,
                    trust_remote_code=False,
                    use_safetensors=True,
                )
            trunk = f"model.{model.base_model_prefix}"
            return Built(Semantic(model), "hub", f"as published by {published}", (trunk,))
        except Exception as error:  # every back end of the hub has errors of its own
            if start == "hub" or name not in PUBLISHED:
                raise InputError(
                    f"The published weights of {published} are not to be had.",
                    expected="a network, or the weights in the hub's cache",
                    got=" ".join(str(error).split())[:160],
                    hint="--model segformer --start nothing trains from random weights; embedded has weights offline",
                ) from error
    if name not in PUBLISHED:
        raise InputError(
            f"{name} is known by its published weights only.",
            expected=f"one of {', '.join(PUBLISHED)} to begin from nothing",
            got=f"--start {start}",
            hint="leave out --start",
        )
    with quiet():
        model = transformers.SegformerForSemanticSegmentation(transformers.SegformerConfig(**labels))
    note = f"The published weights of {published} are not to be had here, so it begins from nothing."
    return Built(Semantic(model), "nothing", note=note if start == "auto" else "")


class Semantic(nn.Module):
    """A segmenter of transformers that gives its logits, and nothing else."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, classes, h, w)."""
        logits: Tensor = self.model(pixel_values=images).logits
        return logits
