"""Write a trained encoder as ONNX with the TOML and the class names that the package reads beside it.

    python -m recipes.encoder.export --run runs/encoder --data ../shared/data \\
        --out src/lucida/models/embedded/weights --revision 2026-11-21.1

The file stores its weights in half precision, each widened by a Cast that engines fold when they load it:
half the size, computed in float32 (or bfloat16, where the engine is told so). The same checkpoint gives the
same bytes.
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
from onnx import TensorProto, helper, numpy_helper

from recipes.encoder import checkpoint
from recipes.encoder.data import label_names, read_synonyms
from recipes.encoder.model import Encoder, fold_batch_norm
from recipes.encoder.train import MEAN, STD

OPSET = 18
LICENCE = "research use only: trained on Tiny ImageNet (see card.md); not covered by the code's Apache-2.0"

TOML = """\
name = "embedded"
task = "encode"
file = "encoder.onnx"
licence = "{licence}"
source = "recipes/encoder on Tiny ImageNet: 36,000 images, 200 classes, {epochs:.0f} epochs"
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
"""


def load_encoder(path: Path) -> tuple[Encoder, dict[str, Any]]:
    """Load the averaged weights of a checkpoint, ready for inference, and the state of its run."""
    groups, state = checkpoint.load(path)
    encoder = Encoder(int(state["classes"]), state["widths"], state["depths"])
    encoder.load_state_dict(groups["average"])
    encoder.eval()
    fold_batch_norm(encoder)
    return encoder, state


def to_onnx(encoder: Encoder, side: int = 64) -> onnx.ModelProto:
    """Trace the encoder with a dynamic batch, height and width."""
    sample = torch.zeros(2, 3, side, side)
    axes = {0: torch.export.Dim("batch"), 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            encoder.requires_grad_(False), (sample,), dynamo=True, opset_version=OPSET, verbose=False,
            input_names=["image"], output_names=["embedding", "logits"], dynamic_shapes=(axes,),
        )  # fmt: skip
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    name_axes(model)
    forget_origin(model)
    return model


def name_axes(model: onnx.ModelProto) -> None:
    """Name the free axes of the input for people who look at the file."""
    for axis, name in {0: "batch", 2: "height", 3: "width"}.items():
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[0].dim_param = "batch"


def forget_origin(model: onnx.ModelProto) -> None:
    """Drop stack traces and shape notes: they hold the builder's paths and symbols that were renamed."""
    model.producer_name, model.producer_version, model.doc_string = "recipes/encoder", "", ""
    model.graph.name = "encoder"
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]


def store_half(model: onnx.ModelProto) -> None:
    """Store float32 weights of more than 16 values as float16, widened by a Cast node each."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size <= 16:
            continue
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise ValueError(f"{tensor.name} exceeds the range of half precision.")
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)


def replace(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    partial.replace(path)


def write_classes(data: Path, out: Path) -> None:
    """Write the classes in the order of the logits, each with its WordNet id and its words."""
    import pyarrow.parquet as pq

    identities = label_names(pq.read_schema(data / "tiny_imagenet" / "train.parquet").metadata)
    synonyms = read_synonyms(data / "tiny_imagenet" / "classes.tsv")
    classes = [{"name": synonyms[i][0], "synonyms": synonyms[i][1:], "wordnet": i} for i in identities]
    text = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in classes)
    replace(out / "classes.json", f"[\n{text}\n]\n".encode())


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
    options = parser.parse_args(arguments)
    encoder, state = load_encoder(options.run / "checkpoint.safetensors")
    model = to_onnx(encoder)
    store_half(model)
    options.out.mkdir(parents=True, exist_ok=True)
    replace(options.out / "encoder.onnx", model.SerializeToString(deterministic=True))
    toml = TOML.format(
        licence=LICENCE, epochs=state["epochs"], revision=options.revision, size=options.size,
        resize=options.resize, interpolation=options.interpolation, scale=1 / 255, mean=list(MEAN), std=list(STD),
    )  # fmt: skip
    replace(options.out / "encoder.toml", toml.encode())
    write_classes(options.data, options.out)


if __name__ == "__main__":
    main()
