"""Small networks of architectures that spandrel knows, with random weights, as safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file


def network(name: str) -> torch.nn.Module:
    """Return a network with weights from a seed."""
    from spandrel.architectures import SPAN, Compact, DnCNN, SwinIR

    torch.manual_seed(0)
    made: dict[str, Any] = {
        "DnCNN": lambda: DnCNN.DnCNN(in_nc=1, out_nc=1, nc=4, nb=8, act_mode="R", mode="DnCNN"),
        "FDnCNN": lambda: DnCNN.DnCNN(in_nc=4, out_nc=3, nc=4, nb=8, act_mode="R", mode="FDnCNN"),
        "Compact": lambda: Compact.Compact(num_feat=8, num_conv=2, upscale=2),
        "SPAN": lambda: SPAN.SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=4),
        "SwinIR": lambda: SwinIR.SwinIR(
            img_size=16, window_size=8, depths=[2], embed_dim=12, num_heads=[2], mlp_ratio=2, upscale=2,
            upsampler="pixelshuffledirect",
        ),
    }  # fmt: skip
    return made[name]().eval()


def write(name: str, folder: Path, *, sharper: float = 1.0) -> Path:
    """Write the weights of a network and return their file; those of its attention so many times larger."""
    file = folder / f"{name}.safetensors"
    weights = {key: value.contiguous().clone() for key, value in network(name).state_dict().items()}
    for key, value in weights.items():
        if ".attn." in key and value.is_floating_point():
            value *= sharper
    save_file(weights, file)
    return file
