"""Clients that ask a server: wrk for a given number of them at once, and requests that come whether it answers or not.

wrk (https://github.com/wg/wrk, `apt install wrk`) keeps connections and asks again as soon as it is answered. What it
cannot do is to ask at a given rate, as strangers do: `open_loop` draws the moments at which requests come (a Poisson
process), and counts the time to an answer from those moments, whether a connection was free or not.

Every request carries another image: a JPEG comment of twelve digits is counted up, so that no server's memory answers.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np

PATH: Final = "/v1/classify"
MOST: Final = 1024  # connections of the open loop
_DIGITS: Final = "000000000000"
_BEFORE: Final = (
    b'--x\r\nContent-Disposition: form-data; name="image"; filename="x.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
)
_AFTER: Final = b"\r\n--x--\r\n"
_SCRIPT: Final = """
local parts, number, fixed = {{}}, {start}, {fixed}
for line in io.lines("{folder}/requests.txt") do
  local file = io.open(line, "rb")
  local whole = file:read("*a")
  file:close()
  local at = whole:find("{digits}", 1, true)
  parts[#parts + 1] = {{whole:sub(1, at - 1), whole:sub(at + 12)}}
end
function request()
  local one = parts[number % #parts + 1]
  number = number + 1
  return one[1] .. string.format("%012d", fixed and 0 or number) .. one[2]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{{"answers":%d,"seconds":%f,"p50":%f,"p95":%f,"p99":%f,"refused":%d,"broken":%d}}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    latency:percentile(99) / 1e3, e.status, e.connect + e.read + e.write + e.timeout))
end
"""
_numbers = count(1)


def write_requests(folder: Path) -> None:
    """Write the requests of all JPEGs of a folder as they go over the wire."""
    names = []
    for photo in sorted(folder.glob("*.jpg")):
        file = photo.with_suffix(".http")
        file.write_bytes(request_of(photo.read_bytes()))
        names.append(str(file))
    (folder / "requests.txt").write_text("\n".join(names) + "\n")


def request_of(jpeg: bytes) -> bytes:
    """Return the bytes of a request, with twelve zeros in a comment of the JPEG for a number."""
    comment = b"\xff\xfe" + (2 + len(_DIGITS)).to_bytes(2, "big") + _DIGITS.encode()
    body = _BEFORE + jpeg[:2] + comment + jpeg[2:] + _AFTER
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + body


def closed_loop(port: int, clients: int, folder: Path, seconds: float, *, same: bool = False) -> dict[str, Any]:
    """Ask from so many clients at once, each again as soon as it is answered.

    Args:
        port: Of the server.
        clients: Connections.
        folder: Where `write_requests` wrote.
        seconds: For how long.
        same: Whether the same few images come again and again.

    Returns:
        Good answers a second ("rate"), milliseconds ("p50", "p95", "p99"), and how many answers there were
        ("answers"), of which other than 200 ("refused"), and how many failed ("broken").
    """
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is needed: apt install wrk, or https://github.com/wg/wrk")
    script = folder / "ask.lua"
    start = next(_numbers) * 10_000_000
    script.write_text(_SCRIPT.format(folder=folder, digits=_DIGITS, start=start, fixed="true" if same else "false"))
    command = ["wrk", "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--timeout", "60s", "-s", str(script)]
    found = subprocess.run([*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True)
    row: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return {**row, "rate": (row["answers"] - row["refused"]) / row["seconds"]}


@dataclass
class Told:
    """What came back from the open loop.

    Attributes:
        served: Milliseconds to each 200, from the moment at which its request should have been sent.
        refused: The same of each 429.
        other: Answers of other kinds, by status; 0 for a connection that broke.
        late: Requests for which no connection was free, at most 1,024 at a time; they were not sent.
    """

    served: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    other: dict[int, int] = field(default_factory=dict)
    late: int = 0


class _Connection(asyncio.Protocol):
    """One connection: a request at a time."""

    def __init__(self, told: Told, free: list[_Connection]) -> None:
        self._told, self._free, self._loop = told, free, asyncio.get_running_loop()
        self._begun, self._got, self._busy = 0.0, bytearray(), False
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def ask(self, request: tuple[bytes, bytes, bytes], begun: float) -> None:
        self._begun, self._busy = begun, True
        self._got.clear()
        self.transport.writelines(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = self._got.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._got[:end]).lower()
        if len(self._got) < end + 4 + int(head.split(b"content-length:")[1].split(b"\r\n")[0]):
            return
        self._busy = False
        self._count(int(head[9:12]))
        if b"connection: close" in head:
            self.transport.close()
        else:
            self._free.append(self)

    def connection_lost(self, _: Exception | None) -> None:
        if self in self._free:
            self._free.remove(self)
        if self._busy:
            self._count(0)

    def _count(self, status: int) -> None:
        taken = (self._loop.time() - self._begun) * 1000
        if status in (200, 429):
            (self._told.served if status == 200 else self._told.refused).append(taken)
        else:
            self._told.other[status] = self._told.other.get(status, 0) + 1


async def open_loop(port: int, rate: float, files: list[bytes], seconds: float, seed: int = 0) -> Told:
    """Ask at a given rate, whether the server keeps up or not.

    Args:
        port: Of the server.
        rate: Requests a second.
        files: Requests as `request_of` makes them.
        seconds: For how long.
        seed: Of the moments.
    """
    loop, chance, told = asyncio.get_running_loop(), random.Random(seed), Told()
    parts = [one.partition(_DIGITS.encode()) for one in files]
    free: list[_Connection] = []
    everyone: list[_Connection] = []
    at = loop.time()
    end = at + seconds
    number = random.SystemRandom().randrange(10**8, 10**11)
    while (at := at + chance.expovariate(rate)) < end:
        if (wait := at - loop.time()) > 0:
            await asyncio.sleep(wait)
        if not free and len(everyone) < MOST:
            _, made = await loop.create_connection(lambda: _Connection(told, free), "127.0.0.1", port)
            everyone.append(made)
            free.append(made)
        if not free:
            told.late += 1
            continue
        number += 1
        before, _, after = parts[number % len(parts)]
        free.pop().ask((before, f"{number:012d}".encode(), after), at)
        everyone = [one for one in everyone if not one.transport.is_closing()]
    for _ in range(600):
        if len(free) >= sum(not one.transport.is_closing() for one in everyone):
            break
        await asyncio.sleep(0.1)
    for one in everyone:
        one.transport.close()
    return told


def percentiles(times: list[float]) -> list[float]:
    """Return the median, and what 95 % and 99 % take at most."""
    found: list[float] = np.percentile(times, (50, 95, 99)).tolist() if times else [0.0] * 3
    return found
