"""Checkpoints without pickle: one safetensors file, its small state as JSON in the file's header.

One file written beside its place and then moved there is whole or absent, also after kill -9.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lucida.whole import whole


def flatten_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Give the optimizer's tensors as ``{parameter index}.{name}``."""
    state: dict[int, dict[str, Any]] = optimizer.state_dict()["state"]
    return {
        f"{index}.{name}": value
        for index, values in state.items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what ``flatten_optimizer`` gave; hyperparameters stay those of ``optimizer``."""
    whole = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    whole["state"] = state
    optimizer.load_state_dict(whole)
    # Fused steps go over memory as it lies, so what belongs to a parameter must lie as it does.
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                values[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def save(path: Path, groups: dict[str, dict[str, Tensor]], state: dict[str, Any]) -> None:
    """Write groups of tensors and a JSON state, atomically.

    Raises:
        OSError: There is no room, or no permission.
    """
    flat = {
        f"{group}/{key}": value.detach().contiguous().cpu()
        for group, tensors in groups.items()
        for key, value in tensors.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as partial:
        try:
            save_file(flat, partial, metadata={"state": json.dumps(state)})
        except SafetensorError as error:
            # Its writer has an error of its own for a full disk.
            raise OSError(str(error)) from error
        with partial.open("rb+") as file:
            os.fsync(file.fileno())


def load(path: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Read what ``save`` wrote: the groups of tensors and the state."""
    groups: dict[str, dict[str, Tensor]] = {}
    with safe_open(path, framework="pt") as file:
        state: dict[str, Any] = json.loads((file.metadata() or {})["state"])
        for name in file.keys():  # noqa: SIM118 - not a mapping
            group, key = name.split("/", 1)
            groups.setdefault(group, {})[key] = file.get_tensor(name)
    return groups, state
