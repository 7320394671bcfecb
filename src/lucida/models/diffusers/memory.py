"""How a pipeline is laid out in memory: chosen from what is free, and what to give up when it does not suffice."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["fp32", "bf16", "fp16"]
Offload = Literal["", "model", "sequential"]

BYTES: Final[Mapping[str, int]] = {"fp32": 4, "bf16": 2, "fp16": 2}
KEPT: Final = 0.1  # of what is free, left to others
# The decoder is what needs most beside the weights: about 1,100 values a pixel of the picture at its widest.
VALUES: Final = 1100
TILE: Final = 512 * 512  # pixels of a tile of the decoder
_LEAST_SEQUENTIAL: Final = 2**28  # the layer that is at work
_CGROUPS: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current"))


@dataclass(frozen=True)
class Plan:
    """A layout, from the fastest to the most sparing.

    Attributes:
        kind: Type of the weights.
        offload: "" for all weights on the device; "model": one part at a time; "sequential": one layer at a time.
        tiling: Pictures are decoded in tiles, slightly other ones than in one piece.
    """

    kind: Kind
    offload: Offload = ""
    tiling: bool = False

    def tighter(self, device: str) -> Plan | None:
        """Return the next layout that needs less memory at work; None where there is none.

        Args:
            device: "cpu" or "cuda".
        """
        if not self.tiling:
            return replace(self, tiling=True)
        order: tuple[Offload, ...] = ("", "model", "sequential") if device == "cuda" else ("",)
        left = order[order.index(self.offload) + 1 :] if self.offload in order else ()
        return replace(self, offload=left[0]) if left else None


def plan(free: int, weights: Sequence[int], device: str, pixels: int, kinds: Sequence[Kind], host: int = 2**62) -> Plan:
    """Choose the fastest layout that fits.

    Args:
        free: Bytes that are free on the device.
        weights: Numbers of weights of each part.
        device: "cpu" or "cuda".
        pixels: Of a picture.
        kinds: Types of weights that may be used, the preferred one first.
        host: Bytes that are free in main memory.
    """
    usable = free * (1 - KEPT)
    for kind in kinds:
        size = BYTES[kind]
        whole, largest = sum(weights) * size, max(weights, default=0) * size
        work, tiled = pixels * VALUES * size, min(pixels, TILE) * VALUES * size
        fits: tuple[tuple[float, Plan], ...] = (
            (whole + work, Plan(kind)),
            (whole + tiled, Plan(kind, tiling=True)),
        )
        # What is offloaded lies in main memory.
        if device == "cuda" and whole <= host * (1 - KEPT):
            fits += ((largest + tiled, Plan(kind, "model", True)),
                     (_LEAST_SEQUENTIAL + tiled, Plan(kind, "sequential", True)))  # fmt: skip
        found = next((layout for needed, layout in fits if needed <= usable), None)
        if found is not None:
            return found
    # Nothing fits by this reckoning, which may be wrong: the most sparing is tried.
    return Plan(kinds[-1], "sequential" if device == "cuda" else "", True)


def count(folder: Path, parts: Sequence[str], variant: str | None) -> list[int]:
    """Return the number of weights of each part of a pipeline, read off the headers of its files.

    Args:
        folder: Of the pipeline.
        parts: Names of the parts that have weights.
        variant: Of the weights that are read.
    """
    counts = []
    for part in parts:
        files = [path for path in (folder / part).glob("*.safetensors") if not variant or f".{variant}" in path.name]
        plain = [path for path in files if variant or "." not in path.stem]
        counts.append(sum(_weights(path) for path in (plain or files)))
    return counts


def _weights(file: Path) -> int:
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header: dict[str, Any] = json.loads(opened.read(length)) if length < 2**28 else {}
    return sum(math.prod(one["shape"]) for name, one in header.items() if name != "__metadata__")


def free_memory() -> int:
    """Return how many bytes of main memory are free for this process."""
    try:
        lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        # Systems that say no more: half of what there is.
        names = os.sysconf_names if hasattr(os, "sysconf") else {}
        known = "SC_PHYS_PAGES" in names and "SC_PAGE_SIZE" in names
        free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2 if known else 2**33
    try:
        most, used = (int(path.read_text(encoding="ascii")) for path in _CGROUPS)
    except (OSError, ValueError):
        return free
    return max(0, min(free, most - used))
