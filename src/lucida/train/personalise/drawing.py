"""A pipeline as training uses it: images to latents, words to vectors once, and pictures of what it has learned."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from inspect import signature
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor

from lucida.models.quiet import quiet
from lucida.train.personalise.families import STEPS, unpacked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.train.personalise.beginning import Base
    from lucida.train.personalise.families import Words

TEXT: Final = ("text_encoder", "text_encoder_2", "text_encoder_3")
MOST_STEPS: Final = 20  # of the sampler: enough to see what has been learned


class Easel:
    """A loaded pipeline whose text encoders are let go as soon as all words are vectors.

    Args:
        base: Which model it is.
        pipeline: Of diffusers.
        device: Where it works.
    """

    def __init__(self, base: Base, pipeline: Any, device: torch.device) -> None:
        self.base, self.pipeline, self.device = base, pipeline, device
        self.denoiser = getattr(pipeline, base.teaching.denoiser)
        self._said: dict[str, Words] = {}

    # Words

    def read(self, texts: list[str]) -> None:
        """Turn texts into vectors, and let the text encoders go: they are not trained."""
        parts = [part for name in TEXT if (part := getattr(self.pipeline, name, None)) is not None]
        for part in parts:
            part.to(self.device).requires_grad_(False)
        with torch.no_grad(), quiet():
            self._said = {text: self._words(text) for text in dict.fromkeys(["", *texts])}
        for part in parts:
            part.to("cpu")
        self.pipeline.register_modules(**{name: None for name in TEXT if hasattr(self.pipeline, name)})

    def _words(self, text: str) -> Words:
        encode, row = self.pipeline.encode_prompt, self.base.teaching
        known = signature(encode).parameters
        given: dict[str, Any] = {"prompt": text, "device": self.device, "num_images_per_prompt": 1}
        given |= {"do_classifier_free_guidance": False} if "do_classifier_free_guidance" in known else {}
        given |= {name: None for name in ("prompt_2", "prompt_3") if name in known}
        found = encode(**given)
        words = {"embeds": found[0].cpu().clone()}
        return words if row.pooled is None else words | {"pooled": found[row.pooled].cpu().clone()}

    def words(self, texts: list[str], device: torch.device, kind: torch.dtype) -> Words:
        """Return the vectors of texts that were read."""
        rows = [self._said[text] for text in texts]
        found = {name: torch.cat([row[name] for row in rows]).to(device, kind) for name in rows[0]}
        return found | {"scale": torch.tensor(self.scale)}

    # Images

    @property
    def scale(self) -> int:
        """Pixels that a latent stands for, along a side."""
        return int(self.pipeline.vae_scale_factor)

    def latents(self, pictures: list[NDArray[np.uint8]]) -> Tensor:
        """Return pictures as latents float32 (n, c, h, w), on the CPU; the same ones for the same picture."""
        vae = self.pipeline.vae.to(self.device)
        shift, scale = getattr(vae.config, "shift_factor", None) or 0.0, vae.config.scaling_factor
        found = []
        with torch.no_grad():
            for pixels in pictures:
                given = torch.from_numpy(pixels.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
                # The mean: what is drawn around it would be another one after a restart.
                mean = vae.encode(given.to(self.device)).latent_dist.mode()
                found.append(((mean - shift) * scale).float().cpu())
        return torch.cat(found)

    def _picture(self, latents: Tensor, side: int) -> NDArray[np.uint8]:
        """Return latents as the pipeline leaves them, some in rows of squares, as a picture."""
        vae = self.pipeline.vae
        shift, scale = getattr(vae.config, "shift_factor", None) or 0.0, vae.config.scaling_factor
        if latents.ndim == 3:
            latents = unpacked(latents, side // self.scale, side // self.scale)
        with torch.autocast(self.device.type, enabled=False):
            found = vae.decode(latents.float() / scale + shift, return_dict=False)[0][0]
        pixels = (found.nan_to_num() / 2 + 0.5).clamp(0, 1) * 255 + 0.5
        return np.asarray(pixels.permute(1, 2, 0).cpu().numpy(), np.uint8)

    def draw(self, text: str, seed: int, side: int) -> NDArray[np.uint8]:
        """Return a picture uint8 (side, side, 3) of a text that was read, by the weights that are in the network."""
        needs, pipeline = self.base.needs, self.pipeline
        with _drawing():
            self.denoiser.to(self.device)
            pipeline.vae.to(self.device)
        kind = next(self.denoiser.parameters()).dtype
        words, empty = (self.words([one], self.device, kind) for one in (text, ""))
        known = signature(pipeline.__call__).parameters
        given: dict[str, Any] = {"prompt_embeds": words["embeds"], "guidance_scale": needs.guidance or 1.0}
        if "pooled" in words:
            given["pooled_prompt_embeds"] = words["pooled"]
        if needs.negative:
            given["negative_prompt_embeds"] = empty["embeds"]
            if "pooled" in words and "negative_pooled_prompt_embeds" in known:
                given["negative_pooled_prompt_embeds"] = empty["pooled"]
        generator = torch.Generator("cpu").manual_seed(seed)
        steps = min(needs.steps, MOST_STEPS)
        half = torch.autocast(self.device.type, dtype=kind) if kind != torch.float32 else contextlib.nullcontext()
        with _drawing(), half:
            found = pipeline(
                height=side, width=side, num_inference_steps=steps, generator=generator, output_type="latent", **given
            ).images
            return self._picture(found, side)

    # Noise

    def noised(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return noisy latents, their times (n,) in 0..1000, and what the network should say of them.

        All chance is from PyTorch's global generator of the CPU, so that it is the same on every device.

        Source: Ho et al. 2020, DDPM; Lipman et al. 2023, flow matching; Esser et al. 2024 for the times of flows.
        """
        noise = torch.randn(latents.shape).to(latents)
        if self.base.teaching.goal == "flow":
            share = torch.sigmoid(torch.randn(len(latents)))
            shift = 1.0 if self.pipeline.scheduler.config.use_dynamic_shifting else self.pipeline.scheduler.config.shift
            share = (shift * share / (1 + (shift - 1) * share)).to(latents)
            part = share.view(-1, 1, 1, 1)
            return (1 - part) * latents + part * noise, share * STEPS, noise - latents
        schedule = _schedule(self.pipeline)
        time = torch.randint(0, schedule.config.num_train_timesteps, (len(latents),)).to(latents.device)
        noisy = schedule.add_noise(latents, noise, time)
        by_velocity = schedule.config.prediction_type == "v_prediction"
        return noisy, time, schedule.get_velocity(latents, noise, time) if by_velocity else noise


@contextlib.contextmanager
def _drawing() -> Iterator[None]:
    # Under inference mode what is moved to a device, or kept by a layer, could not be trained with afterwards.
    with torch.inference_mode(False), torch.no_grad(), quiet():
        yield


def _schedule(pipeline: Any) -> Any:
    import diffusers

    found = getattr(pipeline, "_teaching_schedule", None)
    if found is None:
        with quiet():
            found = diffusers.DDPMScheduler.from_config(pipeline.scheduler.config)
        pipeline._teaching_schedule = found
    return found
