"""LoRAs by name: a file, or a training of the catalog; and what their files say of themselves."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import InputError
from lucida.models.hub.snapshot import conversion

if TYPE_CHECKING:
    from lucida.catalog import Catalog

SUFFIX: Final = ".safetensors"
FILE: Final = f"pytorch_lora_weights{SUFFIX}"  # as diffusers, and so our training, calls it
TAUGHT: Final = f"model/{FILE}"  # in the folder of a training
HEADER: Final = 16 << 20  # bytes that the header of a file may have
OURS: Final = "lucida."


@dataclass(frozen=True)
class LoraChoice:
    """A LoRA that can be chosen.

    Attributes:
        name: What it is asked for by: the run that taught it, or its path.
        file: Where it is.
        title: What a person calls it: what was taught, or the name of the file.
        base: The model that it was taught on; "" where that is not known.
        prompt: Words that call what was taught; "" where these are not known.
    """

    name: str
    file: Path
    title: str
    base: str = ""
    prompt: str = ""


def find_lora(name: str, catalog: Catalog) -> Path:
    """Return the file of a LoRA; whether it can be used is for `check_lora` to say.

    Args:
        name: A path; or the id of a training of the catalog.
        catalog: Where.
    """
    file = catalog.path / "runs" / name / TAUGHT
    return file if _is_plain(name) and not Path(name).exists() and file.is_file() else Path(name).expanduser()


def known_as(path: Path, catalog: Catalog) -> LoraChoice:
    """Return a LoRA of a path under the name that lasts longest: that of the training of the catalog that taught it.

    Args:
        path: Where it is, or was before the catalog was moved.
        catalog: Where.
    """
    run = path.parts[-3] if path.parts[-2:] == Path(TAUGHT).parts[-2:] and len(path.parts) > 2 else ""
    own = find_lora(run, catalog).resolve()
    ours = bool(run) and own.is_file() and (own == path.resolve() or not path.is_file())
    return told_of(own, run) if ours else told_of(path)


def check_lora(path: Path) -> Path:
    """Return the path of a LoRA that is there and holds no code.

    Raises:
        InputError: The file is missing or of another kind.
    """
    if path.suffix.lower() != SUFFIX and path.is_file():
        raise InputError(
            f"{path} may hold pickle, which can run any code when it is read.",
            expected=f"FILE{SUFFIX}",
            got=path.suffix or "no suffix",
            hint=f"where you trust it, convert it once: {conversion(path)}",
        )
    if not path.is_file():
        raise InputError(
            f"There is no LoRA {path}.",
            expected=f"FILE{SUFFIX}, or a run of `lucida train lora`",
            got="a folder" if path.is_dir() else "no such file",
        )
    return path


def loras(catalog: Catalog) -> list[LoraChoice]:
    """Return what was taught for a catalog, the latest first."""
    found = sorted((catalog.path / "runs").glob(f"train-*/{TAUGHT}"), reverse=True)
    return [told_of(file, file.parents[1].name) for file in found]


def told_of(file: Path, name: str = "") -> LoraChoice:
    """Return what the header of a file says of its LoRA.

    Args:
        file: Safetensors; of what is damaged nothing is told.
        name: What it is asked for by; its path where it is "".
    """
    header = _header(file)
    base, token, prompt = (str(header.get(f"{OURS}{key}", "")) for key in ("base", "token", "prompt"))
    # In the folder of a training or of diffusers they are all called the same.
    plain = file.parent.name if file.name == FILE else file.stem
    return LoraChoice(name or str(file), file, token or plain, base, prompt)


def _header(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            found = json.loads(opened.read(min(length, HEADER))).get("__metadata__", {})
    except (OSError, ValueError, struct.error, AttributeError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_plain(name: str) -> bool:
    return bool(name) and Path(name).name == name
