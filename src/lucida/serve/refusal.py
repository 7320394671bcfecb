"""What is answered instead of a result: a status, the four parts of an error, when to come again."""

from __future__ import annotations

from typing import Any, Final

from lucida.errors import CatalogError, ImageError, InputError, LucidaError, MissingExtra, ModelError

CLIENT_GONE: Final = 499  # nobody reads it; logs and counts tell it from a failure


class Refused(Exception):
    """A request that is not served.

    Args:
        status: Of HTTP.
        error: Why, in four parts.
        retry: Seconds after which it may be tried again; None where that would not help.
        hang_up: Whether the connection ends with the answer.
    """

    def __init__(self, status: int, error: LucidaError, *, retry: int | None = None, hang_up: bool = False) -> None:
        super().__init__(error.what)
        self.status, self.error, self.retry, self.hang_up = status, error, retry, hang_up

    @property
    def kind(self) -> tuple[str, int]:
        """Class and status, for counts and logs."""
        return type(self.error).__name__, self.status

    @property
    def said(self) -> str:
        """What may be written into a log: what came is left out, as it may be about a person."""
        return f"{type(self.error).__name__}: {self.error.what}"

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says beside its body."""
        found = {} if self.retry is None else {"retry-after": str(self.retry)}
        if self.status == 401:
            # The second has a browser ask for a password: that is the key, and /docs can be read.
            found["www-authenticate"] = 'Bearer realm="lucida", Basic realm="lucida", charset="UTF-8"'
        return {**found, **({"connection": "close"} if self.hang_up else {})}


# The first that an error is one of. An error of the model at this point is no fault of the request: what a model cannot
# do is refused before.
STATUS: Final[dict[type[Exception], int]] = {
    InputError: 422,
    ImageError: 422,
    MissingExtra: 501,
    ModelError: 503,
    CatalogError: 503,
    LucidaError: 500,
}


def refusal_of(error: Exception) -> Refused:
    """Return what is answered for an error that was raised at work."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, MemoryError):
        known: LucidaError = ModelError(
            "There is no memory for this image now.",
            expected="enough memory",
            got="an image that needs more",
            hint="send a smaller image, or come again later",
        )
        return Refused(503, known, retry=5)
    if not isinstance(error, LucidaError):
        # What it says may be of use to a stranger alone; the log has it.
        return Refused(
            500,
            LucidaError(
                "An unexpected error stopped this request.",
                expected="an answer",
                got=type(error).__name__,
                hint="give the request id to whoever runs this server: its log has more",
            ),
        )
    return Refused(next(status for kind, status in STATUS.items() if isinstance(error, kind)), error)


def body_of(error: LucidaError, request_id: str) -> dict[str, Any]:
    """Return the JSON of a refusal."""
    return {"error": error_json(error), "request_id": request_id}


def error_json(error: LucidaError) -> dict[str, Any]:
    """Return an error as it stands in the place of an answer."""
    parts = {"what": error.what, "expected": error.expected, "got": error.got, "hint": error.hint}
    # The clients of OpenAI look for a message, and for what follows it.
    openai = {"message": error.line(), "code": getattr(error, "code", None), "param": None}
    return {"type": type(error).__name__, **parts, **openai}
