"""Write a trained encoder as ONNX with the TOML and the class names that the package reads beside it.

    python -m recipes.encoder.export --run runs/encoder --data ../shared/data \\
        --out src/lucida/models/embedded/weights --revision 2026-11-21.1

The weights are stored small, see `lucida.models.embedded.storage`. The embedding is widened by where things are: the
principal directions of the third stage's map in 8 x 8 cells.
The same checkpoint and data give the same bytes on the same machine with as many threads.
"""

from __future__ import annotations

import argparse
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from lucida.models.embedded.network import Described, Encoder, fold_batch_norm
from lucida.models.embedded.storage import shrink
from lucida.train.export import forget_origin
from recipes.encoder.classes import class_rows
from recipes.encoder.data import Pixels, load_parquet
from recipes.encoder.inference import fit
from recipes.encoder.sampling import MEAN, STD, batches
from recipes.encoder.train import load_average

OPSET = 18
LICENCE = "research use only: trained on Tiny ImageNet (see card.md); not covered by the code's Apache-2.0"
DIRECTIONS_FROM = (("tiny_imagenet", 4000), ("cifar10", 1000), ("clothing", 3000))  # images looked at, without labels

TOML = """\
name = "embedded"
task = "encode"
file = "encoder.onnx"
licence = "{licence}"
source = "recipes/encoder on Tiny ImageNet and CIFAR-10, {epochs:.0f} epochs; other sets without labels"
revision = "{revision}"

[input]
name = "image"
size = {size}
resize = "{resize}"
interpolation = "{interpolation}"
channels = "RGB"
layout = "NCHW"
scale = {scale!r}
mean = {mean}
std = {std}

[output]
embedding = "embedding"
logits = "logits"
classes = "classes.json"

[parts]
shape = {shape}
layout = {layout}
"""


def principal_directions(encoder: Encoder, images: Pixels, stage: int, dims: int, cells: int) -> Tensor:
    """Find the directions in which the features of a stage differ most, float32 (dims, channels)."""
    rows = []
    for batch in batches(images):
        with torch.inference_mode():
            pooled = functional.adaptive_avg_pool2d(encoder.maps(batch)[stage], cells)
        rows.append(pooled.permute(0, 2, 3, 1).flatten(0, 2))
    features = torch.cat(rows)
    features = features - features.mean(dim=0)
    _, _, directions = torch.linalg.svd(features.T @ features)
    # A sign for each direction, so that the same data give the same file on any machine.
    return directions[:dims] * directions[:dims].sum(dim=1, keepdim=True).sign()


def load_encoder(run: Path) -> tuple[Encoder, dict[str, Any]]:
    """Load the averaged weights of a run, ready for inference with its norms folded away, and the state of the run."""
    encoder, state = load_average(run)
    encoder.eval()
    fold_batch_norm(encoder)
    return encoder, state


def to_onnx(network: nn.Module, side: int = 64) -> onnx.ModelProto:
    """Trace a network with a dynamic batch, for one size of image."""
    sample = torch.zeros(2, 3, side, side)
    axes = {0: torch.export.Dim("batch")}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network.requires_grad_(False), (sample,), dynamo=True, opset_version=OPSET, verbose=False,
            input_names=["image"], output_names=["embedding", "logits"], dynamic_shapes=(axes,),
        )  # fmt: skip
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    name_axes(model)
    model.producer_name, model.producer_version = "recipes/encoder", ""
    model.graph.name = "encoder"
    forget_origin(model)
    del model.graph.value_info[:]  # holds symbols that were renamed
    return model


def name_axes(model: onnx.ModelProto) -> None:
    """Name the free axis for people who look at the file."""
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[0].dim_param = "batch"


def replace(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    partial.replace(path)


def write_classes(data: Path, out: Path, count: int) -> None:
    """Write the classes in the order of the logits, each with its words and, where it has one, its WordNet id."""
    rows = []
    for row in class_rows(data)[:count]:
        name, *synonyms = row["words"]
        rows.append({"name": name, "synonyms": synonyms, **({"wordnet": row["wordnet"][0]} if row["wordnet"] else {})})
    text = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in rows)
    replace(out / "classes.json", f"[\n{text}\n]\n".encode())


def sample(data: Path, size: int) -> Pixels:
    """Read the images that the principal directions are taken from, uint8 (n, size, size, 3)."""
    parts = [
        load_parquet(data / name / "train.parquet", lambda image: fit(image, size, "squash")).pixels[:count]
        for name, count in DIRECTIONS_FROM
    ]
    return np.concatenate(parts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Export from the command line."""
    parser = argparse.ArgumentParser(description="Export a trained encoder.")
    parser.add_argument("--run", type=Path, required=True, help="folder that holds checkpoint.safetensors")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--revision", required=True, help="date and number, as 2026-11-21.1")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--resize", choices=("squash", "crop", "pad"), default="squash")
    parser.add_argument("--interpolation", choices=("area", "bilinear", "bicubic"), default="area")
    parser.add_argument("--stage", type=int, default=-2, help="whose map tells where things are; -1 is the last")
    parser.add_argument("--directions", type=int, default=16)
    parser.add_argument("--cells", type=int, default=8, help="rows and columns of that map")
    options = parser.parse_args(arguments)
    encoder, state = load_encoder(options.run)
    images = sample(options.data, options.size)
    directions = principal_directions(encoder, images, options.stage, options.directions, options.cells)
    model = to_onnx(Described(encoder, directions, options.stage, options.cells), options.size)
    shrink(model)
    options.out.mkdir(parents=True, exist_ok=True)
    replace(options.out / "encoder.onnx", model.SerializeToString(deterministic=True))
    toml = TOML.format(
        licence=LICENCE, epochs=state["epochs"], revision=options.revision, size=options.size,
        resize=options.resize, interpolation=options.interpolation, scale=1 / 255, mean=list(MEAN), std=list(STD),
        shape=encoder.head.in_features, layout=options.directions * options.cells**2,
    )  # fmt: skip
    replace(options.out / "encoder.toml", toml.encode())
    write_classes(options.data, options.out, encoder.head.out_features)


if __name__ == "__main__":
    main()
