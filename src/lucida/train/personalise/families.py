"""What can be taught, and how each family is trained: a row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import torch
from torch import Tensor

from lucida.models.diffusers.table import FLUX, SD, SD3, SDXL

if TYPE_CHECKING:
    from lucida.models.diffusers.table import Family

Words = dict[str, Tensor]  # "embeds" (n, tokens, d), and "pooled" (n, d) where the family has it
Predict = Callable[[Any, Tensor, Tensor, Words], Tensor]

_SELF: Final = ("to_q", "to_k", "to_v", "to_out.0")
_JOINT: Final = (
    "attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0",
    "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out",
)  # fmt: skip
STEPS: Final = 1000  # of the noise, as all these families count it


@dataclass(frozen=True)
class Teaching:
    """How models of one family are taught.

    Attributes:
        family: Ours, as it draws.
        denoiser: Name of the network in its pipeline that is changed.
        layers: Ends of the names of its layers that are changed: those of attention.
        goal: What the network learns to tell: the "noise" (or velocity) of a diffusion, or the velocity of a "flow".
        pooled: Which of what `encode_prompt` gives is one vector for the whole text; None where there is none.
        predict: What the network says: (network, noisy latents (n, c, h, w), time 0..1000 (n,), words) to (n, c, h, w).
        multiple: By how much the network itself divides the sides of its latents.
    """

    family: Family
    denoiser: Literal["unet", "transformer"]
    layers: tuple[str, ...]
    goal: Literal["noise", "flow"]
    pooled: int | None
    predict: Predict
    multiple: int = 2

    @property
    def name(self) -> str:
        """Of the family."""
        return self.family.name


def _sd(network: Any, noisy: Tensor, time: Tensor, words: Words) -> Tensor:
    found: Tensor = network(noisy, time, encoder_hidden_states=words["embeds"], return_dict=False)[0]
    return found


def _sdxl(network: Any, noisy: Tensor, time: Tensor, words: Words) -> Tensor:
    # It is told the size of the image, where it was cut, and the size that is wanted: all of them the same here.
    side = noisy.new_tensor([noisy.shape[-2] * words["scale"], noisy.shape[-1] * words["scale"]])
    ids = torch.cat([side, torch.zeros_like(side), side]).expand(len(noisy), 6)
    found: Tensor = network(
        noisy,
        time,
        encoder_hidden_states=words["embeds"],
        added_cond_kwargs={"text_embeds": words["pooled"], "time_ids": ids},
        return_dict=False,
    )[0]
    return found


def _sd3(network: Any, noisy: Tensor, time: Tensor, words: Words) -> Tensor:
    found: Tensor = network(
        hidden_states=noisy,
        timestep=time,
        encoder_hidden_states=words["embeds"],
        pooled_projections=words["pooled"],
        return_dict=False,
    )[0]
    return found


def _flux(network: Any, noisy: Tensor, time: Tensor, words: Words) -> Tensor:
    count, channels, height, width = noisy.shape
    squares = noisy.view(count, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 1, 3, 5)
    down = torch.arange(height // 2, device=noisy.device)
    across = torch.arange(width // 2, device=noisy.device)
    places = torch.stack([torch.zeros_like(down[:, None] + across), *torch.meshgrid(down, across, indexing="ij")], -1)
    # Guidance is distilled into it; 1 is that of the data.
    guidance = torch.ones_like(time) if network_config(network).guidance_embeds else None
    found: Tensor = network(
        hidden_states=squares.reshape(count, -1, channels * 4),
        timestep=time / STEPS,
        guidance=guidance,
        pooled_projections=words["pooled"],
        encoder_hidden_states=words["embeds"],
        txt_ids=noisy.new_zeros(words["embeds"].shape[1], 3),
        img_ids=places.reshape(-1, 3).to(noisy.dtype),
        return_dict=False,
    )[0]
    return unpacked(found, height, width)


def unpacked(rows: Tensor, height: int, width: int) -> Tensor:
    """Return latents (n, c, h, w) of rows of their squares of 2 x 2, (n, h * w / 4, 4 * c)."""
    count, channels = len(rows), rows.shape[-1] // 4
    back = rows.view(count, height // 2, width // 2, channels, 2, 2).permute(0, 3, 1, 4, 2, 5)
    return back.reshape(count, channels, height, width)


def network_config(network: Any) -> Any:
    """Return the settings of a denoiser, however it is wrapped."""
    while not hasattr(network, "config"):
        network = network.module
    return network.config


TEACHINGS: Final = (
    Teaching(SD, "unet", _SELF, "noise", None, _sd),
    Teaching(SDXL, "unet", _SELF, "noise", 2, _sdxl),
    Teaching(SD3, "transformer", _JOINT, "flow", 2, _sd3),
    Teaching(FLUX, "transformer", _JOINT, "flow", 1, _flux),
)


def teaching_of(pipeline: str) -> Teaching | None:
    """Return how the models of a class of diffusers are taught, as model_index.json names it; None where nobody knows.

    A network that was trained for inpainting takes other channels, and is not among them.
    """
    return next((row for row in TEACHINGS if row.family.pipelines["text"] == pipeline), None)
