"""Measure how near-duplicates are found: photos with known edits, and false pairs among photos that are all different.

    python benchmarks/duplicates.py --photos PHOTOS.parquet --among CLOTHING.parquet
    python benchmarks/duplicates.py --choose BSDS.parquet

Each photo is edited once in each way. An edit counts as found when it is in the group of its photo, no other edit of it
being there; a pair of images of one group that come from different photos is false. Photos of `--among` are taken as
they are, first by themselves (what is grouped is named, since some of it is the same thing photographed twice), then
together with the edited ones.
`--choose` prints instead how far edited photos and the likest different ones agree, which is what the thresholds in
`lucida.data.duplicates` were chosen by: give it other photos than those that are measured.
"""

from __future__ import annotations

import argparse
import io
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow.parquet as parquet
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from lucida.clean.vectors import see_vectors
from lucida.data.alignment import align
from lucida.data.duplicates import LAYOUT, NEIGHBOURS, group
from lucida.data.likeness import Seen, see
from lucida.data.looks import Looks, mirrored
from lucida.data.neighbours import nearest
from lucida.evidence.finite import clopper_pearson

Edit = Callable[[Image.Image], Image.Image]
Result = TypeVar("Result")


def main() -> None:
    """Run the measurements and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="Parquet of photos to edit")
    parser.add_argument("--among", type=Path, help="Parquet of photos that all differ")
    parser.add_argument("--most", type=int, default=3000, help="of these at most so many")
    parser.add_argument("--edit", type=int, default=10_000, help="of each file edit at most so many photos")
    parser.add_argument("--vectors", action="store_true", help="also look for neighbours by embeddings, as clean does")
    parser.add_argument("--choose", type=Path, nargs="*", default=[], help="Parquet of photos to choose thresholds by")
    options = parser.parse_args()
    if options.choose:
        choose([photo for path in options.choose for photo in read(path)[: options.edit]])
    among = read(options.among)[: options.most] if options.among else []
    if among:
        different(among, options.vectors)
    for path in options.photos:
        edited(read(path)[: options.edit], among, path.parent.name, options.vectors)


def read(path: Path) -> list[bytes]:
    """Return the images of a Parquet file."""
    return [row["bytes"] for row in parquet.read_table(path, columns=["image"])["image"].to_pylist()]


def edit_all(photos: Sequence[bytes]) -> tuple[list[bytes], list[str], list[int]]:
    """Return photos and all their edits, the edit of each ("" for none), and the number of its photo."""
    files, names, origin = list(photos), [""] * len(photos), list(range(len(photos)))
    for name, edit in EDITS.items():
        for number, photo in enumerate(photos):
            files.append(encode(edit(open_rgb(photo)), quality=40 if name == "JPEG 40" else 90))
            names.append(name)
            origin.append(number)
    return files, names, origin


def edited(photos: Sequence[bytes], among: Sequence[bytes], title: str, vectors: bool) -> None:
    """Print for each edit, by itself, how many are found, and the false pairs that come with it."""
    files, names, origin = edit_all(photos)
    among = [photo for photo in among if photo not in set(photos)]
    files += among
    names += ["among"] * len(among)
    origin += range(len(photos), len(photos) + len(among))
    seen, _ = looked(files, vectors)
    print(f"\n{title}: {len(photos)} photos and their edits among {len(among):,} others")
    print("| edit | found | 95 % interval | false pairs |\n| --- | --- | --- | --- |")
    false: set[tuple[int, int]] = set()
    for name in EDITS:
        rows = np.array([row for row, own in enumerate(names) if own in ("", name, "among")])
        groups = group_of(seen, rows)
        found = sum(groups[row] == groups[origin[row]] for row in rows if names[row] == name)
        wrong = {(origin[a], origin[b]) for a, b in pairs_of(groups) if origin[a] != origin[b]}
        new = {pair for pair in wrong if min(pair) < len(photos)}
        false |= new
        print(f"| {name} | {rate(found, len(photos))} | {len(new)} |", flush=True)
    print(
        "falsely together with an edited photo:", ", ".join(f"{one}-{other}" for one, other in sorted(false)) or "none"
    )


def group_of(seen: Seen, rows: np.ndarray) -> dict[int, int]:
    """Return the group of some of the images."""
    looks = seen.looks
    part = Looks(looks.hashes[rows], looks.thumbs[rows], looks.greys[rows], looks.seen[rows])
    groups = group(part, vectors=None if seen.vectors is None else seen.vectors[rows])
    return dict(zip(rows.tolist(), groups, strict=True))


def different(photos: Sequence[bytes], vectors: bool) -> None:
    """Print what is grouped among photos that were taken as different."""
    seen, seconds = looked(photos, vectors)
    groups, more = timed(lambda: seen.groups)
    pairs = pairs_of(dict(enumerate(groups)))
    possible = len(photos) * (len(photos) - 1) // 2
    inside = len({row for pair in pairs for row in pair})
    print(f"\n{len(photos):,} different photos, processor seconds {seconds:.0f} to look, {more:.1f} to group")
    print(f"{len(pairs)} pairs of {possible:,} ({len(pairs) / possible:.1e}); {inside} photos are in a group")
    print("pairs:", ", ".join(f"{one}-{other}" for one, other in pairs[:60]))


def choose(photos: Sequence[bytes]) -> None:
    """Print how far edits agree with their photo, and the likest photos with each other."""
    files, names, origin = edit_all(photos)
    looks = see([partial(bytes, file) for file in files]).looks
    layouts = looks.layouts(np.arange(len(photos)))
    print("| pairs | number | agreement: least, 1 %, 5 %, middle, 95 %, 99 %, most |\n| --- | --- | --- |")
    for name in EDITS:
        rows = np.array([(origin[row], row) for row in range(len(files)) if names[row] == name])
        print_agreement(name, looks.greys, rows, mirror=name == "flip")
    for name, others in (("different", None), ("different, in the mirror", mirrored(layouts))):
        rows = nearest(layouts, others, count=NEIGHBOURS, similarity=LAYOUT)
        print_agreement(name, looks.greys, rows, mirror=others is not None)


def print_agreement(name: str, greys: np.ndarray, rows: np.ndarray, mirror: bool) -> None:
    """Print quantiles of the agreement of pairs."""
    fit = align(greys[rows[:, 0]], greys[rows[:, 1]][:, :, :: -1 if mirror else 1])
    shares = [0, 0.01, 0.05, 0.5, 0.95, 0.99, 1]
    shown: list[float] = np.quantile(fit.agreement, shares).tolist() if len(rows) else []
    print(f"| {name} | {len(rows)} | {', '.join(f'{value:.2f}' for value in shown)} |")


def looked(files: Sequence[bytes], vectors: bool) -> tuple[Seen, float]:
    """Return what images look like, as trainings see them or as `lucida clean` does, and the processor seconds."""
    readers = [partial(bytes, file) for file in files]
    return timed(lambda: see(readers, vectors=see_vectors(readers) if vectors else None))


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Return a result and the processor seconds it took."""
    began = time.process_time()
    return work(), time.process_time() - began


