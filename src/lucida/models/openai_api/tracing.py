"""The trace that a request belongs to, told to the server that is asked for it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final

# As the header of this name has it; "" for none. Source: https://www.w3.org/TR/trace-context/
TRACEPARENT: Final[ContextVar[str]] = ContextVar("TRACEPARENT", default="")


def trace_headers() -> dict[str, Any]:
    """Return the arguments by which a client of OpenAI tells of it; none where nothing is traced."""
    trace = TRACEPARENT.get()
    return {"extra_headers": {"traceparent": trace}} if trace else {}
