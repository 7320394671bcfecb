"""How many requests a second `lucida serve` answers, and how fast, beside plain FastAPI and LitServe on one ONNX file.

    .venv-torch/bin/python -m benchmarks.serving --photos FOLDER-OR-PARQUET [--seconds 8] [--rounds 3]
    … --overload                  # four times what it can answer
    … --soak 10                   # minutes at 80 % of what it can answer

MobileNetV3-large with random weights (or `--model`, a TOML beside an ONNX file whose input is "image" and whose output
is "logits") names JPEGs of about 50 KB, 500 x 375, sent as forms over loopback by wrk, each another image, so that no
memory answers; "from memory" are the same 64 again and again. The peers do the same with Pillow and ONNX Runtime in
fp32: `benchmarks/serving_peer.py` under uvicorn with one and with two workers, and `benchmarks/serving_litserve.py`
with one worker a core; LitServe is left out where it is not installed. All servers run, are asked in turns, at 1, 8, 32
and 128 clients, and are held still (SIGSTOP) while another is asked. CPU ms is what an answer costs all processes of a
server: it holds on a machine that others use as well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.serving_load import closed_loop, write_requests
from benchmarks.serving_long import overload, soak
from benchmarks.serving_sides import OURS, Side, installed, side
from PIL import Image

from lucida.env import versions
from lucida.models.threads import available_cores

SIZE: Final = (500, 375)
BYTES: Final = 50_000
PHOTOS: Final = 64
CLIENTS: Final = (1, 8, 32, 128)
JUDGED: Final = 32  # clients at which the ratio is told
WARM: Final = 1.0  # seconds that are not counted
SETTLE: Final = 0.5  # seconds
MEMORY: Final = "  from memory"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos, or a Parquet file of them")
    parser.add_argument("--model", type=Path, help="TOML beside an ONNX file; a MobileNetV3-large by default")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS)
    parser.add_argument("--only", nargs="+", choices=installed(), default=installed())
    parser.add_argument("--overload", action="store_true", help="ask four times as much as it can answer")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="ask 80 %% of what it can answer, for so long")
    parser.add_argument("--deadline", type=float, default=0.5, help="of ours under overload, in seconds")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_photos(options.photos, folder)
        write_requests(folder)
        card = options.model or write_model(folder)
        known = ("camera-lucida", "python", "fastapi", "uvicorn", "onnxruntime", "openvino", "litserve")
        print({name: version for name, version in versions().items() if name in known}, f"{available_cores()} cores")
        if options.overload:
            asyncio.run(overload(card, folder, options.seconds, options.deadline))
        elif options.soak:
            asyncio.run(soak(card, folder, options.soak * 60))
        else:
            compare(card, folder, options)


def compare(card: Path, folder: Path, options: argparse.Namespace) -> None:
    """Run all servers and print a table."""
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    with ExitStack() as stack:
        sides: dict[str, Side] = {}
        for name in options.only:
            sides[name] = stack.enter_context(side(name, card))
            sides[name].hold()
        for _ in range(options.rounds):
            for clients in options.clients:
                for name, one in sides.items():
                    found.setdefault((name, clients), []).append(measure(one, clients, folder, options.seconds))
                    if name == OURS and clients == JUDGED:
                        again = measure(one, clients, folder, options.seconds / 2, same=True)
                        found.setdefault((MEMORY, clients), []).append(again)
    heads = "".join(f"{head:>12}" for head in ("requests/s", "p50 ms", "p95 ms", "p99 ms", "CPU ms", "not 200"))
    print(f"{'':<22}{'clients':>8}{heads}")
    for clients in options.clients:
        for name in (*options.only, MEMORY):
            if rows := found.get((name, clients)):
                print(f"{name:<22}{clients:>8}{_line(rows)}", flush=True)
    for name in options.only[1:]:
        ours, theirs = found.get((OURS, JUDGED)), found.get((name, JUDGED))
        if ours and theirs:
            ratios = sorted(mine["rate"] / max(other["rate"], 1e-9) for mine, other in zip(ours, theirs, strict=True))
            span = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
            print(f"at {JUDGED} clients: {median(ratios):.2f} times {name} ({span} over {len(ratios)} rounds)")


def measure(one: Side, clients: int, folder: Path, seconds: float, *, same: bool = False) -> dict[str, Any]:
    """Let a server run, and ask it."""
    one.go()
    try:
        closed_loop(one.port, clients, folder, WARM, same=same)
        began = one.cpu()
        row = closed_loop(one.port, clients, folder, seconds, same=same)
        return {**row, "cpu": (one.cpu() - began) * 1000 / max(1, row["answers"])}
    finally:
        # What the last clients left is finished first: held still, it would seem to take minutes.
        time.sleep(SETTLE)
        one.hold()


def _line(rows: list[dict[str, Any]]) -> str:
    found = [median(row[key] for row in rows) for key in ("rate", "p50", "p95", "p99", "cpu")]
    bad = sum(row["refused"] + row["broken"] for row in rows)
    return "".join(f"{value:>12.1f}" for value in found) + f"{bad:>12}"


def write_photos(source: Path, folder: Path) -> None:
    """Write photos as JPEGs of about 50 KB."""
    for number, data in enumerate(_photos(source)):
        photo = Image.open(BytesIO(data)).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
        made = []
        for quality in (97, 94, 90, 85, 78, 70):
            out = BytesIO()
            photo.save(out, "JPEG", quality=quality)
            made.append(out.getvalue())
        (folder / f"{number:03d}.jpg").write_bytes(min(made, key=lambda one: abs(len(one) - BYTES)))


def _photos(source: Path) -> list[bytes]:
    if source.suffix == ".parquet":
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(source, columns=["image"]).slice(0, PHOTOS)
        return [row["image"]["bytes"] for row in table.to_pylist()]
    files = sorted(file for file in source.rglob("*") if file.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return [file.read_bytes() for file in files[:PHOTOS]]


def write_model(folder: Path) -> Path:
    """Write a MobileNetV3-large with random weights as ONNX, and its card; needs PyTorch and timm."""
    import timm
    import torch

    from lucida.models.needs import ImageNeeds
    from lucida.models.onnx.card import write_card
    from lucida.train.export import write_onnx

    torch.manual_seed(0)
    needs = ImageNeeds(224, "crop", "bilinear", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), edge=256)
    write_onnx(timm.create_model("mobilenetv3_large_100", pretrained=False), needs, ("logits",), folder / "model.onnx")
    (folder / "classes.json").write_text(json.dumps([f"class {k}" for k in range(1000)]), encoding="utf-8")
    top = {"name": "mobilenet", "task": "classify", "file": "model.onnx", "licence": "none", "source": "random weights"}
    write_card(folder / "model.toml", top, needs, {"logits": "logits", "classes": "classes.json"})
    return folder / "model.toml"


if __name__ == "__main__":
    main()
