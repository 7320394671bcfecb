"""Pictures of tiny pipelines: the same alone and among others, following what is given, never black in silence."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lucida.errors import ModelError
from lucida.models import find
from lucida.models.generator import GenerationRequest, Given, Picture, generate_needs
from lucida.models.spec import Model

pytestmark = pytest.mark.torch
KINDS = ("sd", "sdxl", "sd3", "flux", "qwen-image")
SIDE = 32
ASKED = GenerationRequest(prompt="a dog", steps=2, size=(SIDE, SIDE))


def image(seed: int) -> Given:
    return Given(np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8))


def middle() -> Given:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[8:24, 8:24] = 255
    return Given(mask)


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    return {}


@pytest.fixture
def load(models: dict[str, Model]) -> Any:
    from pipelines import tiny

    def opened(kind: str) -> Model:
        if kind not in models:
            controlled = {"sd": "controlnet", "sdxl": "controlnet-sdxl"}
            more = f"+{tiny(controlled[kind])}" if kind in controlled else ""
            models[kind] = find(f"{tiny(kind)}{more}").load()
        return models[kind]

    return opened


def pixels(model: Model, request: GenerationRequest, *seeds: int) -> list[Any]:
    return [picture.pixels for picture in model.generate(request, seeds or (1,))]


def differ(first: Any, second: Any) -> bool:
    return bool((first != second).any())


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_the_same_alone_and_among_others(kind: str, load: Any) -> None:
    model = load(kind)
    one, two, three = pixels(model, ASKED, 7, 2**63 - 1, 8)
    assert differ(one, two)
    assert differ(one, three)
    np.testing.assert_array_equal(pixels(model, ASKED, 2**63 - 1)[0], two)
    assert differ(pixels(model, replace(ASKED, prompt="cats, many cats"), 7)[0], one)


@pytest.mark.parametrize("kind", [*KINDS, "sd-inpainting"])
def test_pictures_follow_the_image_and_the_mask(kind: str, load: Any) -> None:
    model = load(kind)
    begun = replace(ASKED, image=image(0), strength=0.5)
    assert differ(pixels(model, begun)[0], pixels(model, replace(begun, image=image(1)))[0])
    masked = replace(begun, mask=middle(), strength=1.0)
    drawn = pixels(model, masked)[0]
    assert drawn.shape == (SIDE, SIDE, 3)
    assert differ(drawn, pixels(model, replace(masked, image=image(1)))[0])


@pytest.mark.parametrize("kind", ["sd", "sdxl"])
@pytest.mark.parametrize("given", ["control", "control+image", "control+mask"])
def test_pictures_follow_the_control(kind: str, given: str, load: Any) -> None:
    model = load(kind)
    more: dict[str, Any] = {"image": image(0)} if given != "control" else {}
    more |= {"mask": middle()} if given == "control+mask" else {}
    asked = replace(ASKED, control="canny", control_image=image(2), strength=1.0, **more)
    assert differ(pixels(model, asked)[0], pixels(model, replace(asked, control_image=image(3)))[0])


@pytest.mark.parametrize("kind", ["sd", "sd3"])
def test_every_sampler_of_the_table_draws(kind: str, load: Any) -> None:
    model = load(kind)
    names = generate_needs(model.spec).samplers
    drawn = {name: pixels(model, replace(ASKED, sampler=name, steps=3))[0] for name in names}
    assert len({value.tobytes() for value in drawn.values()}) > len(names) // 2
    np.testing.assert_array_equal(pixels(model, replace(ASKED, steps=3))[0], drawn[names[0]])


def test_it_draws_what_the_bare_pipeline_draws(load: Any) -> None:
    import diffusers
    import torch

    from pipelines import tiny

    bare = diffusers.DiffusionPipeline.from_pretrained(tiny("sdxl"))
    bare.set_progress_bar_config(disable=True)
    theirs = bare("a dog", num_inference_steps=2, guidance_scale=5.0, height=SIDE, width=SIDE, output_type="np",
                  generator=torch.Generator().manual_seed(5)).images[0]  # fmt: skip
    np.testing.assert_array_equal(pixels(load("sdxl"), ASKED, 5)[0], (theirs * 255 + 0.5).astype(np.uint8))


def test_what_is_not_read_of_a_prompt_is_said(load: Any) -> None:
    said = load("sd").remarks(replace(ASKED, prompt="a" * 75 + "beyond"))
    assert len(said) == 1
    assert "77 tokens are read" in said[0]
    assert "'beyond'" in said[0]
    assert load("sd").remarks(ASKED) == ()
    assert "another only the first 77 tokens" in load("flux").remarks(replace(ASKED, prompt="a" * 99))[0]
    assert "counts for nothing" in load("sd").remarks(replace(ASKED, negative="fog", guidance=1.0))[0]


def test_sizes_are_those_of_the_files() -> None:
    from pipelines import tiny

    needs = generate_needs(find(str(tiny("sd"))))
    assert (needs.size, needs.multiple, needs.longest) == ((64, 64), 8, 77)
    # It says how many places it knows: 96 patches of one latent, two pixels each.
    assert generate_needs(find(str(tiny("sd3")))).most == 96 * 2
    assert generate_needs(find(str(tiny("sd-inpainting")))).controls == ()


def test_progress_goes_up_to_one_and_what_it_raises_stops_the_work(load: Any) -> None:
    model, shares = load("sd"), []
    model.generate(ASKED, [1, 2], shares.append)
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1.0])

    class Stop(Exception):
        pass

    def stop(share: float) -> None:
        raise Stop

    before = pixels(model, ASKED)[0]
    with pytest.raises(Stop):
        model.generate(ASKED, [1, 2], stop)
    np.testing.assert_array_equal(pixels(model, ASKED)[0], before)


def changed(tmp_path: Path, part: str, value: float, factor: float) -> Path:
    """Return a copy of `sd` with a layer of a part filled with a value, or made so many times larger."""
    from safetensors.torch import load_file, save_file

    from pipelines import tiny

    folder = shutil.copytree(tiny("sd"), tmp_path / "changed")
    file = folder / part / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    name = "conv_in.weight" if part == "unet" else "post_quant_conv.weight"
    weights[name] = weights[name] * factor + value
    save_file(weights, file, {"format": "pt"})
    return folder


@pytest.mark.parametrize("part", ["unet", "vae"])
def test_values_that_are_no_numbers_are_an_error(part: str, tmp_path: Path) -> None:
    model = find(str(changed(tmp_path, part, float("nan"), 1.0))).load()
    with pytest.raises(ModelError, match="no numbers"):
        model.generate(ASKED, [1])


def test_a_decoder_that_overflows_in_fp16_runs_in_fp32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lucida.models.diffusers import model as module

    monkeypatch.setattr(module, "_kinds", lambda *_: ("fp16",))
    folder = changed(tmp_path, "vae", 0.0, 3e4)
    picture: Picture = find(str(folder)).load().generate(ASKED, [1])[0]
    assert picture.pixels.std() > 1


def test_out_of_memory_gives_tiles_a_try_and_is_then_said(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines import tiny

    model: Any = find(str(tiny("sd"))).load()

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    monkeypatch.setattr(type(model._open.base.unet), "forward", fail)
    with pytest.raises(MemoryError, match="32 x 32"):
        model.generate(ASKED, [1])
    assert model.layout.tiling
    monkeypatch.undo()
    assert model.generate(ASKED, [1])[0].detail["tiling"]


def test_a_style_comes_from_an_image_and_leaves_no_trace() -> None:
    from pipelines import ip_adapter, tiny

    model = find(f"{tiny('sd')}+{ip_adapter()}").load()
    assert generate_needs(model.spec).reference
    before = pixels(model, ASKED)[0]
    styled = replace(ASKED, reference=image(0), strength=1.0)
    first = pixels(model, styled)[0]
    assert differ(first, before)
    assert differ(first, pixels(model, replace(styled, reference=image(1)))[0])
    np.testing.assert_array_equal(
        pixels(model, replace(styled, image=image(4), reference=image(0)))[0].shape, first.shape
    )
    np.testing.assert_array_equal(pixels(model, ASKED)[0], before)


def test_what_a_family_cannot_do_together_is_said() -> None:
    from pipelines import tiny

    model: Any = find(str(tiny("sd3"))).load()
    with pytest.raises(ModelError, match="cannot do this together"):
        model._open.get("control+image", None)


def test_a_controlnet_of_another_family_is_refused(load: Any) -> None:
    from pipelines import tiny

    model = find(f"{tiny('sd')}+{tiny('controlnet-sdxl')}").load()
    with pytest.raises(ModelError, match="not one for Stable Diffusion"):
        model.generate(replace(ASKED, control="canny", control_image=image(0)), [1])
