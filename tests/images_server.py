"""A small server that really draws, in the shape of the images API, and breaks as it is told to."""

from __future__ import annotations

import base64
import email.parser
import email.policy
import io
import json
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image

from chat_server import Raw, error


@dataclass
class Wanted:
    """One request for pictures.

    Attributes:
        path: "generations" or "edits".
        fields: What was said in words.
        files: The images that came along, by name.
        headers: Its headers, names in small letters.
    """

    path: str
    fields: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def pattern(prompt: str, size: tuple[int, int], number: int = 0) -> np.ndarray:
    """Return colours uint8 (height, width, 3) that a prompt always gives."""
    random = np.random.default_rng(zlib.crc32(prompt.encode()) + number)
    small = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize(size, Image.Resampling.NEAREST))


def png(pixels: np.ndarray) -> bytes:
    """Return pixels as a PNG file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def draw(wanted: Wanted) -> list[bytes]:
    """Return the pictures of a request; of an edit the image, changed where the mask is clear."""
    width, height = (int(side) for side in wanted.fields["size"].split("x"))
    found = []
    for number in range(int(wanted.fields.get("n", 1))):
        pixels = pattern(wanted.fields["prompt"], (width, height), number)
        if "image" in wanted.files:
            image = np.asarray(Image.open(io.BytesIO(wanted.files["image"])).convert("RGB"))
            mask = wanted.files.get("mask")
            clear = np.asarray(Image.open(io.BytesIO(mask)))[..., 3] == 0 if mask else np.ones(image.shape[:2], bool)
            pixels = np.where(clear[..., None], pixels, image)
        found.append(png(pixels))
    return found


def coded(*files: bytes, **more: Any) -> Raw:
    """Return an answer with these files."""
    data = [{"b64_json": base64.b64encode(file).decode()} for file in files]
    return Raw(200, json.dumps({"created": 1, "data": data, **more}).encode())


USAGE = {"input_tokens": 30, "output_tokens": 1000, "input_tokens_details": {"text_tokens": 20, "image_tokens": 10}}


def respond(wanted: Wanted) -> Raw:
    """Answer as the images API does."""
    return coded(*draw(wanted), usage=USAGE)


@dataclass
class ImagesServer:
    """A running server.

    Attributes:
        url: Its base URL.
        faults: Answered before it draws again, in turn.
        respond: What it answers to a request for pictures.
        files: What lies at other paths.
        asked: All requests for pictures so far.
        fetched: All other paths that were asked for.
    """

    url: str = ""
    faults: list[Raw] = field(default_factory=list)
    respond: Callable[[Wanted], Raw] = respond
    files: dict[str, Raw] = field(default_factory=dict)
    asked: list[Wanted] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=lambda: ["painter"])
    closed: threading.Event = field(default_factory=threading.Event)


def _parts(kind: str, body: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    whole = parser.parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    fields: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    for part in whole.iter_parts():  # type: ignore[attr-defined]
        name = part.get_param("name", header="content-disposition")
        if part.get_filename():
            assert part.get_content_type() == "image/png"
            files[name] = part.get_payload(decode=True)
        else:
            fields[name] = part.get_payload(decode=True).decode()
    return fields, files


@contextmanager
def serve() -> Iterator[ImagesServer]:
    """Run a server on a free port of this machine while the block runs."""
    served = ImagesServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            return

        def do_GET(self) -> None:
            if self.path.endswith("/models"):
                data = [{"id": name, "object": "model", "created": 1, "owned_by": "t"} for name in served.models]
                return self.give(Raw(200, json.dumps({"object": "list", "data": data}).encode()))
            served.fetched.append(self.path)
            return self.give(served.files.get(self.path, error(404, "nothing there")))

        def do_POST(self) -> None:
            body, kind = self.rfile.read(int(self.headers["content-length"])), self.headers["content-type"]
            fields, files = _parts(kind, body) if kind.startswith("multipart/") else (json.loads(body), {})
            headers = {name.lower(): value for name, value in self.headers.items()}
            wanted = Wanted(self.path.rpartition("/")[2], fields, files, headers)
            served.asked.append(wanted)
            self.give(served.faults.pop(0) if served.faults else served.respond(wanted))

        def give(self, raw: Raw) -> None:
            if raw.status < 0:
                served.closed.wait()
            if raw.status <= 0 or served.closed.is_set():
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(raw.status)
            for name, value in {"content-type": raw.kind, "content-length": str(len(raw.body)), **raw.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw.body[: raw.cut_after])
            self.close_connection = raw.cut_after is not None

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: Any) -> None:
            return

    server = Quiet(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.closed.set()
        server.shutdown()
        server.server_close()
        thread.join()
