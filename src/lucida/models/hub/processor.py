"""What a hub model needs of an image, read off its preprocessor_config.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lucida.errors import ModelError
from lucida.models.hub.snapshot import Snapshot, read_json
from lucida.models.needs import ImageNeeds, Interpolation

if TYPE_CHECKING:
    from pathlib import Path

# Codes of Pillow's filters, as the files hold them.
_FILTERS: dict[int, Interpolation] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "area"}
# What the older files leave to the class that reads them. Source: the image processors of transformers 5.
_CLIP: dict[str, Any] = {
    "size": {"shortest_edge": 224},
    "crop_size": {"height": 224, "width": 224},
    "resample": 3,
    "do_center_crop": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
_HALF: dict[str, Any] = {
    "size": {"height": 224, "width": 224},
    "resample": 2,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
_IMAGENET: dict[str, Any] = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "CLIP": _CLIP,
    "ChineseCLIP": {**_CLIP, "size": {"height": 224, "width": 224}},
    "Siglip": {**_HALF, "resample": 3},
    "ViT": _HALF,
    "Bit": _CLIP,
    "ConvNext": {**_IMAGENET, "size": {"shortest_edge": 384}, "resample": 2, "crop_pct": 224 / 256},
    "DeiT": {**_HALF, "size": {"height": 256, "width": 256}, "resample": 3, "do_center_crop": True},
}


def processor_file(folder: Path) -> dict[str, Any]:
    """Return the table of the image processor of a model's folder.

    Raises:
        ModelError: There is none.
    """
    if (folder / "preprocessor_config.json").is_file():
        return read_json(folder / "preprocessor_config.json")
    if (folder / "processor_config.json").is_file():
        found = read_json(folder / "processor_config.json").get("image_processor")
        if isinstance(found, dict):
            return found
    raise ModelError(
        f"{folder} does not say how images are to be prepared.",
        expected="a preprocessor_config.json, as the hub has it",
        got="none",
        hint="download the model again, whole",
    )


def image_needs(snapshot: Snapshot) -> ImageNeeds:
    """Return what a model needs of an image.

    Raises:
        ModelError: The file is missing, or asks for what is not known here.
    """
    given = processor_file(snapshot.folder)
    kind = str(given.get("image_processor_type") or given.get("feature_extractor_type") or "")
    short = kind.removesuffix("Fast").removesuffix("ImageProcessor").removesuffix("FeatureExtractor")
    table = {**_DEFAULTS.get(short, {}), **{key: value for key, value in given.items() if value is not None}}
    edges, size, squash = _sizes(snapshot, table)
    scale = float(table.get("rescale_factor", 1 / 255)) if table.get("do_rescale", True) else 1.0
    normalised = table.get("do_normalize", True)
    return ImageNeeds(
        size=size,
        resize="squash" if squash else "crop",
        edge=edges if edges != size else 0,
        interpolation=_FILTERS.get(int(table.get("resample", 2)), "bilinear"),
        scale=scale,
        mean=tuple(table["image_mean"]) if normalised and "image_mean" in table else (0.0, 0.0, 0.0),
        std=tuple(table["image_std"]) if normalised and "image_std" in table else (1.0, 1.0, 1.0),
    )


def _sizes(snapshot: Snapshot, table: dict[str, Any]) -> tuple[int, int, bool]:
    """Return the shorter side after scaling, the side of the square, and whether the aspect ratio is ignored."""
    size = table.get("size")
    if isinstance(size, int):
        # Older files: one number is the shorter side where a crop follows, else both sides.
        size = {"shortest_edge": size} if table.get("do_center_crop") else {"height": size, "width": size}
    if not isinstance(size, dict):
        raise _unknown(snapshot, table, "size")
    short, high, wide = size.get("shortest_edge"), size.get("height"), size.get("width")
    if table.get("crop_pct") and short:
        # ConvNeXt: below 384 pixels an image is scaled larger and its middle cut out, else it is squashed.
        return (int(short / table["crop_pct"]), short, False) if short < 384 else (short, short, True)
    crop = table.get("crop_size") if table.get("do_center_crop") else None
    if isinstance(crop, int):
        crop = {"height": crop, "width": crop}
    if crop and crop["height"] == crop["width"] and short and short >= crop["height"]:
        return short, crop["height"], False
    if high and high == wide and not crop:
        return high, high, True
    if high and high == wide and crop and crop["height"] == crop["width"] <= high:
        return high, crop["height"], True
    raise _unknown(snapshot, table, "crop_size" if crop else "size")


def _unknown(snapshot: Snapshot, table: dict[str, Any], key: str) -> ModelError:
    return ModelError(
        f"{snapshot.name} asks for images of a shape that is not known here.",
        expected="a square input: the shorter side scaled and the middle cut out, or both sides scaled",
        got=f"{key} = {table.get(key)}, size = {table.get('size')}",
        hint="export the model to ONNX and describe its input in a TOML: --model onnx:PATH",
    )
