"""What holds for every model of the machine that draws, whatever its method."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from lucida.errors import InputError, ModelError
from lucida.models import Model, Spec, find, specs
from lucida.models.fidelity import FAITHFUL, psnr
from lucida.models.generator import GenerationRequest, Given, generate_needs
from models.tiny_generators import WRITERS

SHIPPED = [spec.name for spec in specs() if spec.generates is not None]
# Prompts that no model may stumble over.
ODD = ("", "   ", "1", "😀", "a dog", "狗", "x" * 5000, "'; drop table", "\x00\n", "{}%s", "<lora:a:1>")


@pytest.fixture(scope="module", params=[*SHIPPED, *WRITERS])
def spec(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spec]:
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUCIDA_CACHE", str(folder / "cache"))
        own = request.param in WRITERS
        yield find(f"onnx:{WRITERS[request.param](folder / 'model')}" if own else request.param)


@pytest.fixture(scope="module")
def model(spec: Spec) -> Model:
    return spec.load("fp32")


@pytest.fixture(scope="module")
def request_(spec: Spec) -> GenerationRequest:
    return GenerationRequest("a dog", steps=min(3, generate_needs(spec).steps), size=generate_needs(spec).size)


def given(spec: Spec, seed: int = 0) -> Given:
    width, height = generate_needs(spec).size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    pixels.setflags(write=False)
    return Given(pixels)


def test_a_seed_gives_one_picture_alone_or_among_others(model: Model, request_: GenerationRequest) -> None:
    seeds = [7, 0, 2**63 - 1]
    together = model.generate(request_, seeds)
    assert [picture.seed for picture in together] == seeds
    for picture, seed in zip(together, seeds, strict=True):
        (alone,) = model.generate(request_, [seed])
        assert np.abs(alone.pixels.astype(int) - picture.pixels).max() <= 1
    assert len({picture.pixels.tobytes() for picture in together}) == len(seeds), "each seed has a picture of its own"
    again = model.generate(request_, seeds)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(together, again, strict=True))
    assert model.generate(request_, []) == []


def test_pictures_are_as_the_spec_says(model: Model, spec: Spec, request_: GenerationRequest) -> None:
    (picture,) = model.generate(replace(request_, size=None), [1])
    assert picture.pixels.dtype == np.uint8
    assert picture.size == generate_needs(spec).size
    assert picture.pixels.flags["C_CONTIGUOUS"]


def test_the_work_is_told_as_it_goes_and_can_be_stopped(model: Model, request_: GenerationRequest) -> None:
    told: list[float] = []
    model.generate(request_, [1, 2], told.append)
    assert told == sorted(told)
    assert told[-1] == 1
    with pytest.raises(InterruptedError):
        model.generate(request_, [1], lambda share: (_ for _ in ()).throw(InterruptedError))


def test_an_image_is_begun_from_and_stays_as_it_was(model: Model, spec: Spec, request_: GenerationRequest) -> None:
    image = given(spec)
    begun = replace(request_, image=image, strength=0.05)
    if not generate_needs(spec).image:
        with pytest.raises(ModelError, match="cannot begin from an image"):
            model.generate(begun, [1])
        return
    before = image.pixels.copy()
    (near,), (far,) = (model.generate(replace(begun, strength=share), [1]) for share in (0.05, 1.0))
    off = [np.abs(one.pixels.astype(int) - image.pixels).mean() for one in (near, far)]
    assert off[0] < off[1]
    assert np.array_equal(image.pixels, before)


def test_what_a_mask_does_not_cover_stays_to_the_last_bit(
    model: Model, spec: Spec, request_: GenerationRequest
) -> None:
    image = given(spec)
    mask = np.zeros(image.pixels.shape[:2], np.uint8)
    mask[1:5, 2:7] = 255
    masked = replace(request_, image=image, mask=Given(mask), strength=1.0)
    if not generate_needs(spec).mask:
        with pytest.raises(ModelError):
            model.generate(masked, [1])
        return
    (picture,) = model.generate(masked, [1])
    assert np.array_equal(picture.pixels[mask == 0], image.pixels[mask == 0])
    assert not np.array_equal(picture.pixels, image.pixels)


def test_no_prompt_is_an_error(model: Model, spec: Spec, request_: GenerationRequest) -> None:
    for prompt in ODD:
        asked = replace(request_, prompt=prompt, negative=prompt if generate_needs(spec).negative else "")
        remarks = model.remarks(asked)
        assert all(isinstance(remark, str) and remark.endswith(".") for remark in remarks)
        assert len(model.generate(replace(asked, steps=1), [3])) == 1


def test_every_sampler_that_is_named_draws(model: Model, spec: Spec, request_: GenerationRequest) -> None:
    for sampler in generate_needs(spec).samplers:
        (picture,) = model.generate(replace(request_, sampler=sampler, guidance=1.0), [1])
        assert picture.detail["sampler"] == sampler


@pytest.mark.parametrize("seed", [-1, 2**63, 1.5, "1"])
def test_a_seed_that_is_none_is_refused(model: Model, request_: GenerationRequest, seed) -> None:
    with pytest.raises(InputError, match="A seed is not one"):
        model.generate(request_, [seed])


def test_the_precision_that_is_picked_gives_the_pictures_of_fp32(
    spec: Spec, model: Model, request_: GenerationRequest
) -> None:
    pictures = [
        np.stack([one.pixels for one in running.generate(request_, [1, 2])]).astype(np.float32) / 255
        for running in (spec.load(), model)
    ]
    assert psnr(*pictures) > FAITHFUL - 5


def test_it_is_found_again_and_says_what_it_cannot(spec: Spec, model: Model) -> None:
    assert find(spec.name).key == spec.key
    assert all((spec.revision, spec.licence, spec.source))
    for call in (model.embed, model.logits, model.restore):
        with pytest.raises(ModelError) as caught:
            call(np.zeros((1, 3, 8, 8), np.float32))
        assert "generate" in caught.value.got
