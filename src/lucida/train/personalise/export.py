"""A trained LoRA as a file that diffusers, and `lucida generate --lora`, read."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lucida.generate.loras import FILE
from lucida.whole import write_whole

if TYPE_CHECKING:
    from lucida.train.personalise.drawing import Easel

CARD: Final = "lora.json"


def write_lora(path: Path, easel: Easel, about: dict[str, Any]) -> None:
    """Write the low-rank weights that are in the network now, whole or not at all.

    Args:
        path: The file.
        easel: The pipeline whose network has them.
        about: What is written into the header of the file.
    """
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft.utils import get_peft_model_state_dict
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    teaching = easel.base.teaching
    state = {name: value.detach().float().cpu() for name, value in get_peft_model_state_dict(easel.denoiser).items()}
    if teaching.denoiser == "unet":
        state = convert_state_dict_to_diffusers(state)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=".lora-"))
    try:
        easel.pipeline.save_lora_weights(folder, **{f"{teaching.denoiser}_lora_layers": state}, weight_name=FILE)
        with safe_open(folder / FILE, framework="pt") as file:
            header = dict(file.metadata() or {})
        told = {f"lucida.{name}": str(value) for name, value in about.items()}
        save_file(load_file(folder / FILE), folder / "told", metadata={**header, **told})
        (folder / "told").replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON object, whole or not at all."""
    write_whole(path, json.dumps(value, ensure_ascii=False, indent=1))
