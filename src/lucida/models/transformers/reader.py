"""A transformers model, known by the "model_type" in its config.json."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lucida.errors import ModelError
from lucida.models.hub.convert import Network, converted
from lucida.models.hub.processor import image_needs
from lucida.models.hub.snapshot import Snapshot
from lucida.models.onnx.family import card_spec
from lucida.models.transformers import captioning, seeing

if TYPE_CHECKING:
    from lucida.models.spec import Spec


@dataclass(frozen=True)
class Pair:
    """How a family of image and text pairs is fed.

    Attributes:
        masked: Whether its text model takes a mask; without, it was trained on padded texts.
        context: Tokens it was trained on; 0 for as many as it has positions.
    """

    masked: bool
    context: int = 0


PAIRS: dict[str, Pair] = {
    "clip": Pair(masked=True),
    "metaclip_2": Pair(masked=True),
    "siglip": Pair(masked=False),
    "chinese_clip": Pair(masked=True, context=52),
}
# What else the end of an architecture's name says. Tasks that come later are named, so that the refusal is clear.
ENDINGS: dict[str, str] = {
    "ForImageClassification": "classify",
    "ForImageClassificationWithTeacher": "classify",
    "ForConditionalGeneration": "ask",
    "ForImageTextToText": "ask",
    "ForVision2Seq": "ask",
    "VisionModel": "encode",
    "VisionModelWithProjection": "encode",
    "ForMaskedImageModeling": "encode",
    "ForPreTraining": "encode",
    "ForObjectDetection": "detect",
    "ForZeroShotObjectDetection": "detect",
    "ForSemanticSegmentation": "segment",
    "ForUniversalSegmentation": "segment",
    "ForImageSegmentation": "segment",
    "ForDepthEstimation": "measure depth",
    "ForVideoClassification": "classify video",
    "ForSequenceClassification": "classify text",
    "ForCausalLM": "write text",
    "ForMaskedLM": "write text",
    "Backbone": "encode",
    "Model": "encode",
}
_FIXED = "hf:google/siglip2-base-patch16-224"


class TransformersReader:
    """Reads what `save_pretrained` writes."""

    name = "transformers"

    def reads(self, snapshot: Snapshot) -> bool:
        return "model_type" in snapshot.config

    def spec(self, snapshot: Snapshot) -> Spec:
        """Return the spec of a transformers model.

        Raises:
            ModelError: It is of a task that images cannot be labelled with, needs code of its own, or is in pickle.
            MissingExtra: It has to be converted, and transformers is not installed.
        """
        writes = captioning.kind_of(snapshot)
        sees = seeing.kind_of(snapshot)
        task = "" if writes or sees else task_of(snapshot)
        refuse_remote_code(snapshot)
        snapshot.refuse_pickle()
        if writes:
            return captioning.captioning_spec(snapshot, writes, family=self.name)
        if sees:
            return seeing.seeing_spec(snapshot, sees, family=self.name)
        if task == "ask":
            from lucida.models.transformers.chat import chat_spec

            return chat_spec(snapshot, family=self.name)
        needs = image_needs(snapshot)

        def load() -> Network:
            from lucida.models.transformers import network

            build: dict[str, Callable[..., Network]] = {
                "words": network.load_pair,
                "classify": network.load_classifier,
                "encode": network.load_encoder,
            }
            return build[task](snapshot, needs)

        return card_spec(converted(snapshot, load), name=snapshot.name, family=self.name)


def task_of(snapshot: Snapshot) -> str:
    """Return what a model is for: "words", "classify", "encode" or "ask".

    Raises:
        ModelError: It is for something else.
    """
    config = snapshot.config
    kind, architecture = str(config["model_type"]), str((config.get("architectures") or [""])[0])
    if kind in PAIRS and not architecture.endswith(("VisionModel", "VisionModelWithProjection", "Classification")):
        return "words"
    if kind == "siglip2" and "patch_size" in config.get("vision_config", {}):
        raise ModelError(
            f"{snapshot.name} takes images of any shape (NaFlex), which is not known here.",
            expected="the same model for one size of image",
            got=f"model_type {kind!r}",
            hint=f"--model {_FIXED}",
        )
    ending = max((end for end in ENDINGS if architecture.endswith(end)), key=len, default="")
    task = ENDINGS.get(ending, "")
    if task == "ask" and not _sees(config):
        task = "write text"
    if task == "encode" and not _sees(config):
        task = "encode text"
    if task == "ask" and not _talks(snapshot):
        task = "caption"
    if task in ("classify", "encode", "ask"):
        return task
    raise ModelError(
        f"{snapshot.name} cannot label images.",
        expected="a pair of image and text such as CLIP, an image classifier, an image encoder, a detector, a"
        " segmenter, or a chat model that sees",
        got=f"{architecture or 'no architecture'} ({kind}){', which is there to ' + task if task else ''}",
        hint="lucida models lists what works; --model embedded works offline",
    )


def _sees(config: dict[str, Any]) -> bool:
    """Tell whether a model takes images."""
    return "vision_config" in config or any(
        key in config for key in ("image_size", "patch_size", "num_channels", "embedding_size")
    )


def _talks(snapshot: Snapshot) -> bool:
    """Tell whether a model has a form for conversations: without one it captions."""
    files = ("chat_template.jinja", "chat_template.json")
    if any((snapshot.folder / name).is_file() for name in files):
        return True
    tables = (snapshot.folder / name for name in ("processor_config.json", "tokenizer_config.json"))
    return any('"chat_template"' in path.read_text(encoding="utf-8") for path in tables if path.is_file())


def refuse_remote_code(snapshot: Snapshot) -> None:
    """Refuse a model that is defined by code in its own folder.

    Raises:
        ModelError: Its config.json names such code.
    """
    code = snapshot.config.get("auto_map")
    if not code:
        return
    raise ModelError(
        f"{snapshot.name} is defined by code of its own, which is never run here.",
        expected="a model that transformers knows itself",
        got=f'"auto_map" in {snapshot.folder / "config.json"}: {code}',
        hint="export it to ONNX where you trust the code: --model onnx:PATH; or where transformers knows its"
        ' model_type by now, take "auto_map" out of a copy of the folder',
    )
