"""The shipped encoder as a PyTorch network, and a tuned one as a model beside it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from lucida.models.embedded.storage import read_weights, replace_weights
from lucida.whole import whole

if TYPE_CHECKING:
    import torch

    from lucida.models.embedded.network import Encoder

PREFIX = "encoder."  # the exported file also holds what the embedding is widened by
PARTS = ("encoder.toml", "classes.json", "LICENSE")


def load_network(folder: Path) -> Encoder:
    """Build the network of an exported encoder with its weights; its norms are folded into its convolutions.

    Raises:
        MissingExtra: The packages `torch` and `onnx` are not installed.
    """
    import torch

    from lucida.models.embedded.network import Encoder, fold_batch_norm

    stored = read_weights(folder / "encoder.onnx")
    weights = {name.removeprefix(PREFIX): torch.from_numpy(values.copy()) for name, values in stored.items()}
    widths, depths = shape_of(weights)
    network = Encoder(len(weights["head.weight"]), widths, depths)
    network.eval()
    fold_batch_norm(network)
    network.load_state_dict({name: weights[name] for name in network.state_dict()})
    return network


def shape_of(weights: dict[str, torch.Tensor]) -> tuple[list[int], list[int]]:
    """Read widths and depths of a network off the shapes of its weights."""
    widths: list[int] = []
    depths: list[int] = []
    number = 0
    while f"blocks.{number}.second.0.weight" in weights:
        width = len(weights[f"blocks.{number}.second.0.weight"])
        if widths and width == widths[-1]:
            depths[-1] += 1
        else:
            widths.append(width)
            depths.append(1)
        number += 1
    return widths, depths


def write_tuned(base: Path, network: Encoder, out: Path) -> None:
    """Write a tuned network as a model of its own; the file that makes it one comes last.

    Args:
        base: Folder of the encoder that was tuned.
        network: The tuned network.
        out: An existing folder.
    """
    weights = {PREFIX + name: value.detach().float().numpy() for name, value in network.state_dict().items()}
    (out / "encoder.onnx").write_bytes(replace_weights(base / "encoder.onnx", weights))
    for name in reversed(PARTS):
        with whole(out / name) as partial:
            shutil.copyfile(base / name, partial)
