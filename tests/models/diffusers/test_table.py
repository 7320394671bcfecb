"""What is known of pipelines without running them: names, sizes, files, layouts in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lucida.errors import ModelError
from lucida.models import find
from lucida.models.diffusers.files import chosen, parts_of
from lucida.models.diffusers.known import KNOWN, known_as
from lucida.models.diffusers.memory import Plan, plan
from lucida.models.diffusers.table import FAMILIES
from lucida.models.generator import CONTROLS, generate_needs

GB, SDXL = 2**30, (2_567_000_000, 695_000_000, 123_000_000, 84_000_000)
SQUARE = 1024 * 1024


@pytest.mark.parametrize("name", [row.name for row in KNOWN])
def test_known_models_are_described_without_their_files(name: str) -> None:
    spec = find(name)
    needs = generate_needs(spec)
    assert spec.tasks == ("generate",)
    assert spec.licence
    assert needs.terms
    assert needs.nearest(*needs.size) == needs.size
    assert needs.steps <= needs.most_steps
    assert set(needs.controls) <= set(CONTROLS)
    assert needs.guidance or not needs.negative


def test_short_names_are_found_in_other_spellings() -> None:
    assert known_as("SDXL-Turbo") is known_as("sdxl_turbo") is not None
    assert known_as("stable-diffusion") is known_as("sd15")
    assert known_as("clip") is None


@pytest.mark.parametrize(
    ("device", "free", "wanted"),
    [
        ("cuda", 24, Plan("bf16")),
        ("cuda", 9.5, Plan("bf16", tiling=True)),
        ("cuda", 7, Plan("bf16", "model", True)),
        ("cuda", 2, Plan("bf16", "sequential", True)),
        ("cpu", 32, Plan("fp32")),
        ("cpu", 17, Plan("fp32", tiling=True)),
        ("cpu", 12, Plan("bf16")),
        ("cpu", 1, Plan("bf16", tiling=True)),
    ],
)
def test_the_layout_follows_what_is_free(device: str, free: float, wanted: Plan) -> None:
    kinds = ("bf16",) if device == "cuda" else ("fp32", "bf16")
    assert plan(int(free * GB), SDXL, device, SQUARE, kinds) == wanted


def test_nothing_is_offloaded_into_memory_that_is_not_there() -> None:
    assert plan(7 * GB, SDXL, "cuda", SQUARE, ("bf16",), host=2 * GB) == Plan("bf16", "sequential", True)


def test_each_tighter_layout_gives_something_up() -> None:
    layouts = [Plan("bf16")]
    while (tighter := layouts[-1].tighter("cuda")) is not None:
        layouts.append(tighter)
    assert [(one.tiling, one.offload) for one in layouts] == [
        (False, ""), (True, ""), (True, "model"), (True, "sequential"),
    ]  # fmt: skip
    assert Plan("fp32", tiling=True).tighter("cpu") is None


INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "unet": ["diffusers", "UNet2DConditionModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "image_encoder": [None, None],
}


def test_one_set_of_weights_is_downloaded() -> None:
    files = [
        "model_index.json", "v1-5-pruned.safetensors", "unet/config.json", "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.safetensors", "tokenizer/vocab.json", "tokenizer/merges.txt",
        "safety_checker/model.safetensors",
    ]  # fmt: skip
    same = ["model_index.json", "unet/config.json"]
    words = ["tokenizer/vocab.json", "tokenizer/merges.txt"]
    assert chosen(files, INDEX, "fp16") == [*same, "unet/diffusion_pytorch_model.fp16.safetensors", *words]
    assert chosen(files, INDEX, "") == [*same, "unet/diffusion_pytorch_model.safetensors", *words]
    assert list(parts_of(INDEX)) == ["unet", "tokenizer"]


def folder_of(home: Path, **changes: object) -> Path:
    (home / "model_index.json").write_text(json.dumps({**INDEX, **changes}))
    (home / "unet").mkdir()
    return home


def test_pickle_is_refused_with_how_to_convert_it(tmp_path: Path) -> None:
    (folder_of(tmp_path) / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(ModelError, match="are pickle") as caught:
        find(str(tmp_path))
    assert "safe_serialization=True" in caught.value.hint


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no weights of unet"):
        find(str(folder_of(tmp_path)))


def test_code_that_comes_with_a_model_is_not_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="code of its own"):
        find(str(folder_of(tmp_path, unet=["my_unet", "MyUnet"])))


def test_a_class_that_is_unknown_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="WuerstchenCombinedPipeline") as caught:
        find(str(folder_of(tmp_path, _class_name="WuerstchenCombinedPipeline")))
    assert all(family.name in caught.value.expected for family in FAMILIES)


def test_what_follows_a_plus_must_be_a_controlnet_or_an_adapter(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="neither a ControlNet nor an IP-Adapter"):
        find(f"sd15+{tmp_path}")
