"""Compare what can be chosen once an encoder is trained: input size, fit, views, and what is pooled. Prints JSON lines.

    python -m recipes.encoder.choose --run runs/encoder --data ../shared/data

Top-1 is on Tiny ImageNet's validation images; the probes learn from a few clothing photos of the training part and are
asked about others of it, so that the validation part stays unseen until it is reported on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from lucida.models.embedded.network import Encoder
from recipes.encoder.data import ImageSet, Labels, Pixels, load_parquet
from recipes.encoder.export import load_encoder
from recipes.encoder.inference import Floats, fit
from recipes.encoder.probe import draw, fit_probe
from recipes.encoder.sampling import batches

View = Callable[[Tensor], Tensor]
SIZES = (56, 64, 72, 80, 96)
DRAWS = {5: 12, 20: 6}
PROBED = 1200  # clothing photos that the probes are asked about


def same(images: Tensor) -> Tensor:
    """Give the images as they are."""
    return images


def mirrored(images: Tensor) -> Tensor:
    """Swap left and right."""
    return images.flip(3)


def inner(images: Tensor) -> Tensor:
    """Cut the middle seven eighths out and enlarge it."""
    side = images.shape[-1]
    edge = side // 16
    middle = images[:, :, edge : side - edge, edge : side - edge]
    return functional.interpolate(middle, size=(side, side), mode="bilinear")


VIEWS: dict[str, tuple[View, ...]] = {
    "one view": (same,),
    "and mirrored": (same, mirrored),
    "and the middle": (same, inner),
    "all three": (same, mirrored, inner),
}
POOLED: dict[str, Callable[[list[Tensor]], Tensor]] = {
    "last stage, mean": lambda maps: maps[-1].mean(dim=(2, 3)),
    "last stage, 2 x 2": lambda maps: functional.adaptive_avg_pool2d(maps[-1], 2).flatten(1),
    "third stage, 2 x 2": lambda maps: functional.adaptive_avg_pool2d(maps[-2], 2).flatten(1),
    "third stage, 4 x 4": lambda maps: functional.adaptive_avg_pool2d(maps[-2], 4).flatten(1),
    "third stage, mean": lambda maps: maps[-2].mean(dim=(2, 3)),
}


def top_1(encoder: Encoder, images: ImageSet, views: Sequence[View]) -> float:
    """Measure top-1 among the set's own classes, logits averaged over views."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        logits = [
            torch.stack([encoder(view(batch))[1].float() for view in views]).mean(dim=0)
            for batch in batches(images.pixels)
        ]
    found = torch.cat(logits)[:, : len(images.names)].argmax(dim=1).numpy()
    return round(float((found == images.labels).mean()), 4)


def features(encoder: Encoder, pixels: Pixels, views: Sequence[View]) -> dict[str, Floats]:
    """Return the images' vectors in every way of pooling, averaged over views."""
    found: dict[str, list[Tensor]] = {name: [] for name in POOLED}
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for batch in batches(pixels):
            maps = [encoder.maps(view(batch)) for view in views]
            for name, pool in POOLED.items():
                found[name].append(torch.stack([pool([m.float() for m in each]) for each in maps]).mean(dim=0))
    return {name: torch.cat(parts).numpy() for name, parts in found.items()}


def probes(vectors: Floats, labels: Labels) -> dict[str, float]:
    """Probe with few examples a class; mean accuracy on other photos."""
    result = {}
    for per_class, draws in DRAWS.items():
        scores = []
        for seed in range(draws):
            places = draw(labels, per_class, np.random.default_rng(seed))
            rest = np.setdiff1d(np.arange(len(labels)), places)
            rest = np.random.default_rng(seed).permutation(rest)[:PROBED]
            model = fit_probe(vectors[places], labels[places], seed, strengths=(0.01,))
            scores.append(float((model.predict(vectors[rest]) == labels[rest]).mean()))
        result[f"clothing_{per_class}_a_class"] = round(float(np.mean(scores)), 4)
    return result


def middle(images: ImageSet, size: int, resize: str) -> ImageSet:
    """Cut each image to its middle 4:3, wide and tall in turn, and fit it in some way."""
    cut = [pixels[8:56] if i % 2 else pixels[:, 8:56] for i, pixels in enumerate(images.pixels)]
    fitted = np.stack([fit(Image.fromarray(pixels), size, resize) for pixels in cut])
    return ImageSet(fitted, images.labels, images.names)


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare from the command line."""
    parser = argparse.ArgumentParser(description="Compare what can be chosen after training.")
    parser.add_argument("--run", type=Path, required=True, help="folder that holds checkpoint.safetensors")
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args(arguments)
    encoder, _ = load_encoder(options.run)

    def read(name: str, part: str, size: int) -> ImageSet:
        return load_parquet(options.data / name / f"{part}.parquet", lambda image: fit(image, size, "squash"))

    def say(**row: object) -> None:
        print(json.dumps(row), flush=True)

    for size in SIZES:
        say(size=size, top_1=top_1(encoder, read("tiny_imagenet", "validation", size), (same,)))
    tiny, clothing = read("tiny_imagenet", "validation", 64), read("clothing", "train", 64)
    for resize in ("squash", "crop", "pad"):
        say(fit_of_4_to_3=resize, top_1=top_1(encoder, middle(tiny, 64, resize), (same,)))
    for name, views in VIEWS.items():
        vectors = features(encoder, clothing.pixels, views)
        if name == "one view":
            for pooled, found in vectors.items():
                say(pooled=pooled, **probes(found, clothing.labels))
        say(views=name, top_1=top_1(encoder, tiny, views), **probes(vectors["last stage, mean"], clothing.labels))
    for size in SIZES:
        vectors = features(encoder, read("clothing", "train", size).pixels, (same,))
        for pooled in ("last stage, mean", "last stage, 2 x 2"):
            say(size=size, pooled=pooled, **probes(vectors[pooled], clothing.labels))


if __name__ == "__main__":
    main()
