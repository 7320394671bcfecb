"""LoRAs of a pipeline: read from safetensors, checked layer by layer, taken off again without a trace."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import safetensors
import safetensors.torch

from lucida.errors import ModelError
from lucida.models.hub.snapshot import PICKLE, conversion, digest_of
from lucida.models.quiet import quiet

if TYPE_CHECKING:
    from lucida.models.generator import Lora

_DOWN: Final = re.compile(r"[._](lora_A|lora\.down|lora_down|lora_linear_layer\.down)(\.default)?\.weight$")
_UP: Final = re.compile(r"[._](lora_B|lora\.up|lora_up|lora_linear_layer\.up)(\.default)?\.weight$")
_OTHERS: Final = {"lokr_": "LoKr", "hada_": "LoHa", "dora_scale": "DoRA", "oft_": "OFT", "glora_": "GLoRA"}
_SHOWN: Final = 3


class Loras:
    """The LoRAs that are on a pipeline now.

    Args:
        pipeline: Of diffusers; others that share its parts have them as well.
        family: What it is called, for messages.
    """

    def __init__(self, pipeline: Any, family: str) -> None:
        self._pipeline, self._family = pipeline, family
        self._on: dict[str, int] = {}  # adapter: layers that it changes
        self._weights: tuple[tuple[str, float], ...] = ()

    def differ(self, loras: Sequence[Lora]) -> bool:
        """Tell whether others are on, or these with other weights.

        Raises:
            ModelError: One is pickle, or not there.
        """
        return self._wanted(loras) != self._weights

    def use(self, loras: Sequence[Lora]) -> None:
        """Put these on and take all others off.

        Raises:
            ModelError: One cannot be read, is pickle, or does not fit.
        """
        wanted = self._wanted(loras)
        if wanted == self._weights:
            return
        if not wanted:
            self._take_off()
            return
        gone = [name for name in self._on if name not in dict(wanted)]
        if gone:
            self._pipeline.delete_adapters(gone)
            self._on = {name: layers for name, layers in self._on.items() if name not in gone}
        try:
            for (name, _), lora in zip(wanted, loras, strict=True):
                if name not in self._on:
                    self._on[name] = self._put_on(name, lora.file)
            # The same file twice counts twice.
            summed = {name: sum(weight for one, weight in wanted if one == name) for name, _ in wanted}
            self._pipeline.set_adapters(list(summed), list(summed.values()))
        except BaseException:
            self._take_off()
            raise
        self._weights = wanted

    @staticmethod
    def _wanted(loras: Sequence[Lora]) -> tuple[tuple[str, float], ...]:
        return tuple((_name(check_file(lora.file)), float(lora.weight)) for lora in loras)

    def _take_off(self) -> None:
        self._pipeline.unload_lora_weights()
        self._on, self._weights = {}, ()

    def _put_on(self, name: str, file: Path) -> int:
        raw = read(file)
        with quiet():
            try:
                state = _converted(self._pipeline, raw)
            except Exception as error:
                # Each converter fails on another family's names in its own way.
                raise self._misfit(file, raw, " ".join(str(error).split())[:200]) from error
            wrong = misfits(state, self._pipeline.components)
            if wrong or not state:
                raise self._misfit(file, raw, "; ".join(wrong[:_SHOWN]) or "no layers at all", len(wrong))
            try:
                # By its file, since alphas may stand in its header.
                self._pipeline.load_lora_weights(
                    str(file.resolve().parent), weight_name=file.name, adapter_name=name, use_safetensors=True,
                    local_files_only=True,
                )  # fmt: skip
            except (RuntimeError, ValueError, KeyError) as error:
                raise self._misfit(file, raw, " ".join(str(error).split())[:200]) from error
        wanted = len(layers_of(state))
        there = landed(self._pipeline, name)
        if there < wanted:
            raise self._misfit(file, raw, f"{there} of {wanted} layers were taken")
        return there

    def _misfit(self, file: Path, raw: Mapping[str, Any], why: str, count: int = 0) -> ModelError:
        sample = f"{looks_like(raw)}, such as {next(iter(raw))}"
        parts = self._pipeline.components
        own = [part for part in self._pipeline._lora_loadable_modules if parts.get(part) is not None]
        return ModelError(
            f"The LoRA {file} is not one for {self._family}.",
            expected=f"changes of layers of {', '.join(own)} ({self._family})",
            got=f"{f'{count} layers that do not fit: ' if count else ''}{why} (the file: {sample})",
            hint="use it with the model that it was trained on",
        )


def _name(file: Path) -> str:
    # peft splits names at dots.
    return f"lora_{digest_of(file)[:16]}"


def check_file(file: Path) -> Path:
    """Refuse pickle, and what is not there.

    Raises:
        ModelError: It is one of both.
    """
    if file.suffix.lower() in PICKLE:
        raise ModelError(
            f"The LoRA {file} is pickle, which can run any code when it is read.",
            expected="a LoRA in safetensors",
            got=file.name,
            hint=f"where you trust it, convert it once: {conversion(file)}",
        )
    if not file.is_file():
        raise ModelError(
            f"There is no LoRA at {file}.",
            expected="a .safetensors file",
            got="a folder" if file.is_dir() else "no such file",
            hint="--lora FILE.safetensors",
        )
    return file


def read(file: Path) -> dict[str, Any]:
    """Return the tensors of a LoRA.

    Raises:
        ModelError: It is damaged, or no LoRA.
    """
    try:
        found: dict[str, Any] = safetensors.torch.load_file(file)
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise ModelError(
            f"The LoRA {file} cannot be read.",
            expected="a whole .safetensors file",
            got=" ".join(str(error).split())[:200],
            hint="copy it again from where it came from",
        ) from error
    other = next((called for part, called in _OTHERS.items() if any(part in key for key in found)), "")
    if other or not any(_is_lora(key) for key in found):
        sample = ", ".join(list(found)[:_SHOWN]) or "nothing"
        raise ModelError(
            f"{file} is no LoRA.",
            expected="pairs of lora_A and lora_B (diffusers, peft) or lora_down and lora_up (kohya)",
            got=f"{other}: {sample}" if other else sample,
            hint="export it as a plain LoRA" if other else "whole models are used as --model, LoRAs as --lora",
        )
    return found


def looks_like(raw: Mapping[str, Any]) -> str:
    """Return which family a LoRA seems to be of, by its names and widths."""
    names = " ".join(raw)
    words = [value.shape[-1] for key, value in raw.items() if re.search("attn2.to_k.*(down|lora_A)", key)]
    if words:
        return {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL"}.get(
            words[0], f"a U-Net that reads {words[0]} numbers a token"
        )
    marks = {
        "single_transformer_blocks": "FLUX",
        "single_blocks": "FLUX",
        "img_mod": "Qwen-Image",
        "txt_mod": "Qwen-Image",
    }
    found = next((family for mark, family in marks.items() if mark in names), "")
    return found or ("a transformer" if "transformer" in names else "no family that is known")


def _is_lora(key: str) -> bool:
    return "lora" in key


def _converted(pipeline: Any, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors under the names of diffusers."""
    # Kohya's names of SDXL's blocks are told apart by its configuration.
    blocks = hasattr(pipeline, "unet") and hasattr(pipeline, "text_encoder_2")
    found = pipeline.lora_state_dict(dict(raw), **({"unet_config": pipeline.unet.config} if blocks else {}))
    return dict(found[0] if isinstance(found, tuple) else found)


