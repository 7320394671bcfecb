"""Measure an exported encoder from its files alone and print JSON; the card quotes the output.

    python -m recipes.encoder.evaluate --weights src/lucida/models/embedded/weights --data ../shared/data

``--choose`` compares input sizes and ways to fit a photo that is not square instead: the choice written to
``encoder.toml`` rests on Tiny ImageNet and CIFAR-10, never on the sets that the card reports as unseen.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from recipes.encoder import inference, probe, zero_shot
from recipes.encoder.data import ImageSet, Pixels, load_parquet
from recipes.encoder.inference import Floats, OnnxEncoder

CIFAR_TRAIN, CIFAR_TEST = 3000, 5000
Alteration = Callable[[Image.Image], Image.Image]


def soft(image: Image.Image) -> Image.Image:
    """Blur with a standard deviation of 1.2 pixels."""
    return image.filter(ImageFilter.GaussianBlur(1.2))


def upscaled(image: Image.Image) -> Image.Image:
    """Halve the resolution and enlarge again."""
    return image.resize((32, 32), Image.Resampling.BOX).resize((64, 64), Image.Resampling.BICUBIC)


def compressed(image: Image.Image) -> Image.Image:
    """Store as JPEG of quality 20."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=20)
    return Image.open(buffer).convert("RGB")


ALTERATIONS: dict[str, Alteration] = {"soft": soft, "upscaled": upscaled, "compressed": compressed}


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


def cifar_split(data: Path, encoder: OnnxEncoder) -> tuple[ImageSet, ImageSet]:
    """Draw disjoint training and test images from CIFAR-10's training part, the same each time."""
    images = load_parquet(data / "cifar10" / "train.parquet", encoder.fit)
    order = np.random.default_rng(0).permutation(len(images))[: CIFAR_TRAIN + CIFAR_TEST]
    train, test = order[:CIFAR_TRAIN], order[CIFAR_TRAIN:]
    return (
        ImageSet(images.pixels[train], images.labels[train], images.names),
        ImageSet(images.pixels[test], images.labels[test], images.names),
    )


def parameters(path: Path) -> int:
    """Count the weights stored in an ONNX file."""
    import onnx

    return sum(math.prod(tensor.dims) for tensor in onnx.load(path).graph.initializer)


def tiny_imagenet(encoder: OnnxEncoder, data: Path) -> dict[str, Any]:
    """Measure top-1 and top-5 on the validation images, as they are and degraded."""
    images = load_parquet(data / "tiny_imagenet" / "validation.parquet")
    logits = encoder(refit(images, encoder))[1]
    five = np.argsort(-logits, axis=1)[:, :5]
    result: dict[str, Any] = {
        "top_1": probe.proportion(logits.argmax(axis=1) == images.labels),
        "top_5": probe.proportion((five == images.labels[:, None]).any(axis=1)),
        **spread(logits),
    }
    for name, alter in ALTERATIONS.items():
        logits = encoder(refit(images, encoder, alter))[1]
        result[name] = {"top_1": probe.proportion(logits.argmax(axis=1) == images.labels), **spread(logits)}
    return result


def cifar10(encoder: OnnxEncoder, data: Path, table: zero_shot.Table, weights: Path) -> dict[str, Any]:
    """Measure the linear probe with 3,000 labels and the labels by words."""
    train, test = cifar_split(data, encoder)
    (features, _), (held_out, logits) = encoder(train.pixels), encoder(test.pixels)
    known = zero_shot.known_classes(weights)
    return {
        "linear_probe_3000": probe.probe_all((features, train.labels), (held_out, test.labels)),
        "zero_shot": zero_shot.zero_shot(logits, test.labels, table, known, test.names),
        **spread(logits),
    }


def clothing(encoder: OnnxEncoder, data: Path, table: zero_shot.Table, weights: Path) -> dict[str, Any]:
    """Measure linear probes with few and all examples, and the labels by words, on phone photos."""
    parts = [load_parquet(data / "clothing" / f"{part}.parquet", encoder.fit) for part in ("train", "validation")]
    outputs = [encoder(part.pixels) for part in parts]
    train, test = ((output[0], part.labels) for output, part in zip(outputs, parts, strict=True))
    known = zero_shot.known_classes(weights)
    return {
        "5_a_class": probe.probe_draws(train, test, 5, draws=20),
        "20_a_class": probe.probe_draws(train, test, 20, draws=10),
        "all_3068": probe.probe_all(train, test),
        "zero_shot": zero_shot.zero_shot(outputs[1][1], test[1], table, known, parts[1].names),
    }


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


def compare_sizes(encoder: OnnxEncoder, data: Path, sizes: Sequence[int]) -> dict[str, Any]:
    """Measure top-1 on Tiny ImageNet and the probe on CIFAR-10 at several input sizes."""
    result = {}
    for size in sizes:
        sized = dataclasses.replace(encoder, size=size)
        images = load_parquet(data / "tiny_imagenet" / "validation.parquet", sized.fit)
        train, test = cifar_split(data, sized)
        top_1 = float((sized(images.pixels)[1].argmax(axis=1) == images.labels).mean())
        features = [(sized(part.pixels)[0], part.labels) for part in (train, test)]
        # One strength: the sizes are compared with each other, and the search costs minutes.
        probed = probe.probe_all(features[0], features[1], strengths=(0.01,))["value"]
        result[str(size)] = {"tiny_imagenet_top_1": top_1, "cifar10_probe": probed}
        print(size, json.dumps(result[str(size)]), file=sys.stderr, flush=True)
    return result


def compare_fits(encoder: OnnxEncoder, data: Path) -> dict[str, Any]:
    """Measure top-1 on the middle 4:3 of each validation image, fitted in each way."""
    images = load_parquet(data / "tiny_imagenet" / "validation.parquet")
    wide = [Image.fromarray(pixels[8:56]) for pixels in images.pixels]
    tall = [Image.fromarray(pixels[:, 8:56]) for pixels in images.pixels]
    result = {}
    for resize in ("squash", "crop", "pad"):
        right = []
        for pictures in (wide, tall):
            fitted = np.stack([inference.fit(picture, encoder.size, resize) for picture in pictures])
            right.append(encoder(fitted)[1].argmax(axis=1) == images.labels)
        result[resize] = float(np.mean(right))
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate from the command line."""
    parser = argparse.ArgumentParser(description="Measure an exported encoder.")
    parser.add_argument("--weights", type=Path, required=True, help="folder that holds encoder.toml and words/")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--choose", action="store_true", help="compare input sizes and fits instead")
    options = parser.parse_args(arguments)
    encoder = inference.load(options.weights)
    result: dict[str, Any]
    if options.choose:
        sizes = compare_sizes(encoder, options.data, (56, 64, 72, 80, 96))
        result = {"sizes": sizes, "fits_4_to_3": compare_fits(encoder, options.data)}
    else:
        table = zero_shot.load_table(options.weights / "words")
        result = {
            "input": {"size": encoder.size, "resize": encoder.resize},
            "parameters": parameters(options.weights / "encoder.onnx"),
            "bytes": (options.weights / "encoder.onnx").stat().st_size,
            "tiny_imagenet": tiny_imagenet(encoder, options.data),
            "cifar10": cifar10(encoder, options.data, table, options.weights),
            "clothing": clothing(encoder, options.data, table, options.weights),
            "engines_one_core": engines(options.weights, encoder.size, options.data),
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
