"""Where the one file of a model lies: on this disk, in the hub's cache, or on the hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lucida.errors import ModelError
from lucida.models.cache import cache_folder
from lucida.models.opencv_zoo.known import NOTHING_SHIPS

if TYPE_CHECKING:
    from lucida.models.opencv_zoo.known import Known


def brought() -> Path:
    """Return the folder where a person may put files that were downloaded elsewhere; it may not exist."""
    return cache_folder() / "opencv_zoo"


def at_hand(known: Known, revision: str | None = None) -> Path | None:
    """Return the file of a model on this machine; None where it is not there."""
    own = brought() / known.file
    if own.is_file() and not revision:
        return own
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(known.repository, known.file, revision=revision)
    return Path(found) if isinstance(found, str) else None


def locate(known: Known, revision: str | None = None) -> Path:
    """Return the file of a model; it is downloaded where there is a network.

    Args:
        known: The model.
        revision: Branch, tag or commit; None for the latest.

    Raises:
        ModelError: It is not on this machine, and cannot be had.
    """
    found = at_hand(known, revision)
    if found is not None:
        return found
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(known.repository, known.file, revision=revision))
    except Exception as error:
        # The hub's client raises classes of its own, of httpx and of the operating system.
        raise _absent(known, error) from error


def _absent(known: Known, error: Exception) -> ModelError:
    reason = " ".join(str(error).split()).split(" An error happened")[0].removeprefix("Got: ")
    return ModelError(
        f"The model {known.name!r} is not on this machine and cannot be downloaded. {NOTHING_SHIPS}",
        expected=f"{known.file} of {known.repository} ({known.licence}, {known.megabytes} MB) in the hub's cache or in"
        f" {brought()}, or a network",
        got=reason[:200] or type(error).__name__,
        hint=f"on a machine with a network: hf download {known.repository} {known.file} --local-dir FOLDER; then put"
        f" the file into {brought()}, or name it: --model FOLDER/{known.file}",
    )
