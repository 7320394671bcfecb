"""A pipeline's parts, loaded once, and the pipelines that are put together of them for what a request has."""

# mypy: disallow_untyped_calls=False

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import diffusers
import torch
import transformers

from lucida.errors import ModelError
from lucida.models.diffusers.files import LEFT_OUT, piece
from lucida.models.quiet import quiet

if TYPE_CHECKING:
    from lucida.models.diffusers.memory import Plan
    from lucida.models.diffusers.table import Family, Mode, Sampler

TYPES: Final = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
REMEMBERED: Final = 4  # encoded prompts


class Pipelines:
    """All pipelines of one model; they share every weight.

    Args:
        folder: Of the pipeline, safetensors only.
        family: How it is run.
        variant: Of the weights.
        device: "cpu" or "cuda".
        plan: How it is laid out in memory.

    Raises:
        ModelError: Its files are damaged.
    """

    def __init__(self, folder: Path, family: Family, variant: str | None, device: str, plan: Plan) -> None:
        self.family, self.plan, self._device = family, plan, device
        self.base = _load(folder, variant, plan)
        self.own_schedule = self.base.scheduler
        self._schedules: dict[str, Any] = {"": self.own_schedule}
        self._made: dict[tuple[str, str], Any] = {}
        self._controlnets: dict[str, Any] = {}
        self._at_work: Any = None
        self._encoded: dict[str, Any] = {}
        # One that was saved with a ControlNet has it among its parts.
        if self.base.components.get("controlnet") is not None:
            self._controlnets["controlnet"] = self.base.controlnet

    def get(
        self, mode: Mode, sampler: Sampler | None, controlnet: str = "", extra: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the pipeline for what a request has, ready to run.

        Args:
            mode: What the request has.
            sampler: One of the table; None for the model's own.
            controlnet: Folder of the ControlNet, or a repository; "" without.
            extra: Parts that others do not have.

        Raises:
            ModelError: The family has none for this, or the ControlNet cannot be used.
        """
        name = self.family.pipelines.get(mode)
        if name is None:
            raise ModelError(
                f"{self.family.name} cannot do this together.",
                expected=f"one of: {', '.join(self.family.pipelines)}",
                got=mode,
                hint="leave the image, the mask or the control out",
            )
        key = (name, controlnet)
        if key not in self._made:
            parts = {"controlnet": self._controlnet(controlnet)} if controlnet else {}
            self._made[key] = self._put_together(name, parts)
        pipeline = self._made[key]
        if extra:
            pipeline.register_modules(**{part: value for part, value in extra.items() if part in pipeline.components})
        pipeline.scheduler = self._schedule(sampler)
        if pipeline is not self._at_work or extra:
            self._place(pipeline)
        return pipeline

    def tighter(self) -> bool:
        """Lay the model out so that less memory is needed; tell whether there was such a way."""
        plan = self.plan.tighter(self._device)
        if plan is None:
            return False
        self.plan, self._at_work = plan, None
        if self._device == "cuda":
            torch.cuda.empty_cache()
        return True

    def forget(self) -> None:
        """Forget encoded prompts, and where the parts lie: the weights were changed."""
        self._encoded.clear()
        self._at_work = None

    def release(self) -> None:
        """Take all parts off the device hooks that a pass, or one that was stopped, left behind."""
        if self._at_work is not None:
            self._at_work.maybe_free_model_hooks()

    def unhook(self) -> None:
        """Lay all weights where they can be changed."""
        self.base.remove_all_hooks()
        self._at_work = None

    def decode_in_fp32(self) -> bool:
        """Let the decoder run in fp32 where it ran in fp16, whose range is too small for some; tell whether it did."""
        vae = self.base.vae
        if vae.dtype != torch.float16 or getattr(vae, "widened", False):
            return False
        for part in (vae.decoder, vae.post_quant_conv):
            if part is not None:
                part.float()
        inner = vae.decode
        vae.decode = lambda latents, *args, **more: inner(latents.float(), *args, **more)
        vae.widened = True
        return True

    def _put_together(self, name: str, parts: Mapping[str, Any]) -> Any:
        kind = getattr(diffusers, name)
        wanted = inspect.signature(kind.__init__).parameters
        shared = {part: value for part, value in self.base.components.items() if part in wanted}
        options = {key: value for key, value in self.base.config.items() if key in wanted and key not in shared}
        with quiet():
            found = kind(**{**options, **shared, **parts})
        found.set_progress_bar_config(disable=True)
        # Of many pictures with one prompt, and of both passes with guidance, only the first encodes it.
        found.encode_prompt = self._remembering(found.encode_prompt)
        return found

    def _remembering(self, encode: Callable[..., Any]) -> Callable[..., Any]:
        def remembered(*args: Any, **more: Any) -> Any:
            key = repr((args, sorted(more.items())))
            if any(isinstance(value, torch.Tensor) for value in (*args, *more.values())):
                return encode(*args, **more)
            if key not in self._encoded:
                if len(self._encoded) >= REMEMBERED:
                    self._encoded.clear()
                self._encoded[key] = encode(*args, **more)
            return self._encoded[key]

        return remembered

    def _schedule(self, sampler: Sampler | None) -> Any:
        if sampler is None:
            return self.own_schedule
        key = repr(sampler)
        if key not in self._schedules:
            kind = getattr(diffusers, sampler.scheduler)
            with quiet():
                self._schedules[key] = kind.from_config(self.own_schedule.config, **sampler.options)
        return self._schedules[key]

    def _controlnet(self, name: str) -> Any:
        if name in self._controlnets:
            return self._controlnets[name]
        folder = Path(name)
        if not folder.is_dir():
            weights = "diffusion_pytorch_model*.safetensors"
            folder = piece(name, ("config.json", weights), weights)
        light = not (folder / "diffusion_pytorch_model.safetensors").is_file() and any(
            folder.glob("*.fp16.safetensors")
        )
        try:
            with quiet():
                found = getattr(diffusers, self.family.controlnet).from_pretrained(
                    folder, torch_dtype=TYPES[self.plan.kind], use_safetensors=True, local_files_only=True,
                    variant="fp16" if light else None,
                )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise ModelError(
                f"The ControlNet {name} cannot be used.",
                expected=f"a {self.family.controlnet} in safetensors",
                got=" ".join(str(error).split())[:300],
                hint="one that was trained for this family; pickle is not read",
            ) from error
        self._fitting(found, name)
        self._controlnets[name] = found.eval()
        return self._controlnets[name]

    def _fitting(self, controlnet: Any, name: str) -> None:
        """Refuse a ControlNet that reads other prompts than the network."""
        key = "cross_attention_dim" if hasattr(self.base, "unet") else "joint_attention_dim"
        network = self.base.unet if hasattr(self.base, "unet") else self.base.transformer
        ours, theirs = network.config.get(key), controlnet.config.get(key)
        if ours is not None and theirs is not None and ours != theirs:
            raise ModelError(
                f"The ControlNet {name} is not one for {self.family.name}.",
                expected=f"{key} {ours}",
                got=f"{theirs}",
                hint="one that was trained for this family",
            )

    def _place(self, pipeline: Any) -> None:
        vae = pipeline.vae
        if self.plan.tiling:
            vae.enable_tiling()
        vae.enable_slicing()
        if self._at_work is not None:
            self._at_work.remove_all_hooks()
        if self._device == "cpu" or not self.plan.offload:
            pipeline.remove_all_hooks()
            pipeline.to(self._device)
        elif self.plan.offload == "model":
            pipeline.enable_model_cpu_offload()
        else:
            pipeline.enable_sequential_cpu_offload()
        self._at_work = pipeline


def _load(folder: Path, variant: str | None, plan: Plan) -> Any:
    # It reports as an error what is raised as well.
    diffusers.utils.logging.set_verbosity(logging.CRITICAL)
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    try:
        with quiet():
            found = diffusers.DiffusionPipeline.from_pretrained(
                folder, torch_dtype=TYPES[plan.kind], use_safetensors=True, local_files_only=True, variant=variant,
                trust_remote_code=False, **dict.fromkeys(_left_out(folder)),
            )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ModelError(
            f"diffusers cannot load the pipeline in {folder}.",
            expected="a whole pipeline in safetensors, of a version that is known",
            got=" ".join(str(error).split())[:300],
            hint="download it again, whole; or pip install -U diffusers transformers",
        ) from error
    return found


def _left_out(folder: Path) -> list[str]:
    from lucida.models.diffusers.files import read_index

    return [name for name in LEFT_OUT if name in read_index(folder)]
