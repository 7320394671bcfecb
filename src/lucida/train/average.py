"""The average of the weights over the last steps, which is what a training keeps."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

if TYPE_CHECKING:
    from torch import nn


class Average:
    """A copy of a network that follows it.

    Args:
        network: Followed from here on; its parameters must stay the same objects.

    Attributes:
        network: The copy.

    Source: Polyak and Juditsky 1992; as it is used now, Tarvainen and Valpola 2017, Mean teachers.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        pairs = list(zip(self.network.parameters(), network.parameters(), strict=True))
        self._slow = [slow for slow, fast in pairs if fast.requires_grad]
        self._fast = [fast for _, fast in pairs if fast.requires_grad]
        self._followed = network

    def follow(self, momentum: float) -> None:
        """Move the copy's state towards the network's by a share of 1 - momentum."""
        with torch.no_grad():
            get_ema_multi_avg_fn(momentum)(self._slow, self._fast, 0)
            # Some modules replace their buffers, so these are looked up every time.
            for slow, fast in zip(self.network.buffers(), self._followed.buffers(), strict=True):
                if slow.is_floating_point():
                    slow.lerp_(fast, 1 - momentum)
                else:
                    slow.copy_(fast)
