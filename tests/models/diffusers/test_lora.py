"""LoRAs: put on whole or refused, taken off without a trace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lucida.errors import ModelError
from lucida.models import find
from lucida.models.generator import GenerationRequest, Lora
from lucida.models.spec import Model

pytestmark = pytest.mark.torch
ASKED = GenerationRequest(prompt="a dog", steps=1, size=(32, 32))
NETWORK = {"sd": "unet", "flux": "transformer"}


def made(kind: str, file: Path, seed: int = 0) -> Path:
    """Write a LoRA for the network of a tiny pipeline, and for its text encoder where it is `sd`."""
    import diffusers
    import torch
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    from pipelines import tiny

    torch.manual_seed(seed)
    pipe = diffusers.DiffusionPipeline.from_pretrained(tiny(kind))
    layers = {NETWORK[kind]: ["to_q", "to_k", "to_v", "to_out.0"]}
    layers |= {"text_encoder": ["q_proj", "k_proj", "v_proj", "out_proj"]} if kind == "sd" else {}
    saved = {}
    for part, targets in layers.items():
        network = getattr(pipe, part)
        network.add_adapter(LoraConfig(r=2, init_lora_weights=False, target_modules=targets))
        saved[f"{part}_lora_layers"] = convert_state_dict_to_diffusers(get_peft_model_state_dict(network))
    type(pipe).save_lora_weights(file.parent, weight_name=file.name, safe_serialization=True, **saved)
    return file


def as_kohya(file: Path, out: Path) -> Path:
    """Write the same LoRA under kohya's names."""
    import re

    import torch
    from safetensors.torch import load_file, save_file

    found = {}
    for key, value in load_file(file).items():
        part, _, rest = key.partition(".")
        layer, side = re.split(r"\.(?:lora_linear_layer|lora)[._](?=down|up|A|B)", rest)
        side = {"A": "down", "B": "up"}.get(side.split(".")[0], side.split(".")[0])
        name = f"lora_{'te_text_model' if part == 'text_encoder' else part}_{layer.replace('.', '_')}"
        found[f"{name}.lora_{side}.weight"] = value
        found[f"{name}.alpha"] = torch.tensor(2.0)
    save_file(found, out)
    return out


@pytest.fixture(scope="module")
def model() -> Model:
    from pipelines import tiny

    return find(str(tiny("sd"))).load()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("loras")
    found = {"one": made("sd", home / "one.safetensors"), "two": made("sd", home / "two.safetensors", 1)}
    return {**found, "kohya": as_kohya(found["one"], home / "kohya.safetensors"),
            "flux": made("flux", home / "flux.safetensors")}  # fmt: skip


def drawn(model: Model, *loras: Lora) -> Any:
    return model.generate(replace(ASKED, loras=loras), [1])[0].pixels


def test_loras_change_pictures_and_come_off_without_a_trace(model: Model, files: dict[str, Path]) -> None:
    before = drawn(model)
    one, two = Lora(files["one"]), Lora(files["two"])
    with_one = drawn(model, one)
    assert (with_one != before).any()
    assert (drawn(model, replace(one, weight=0.5)) != with_one).any()
    both = drawn(model, one, two)
    assert (both != with_one).any()
    np.testing.assert_array_equal(drawn(model, one), with_one)
    np.testing.assert_array_equal(drawn(model, replace(one, weight=0.0)), before)
    np.testing.assert_array_equal(drawn(model), before)


def test_both_formats_are_the_same_lora(model: Model, files: dict[str, Path]) -> None:
    np.testing.assert_array_equal(drawn(model, Lora(files["kohya"])), drawn(model, Lora(files["one"])))


def test_a_lora_of_another_family_is_refused_and_nothing_stays_on(model: Model, files: dict[str, Path]) -> None:
    before = drawn(model)
    with pytest.raises(ModelError, match="not one for Stable Diffusion") as caught:
        drawn(model, Lora(files["one"]), Lora(files["flux"]))
    assert "is no layer of it" in caught.value.got
    assert "FLUX" in caught.value.got
    assert "unet, text_encoder" in caught.value.expected
    np.testing.assert_array_equal(drawn(model), before)


def test_a_lora_that_fits_but_for_one_layer_is_refused(model: Model, files: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(files["one"])
    name = next(key for key in weights if "unet" in key)
    weights[name.replace("attentions.0", "attentions.9")] = weights.pop(name)
    save_file(weights, tmp_path / "odd.safetensors")
    with pytest.raises(ModelError, match="not one for") as caught:
        drawn(model, Lora(tmp_path / "odd.safetensors"))
    assert "attentions.9" in caught.value.got


def test_pickle_and_what_is_no_lora_are_refused(model: Model, tmp_path: Path) -> None:
    from pipelines import tiny

    (tmp_path / "lora.bin").write_bytes(b"\x80\x04")
    with pytest.raises(ModelError, match="is pickle") as caught:
        drawn(model, Lora(tmp_path / "lora.bin"))
    assert "weights_only=True" in caught.value.hint
    with pytest.raises(ModelError, match="no LoRA at"):
        drawn(model, Lora(tmp_path / "none.safetensors"))
    with pytest.raises(ModelError, match="is no LoRA"):
        drawn(model, Lora(tiny("sd") / "vae" / "diffusion_pytorch_model.safetensors"))
    (tmp_path / "cut.safetensors").write_bytes(bytes(20))
    with pytest.raises(ModelError, match="cannot be read"):
        drawn(model, Lora(tmp_path / "cut.safetensors"))
