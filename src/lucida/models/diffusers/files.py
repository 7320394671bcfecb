"""Where a pipeline's files lie: a folder on this disk, or the hub's cache, filled where there is a network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import ModelError
from lucida.models.hub.snapshot import PICKLE, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

INDEX: Final = "model_index.json"
LIBRARIES: Final = ("diffusers", "transformers")
# Not run here: what is drawn is never blackened in silence, and scores of what it shows are another model's work.
LEFT_OUT: Final = ("safety_checker",)
_WEIGHTLESS: Final = ("scheduler", "tokenizer", "feature_extractor", "image_processor", "processor")
_TEXTS: Final = (".json", ".txt", ".model", ".jinja")
_VARIANT: Final = re.compile(r"\.(fp16|bf16|fp32|non_ema|ema|fp8)(?=[.-])")


def parts_of(index: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return library and class of every part of a pipeline that is used here.

    Args:
        index: What model_index.json says.
    """
    named = {name: entry for name, entry in index.items() if isinstance(entry, list) and len(entry) == 2}
    return {
        name: (entry[0], entry[1]) for name, entry in named.items()
        if isinstance(entry[0], str) and isinstance(entry[1], str) and name not in LEFT_OUT
    }  # fmt: skip


def weighty(index: Mapping[str, Any]) -> list[str]:
    """Return the names of the parts that have weights."""
    return [name for name in parts_of(index) if not name.startswith(_WEIGHTLESS)]


def read_index(folder: Path) -> dict[str, Any]:
    """Return what model_index.json says.

    Raises:
        ModelError: It is damaged, or names code that comes with the model.
    """
    index = read_json(folder / INDEX)
    custom = [name for name, (library, _) in parts_of(index).items() if library not in LIBRARIES]
    if custom or not isinstance(index.get("_class_name"), str):
        raise ModelError(
            f"The pipeline in {folder} needs code of its own.",
            expected="parts of diffusers and transformers alone: code that comes with a model is never run",
            got=", ".join(custom) or f"class {index.get('_class_name')!r}",
            hint="another model; those of diffusers' own pipelines work",
        )
    return index


def whole(folder: Path) -> bool:
    """Tell whether a folder holds a pipeline with the weights of all its parts, in whatever format."""
    if not (folder / INDEX).is_file():
        return False
    names = weighty(read_json(folder / INDEX))
    return all(_weights(folder / name, (".safetensors", *PICKLE)) for name in names)


def check_safe(folder: Path, index: Mapping[str, Any]) -> None:
    """Refuse pickle, and what is not there.

    Raises:
        ModelError: A part has no safetensors.
    """
    for name in weighty(index):
        if _weights(folder / name, (".safetensors",)):
            continue
        pickled = [path.name for path in _weights(folder / name, PICKLE)]
        raise ModelError(
            f"The weights of {name} in {folder} are pickle, which can run any code when it is read."
            if pickled
            else f"There are no weights of {name} in {folder}.",
            expected=f"{name}/*.safetensors",
            got=", ".join(pickled[:3]) or "none",
            hint=f"where you trust it, convert it once: {conversion(folder)}"
            if pickled
            else "download it again, whole",
        )


def conversion(folder: Path) -> str:
    """Return the command that writes a pipeline as safetensors."""
    code = (
        "from diffusers import DiffusionPipeline as D; "
        f"D.from_pretrained({str(folder)!r}, use_safetensors=False, safety_checker=None)"
        f".save_pretrained({folder.name + '-safe'!r}, safe_serialization=True)"
    )
    return f'python -c "{code}"'


def variant_of(folder: Path, index: Mapping[str, Any]) -> str | None:
    """Return the variant of the weights that has to be asked for: "fp16" where a part has nothing else."""
    for name in weighty(index):
        found = [_VARIANT.search(path.name) for path in _weights(folder / name, (".safetensors",))]
        if found and all(found):
            return next(match.group(1) for match in found if match)
    return None


def chosen(files: Sequence[str], index: Mapping[str, Any], variant: str) -> list[str]:
    """Return which files of a repository make up its pipeline: one set of weights a part, no more.

    Args:
        files: All files of the repository.
        index: What its model_index.json says.
        variant: Preferred weights, such as "fp16"; "" for the plain ones.
    """
    names = [INDEX]
    for part in parts_of(index):
        inside = [file for file in files if file.startswith(f"{part}/")]
        weights = [file for file in inside if file.endswith(".safetensors")]
        plain = [file for file in weights if not _VARIANT.search(file)]
        lighter = [file for file in weights if variant and f".{variant}" in file]
        names += [file for file in inside if file.endswith(_TEXTS)] + (lighter or plain or weights)
    return names


def pipeline_in_cache(repo: str, revision: str | None = None) -> Path | None:
    """Return the folder of a pipeline in the hub's cache; None where it is not there whole."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        found = Path(snapshot_download(repo, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError, OSError):
        return None
    return found if whole(found) else None


def is_pipeline(repo: str) -> bool:
    """Tell whether the hub's cache holds a pipeline under a name, without looking further."""
    from huggingface_hub import try_to_load_from_cache

    try:
        return isinstance(try_to_load_from_cache(repo, INDEX), str)
    except ValueError:
        return False


def pipeline(repo: str, variant: str = "", revision: str | None = None, *, gated: bool = False) -> Path:
    """Return the folder of a pipeline of the hub, from its cache, else downloaded.

    Args:
        repo: "org/name".
        variant: Preferred weights.
        revision: Branch, tag or commit; None for the latest.
        gated: Its page asks to agree first.

    Raises:
        ModelError: It is neither in the cache nor to be had.
    """
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    found = pipeline_in_cache(repo, revision)
    if found is not None:
        return found
    try:
        index = read_json(Path(hf_hub_download(repo, INDEX, revision=revision)))
        wanted = chosen(HfApi().list_repo_files(repo, revision=revision), index, variant)
        return Path(snapshot_download(repo, revision=revision, allow_patterns=wanted))
    except Exception as error:
        # The hub's client raises classes of its own, of httpx and of the operating system.
        raise absent(repo, error, gated=gated) from error


def piece(repo: str, patterns: Sequence[str], has: str) -> Path:
    """Return the folder of some files of the hub: a ControlNet, a LoRA, an IP-Adapter.

    Args:
        repo: "org/name".
        patterns: What is downloaded.
        has: Pattern of what has to be there.

    Raises:
        ModelError: They are neither in the cache nor to be had.
    """
    from huggingface_hub import snapshot_download

    for offline in (True, False):
        try:
            found = Path(snapshot_download(repo, allow_patterns=list(patterns), local_files_only=offline))
        except Exception as error:
            if offline:
                continue
            raise absent(repo, error) from error
        if any(found.glob(has)):
            return found
    raise ModelError(f"{repo} has no weights in safetensors.", expected=has, got="none", hint="another model")


def absent(repo: str, error: Exception, *, gated: bool = False) -> ModelError:
    """Return the error for what is neither in the hub's cache nor to be had."""
    from huggingface_hub.constants import HF_HUB_CACHE

    reason = " ".join(str(error).split())[:200] or type(error).__name__
    agree = f"agree on https://huggingface.co/{repo} and run hf auth login; " if gated else ""
    return ModelError(
        f"The model {repo!r} is not on this machine and cannot be downloaded.",
        expected=f"its files in the hub's cache, {HF_HUB_CACHE}, or a network",
        got=reason,
        hint=f"{agree}on a machine with a network: hf download {repo} --local-dir FOLDER; bring FOLDER here and use"
        " --model FOLDER. --model embedded works offline",
    )


def _weights(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in suffixes) if folder.is_dir() else []
