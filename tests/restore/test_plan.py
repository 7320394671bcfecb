"""From what is wished to which models do it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lucida.errors import InputError, ModelError
from lucida.restore.plan import Wish, choices, make_plan


@pytest.mark.parametrize(
    ("factor", "scales", "said"),
    [
        (2, [2], ""),
        (4, [4], ""),
        (8, [2, 4], "x8 is x2 by embedded-x2, then x4 by embedded-x4."),
        (16, [4, 4], "x16 is x4 by embedded-x4, then x4 by embedded-x4."),
        (3, [4], "x3 is x4 by embedded-x4, then reduced to x3 by antialiased bicubic."),
        (1.5, [2], "x1.5 is x2 by embedded-x2, then reduced to x1.5 by antialiased bicubic."),
    ],
)
def test_factors_are_made_of_those_that_there_are(factor: float, scales: list[int], said: str) -> None:
    plan = make_plan(Wish(upscale=factor))
    assert [stage.scale for stage in plan.stages] == scales
    assert plan.size(100, 51) == (round(100 * factor), round(51 * factor))
    assert plan.notes == ((said,) if said else ())


def test_holes_are_filled_first_and_noise_is_taken_out_before_it_is_enlarged(tmp_path: Path) -> None:
    plan = make_plan(Wish(upscale=2, denoise="auto", fill=tmp_path / "mask.png"))
    assert [stage.task for stage in plan.stages] == ["fill", "denoise", "upscale"]


def test_one_model_does_what_it_is_for(tiny: Path) -> None:
    plan = make_plan(Wish(model=f"onnx:{tiny / 'embedded-x4'}"))
    assert plan.factor == 4
    assert make_plan(Wish(model="embedded-denoise")).denoise == "auto"
    # A model of one scale serves others, too, and what it does not do at all the embedded ones do.
    plan = make_plan(Wish(upscale=2, denoise=25.0, model="embedded-x4"))
    assert [stage.spec.name for stage in plan.stages] == ["embedded-denoise", "embedded-x4"]
    assert any("does not take out noise: embedded-denoise" in note for note in plan.notes)
    assert any("reduced to x2" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(), "Nothing is to be done"),
        (Wish(upscale=17), "cannot be enlarged"),
        (Wish(upscale=0.5), "cannot be enlarged"),
        (Wish(denoise=0.0), "no level of noise"),
        (Wish(denoise=300.0), "no level of noise"),
        (Wish(model="embedded-fill"), "Nothing is to be done"),
    ],
)
def test_what_cannot_be_wished_is_refused(wish: Wish, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        make_plan(wish)
    assert caught.value.expected
    assert caught.value.hint


def test_a_model_that_is_for_something_else_is_refused(tiny: Path) -> None:
    with pytest.raises(ModelError, match="does nothing of what is wished") as caught:
        make_plan(Wish(upscale=2, model="embedded-denoise"))
    assert caught.value.got == "a model that can take out noise"
    with pytest.raises(ModelError, match="does not restore images"):
        make_plan(Wish(upscale=2, model="blood-cells"))


def test_a_scale_that_the_model_cannot_be_brought_to_is_refused(tmp_path: Path) -> None:
    from models.tiny_restorers import upscaler

    card = upscaler(tmp_path / "x16", 16)
    with pytest.raises(ModelError, match="has no scale for that") as caught:
        make_plan(Wish(upscale=2, model=f"onnx:{card}"))
    assert "x16" in caught.value.got
    assert caught.value.hint == "--upscale 16"


def test_the_sets_say_what_they_can_do() -> None:
    (found,) = choices()
    assert found.name == "embedded"
    assert set(found.tasks) == {"upscale", "denoise", "fill"}
    assert found.scales == (2, 4)
