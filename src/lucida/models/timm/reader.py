"""A timm model, known by the "architecture" in its config.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lucida.errors import MissingExtra, ModelError
from lucida.models.hub.classes import tell_apart
from lucida.models.hub.convert import Network, converted
from lucida.models.hub.snapshot import Snapshot
from lucida.models.needs import ImageNeeds
from lucida.models.onnx.family import card_spec

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from lucida.models.spec import Spec

_MODES: dict[str, Any] = {"center": "crop", "squash": "squash"}
_FILTERS: dict[str, Any] = {"bicubic": "bicubic", "bilinear": "bilinear", "lanczos": "lanczos", "nearest": "nearest"}


class TimmReader:
    """Reads what `timm.models.save_for_hf` writes."""

    name = "timm"

    def reads(self, snapshot: Snapshot) -> bool:
        return "architecture" in snapshot.config and "model_type" not in snapshot.config

    def spec(self, snapshot: Snapshot) -> Spec:
        """Return the spec of a timm model.

        Raises:
            ModelError: Its weights are in pickle, or its input is not square.
            MissingExtra: It has to be converted, and timm is not installed.
        """
        snapshot.refuse_pickle()
        needs = _needs(snapshot)
        card = converted(snapshot, lambda: _load(snapshot, needs))
        return card_spec(card, name=snapshot.name, family=self.name)


def _needs(snapshot: Snapshot) -> ImageNeeds:
    """Return what timm's transform for evaluation does.

    Source: timm.data.create_transform with the model's own configuration.
    """
    own = {**snapshot.config, **snapshot.config.get("pretrained_cfg", {})}
    depth, height, width = own.get("input_size", (3, 224, 224))
    mode = own.get("crop_mode", "center")
    if height != width or depth != 3 or mode not in _MODES:
        raise ModelError(
            f"{snapshot.name} asks for images of a shape that is not known here.",
            expected="a square input of three channels, cut from the middle or squashed",
            got=f"{depth} x {height} x {width}, {mode}",
            hint="export the model to ONNX and describe its input in a TOML: --model onnx:PATH",
        )
    return ImageNeeds(
        size=height,
        resize=_MODES[mode],
        edge=int(height / own.get("crop_pct", 0.875)) if mode == "center" else 0,
        centre="round",
        interpolation=_FILTERS.get(own.get("interpolation", "bilinear"), "bilinear"),
        mean=tuple(own.get("mean", (0.485, 0.456, 0.406))),
        std=tuple(own.get("std", (0.229, 0.224, 0.225))),
    )


def _load(snapshot: Snapshot, needs: ImageNeeds) -> Network:
    try:
        import timm
    except ImportError as error:
        raise MissingExtra("timm", "hub", f"Converting {snapshot.name}") from error
    import torch
    from safetensors import SafetensorError

    class Both(torch.nn.Module):  # type: ignore[misc]
        """Vectors and logits of one pass."""

        def __init__(self, model: Any) -> None:
            super().__init__()
            self.model = model

        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
            features = self.model.forward_features(image)
            vector = self.model.forward_head(features, pre_logits=True)
            return (vector, self.model.forward_head(features)) if snapshot.config.get("num_classes") else (vector,)

    try:
        model = timm.create_model(f"local-dir:{snapshot.folder}", pretrained=True)
    except (RuntimeError, ValueError, KeyError, TypeError, OSError, SafetensorError) as error:
        raise ModelError(
            f"timm cannot load {snapshot.name}.",
            expected="weights that fit its architecture",
            got=" ".join(str(error).split())[:300],
            hint="download the model again, whole; or pip install -U timm",
        ) from error
    classes = _classes(snapshot, model)
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)

    def prepare(picture: Any) -> NDArray[np.float32]:
        found: NDArray[np.float32] = transform(picture).numpy()
        return found

    licence = str(snapshot.config.get("pretrained_cfg", {}).get("license") or Network.licence)
    outputs = ("embedding", "logits") if classes else ("embedding",)
    return Network(Both(model), outputs, needs, prepare, classes, licence=licence)


def _classes(snapshot: Snapshot, model: Any) -> list[list[str]]:
    """Return the names of the classes: the model's own, else those of the ImageNet that has as many."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    count = int(snapshot.config.get("num_classes", 0))
    own = snapshot.config.get("label_names") or snapshot.config.get("pretrained_cfg", {}).get("label_names")
    if not count:
        return []
    if own and len(own) == count:
        return tell_apart([[str(name)] for name in own])
    subset = infer_imagenet_subset(model)
    if subset:
        info = ImageNetInfo(subset)
        return tell_apart([info.index_to_description(i).split(", ") for i in range(count)])
    return [[f"class {i}"] for i in range(count)]
