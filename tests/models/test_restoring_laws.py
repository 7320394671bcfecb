"""What holds for every model that restores, whatever its family."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from lucida.errors import InputError, ModelError
from lucida.models import Model, Spec, find, specs
from lucida.models.fidelity import FAITHFUL, photos, psnr
from lucida.models.restorer import needs_of
from models.tiny_restorers import denoiser, upscaler

SHIPPED = [spec.name for spec in specs() if spec.restores is not None]
TINY = ("x2", "x4", "luma", "denoise")
# Random weights of architectures that spandrel knows, of each kind of input that it has.
ANY = ("FDnCNN", "SPAN", "SwinIR")


@pytest.fixture(scope="module", params=[*SHIPPED, *TINY, *(pytest.param(n, marks=pytest.mark.torch) for n in ANY)])
def spec(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spec]:
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LUCIDA_CACHE", str(folder))
        if name in ANY:
            from models.tiny_spandrel import write

            yield find(str(write(name, folder)))
        elif name in TINY:
            made = {
                "x2": lambda: upscaler(folder / "x2", 2),
                "x4": lambda: upscaler(folder / "x4", 4, channels="L"),
                "luma": lambda: upscaler(folder / "luma", 2, channels="Y"),
                "denoise": lambda: denoiser(folder / "denoise"),
            }[name]
            yield find(f"onnx:{made()}")
        else:
            yield find(name)


@pytest.fixture(scope="module")
def model(spec: Spec) -> Model:
    return spec.load("fp32")


@pytest.fixture(scope="module")
def batch(spec: Spec) -> np.ndarray:
    return photos(needs_of(spec).channels)[:, :, :30, :41].copy()


def restored(model: Model, batch: np.ndarray) -> np.ndarray:
    mask = np.zeros((len(batch), 1, *batch.shape[2:]), np.float32)
    mask[:, :, 8:12, 5:20] = 1
    return model.restore(batch, 20.0, mask if "fill" in model.spec.tasks else None)


def test_a_batch_gives_what_its_images_give_one_by_one(model: Model, batch: np.ndarray) -> None:
    together = restored(model, batch)
    scale = model.spec.gives.scale
    assert together.shape == (len(batch), batch.shape[1], 30 * scale, 41 * scale)
    assert together.dtype == np.float32
    assert 0 <= together.min() <= together.max() <= 1
    alone = np.concatenate([restored(model, one[None]) for one in batch])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_the_input_stays_as_it_was_and_the_result_the_same(model: Model, batch: np.ndarray) -> None:
    before = batch.copy()
    batch.setflags(write=False)
    first = restored(model, batch)
    kept = first.copy()
    again = restored(model, batch)
    assert np.array_equal(batch, before)
    assert np.array_equal(first, kept), "a later call must not write into an earlier result"
    np.testing.assert_allclose(first, again, atol=1e-6)


def test_any_size_will_do(model: Model, batch: np.ndarray) -> None:
    scale = model.spec.gives.scale
    for n, high, wide in ((1, 1, 1), (1, 2, 7), (1, 17, 3), (0, 5, 5)):
        mask = np.zeros((n, 1, high, wide), np.float32) if "fill" in model.spec.tasks else None
        found = model.restore(batch[:n, :, :high, :wide].copy(), 20.0, mask)
        assert (len(found), *found.shape[2:]) == (n, high * scale, wide * scale)


def test_the_halo_is_as_wide_as_the_model_sees(model: Model, spec: Spec, batch: np.ndarray) -> None:
    needs, scale = needs_of(spec), spec.gives.scale
    if needs.blend or "fill" in spec.tasks:
        pytest.skip("it sees farther, and tiles fade")
    # A change beyond the halo and the grid changes nothing.
    wide = np.tile(batch[:1], (1, 1, 1, 4))[..., : needs.halo + needs.multiple + 40].copy()
    other = wide.copy()
    other[..., 40 + needs.halo :] = 1 - other[..., 40 + needs.halo :]
    first, second = restored(model, wide), restored(model, other)
    np.testing.assert_allclose(first[..., : 40 * scale], second[..., : 40 * scale], atol=1e-5)


def test_the_precision_that_is_picked_gives_the_images_of_fp32(spec: Spec, model: Model, batch: np.ndarray) -> None:
    picked = spec.load()
    assert psnr(restored(picked, batch), restored(model, batch)) > FAITHFUL - 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda batch: batch.astype(np.float64),
        lambda batch: batch[0],
        lambda batch: np.repeat(batch, 2, axis=1),
        lambda batch: np.full_like(batch, np.nan),
        lambda batch: batch.tolist(),
    ],
    ids=["float64", "one image", "more channels", "NaN", "a list"],
)
def test_a_wrong_batch_is_refused(model: Model, batch: np.ndarray, damage) -> None:
    with pytest.raises(InputError) as caught:
        model.restore(damage(batch))
    assert "float32 (n," in caught.value.expected
    assert caught.value.got


def test_masks_are_for_those_that_fill(model: Model, batch: np.ndarray) -> None:
    mask = None if "fill" in model.spec.tasks else np.zeros((len(batch), 1, 30, 41), np.float32)
    with pytest.raises(InputError, match=r"told what to fill|fills no holes"):
        model.restore(batch, None, mask)


def test_it_is_found_again_and_says_what_it_cannot(spec: Spec, model: Model, batch: np.ndarray) -> None:
    assert find(spec.name).key == spec.key
    assert spec.revision
    assert spec.licence
    assert spec.source
    with pytest.raises(ModelError, match="cannot give vectors"):
        model.embed(batch)
