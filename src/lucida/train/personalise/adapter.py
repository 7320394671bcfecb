"""The low-rank weights as a network of their own: what is trained, kept and compared is they alone."""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn

MARK = "|"  # instead of the dots of names, which parameters must not have


class Adapter(nn.Module):
    """LoRA weights within a network that stays as it is, and is no part of this one's state.

    A checkpoint of billions of frozen weights would be gigabytes. A copy has weights of its own, and puts them into
    the same network while it runs.

    Args:
        denoiser: The network; frozen, and changed in its layers.
        layers: Ends of the names of the layers that are changed.
        rank: Of the changes.

    Source: Hu et al. 2022, LoRA.
    """

    def __init__(self, denoiser: Any, layers: Sequence[str], rank: int) -> None:
        from peft import LoraConfig

        super().__init__()
        denoiser.requires_grad_(False)
        denoiser.add_adapter(
            LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(layers))
        )
        # In a list: what lies in it is no submodule.
        self._frozen: list[Any] = [denoiser]
        for name, weight in denoiser.named_parameters():
            if weight.requires_grad:
                # Small steps are lost in half precision.
                weight.data = weight.data.float()
                self.register_parameter(name.replace(".", MARK), weight)

    @property
    def config(self) -> Any:
        """Settings of the network."""
        return self._frozen[0].config

    @property
    def denoiser(self) -> Any:
        """The network with what it is changed by; the weights in it are those of whoever runs."""
        return self._frozen[0]

    def place(self, device: torch.device) -> None:
        """Bring the frozen network to a device, if it is not there."""
        if next(self.denoiser.parameters()).device != device:
            self.denoiser.to(device)

    @contextlib.contextmanager
    def inside(self) -> Iterator[Any]:
        """Put these weights into the network while the block runs, and give it."""
        there = dict(self.denoiser.named_parameters())
        pairs = [(there[name.replace(MARK, ".")], weight) for name, weight in self.named_parameters()]
        apart = [(home, weight) for home, weight in pairs if home is not weight]
        try:
            for home, weight in apart:
                home.data, weight.data = weight.data, home.data
            yield self.denoiser
        finally:
            for home, weight in apart:
                home.data, weight.data = weight.data, home.data

    def forward(self, *given: Any, **named: Any) -> Any:
        with self.inside() as denoiser:
            return denoiser(*given, **named)

    def __deepcopy__(self, memo: dict[int, Any]) -> Adapter:
        copied = Adapter.__new__(Adapter)
        nn.Module.__init__(copied)
        copied._frozen = self._frozen
        for name, weight in self.named_parameters():
            copied.register_parameter(name, nn.Parameter(weight.detach().clone(), weight.requires_grad))
        return copied
