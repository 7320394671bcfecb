"""Where a model's files lie: a folder on this disk, or the hub's cache, filled where there is a network."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lucida.errors import ModelError
from lucida.models.cache import cache_folder

UNSTATED = "not stated: see the model's page"  # a licence
PICKLE = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


@dataclass(frozen=True)
class Snapshot:
    """The files of one model at one revision.

    Attributes:
        name: Name under which it is found again: "hf:org/name", or the path of a folder.
        folder: Where they lie.
        revision: Commit on the hub, or a digest of the files.
    """

    name: str
    folder: Path
    revision: str

    @cached_property
    def config(self) -> dict[str, Any]:
        """The model's config.json."""
        return read_json(self.folder / "config.json")

    @property
    def safetensors(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors"))

    def refuse_pickle(self) -> None:
        """Refuse weights that could run code when they are read.

        Raises:
            ModelError: There are no safetensors in the folder.
        """
        if self.safetensors:
            return
        pickled = sorted(path.name for path in self.folder.iterdir() if path.suffix in PICKLE)
        raise ModelError(
            f"The weights of {self.name} are in pickle files, which can run any code when they are read."
            if pickled
            else f"There are no weights at {self.folder}.",
            expected="model.safetensors",
            got=", ".join(pickled[:3]) or ", ".join(sorted(p.name for p in self.folder.iterdir())[:8]) or "nothing",
            hint="where you trust the file, convert it once: load it with the library that wrote it and call "
            "save_pretrained(FOLDER) (transformers), save_for_hf(model, FOLDER, safe_serialization=True) (timm) or "
            "safetensors.torch.save_file"
            if pickled
            else "put model.safetensors beside config.json",
        )


def conversion(file: Path) -> str:
    """Return the command that writes the tensors of a pickle as safetensors, and runs no code in doing so."""
    made = file.with_suffix(".safetensors").name
    code = (
        f"import torch, safetensors.torch as s; w = torch.load({file.name!r}, 'cpu', weights_only=True);"
        f" s.save_file({{k: v.contiguous() for k, v in w.get('state_dict', w).items()}}, {made!r})"
    )
    return f'python -c "{code}"'


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        ModelError: It is missing or damaged.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be read.",
            expected="a JSON file, as the hub has it",
            got=getattr(error, "strerror", None) or str(error),
            hint="download the model again, whole",
        ) from error
    if not isinstance(found, dict):
        raise ModelError(
            f"{path} is not what it must be.",
            expected="a JSON object, as the hub has it",
            got=type(found).__name__,
            hint="download the model again, whole",
        )
    return found


def local(folder: Path) -> Snapshot:
    """Return the model in a folder on this disk."""
    whole = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in (".json", ".safetensors", ".onnx")):
        whole.update(f"{path.relative_to(folder).as_posix()} {digest_of(path)}\n".encode())
    return Snapshot(str(folder.resolve()), folder.resolve(), whole.hexdigest()[:12])


def from_hub(uri: str) -> Snapshot:
    """Return a model of the hub: from its cache, else downloaded.

    Args:
        uri: "org/name", with "@revision" for another than the latest.

    Raises:
        ModelError: It is neither in the cache nor to be had, or its weights are in pickle only.
    """
    from lucida.models.hub.download import cached, download

    name, _, revision = uri.partition("@")
    found = cached(name, revision or None)
    if found is None:
        try:
            found = download(name, revision or None)
        except ModelError:
            raise
        except Exception as error:
            # The hub's client raises classes of its own, of httpx and of the operating system.
            raise _absent(name, error) from error
    return Snapshot(f"hf:{uri}", found, found.name)


def _absent(name: str, error: Exception) -> ModelError:
    from huggingface_hub.constants import HF_HUB_CACHE

    # The client explains itself at length; what comes first is the reason.
    reason = " ".join(str(error).split()).split(" An error happened")[0].removeprefix("Got: ")
    return ModelError(
        f"The model {name!r} is not on this machine and cannot be downloaded.",
        expected=f"its files in the hub's cache, {HF_HUB_CACHE}, or a network",
        got=reason[:200] or type(error).__name__,
        hint=f"on a machine with a network: hf download {name} --local-dir FOLDER; bring FOLDER here and use"
        " --model FOLDER. --model embedded works offline",
    )


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, remembered by its size and time of change: weights are gigabytes."""
    stat = path.stat()
    key = f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    kept = cache_folder() / "digests" / f"{hashlib.sha256(key.encode()).hexdigest()}.txt"
    try:
        return kept.read_text(encoding="ascii")
    except OSError:
        pass
    with path.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if stat.st_size > 2**20:
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(found, encoding="ascii")
        except OSError:
            pass
    return found
