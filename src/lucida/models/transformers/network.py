"""PyTorch networks of transformers models, as the converter takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import MissingExtra, ModelError
from lucida.models.hub.classes import tell_apart
from lucida.models.hub.convert import Network, TextHalf
from lucida.models.transformers.reader import PAIRS

try:
    import torch
    import transformers
    from safetensors import SafetensorError
except ImportError as error:
    raise MissingExtra(error.name or "transformers", "hub", "Converting a transformers model") from error

# One bar at a time: ours.
transformers.utils.logging.disable_progress_bar()

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.hub.snapshot import Snapshot
    from lucida.models.needs import ImageNeeds


def load(kind: Any, snapshot: Snapshot, optional: tuple[str, ...] = ()) -> tuple[Any, set[str]]:
    """Load weights into a model, from safetensors only, without running code of theirs.

    Args:
        kind: One of the Auto classes.
        snapshot: The files.
        optional: Beginnings of the names of weights that may be missing.

    Returns:
        The model, and the names of the weights that were missing.

    Raises:
        ModelError: Weights are missing, or do not fit.
    """
    try:
        model, about = kind.from_pretrained(
            snapshot.folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, TypeError, SafetensorError) as error:
        raise ModelError(
            f"transformers cannot load {snapshot.name}.",
            expected="a model that this version of transformers knows, with whole weights",
            got=" ".join(str(error).split())[:300],
            hint="pip install -U transformers; or download the model again",
        ) from error
    missing = set(about["missing_keys"])
    needed = sorted(name for name in missing if not any(part in name for part in optional))
    if needed or about["mismatched_keys"]:
        raise ModelError(
            f"The weights of {snapshot.name} do not fill the model.",
            expected=f"weights of {type(model).__name__}",
            got=f"{len(needed)} missing, such as {', '.join(needed[:3]) or '(none)'};"
            f" {len(about['mismatched_keys'])} of another shape",
            hint="download the model again, whole",
        )
    return model.eval(), missing


def load_pair(snapshot: Snapshot, needs: ImageNeeds) -> Network:
    """Load a pair of image and text encoders."""
    pair = PAIRS[snapshot.config["model_type"]]
    model, _ = load(transformers.AutoModel, snapshot, optional=("position_ids",))
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        snapshot.folder, local_files_only=True, trust_remote_code=False
    )
    positions = int(model.config.text_config.max_position_embeddings)
    context = min(pair.context or positions, positions)

    def encode(texts: list[str]) -> NDArray[np.float32]:
        found = tokenizer(texts, padding="max_length", max_length=context, truncation=True, return_tensors="pt")
        names = ("input_ids", "attention_mask")[: 1 + pair.masked]
        with torch.inference_mode():
            vectors: NDArray[np.float32] = _pooled(model.get_text_features(**{n: found[n] for n in names})).numpy()
        return vectors

    text = TextHalf(
        module=_Texts(model),
        masked=pair.masked,
        context=context,
        tokenizer=fast_tokenizer(snapshot, tokenizer),
        encode=encode,
        logit_scale=float(model.logit_scale.exp()),
    )
    return Network(_Images(model), ("embedding",), needs, preparation(snapshot), text=text)


def load_classifier(snapshot: Snapshot, needs: ImageNeeds) -> Network:
    """Load a classifier; what its last layer reads is its embedding."""
    model, _ = load(transformers.AutoModelForImageClassification, snapshot)
    labels = model.config.id2label
    classes = tell_apart([str(labels[i]).split(", ") for i in range(len(labels))])
    head = next(
        (
            (name, part)
            for name, part in reversed(list(model.named_modules()))
            if isinstance(part, torch.nn.Linear) and part.out_features == len(labels)
        ),
        None,
    )
    if head is None:
        return Network(_Logits(model), ("logits",), needs, preparation(snapshot), classes)
    model.set_submodule(head[0], torch.nn.Identity())
    return Network(_Headed(model, head[1]), ("embedding", "logits"), needs, preparation(snapshot), classes)


def load_encoder(snapshot: Snapshot, needs: ImageNeeds) -> Network:
    """Load an encoder: its pooled output where that was trained, else its class token, else the mean."""
    architecture = str((snapshot.config.get("architectures") or [""])[0])
    projected = architecture.endswith("VisionModelWithProjection")
    kind = getattr(transformers, architecture, None) if projected else transformers.AutoModel
    model, missing = load(kind, snapshot, optional=("pooler", "position_ids", "mask_token"))
    return Network(_Encoder(model, "pooler" not in " ".join(missing)), ("embedding",), needs, preparation(snapshot))


def preparation(snapshot: Snapshot) -> Any:
    """Return the model's own way to prepare an image: PIL image to float32 (3, height, width)."""
    processor = transformers.AutoImageProcessor.from_pretrained(
        snapshot.folder, local_files_only=True, trust_remote_code=False
    )

    def prepare(picture: Any) -> NDArray[np.float32]:
        return np.asarray(processor(images=picture, return_tensors="np")["pixel_values"][0], np.float32)

    return prepare


