"""Files of the hub: found in its cache, or brought there; never pickle, never code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lucida.errors import ModelError

WANTED = ("*.json", "*.txt", "*.model", "*.jinja", "*.safetensors")
# Where there are no safetensors: exported files, in full precision only.
EXPORTED = ("*.onnx", "*.onnx_data")
_VARIANTS = ("*fp16*", "*int8*", "*q4*", "*bnb4*", "*quantized*", "*optimized*", "*_O[0-9]*", "*merged*")
# The hub's own program offers older models in safetensors, in a pull request that many authors never merged.
BOT, TITLE = "SFconvertbot", "Adding `safetensors` variant of this model"


def cached(name: str, revision: str | None) -> Path | None:
    """Return the folder of a model in the hub's cache; None where it is not there with its weights.

    Args:
        name: "org/name".
        revision: Branch, tag or commit; None for the latest that is there.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError, OSError):
        return None
    if whole(found):
        return found
    # Weights that came by the bot's pull request lie under another commit.
    others = [] if revision else sorted(found.parent.iterdir(), key=lambda path: -path.stat().st_mtime)
    return next((other for other in others if whole(other)), None)


def download(name: str, revision: str | None) -> Path:
    """Bring a model into the hub's cache and return its folder.

    Raises:
        ModelError: Its weights are in pickle only.
        Exception: Whatever the hub's client raises.
    """
    from huggingface_hub import HfApi, snapshot_download

    found = Path(snapshot_download(name, revision=revision, allow_patterns=list(WANTED)))
    if whole(found):
        return found
    exported = [*WANTED, *EXPORTED]
    found = Path(snapshot_download(name, revision=revision, allow_patterns=exported, ignore_patterns=list(_VARIANTS)))
    if whole(found):
        return found
    api = HfApi()
    reference = None if revision else by_bot(api, name)
    if reference is not None:
        found = Path(snapshot_download(name, revision=reference, allow_patterns=list(WANTED)))
        if whole(found):
            return found
    files = [file for file in api.list_repo_files(name, revision=revision) if file.endswith((".bin", ".pt", ".pth"))]
    raise ModelError(
        f"The hub has the weights of {name!r} in pickle only, which can run any code when it is read.",
        expected="model.safetensors, ONNX files, or the pull request of the hub's own converter",
        got=", ".join(files[:3]) or "no weights at all",
        hint="where you trust them: load the model with transformers, save_pretrained(FOLDER), then --model FOLDER",
    )


def by_bot(api: Any, name: str) -> str | None:
    """Return the reference of the pull request in which the hub's own program converted a model.

    Only one of that program counts, whose only change stands on what the model is today: anybody can open another.
    """
    latest = api.list_repo_commits(name)[0].commit_id
    asked = api.get_repo_discussions(name, author=BOT, discussion_type="pull_request", discussion_status="open")
    for request in asked:
        if request.author == BOT and request.title == TITLE:
            commits = api.list_repo_commits(name, revision=request.git_reference)
            if len(commits) > 1 and commits[1].commit_id == latest:
                return str(request.git_reference)
    return None


def whole(folder: Path) -> bool:
    """Tell whether a folder holds a model: what it is, and its weights."""
    weights = ("*.safetensors", "*.onnx", "onnx/*.onnx")
    return (folder / "config.json").is_file() and any(True for pattern in weights for _ in folder.glob(pattern))


def is_cached(uri: str) -> bool:
    """Tell whether this machine holds a model: "hf:org/name", "timm:name" or "torchvision:name"."""
    if uri.startswith("torchvision:"):
        from lucida.models.torchvision.family import default_file

        return default_file(uri.removeprefix("torchvision:")).is_file()
    from huggingface_hub import try_to_load_from_cache

    name = uri.removeprefix("hf:") if uri.startswith("hf:") else f"timm/{uri.removeprefix('timm:')}"
    return isinstance(try_to_load_from_cache(name, "config.json"), str)
