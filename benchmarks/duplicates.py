"""Measure how near-duplicates are found: photos with known edits, and false pairs among photos that are all different.

    python benchmarks/duplicates.py --photos PHOTOS.parquet --different CLOTHING.parquet

Each photo is edited once in each way. An edit counts as found when it is in the group of its photo; a pair of images of
one group that come from different photos is false. Photos of `--different` are taken as they are: what is grouped there
is printed, for some of it is the same thing photographed twice.
"""

from __future__ import annotations

import argparse
import io
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from lucida.clean.vectors import see_vectors
from lucida.data.likeness import see

Edit = Callable[[Image.Image], Image.Image]


def main() -> None:
    """Run both measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="Parquet of photos to edit")
    parser.add_argument("--different", type=Path, help="Parquet of photos that all differ")
    parser.add_argument("--most", type=int, default=3000, help="of these at most so many")
    options = parser.parse_args()
    edited(read(options.photos))
    if options.different:
        different(read(options.different)[: options.most])


def read(path: Path) -> list[bytes]:
    """Return the images of a Parquet file."""
    return [row["bytes"] for row in parquet.read_table(path, columns=["image"])["image"].to_pylist()]


def edited(photos: Sequence[bytes]) -> None:
    """Print recall for each edit, and the false pairs among all images."""
    files, names, origin = list(photos), ["original"] * len(photos), list(range(len(photos)))
    for name, edit in EDITS.items():
        for number, photo in enumerate(photos):
            files.append(encode(edit(open_rgb(photo)), quality=40 if name == "JPEG 40" else 90))
            names.append(name)
            origin.append(number)
    groups, seconds = grouped(files)
    found: dict[str, int] = defaultdict(int)
    for row in range(len(photos), len(files)):
        found[names[row]] += groups[row] == groups[origin[row]]
    pairs, false = 0, 0
    for members in rows_of(groups):
        for one, other in itertools.combinations(members, 2):
            pairs += 1
            false += origin[one] != origin[other]
    print(f"{len(photos)} photos, {len(files)} images in {seconds:.0f} s")
    print("| edit | found |\n| --- | --- |")
    for name in EDITS:
        print(f"| {name} | {found[name] / len(photos):.0%} |")
    true = len(photos) * len(EDITS)
    print(f"| all | {sum(found.values()) / true:.0%} |")
    print(f"precision of pairs: {(pairs - false) / max(pairs, 1):.4f} ({false} false of {pairs:,})")


def different(photos: Sequence[bytes]) -> None:
    """Print how many pairs are found among photos that were taken as different."""
    groups, seconds = grouped(photos)
    pairs = [pair for members in rows_of(groups) for pair in itertools.combinations(members, 2)]
    possible = len(photos) * (len(photos) - 1) // 2
    inside = sum(len(members) for members in rows_of(groups))
    print(f"\n{len(photos):,} different photos in {seconds:.0f} s: {len(pairs):,} pairs found of {possible:,} possible"
          f" ({len(pairs) / possible:.1e}); {inside} photos ({inside / len(photos):.2%}) are in a group")  # fmt: skip
    print("pairs:", ", ".join(f"{one}-{other}" for one, other in pairs[:60]))


def grouped(files: Sequence[bytes]) -> tuple[list[int], float]:
    """Return the group of each image as `lucida clean` makes them, and how long it took."""
    began = time.perf_counter()
    readers = [partial(bytes, file) for file in files]
    groups = see(readers, vectors=see_vectors(readers)).groups
    return groups, time.perf_counter() - began


def rows_of(groups: Sequence[int]) -> list[list[int]]:
    """Return the rows of each group of two or more."""
    found: dict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(groups):
        found[number].append(row)
    return [rows for rows in found.values() if len(rows) > 1]


# ---- edits ----------------------------------------------------------------------------------------------------------


def open_rgb(data: bytes) -> Image.Image:
    """Decode a photo."""
    return Image.open(io.BytesIO(data)).convert("RGB")


def encode(image: Image.Image, quality: int) -> bytes:
    """Write a JPEG."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def crop(image: Image.Image) -> Image.Image:
    """Cut a tenth off each side's length, off the centre."""
    w, h = image.size
    return image.crop((round(w * 0.07), round(h * 0.03), round(w * 0.97), round(h * 0.93)))


def write_on(image: Image.Image) -> Image.Image:
    """Write a line over the lower part."""
    image = image.copy()
    draw, h = ImageDraw.Draw(image), image.height
    draw.text((image.width * 0.06, h * 0.8), "SALE 50 % OFF", fill=(255, 255, 255), stroke_width=2,
              stroke_fill=(0, 0, 0), font_size=max(h * 0.1, 12))  # fmt: skip
    return image


def recolour(image: Image.Image) -> Image.Image:
    """Make colours stronger, warmer and lighter, as a filter does."""
    pixels = np.asarray(ImageEnhance.Color(ImageEnhance.Brightness(image).enhance(1.15)).enhance(1.4), np.float32)
    return Image.fromarray((pixels * np.array([1.1, 1.0, 0.88])).clip(0, 255).astype(np.uint8))


def turn(image: Image.Image) -> Image.Image:
    """Turn by five degrees, the corners grey."""
    return image.rotate(5, Image.Resampling.BICUBIC, fillcolor=(127, 127, 127))


EDITS: dict[str, Edit] = {
    "resize to half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "resize to 128": lambda image: ImageOps.contain(image, (128, 128)),
    "crop 10 %": crop,
    "JPEG 40": lambda image: image,
    "flip": ImageOps.mirror,
    "colour": recolour,
    "text": write_on,
    "5 degrees": turn,
}


if __name__ == "__main__":
    main()
