"""What an ONNX file says of itself, read off its first and last bytes: weights are passed over, not loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from lucida.errors import ModelError

Shape = tuple[int | None, ...]
# Fields of onnx.proto3. Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
_GRAPH, _METADATA = 7, 14
_INITIALIZER, _INPUT, _OUTPUT = 5, 11, 12
_VARINT, _WIDE, _BYTES, _NARROW = 0, 1, 2, 5  # kinds of values


@dataclass
class Header:
    """What a file takes and gives.

    Attributes:
        metadata: Words that the exporting program left.
        inputs: Shape of each by its name; None where a size is free.
        outputs: The same of the outputs, in order.
    """

    metadata: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, Shape] = field(default_factory=dict)
    outputs: dict[str, Shape] = field(default_factory=dict)


def read_header(path: Path) -> Header:
    """Read what an ONNX file says of itself.

    Raises:
        ModelError: It is missing or damaged.
    """
    header = Header()
    weights: set[str] = set()
    try:
        with path.open("rb") as file:
            for number, end in _fields(file, path.stat().st_size):
                if number == _METADATA:
                    entry = {key: file.read(stop - file.tell()).decode() for key, stop in _fields(file, end)}
                    header.metadata[entry.get(1, "")] = entry.get(2, "")
                elif number == _GRAPH:
                    _graph(file, end, header, weights)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise ModelError(
            f"The model file {path} cannot be read.",
            expected="an ONNX file",
            got=getattr(error, "strerror", None) or str(error),
            hint="export it again",
        ) from error
    # Old files list their weights among the inputs.
    header.inputs = {name: shape for name, shape in header.inputs.items() if name not in weights}
    return header


def _graph(file: IO[bytes], end: int, header: Header, weights: set[str]) -> None:
    places = {_INPUT: header.inputs, _OUTPUT: header.outputs}
    for number, stop in _fields(file, end):
        if number in places:
            name, shape = _value(file, stop)
            places[number][name] = shape
        elif number == _INITIALIZER:
            weights.update(file.read(inner - file.tell()).decode() for key, inner in _fields(file, stop) if key == 8)


def _value(file: IO[bytes], end: int) -> tuple[str, Shape]:
    """Return name and shape of a ValueInfoProto."""
    name = ""
    sizes: list[int | None] = []
    for number, stop in _fields(file, end):
        if number == 1:
            name = file.read(stop - file.tell()).decode()
        elif number == 2:
            sizes += [
                next((_varint(file) for key, _ in _fields(file, shape) if key == 1), None)
                for shape in _down(file, stop, (1, 2, 1))
            ]
    return name, tuple(sizes)


def _down(file: IO[bytes], end: int, path: tuple[int, ...]) -> Iterator[int]:
    """Yield the ends of the messages that a path of fields leads to."""
    for number, stop in _fields(file, end):
        if number == path[0]:
            if len(path) == 1:
                yield stop
            else:
                yield from _down(file, stop, path[1:])


def _fields(file: IO[bytes], end: int) -> Iterator[tuple[int, int]]:
    """Yield the number of each field of a message and where it ends; the file stands at its value."""
    while file.tell() < end:
        tag = _varint(file)
        kind, start = tag & 7, file.tell()
        if kind == _VARINT:
            _varint(file)
            stop = file.tell()
            file.seek(start)
        elif kind in (_WIDE, _NARROW):
            stop = start + (8 if kind == _WIDE else 4)
        elif kind == _BYTES:
            length = _varint(file)
            stop = file.tell() + length
        else:
            raise ValueError("no ONNX file: a field of a kind that is not known")
        if stop > end:
            raise ValueError("no ONNX file, or one that was cut short")
        yield tag >> 3, stop
        file.seek(stop)


def _varint(file: IO[bytes]) -> int:
    value, shift = 0, 0
    while True:
        byte = file.read(1)
        if not byte or shift > 63:
            raise ValueError("no ONNX file, or one that was cut short")
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
        shift += 7
