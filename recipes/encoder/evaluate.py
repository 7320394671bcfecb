"""Measure an exported encoder from its files alone and print JSON; the card quotes the output.

python -m recipes.encoder.evaluate --weights src/lucida/models/embedded/weights --data ../shared/data
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lucida.models.embedded.lexicon import Lexicon, load_lexicon
from recipes.encoder import inference, near_duplicates, probe, sources, zero_shot
from recipes.encoder.data import ImageSet, Pixels, decode, load_parquet
from recipes.encoder.inference import Floats, OnnxEncoder
from recipes.encoder.near_duplicates import DEGRADED, Alteration

CIFAR_TRAIN = 3000


def refit(images: ImageSet, encoder: OnnxEncoder, alter: Alteration | None = None) -> Pixels:
    """Alter each image and bring it to the size that the encoder takes."""
    pictures = (Image.fromarray(pixels) for pixels in images.pixels)
    return np.stack([encoder.fit(alter(picture) if alter else picture) for picture in pictures])


def spread(logits: Floats) -> dict[str, float]:
    """Say how the predictions spread: a collapsed encoder sends all images to a few classes."""
    counts = np.bincount(logits.argmax(axis=1), minlength=logits.shape[1])
    share = counts / counts.sum()
    entropy = -float((share[share > 0] * np.log(share[share > 0])).sum())
    return {"largest_share": round(float(share.max()), 4), "effective_classes": round(float(np.exp(entropy)), 1)}


def cifar_sets(data: Path, encoder: OnnxEncoder) -> tuple[ImageSet, ImageSet]:
    """Draw images of CIFAR-10 that were trained on, and all that were not, the same each time."""
    images = load_parquet(data / "cifar10" / "train.parquet", encoder.fit)
    train, test = sources.cifar_split(images)
    train = np.random.default_rng(0).permutation(train)[:CIFAR_TRAIN]
    return (
        ImageSet(images.pixels[train], images.labels[train], images.names),
        ImageSet(images.pixels[test], images.labels[test], images.names),
    )


def parameters(path: Path) -> int:
    """Count the weights stored in an ONNX file."""
    import onnx

    return sum(math.prod(tensor.dims) for tensor in onnx.load(path).graph.initializer)


def tiny_imagenet(encoder: OnnxEncoder, data: Path) -> dict[str, Any]:
    """Measure top-1 and top-5 among the set's own classes on the validation images, as they are and degraded."""
    images = load_parquet(data / "tiny_imagenet" / "validation.parquet")
    classes = len(images.names)
    logits = encoder(refit(images, encoder))[1]
    five = np.argsort(-logits[:, :classes], axis=1)[:, :5]
    result: dict[str, Any] = {
        "top_1": probe.proportion(logits[:, :classes].argmax(axis=1) == images.labels),
        "top_1_among_all_classes": probe.proportion(logits.argmax(axis=1) == images.labels),
        "top_5": probe.proportion((five == images.labels[:, None]).any(axis=1)),
        **spread(logits),
    }
    for name, alter in DEGRADED.items():
        logits = encoder(refit(images, encoder, alter))[1][:, :classes]
        result[name] = {"top_1": probe.proportion(logits.argmax(axis=1) == images.labels), **spread(logits)}
    return result


def cifar10(encoder: OnnxEncoder, data: Path, lexicon: Lexicon, known: list[list[str]]) -> dict[str, Any]:
    """Measure labels by words on images that were not trained on, also as if the ten classes were not known."""
    train, test = cifar_sets(data, encoder)
    (features, _), (held_out, logits) = encoder(train.pixels), encoder(test.pixels)
    others = logits.shape[1] - len(test.names)
    return {
        "words": zero_shot.zero_shot(logits, test.labels, lexicon, known, test.names),
        "words_without_its_classes": zero_shot.zero_shot(logits[:, :others], test.labels, lexicon, known, test.names),
        "linear_probe_3000": probe.probe_all((features, train.labels), (held_out, test.labels)),
    }


def clothing(encoder: OnnxEncoder, data: Path, lexicon: Lexicon, known: list[list[str]]) -> dict[str, Any]:
    """Measure linear probes with few and all examples, and the labels by words, on phone photos."""
    parts = [load_parquet(data / "clothing" / f"{part}.parquet", encoder.fit) for part in ("train", "validation")]
    outputs = [encoder(part.pixels) for part in parts]
    train, test = ((output[0], part.labels) for output, part in zip(outputs, parts, strict=True))
    return {
        "5_a_class": probe.probe_draws(train, test, 5, draws=20),
        "20_a_class": probe.probe_draws(train, test, 20, draws=10),
        "all_3068": probe.probe_all(train, test),
        "words": zero_shot.zero_shot(outputs[1][1], test[1], lexicon, known, parts[1].names),
    }


def duplicates(encoder: OnnxEncoder, data: Path) -> dict[str, Any]:
    """Measure whether altered copies find their originals, among clothing and sample photos."""
    import pyarrow.parquet as pq

    files = (data / "clothing" / "validation.parquet", data / "photos" / "photos.parquet")
    rows = [row for file in files for row in pq.read_table(file, columns=["image"])["image"].to_pylist()]
    return near_duplicates.retrieval(encoder, [decode(row["bytes"]) for row in rows])


def engines(weights: Path, size: int, data: Path) -> dict[str, Any]:
    """Time the file on one core in each engine and compare their embeddings with ONNX Runtime's."""
    path = weights / "encoder.onnx"
    reference = inference.load(weights)
    images = load_parquet(data / "tiny_imagenet" / "validation.parquet", reference.fit).pixels[:512]
    expected = reference(images)[0]
    result: dict[str, Any] = {
        "onnxruntime_f32": {"images_per_cpu_second": round(inference.images_per_cpu_second(reference.engine, size))}
    }
    for precision in ("f32", "bf16"):
        engine = inference.openvino_engine(path, precision)
        got = dataclasses.replace(reference, engine=engine)(images)[0]
        result[f"openvino_{precision}"] = {
            "images_per_cpu_second": round(inference.images_per_cpu_second(engine, size)),
            "centred_cosine": round(inference.centred_cosine(got, expected), 5),
        }
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate from the command line."""
    parser = argparse.ArgumentParser(description="Measure an exported encoder.")
    parser.add_argument("--weights", type=Path, required=True, help="folder that holds encoder.toml and words/")
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args(arguments)
    encoder = inference.load(options.weights)
    lexicon, known = load_lexicon(options.weights / "words"), zero_shot.known_classes(options.weights)
    result = {
        "input": {"size": encoder.size, "resize": encoder.resize},
        "parameters": parameters(options.weights / "encoder.onnx"),
        "bytes": (options.weights / "encoder.onnx").stat().st_size,
        "tiny_imagenet": tiny_imagenet(encoder, options.data),
        "cifar10": cifar10(encoder, options.data, lexicon, known),
        "clothing": clothing(encoder, options.data, lexicon, known),
        "near_duplicates": duplicates(encoder, options.data),
        "engines_one_core": engines(options.weights, encoder.size, options.data),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
