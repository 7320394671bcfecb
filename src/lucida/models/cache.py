"""Where models that were converted, and choices that were measured, are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder: LUCIDA_CACHE, else one in the user's cache folder. It may not exist yet."""
    own = os.environ.get("LUCIDA_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "camera-lucida"
