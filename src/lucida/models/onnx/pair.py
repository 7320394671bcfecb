"""ONNX files as they are exported on the hub: a config.json, and no TOML of ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lucida.errors import ModelError
from lucida.models import engine
from lucida.models.hub.processor import image_needs
from lucida.models.hub.snapshot import UNSTATED, Snapshot
from lucida.models.onnx.card import Card, Text
from lucida.models.onnx.family import card_spec

if TYPE_CHECKING:
    from lucida.models.spec import Spec

IMAGE = ("vision_model.onnx", "model.onnx")
TEXT = "text_model.onnx"
# Names of outputs, the best first.
EMBEDDINGS = ("image_embeds", "pooler_output", "embedding", "embeddings")
TEXT_EMBEDDINGS = ("text_embeds", "pooler_output", "embedding")
# The files do not hold it. It is 100 for CLIP, where training stops it, and between 100 and 120 for SigLIP.
LOGIT_SCALE = 100.0


class ExportedReader:
    """Reads exports such as those of Optimum and Transformers.js, without PyTorch.

    `vision_model.onnx` and `text_model.onnx`, or `model.onnx`, in the folder or in `onnx/` below it.
    """

    name = "onnx"

    def reads(self, snapshot: Snapshot) -> bool:
        return "model_type" in snapshot.config and not snapshot.safetensors and _find(snapshot, *IMAGE) is not None

    def spec(self, snapshot: Snapshot) -> Spec:
        """Return the spec of exported files.

        Raises:
            ModelError: An input or output that is needed is not there.
        """
        image = _find(snapshot, *IMAGE)
        if image is None:
            raise ModelError(
                f"There is no ONNX file at {snapshot.folder}.",
                expected=f"{' or '.join(IMAGE)}, there or in onnx/ below it",
                got=", ".join(sorted(p.name for p in snapshot.folder.iterdir())[:8]),
                hint=f"--model {snapshot.folder}, without onnx:, converts a model from its safetensors",
            )
        session = engine.open_session(image, "fp32")
        embedding = next((name for name in EMBEDDINGS if name in session.outputs), "")
        logits = "logits" if "logits" in session.outputs else ""
        if "pixel_values" not in session.inputs or len(session.inputs) > 1 or not (embedding or logits):
            raise ModelError(
                f"{image} is no image model that is known here.",
                expected=f"the input pixel_values, and one of the outputs {', '.join((*EMBEDDINGS, 'logits'))}",
                got=f"inputs {', '.join(session.inputs)}; outputs {', '.join(session.outputs)}",
                hint="describe it in a TOML beside it: --model onnx:PATH",
            )
        labels = snapshot.config.get("id2label", {}) if logits else {}
        text = _text(snapshot) if embedding else None
        card = Card(
            path=snapshot.folder / "config.json",
            name=snapshot.name,
            task="clip" if text else "encode" if embedding else "classify",
            file=image,
            licence=UNSTATED,
            source=snapshot.name,
            revision="",
            note="",
            needs=image_needs(snapshot),
            input="pixel_values",
            embedding=embedding,
            logits=logits,
            synonyms=tuple(tuple(str(name).split(", ")) for name in labels.values()),
            text=text,
            digest=snapshot.revision[:12],
        )
        return card_spec(card, name=snapshot.name, family=self.name)


def _text(snapshot: Snapshot) -> Text | None:
    file, tokenizer = _find(snapshot, TEXT), snapshot.folder / "tokenizer.json"
    if file is None or not tokenizer.is_file():
        return None
    session = engine.open_session(file, "fp32")
    config = {**snapshot.config, **snapshot.config.get("text_config", {})}
    return Text(
        file=file,
        tokenizer=tokenizer,
        context=int(config.get("max_position_embeddings", 64 if config["model_type"].startswith("siglip") else 77)),
        name="input_ids",
        mask="attention_mask" if "attention_mask" in session.inputs else "",
        output=next((name for name in TEXT_EMBEDDINGS if name in session.outputs), session.outputs[0]),
        template="a photo of a {}",
        logit_scale=LOGIT_SCALE,
    )


def _find(snapshot: Snapshot, *names: str) -> Path | None:
    places = [snapshot.folder / part / name for name in names for part in ("onnx", ".")]
    return next((place for place in places if place.is_file()), None)