def layers_of(state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the two matrices of each layer: "down" and "up"."""
    found: dict[str, dict[str, Any]] = {}
    for key, value in state.items():
        for side, pattern in (("down", _DOWN), ("up", _UP)):
            if pattern.search(key):
                found.setdefault(_plain(pattern.sub("", key)), {})[side] = value
    return found


def _beside(key: str) -> bool:
    """Tell whether a tensor goes with the matrices of a layer."""
    return key.endswith((".alpha", ".lora_B.bias"))


def _plain(name: str) -> str:
    """Return a layer's name without what old formats put into it."""
    return name.replace("processor.", "")


def misfits(state: Mapping[str, Any], components: Mapping[str, Any]) -> list[str]:
    """Return what in a LoRA fits no layer of a pipeline, a short text each.

    Args:
        state: Tensors under the names of diffusers.
        components: Parts of the pipeline.
    """
    wrong = [
        f"{key} is no part of a LoRA" for key in state if not (_DOWN.search(key) or _UP.search(key) or _beside(key))
    ]
    modules: dict[str, dict[str, Any]] = {}
    for name, pair in layers_of(state).items():
        part, _, path = name.partition(".")
        if part not in modules:
            found: Any = components.get(part)
            modules[part] = dict(found.named_modules()) if hasattr(found, "named_modules") else {}
        layer = _layer(modules[part], path)
        if layer is None:
            wrong.append(f"{name} is no layer of it")
        elif set(pair) != {"down", "up"}:
            wrong.append(f"{name} has only its {next(iter(pair))} half")
        else:
            ours = tuple(layer.weight.shape[:2])
            theirs = (pair["up"].shape[0], pair["down"].shape[1])
            # Convolutions of one pixel are written as matrices by some.
            if ours != theirs:
                wrong.append(f"{name} changes {theirs[1]} to {theirs[0]}, the layer has {ours[1]} to {ours[0]}")
    return wrong


def _layer(modules: Mapping[str, Any], path: str) -> Any:
    """Return the layer of a name, also where a LoRA is on it already; None where there is none."""
    # Old formats call the layers of text encoders as those of the network, and have their model in between.
    bare = path.removeprefix("text_model.")
    text = re.sub(r"to_(q|k|v|out)$", r"\1_proj", bare)
    for tried in (path, f"{path}.0", bare, text, f"text_model.{bare}", f"text_model.{text}"):
        layer = getattr(modules.get(tried), "base_layer", modules.get(tried))
        if hasattr(layer, "weight"):
            return layer
    return None


def landed(pipeline: Any, name: str) -> int:
    """Return how many layers of a pipeline carry a LoRA."""
    parts = [part for part in pipeline.components.values() if hasattr(part, "modules")]
    return sum(
        name in layer.lora_A
        for part in parts for layer in part.modules()
        if hasattr(layer, "lora_A") and hasattr(layer, "base_layer")
    )  # fmt: skip