def fast_tokenizer(snapshot: Snapshot, tokenizer: Any) -> Any:
    """Return a `tokenizers.Tokenizer` that pads as the model was trained.

    Raises:
        ModelError: There is only a tokenizer written in Python.
    """
    from tokenizers import Tokenizer

    inner = getattr(tokenizer, "backend_tokenizer", None)
    if inner is None and hasattr(tokenizer, "sp_model"):
        from lucida.models.transformers.sentencepiece import from_sentencepiece

        fast = from_sentencepiece(tokenizer)
    elif inner is not None:
        fast = Tokenizer.from_str(inner.to_str())
    else:
        raise ModelError(
            f"The tokenizer of {snapshot.name} cannot be taken over.",
            expected="a tokenizer.json",
            got=type(tokenizer).__name__,
            hint="another model of the same kind: lucida models",
        )
    fast.no_truncation()
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    fast.enable_padding(direction=tokenizer.padding_side, pad_id=pad, pad_token=tokenizer.pad_token or "[PAD]")
    return fast


def _pooled(found: Any) -> Any:
    return found.pooler_output if hasattr(found, "pooler_output") else found


class _Wrapped(torch.nn.Module):  # type: ignore[misc]
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model


class _Images(_Wrapped):
    def forward(self, image: torch.Tensor) -> Any:
        return _pooled(self.model.get_image_features(pixel_values=image))


class _Texts(_Wrapped):
    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> Any:
        mask = {} if attention_mask is None else {"attention_mask": attention_mask}
        return _pooled(self.model.get_text_features(input_ids=input_ids, **mask))


class _Logits(_Wrapped):
    def forward(self, image: torch.Tensor) -> Any:
        return self.model(pixel_values=image).logits


class _Headed(torch.nn.Module):  # type: ignore[misc]
    """A classifier whose last layer was taken out, and that layer."""

    def __init__(self, model: Any, head: torch.nn.Module) -> None:
        super().__init__()
        self.model, self.head = model, head

    def forward(self, image: torch.Tensor) -> tuple[Any, Any]:
        vector = self.model(pixel_values=image).logits
        return vector, self.head(vector)


class _Encoder(torch.nn.Module):  # type: ignore[misc]
    def __init__(self, model: Any, pooled: bool) -> None:
        super().__init__()
        self.model, self.pooled = model, pooled

    def forward(self, image: torch.Tensor) -> Any:
        found = self.model(pixel_values=image)
        if getattr(found, "image_embeds", None) is not None:
            return found.image_embeds
        if self.pooled and getattr(found, "pooler_output", None) is not None:
            return found.pooler_output.flatten(1)
        hidden = found.last_hidden_state
        # (n, channels, height, width) of a CNN; (n, tokens, channels) of a transformer, the class token first.
        return hidden.mean((2, 3)) if hidden.ndim == 4 else hidden[:, 0]
