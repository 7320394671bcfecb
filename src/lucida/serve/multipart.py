"""Forms with files (RFC 7578), read from memory: what was read is bounded already."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from lucida.errors import InputError

PARTS: Final = 1000


@dataclass
class Part:
    """One part of a form.

    Attributes:
        name: Of the field.
        file: Whether it is a file.
        pieces: Its bytes, as they came.
    """

    name: str = ""
    file: bool = False
    pieces: list[bytes] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        """All its bytes."""
        return self.pieces[0] if len(self.pieces) == 1 else b"".join(self.pieces)


class _Reader:
    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.whole = False
        self._name, self._value = b"", b""

    def begin(self) -> None:
        if len(self.parts) >= PARTS:
            raise InputError("The form has too many fields.", expected=f"at most {PARTS:,}", got="more")
        self.parts.append(Part())

    def header_begin(self) -> None:
        self._name = self._value = b""

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._name.lower() != b"content-disposition":
            return
        _, options = parse_options_header(self._value)
        self.parts[-1].name = options.get(b"name", b"").decode("utf-8", "replace")
        self.parts[-1].file = b"filename" in options

    def data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].pieces.append(data[start:end])

    def end(self) -> None:
        self.whole = True


def read_multipart(boundary: bytes, body: bytes) -> list[Part]:
    """Return the parts of a form, in order.

    Args:
        boundary: What stands between them, as the content type says.
        body: All of it.

    Raises:
        InputError: It is no form, or does not end.
    """
    reader = _Reader()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": reader.begin,
                "on_header_begin": reader.header_begin,
                "on_header_field": reader.header_name,
                "on_header_value": reader.header_value,
                "on_header_end": reader.header_end,
                "on_part_data": reader.data,
                "on_end": reader.end,
            },
        )
        parser.write(body)
    except (FormParserError, ValueError) as error:
        raise _no_form(" ".join(str(error).split())[:200]) from error
    if not reader.whole:
        raise _no_form(f"{len(body):,} bytes that end before the form does")
    return reader.parts


def _no_form(got: str) -> InputError:
    return InputError(
        "The request is no form.",
        expected="multipart/form-data, as its content-type says",
        got=got,
        hint="let the client make the form: curl -F image=@x.jpg",
    )
