"""What every TOML beside an ONNX file has in common: it is read, its task is known, and files and use have a digest."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lucida.errors import InputError, ModelError

if TYPE_CHECKING:
    from pathlib import Path


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a model's TOML.

    Raises:
        ModelError: It cannot be read.
        InputError: It is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"The model's TOML {path} cannot be read.",
            expected="a TOML file that describes the model",
            got=error.strerror or str(error),
            hint="name the .toml beside the .onnx: --model onnx:PATH",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} is not valid TOML.", expected="key = value lines", got=str(error), hint="https://toml.io"
        ) from error


def task_in(path: Path) -> str:
    """Return the task that a TOML names; "" where it names none or cannot be read."""
    try:
        return str(tomllib.loads(path.read_text(encoding="utf-8")).get("task", ""))
    except (OSError, ValueError):
        return ""


def beside(path: Path, name: str) -> Path:
    """Return a file that a TOML names.

    Raises:
        ModelError: It is not there.
    """
    file = path.parent / name
    if not file.is_file():
        raise ModelError(
            f"{path} names the file {name!r}, which is missing.",
            expected=f"{file}",
            got="no such file",
            hint="put it beside the TOML, or correct its name there",
        )
    return file


def digest(files: Iterable[Path], use: str) -> str:
    """Return 12 hexadecimal digits of all that results depend on.

    Args:
        files: Their bytes count, in this order.
        use: How they are used.
    """
    whole = hashlib.sha256(use.encode())
    for file in files:
        with file.open("rb") as opened:
            whole.update(hashlib.file_digest(opened, "sha256").digest())
    return whole.hexdigest()[:12]