def rate(hits: int, number: int) -> str:
    """Return a share and its interval, as cells of a table."""
    low, high = clopper_pearson(hits, number)
    return f"{hits / number:.1%} | {low:.1%} to {high:.1%}"


def pairs_of(groups: Mapping[int, int]) -> list[tuple[int, int]]:
    """Return all pairs of images that share a group."""
    found: dict[int, list[int]] = defaultdict(list)
    for row, number in groups.items():
        found[number].append(row)
    return [pair for rows in found.values() for pair in itertools.combinations(rows, 2)]


# ---- edits ----------------------------------------------------------------------------------------------------------


def open_rgb(data: bytes) -> Image.Image:
    """Decode a photo."""
    return Image.open(io.BytesIO(data)).convert("RGB")


def encode(image: Image.Image, quality: int) -> bytes:
    """Write a JPEG."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


def crop(image: Image.Image, share: float = 0.1) -> Image.Image:
    """Cut a share off each side's length, off the centre."""
    w, h = image.size
    near, far = 0.7 * share, 0.3 * share
    return image.crop((round(w * near), round(h * far), round(w * (1 - far)), round(h * (1 - near))))


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


def turn(image: Image.Image, degrees: float = 5) -> Image.Image:
    """Turn, the corners grey."""
    return image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=(127, 127, 127))


EDITS: dict[str, Edit] = {
    "resize to half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "resize to 128": lambda image: ImageOps.contain(image, (128, 128)),
    "crop 10 %": crop,
    "JPEG 40": lambda image: image,
    "flip": ImageOps.mirror,
    "colour": recolour,
    "text": write_on,
    "5 degrees": turn,
    # Nothing was chosen by what follows.
    "crop 20 %": partial(crop, share=0.2),
    "10 degrees": partial(turn, degrees=10),
    "resize to 48": lambda image: ImageOps.contain(image, (48, 48)),
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "crop 10 % and flip": lambda image: ImageOps.mirror(crop(image)),
}


if __name__ == "__main__":
    main()
