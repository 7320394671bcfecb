"""How fast the x4 network runs in each precision, and what that costs in dB, beside eager PyTorch; for `restore`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import torch
from benchmarks.restore import held_out, set5, smaller, trained_on

from lucida.compress.int8 import WAYS
from lucida.evaluate.metrics.restoration import luma, psnr, shaved
from lucida.models import engine, find
from lucida.models.onnx.restore import RestoreCard, read_restore_card
from lucida.models.quiet import quiet
from lucida.models.restorers.family import CARD, folder
from lucida.models.threads import available_cores
from lucida.restore.tiles import run_tiles
from lucida.restore.writing import Rows
from lucida.train.export import folded
from lucida.train.restore.beginning import load_folded
from lucida.train.restore.network import Restorer, Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.onnx.card import Card

    Bytes = NDArray[np.uint8]
    Enlarge = Callable[[Bytes], Bytes]

NAME: Final = "embedded-x4"
SCALE: Final = 4
CALIBRATION: Final = 40  # pieces that the ranges of int8 are read off, and their side
PIECE: Final = 72


def speed(data: Path, rounds: int) -> None:
    """Print megapixels of output a second of each way, in turns, and how near to the good images they come."""
    card = read_restore_card(folder() / NAME / CARD)
    cores = available_cores()
    torch.set_num_threads(cores)
    print(f"\n{NAME} on {cores} threads, {engine.describe()}; the planner picks {find(NAME).load().engine}")
    with tempfile.TemporaryDirectory() as place:
        ways = {"PyTorch fp32, eager": eager(card), "PyTorch bf16, channels last": eager(card, torch.bfloat16)}
        ways |= {f"engine {p}": tiled(card, card.file, p) for p in ("fp32", *(["bf16"] if engine.has_bf16() else []))}
        ways |= {
            f"engine int8 by {name}": tiled(card, file, "int8") for name, file in int8(card, data, Path(place)).items()
        }
        given = smaller(held_out(data)[0], 1)[0]
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(rounds + 1):
            for name, way in ways.items():
                began = time.perf_counter()
                found = way(given)
                if turn:  # the first warms up
                    rates[name].append(found.shape[0] * found.shape[1] / 1e6 / (time.perf_counter() - began))
        plain = rates["PyTorch fp32, eager"]
        print(f"{'x4, output':32s} {'megapixels/s':>12s} {'ratio':>6s} {'Set5':>7s} {'held out':>8s}")
        pairs = [list(set5(data, SCALE)), [smaller(image, SCALE) for image in held_out(data)[::4]]]
        for name, way in ways.items():
            ratio = median(ours / theirs for ours, theirs in zip(rates[name], plain, strict=True))
            near = [np.mean([_psnr(way(low), high) for low, high in part]) for part in pairs]
            print(f"{name:32s} {median(rates[name]):12.2f} {ratio:6.2f} {near[0]:7.3f} {near[1]:8.3f}", flush=True)


def _psnr(found: Bytes, high: Bytes) -> float:
    return psnr(shaved(luma(found), SCALE), shaved(luma(high), SCALE))


def tiled(card: RestoreCard, file: Path, precision: str) -> Enlarge:
    """Return what enlarges as the package does: in tiles, as many at a time as there are cores."""
    session = engine.open_session(file, precision)

    def piece(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])
        found: NDArray[np.float32] = session({card.input: planes}, (card.output,))[0][0]
        return found.transpose(1, 2, 0)

    def enlarge(low: Bytes) -> Bytes:
        rows = Rows(np.empty((low.shape[0] * SCALE, low.shape[1] * SCALE, 3), np.uint8))
        run_tiles(low, piece, card.needs, SCALE, rows.write, kind=np.uint8, workers=available_cores())
        return rows.pixels

    return enlarge


def eager(card: RestoreCard, kind: torch.dtype = torch.float32) -> Enlarge:
    """Return what enlarges by the same weights in PyTorch, as it is without any export."""
    network = Restorer(Shape(SCALE))
    load_folded(network, card.file)
    plain: Any = folded(network).eval()
    form = torch.contiguous_format if kind is torch.float32 else torch.channels_last
    plain = plain.to(memory_format=form)

    def enlarge(low: Bytes) -> Bytes:
        with torch.inference_mode(), torch.autocast("cpu", kind, enabled=kind is not torch.float32):
            image = torch.from_numpy(low.copy()).permute(2, 0, 1)[None].float().div(255).contiguous(memory_format=form)
            found = plain(image)[0].float().clamp(0, 1).mul(255).round().byte()
            return np.asarray(found.permute(1, 2, 0).contiguous().numpy())

    return enlarge


def int8(card: RestoreCard, data: Path, place: Path) -> dict[str, Path]:
    """Return int8 files of the network in every way that the package makes such, ranges read off training images."""
    random, pieces = np.random.default_rng(0), []
    for _ in range(CALIBRATION // 20):
        for image in trained_on(data):
            low = smaller(image, SCALE)[0]
            down, across = (int(random.integers(0, length - PIECE + 1)) for length in low.shape[:2])
            pieces.append(low[down : down + PIECE, across : across + PIECE].transpose(2, 0, 1) / np.float32(255))
    batch = np.ascontiguousarray(np.stack(pieces), np.float32)
    # Weights stored in half precision are brought to what both libraries expect.
    from onnxruntime.quantization.shape_inference import quant_pre_process

    ready = place / "ready.onnx"
    quant_pre_process(card.file, ready, skip_symbolic_shape=True)
    # All that making int8 reads of a card.
    stand_in = cast("Card", SimpleNamespace(input=card.input, needs=SimpleNamespace(layout="NCHW")))
    found = {}
    for name, (_, way) in WAYS.items():
        file = place / f"{name}.onnx"
        try:
            with quiet():
                way(ready, stand_in, batch, file)
            engine.open_session(file, "int8")
        except Exception as error:  # either library has errors of its own
            print(f"int8 by {name} failed: {type(error).__name__}: {' '.join(str(error).split())[:160]}")
            continue
        found[name] = file
    return found
