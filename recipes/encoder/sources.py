"""The image sets that the encoder learns from: two with classes, the others looked at without labels.

Clothing, blood cells and tile defects are what the encoder is judged on: their labels are never read here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from recipes.encoder.data import ImageSet, Labels, Pixels, decode, load_parquet

SIDE = 112  # px at which unlabelled photos are kept: their detail survives crops to 64
HELD_OUT = 3000  # images of CIFAR-10 that are never trained on: the card's figures are measured on them
UNLABELLED = ("clothing", "bsds400", "photos", "blood_cells", "tile_defects")

# Classes of Tiny ImageNet that are also a kind of one of CIFAR-10's, by WordNet id. An image of the one is no
# counter-example of the other: their logits are left out of each other's softmax.
KINDS: dict[str, tuple[str, ...]] = {
    "airplane": (),
    "automobile": ("n02814533", "n03100240", "n03670208", "n03977966", "n04285008"),
    "bird": ("n01855672", "n02002724", "n02056570", "n02058221"),
    "cat": ("n02123045", "n02123394", "n02124075"),
    "deer": ("n02423022",),
    "dog": ("n02085620", "n02094433", "n02099601", "n02099712", "n02106662", "n02113799"),
    "frog": ("n01641577", "n01644900"),
    "horse": (),
    "ship": ("n03447447", "n03662601"),
    "truck": ("n03796401", "n03977966", "n04146614", "n04465501", "n04487081"),
}


@dataclass(frozen=True)
class Labelled:
    """A set whose labels count: its images, where its classes begin among the logits, and its share of a batch."""

    images: ImageSet
    first: int
    share: float


@dataclass(frozen=True)
class Sources:
    """All that a run learns from.

    Attributes:
        labelled: Sets with classes; together they make up the logits.
        pools: Arrays uint8 (n, h, w, 3) looked at without labels.
        weights: Share of each pool in what is looked at without labels.
        related: Boolean (classes, classes): the pairs that are no counter-examples of each other.
    """

    labelled: tuple[Labelled, ...]
    pools: tuple[Pixels, ...]
    weights: tuple[float, ...]
    related: np.ndarray[tuple[int, int], np.dtype[np.bool_]]

    @property
    def classes(self) -> int:
        return len(self.related)


def load_sources(data: Path, *, cifar_labels: bool) -> tuple[Sources, ImageSet]:
    """Read every set; returns them and Tiny ImageNet's validation images.

    Args:
        data: Folder of the sets.
        cifar_labels: Whether CIFAR-10 gives classes; else its images are looked at without labels.
    """
    tiny, validation = (load_parquet(data / "tiny_imagenet" / f"{part}.parquet") for part in ("train", "validation"))
    cifar = cifar_training(load_parquet(data / "cifar10" / "train.parquet"))
    pools = [np.concatenate(list(_photos(data, name))) for name in UNLABELLED]
    weights = [0.5, 0.09, 0.03, 0.09, 0.09]
    labelled, names = [Labelled(tiny, 0, 0.75 if cifar_labels else 1.0)], tiny.names
    if cifar_labels:
        labelled.append(Labelled(cifar, len(tiny.names), 0.25))
        names = (*tiny.names, *cifar.names)
    pools += [cifar.pixels, tiny.pixels]
    weights += [0.12, 0.08]
    return Sources(tuple(labelled), tuple(pools), tuple(weights), related_classes(names)), validation


def cifar_split(images: ImageSet) -> tuple[Labels, Labels]:
    """Divide CIFAR-10 into the places that are trained on and those held out, the same each time."""
    order = np.random.default_rng(0).permutation(len(images))
    return np.sort(order[HELD_OUT:]), np.sort(order[:HELD_OUT])


def cifar_training(images: ImageSet) -> ImageSet:
    """Return the part of CIFAR-10 that is trained on."""
    places = cifar_split(images)[0]
    return ImageSet(images.pixels[places], images.labels[places], images.names)


def related_classes(names: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Return which pairs of classes are no counter-examples of each other, boolean (classes, classes)."""
    place = {name: i for i, name in enumerate(names)}
    related = np.zeros((len(names), len(names)), bool)
    for kind, members in KINDS.items():
        for member in members:
            if kind in place and member in place:
                related[place[kind], place[member]] = related[place[member], place[kind]] = True
    return related


def _photos(data: Path, name: str) -> Iterator[Pixels]:
    """Yield arrays (1, SIDE, SIDE, 3): each photo whole, and its quarters where they have the detail."""
    import pyarrow.parquet as pq

    for path in sorted((data / name).glob("*.parquet")):
        if path.stem == "validation":
            continue
        for row in pq.read_table(path, columns=["image"])["image"].to_pylist():
            image = decode(row["bytes"])
            for part in (image, *_quarters(image)):
                yield np.asarray(part.resize((SIDE, SIDE), Image.Resampling.BOX), np.uint8)[None]


def _quarters(image: Image.Image) -> Iterator[Image.Image]:
    width, height = image.width // 2, image.height // 2
    if min(width, height) >= SIDE:
        for left in (0, width):
            for top in (0, height):
                yield image.crop((left, top, left + width, top + height))
