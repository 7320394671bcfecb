"""How many requests a second `lucida serve` answers, and how fast, beside plain FastAPI with the same ONNX file.

    .venv-torch/bin/python -m benchmarks.serving --photos FOLDER-OR-PARQUET [--seconds 5] [--rounds 2]

MobileNetV3-large with random weights (or `--model`, a TOML beside an ONNX file whose input is "image" and whose output
is "logits") names JPEGs of about 50 KB, 500 x 375, sent as forms over loopback by a second process that keeps its
connections and asks again as soon as it is answered. CPU ms is what an answer costs the server's processes: it holds on
a machine that others use as well. The peers are `benchmarks/serving_peer.py` under uvicorn with one
and with two workers: a thread pool, Pillow, ONNX Runtime in fp32, one thread an inference. All servers run at the same
time and are asked in turns, at 1, 8 and 32 clients. Ours is asked for fresh answers (`cache-control: no-cache`), so
that none comes from its cache. The client takes a share of the same cores, and the same from all. LitServe is left out
where it is not installed.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import psutil  # type: ignore[import-untyped]
from PIL import Image

from lucida.env import versions
from lucida.models.threads import available_cores

SIZE: Final = (500, 375)
BYTES: Final = 50_000
PHOTOS: Final = 64
CLIENTS: Final = (1, 8, 32)
WARM: Final = 0.5  # seconds that are not counted
PATH: Final = "/v1/classify"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="folder of photos, or a Parquet file of them")
    parser.add_argument("--model", type=Path, help="TOML beside an ONNX file; a MobileNetV3-large by default")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--load", nargs=3, metavar=("PORT", "CLIENTS", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        port, clients, folder = options.load
        files = [file.read_bytes() for file in sorted(Path(folder).glob("*.jpg"))]
        print(json.dumps(asyncio.run(load(int(port), int(clients), files, options.seconds))))
        return
    if options.photos is None:
        parser.error("--photos is needed")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_photos(options.photos, folder)
        compare(options.model or write_model(folder), folder, options.seconds, options.rounds)


def compare(card: Path, folder: Path, seconds: float, rounds: int) -> None:
    """Run all servers and print a table."""
    print(
        {k: v for k, v in versions().items() if k in ("camera-lucida", "python", "fastapi", "uvicorn", "onnxruntime")}
    )
    print(f"{available_cores()} cores; LitServe {'is' if importlib.util.find_spec('litserve') else 'is not'} installed")
    with ExitStack() as stack:
        sides = {name: stack.enter_context(side(name, card)) for name in SIDES}
        found: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for _ in range(rounds):
            for clients in CLIENTS:
                for name, (port, process) in sides.items():
                    began = spent(process)
                    row = measure(port, clients, folder, seconds)
                    row["cpu"] = (spent(process) - began) * 1000 / max(1, row["all"])
                    found.setdefault((name, clients), []).append(row)
    print(f"{'':<24}{'clients':>8}{'requests/s':>12}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'CPU ms':>9}{'not 200':>9}")
    for clients in CLIENTS:
        for name in sides:
            rows = found[name, clients]
            rate, *rest = (median(row[key] for row in rows) for key in ("rate", "p50", "p95", "p99", "cpu"))
            bad = sum(row["bad"] for row in rows)
            print(f"{name:<24}{clients:>8}{rate:>12.1f}{''.join(f'{value:>9.1f}' for value in rest)}{bad:>9}")
    ours, theirs = (median(row["rate"] for row in found[name, CLIENTS[-1]]) for name in ("lucida serve", "two workers"))
    print(f"at {CLIENTS[-1]} clients: {ours / theirs:.2f} times two plain workers")


SIDES: Final = {
    "lucida serve": lambda card, port: ["lucida", "serve", f"m={card}", "--port", str(port)],
    "one worker": lambda card, port: _peer(port, 1),
    "two workers": lambda card, port: _peer(port, 2),
}


def _peer(port: int, workers: int) -> list[str]:
    return ["uvicorn", "benchmarks.serving_peer:app", "--port", str(port), "--workers", str(workers), "--no-access-log"]


@contextmanager
def side(name: str, card: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run one server, and give its port and process once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    root = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "PEER_MODEL": str(card.parent / "model.onnx")}
    command = [sys.executable, "-m", *SIDES[name](card, port)]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            wait(port, process, "/readyz" if name == "lucida serve" else "/openapi.json")
            yield port, process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def wait(port: int, process: subprocess.Popen[bytes], path: str) -> None:
    """Wait until a server answers."""
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit(f"{process.args!r} does not answer")


def spent(process: subprocess.Popen[bytes]) -> float:
    """Return the CPU seconds of a server, its workers included."""
    whole = psutil.Process(process.pid)
    times = [one.cpu_times() for one in (whole, *whole.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


def measure(port: int, clients: int, folder: Path, seconds: float) -> dict[str, Any]:
    """Ask a server from a second process."""
    command = [sys.executable, "-m", "benchmarks.serving", "--seconds", str(seconds)]
    command += ["--load", str(port), str(clients), str(folder)]
    found = subprocess.run(command, cwd=Path(__file__).resolve().parents[1], capture_output=True, check=True)
    result: dict[str, Any] = json.loads(found.stdout)
    return result


async def load(port: int, clients: int, files: list[bytes], seconds: float) -> dict[str, Any]:
    """Ask a server from so many clients at once.

    Returns:
        Answers a second, percentiles of the time to an answer in milliseconds, and how many were no 200.
    """
    requests = [request_of(data) for data in files]
    loop = asyncio.get_running_loop()
    begin = loop.time() + WARM
    end = begin + seconds
    times: list[float] = []
    bad = answers = 0

    async def client(number: int) -> None:
        nonlocal bad, answers
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        turn = number
        while (sent := loop.time()) < end:
            writer.write(requests[turn % len(requests)])
            status = await read_answer(reader)
            got = loop.time()
            answers += 1
            if begin <= got < end:
                if status == 200:
                    times.append((got - sent) * 1000)
                else:
                    bad += 1
            turn += clients
        writer.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    p50, p95, p99 = np.percentile(times, (50, 95, 99)).tolist() if times else (0.0, 0.0, 0.0)
    return {"rate": len(times) / seconds, "p50": p50, "p95": p95, "p99": p99, "bad": bad, "all": answers}


def request_of(data: bytes) -> bytes:
    """Return the bytes of a request, made once: the client must cost little beside the server."""
    body = b'--x\r\nContent-Disposition: form-data; name="image"; filename="x.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    body += data + b"\r\n--x--\r\n"
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nCache-Control: no-cache\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + body


async def read_answer(reader: asyncio.StreamReader) -> int:
    """Read an answer to its end and return its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().split(b"content-length:")[1].split(b"\r\n")[0]
    await reader.readexactly(int(length))
    return int(head[9:12])


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
