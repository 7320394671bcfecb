"""A finished run as PyTorch: its network with its weights, for explaining, pruning, and training on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucida.errors import ModelError
from lucida.models.needs import RAW
from lucida.models.onnx.card import read_card
from lucida.train.location import CONFIG, MODEL, RESULT

if TYPE_CHECKING:
    from torch import nn

    from lucida.models.needs import ImageNeeds


@dataclass(frozen=True)
class Trained:
    """A finished run of `train`.

    Attributes:
        folder: Of the run.
        config: What was asked: task, model, classes, data, and all settings.
        result: What came of it, as `lucida train --json` prints it.
    """

    folder: Path
    config: dict[str, Any]
    result: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Trained:
        """Read a run.

        Raises:
            ModelError: There is no finished training in the folder.
        """
        try:
            config, result = (json.loads((folder / name).read_text(encoding="utf-8")) for name in (CONFIG, RESULT))
        except (OSError, ValueError) as error:
            raise ModelError(
                f"There is no finished training in {folder}.",
                expected=f"{CONFIG} and {RESULT}, which `lucida train` leaves",
                got=str(error),
                hint="the same `lucida train` again goes on where it was stopped",
            ) from error
        return cls(folder, config, result)

    @property
    def task(self) -> str:
        """Return what was trained."""
        return str(self.config["task"])

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of the classes."""
        return tuple(self.config["classes"])

    @property
    def needs(self) -> ImageNeeds:
        """Return what its model needs of an image."""
        return read_card(self.folder / MODEL / "model.toml").needs

    @property
    def raw(self) -> bool:
        """Tell whether all channels of its images are looked at, as they are stored."""
        return self.config.get("channels") == RAW and "depth" in self.config

    @property
    def depth(self) -> int:
        """Return how many channels of images its network sees."""
        return int(self.config["depth"]) if self.raw else 3

    def network(self) -> nn.Module:
        """Return the network in evaluation mode: float32 (n, c, size, size) to what its recipe makes of it.

        Raises:
            ModelError: Its task has no network that can be built again.
            InputError: The checkpoint is of another network.
        """
        import torch

        from lucida.train import recipes
        from lucida.train.standing import BEST, another
        from lucida.tuning import checkpoint

        network: nn.Module = recipes.rebuild(self)
        path = self.folder / BEST
        try:
            network.load_state_dict(checkpoint.load(path)[0]["network"])
        except (RuntimeError, OSError) as error:
            raise another(path, error) from error
        with torch.no_grad():
            return network.eval()
