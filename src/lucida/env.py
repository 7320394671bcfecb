"""What a bug report needs: versions, machine, catalog."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib import metadata

from lucida import __version__

PACKAGES = (
    "numpy",
    "scipy",
    "pillow",
    "simplejpeg",
    "sqlalchemy",
    "lancedb",
    "pyarrow",
    "openvino",
    "onnxruntime",
    "fastapi",
    "nicegui",
    "torch",
    "transformers",
    "timm",
    "nncf",
    "openai",
)


@dataclass(frozen=True)
class Environment:
    """Versions of this program, Python, the system and the packages it stands on."""

    versions: dict[str, str]
    cores: int

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {"versions": self.versions, "cores": self.cores}

    def __str__(self) -> str:
        width = max(map(len, self.versions))
        return "\n".join([*(f"{k:<{width}}  {v}" for k, v in self.versions.items()), f"cores: {self.cores}"])


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Return the versions of this program, of Python, the system, and the packages named."""
    found = {"camera-lucida": __version__, "python": platform.python_version(), "system": platform.platform()}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def env() -> Environment:
    """Print what a bug report needs."""
    return Environment(versions=versions(), cores=os.cpu_count() or 1)
