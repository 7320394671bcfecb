"""A small server that speaks the protocol of chat completions, and breaks it as it is told to."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    """One request for a completion.

    Attributes:
        body: Its JSON.
        headers: Its headers, names in small letters.
    """

    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All that is said in words."""
        parts = [message["content"] for message in self.body["messages"]]
        return "\n".join(part if isinstance(part, str) else _words(part) for part in parts)

    @property
    def images(self) -> list[str]:
        """The data URLs of all images, examples included."""
        parts = [part for message in self.body["messages"] for part in message["content"] if isinstance(part, dict)]
        return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


def _words(parts: list[dict[str, Any]]) -> str:
    return "\n".join(part["text"] for part in parts if part["type"] == "text")


@dataclass(frozen=True)
class Raw:
    """An answer of the server as it goes over the wire.

    Attributes:
        status: The status; 0 cuts the connection, -1 keeps it open and says nothing until the server is closed.
        body: The bytes.
        kind: The content type.
        headers: Further headers.
        cut_after: Bytes after which the connection is cut.
    """

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None


CUT = Raw(0)
SILENT = Raw(-1)
HTML = Raw(200, b"<!doctype html><title>Welcome</title>", "text/html")


def error(status: int, message: str, *, code: str | None = None, **headers: str) -> Raw:
    """Return a refusal as OpenAI words it."""
    body = json.dumps({"error": {"message": message, "type": "an_error", "param": None, "code": code}})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Raw(status, body.encode(), headers=named)


def said(*texts: str, finish: str = "stop", refusal: str | None = None, tokens: Any = None, usage: Any = ()) -> Raw:
    """Return a completion with these texts as its choices."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": text, "refusal": refusal},
            "finish_reason": finish,
            "logprobs": None if tokens is None else {"content": tokens},
        }
        for index, text in enumerate(texts)
    ]
    counted = {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050} if usage == () else usage
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": counted}
    return Raw(200, json.dumps(body).encode())


def answer(name: str, confidence: float = 0.9, reason: str = "It looks so.") -> str:
    """Return the text of a good answer about one image."""
    return json.dumps({"class": name, "confidence": confidence, "reason": reason})


def token(text: str, chance: float, **others: float) -> dict[str, Any]:
    """Return one token with its alternatives, their probabilities given."""
    tops = [
        {"token": t, "logprob": math.log(p), "bytes": list(t.encode())} for t, p in {text: chance, **others}.items()
    ]
    return {"token": text, "logprob": math.log(chance), "bytes": list(text.encode()), "top_logprobs": tops}


Respond = Callable[[Request], Raw]


@dataclass
class ChatServer:
    """A running server.

    Attributes:
        url: Its base URL.
        respond: What it answers to a request for a completion; may be replaced at any time.
        models: The models that it lists; None answers 404.
        requests: All requests for completions so far.
    """

    url: str = ""
    respond: Respond = lambda request: said(answer("disc"))
    models: list[str] | None = field(default_factory=lambda: ["m"])
    requests: list[Request] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closed: threading.Event = field(default_factory=threading.Event)

    def in_turn(self, *answers: Raw) -> None:
        """Answer the requests from now on in turn; the last answer is repeated."""
        queue = list(answers)

        def respond(request: Request) -> Raw:
            with self.lock:
                return queue.pop(0) if len(queue) > 1 else queue[0]

        self.respond = respond


@contextmanager
def serve() -> Iterator[ChatServer]:
    """Run a server on a free port of this machine while the block runs."""
    served = ChatServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: Any) -> None:
            return

        def do_GET(self) -> None:
            if served.models is None:
                self.give(error(404, "no such page"))
            else:
                data = [{"id": name, "object": "model", "created": 1, "owned_by": "t"} for name in served.models]
                self.give(Raw(200, json.dumps({"object": "list", "data": data}).encode()))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            request = Request(body, {name.lower(): value for name, value in self.headers.items()})
            with served.lock:
                served.requests.append(request)
            self.give(served.respond(request))

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
            self.wfile.write(raw.body if raw.cut_after is None else raw.body[: raw.cut_after])
            if raw.cut_after is not None:
                self.close_connection = True

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

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
