"""The loop: it learns, it goes on where it was killed, and it says why it stops."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from lucida.errors import InputError, TrainingError  # noqa: E402
from lucida.train import loop as module  # noqa: E402
from lucida.train.journal import read  # noqa: E402
from lucida.train.loop import fit  # noqa: E402
from lucida.train.recipe import Recipe  # noqa: E402
from lucida.train.settings import Plan, Settings  # noqa: E402
from lucida.train.standing import BEST, LAST, PLAN  # noqa: E402
from lucida.tuning import checkpoint  # noqa: E402
from points import Points  # noqa: E402

pytestmark = pytest.mark.torch
SHORT = Settings(epochs=4, batch=8, rate=0.02, workers=0, save_seconds=0.0)


def weights(recipe: Recipe) -> dict[str, Any]:
    return {name: value.clone() for name, value in recipe.network.state_dict().items()}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_it_learns_and_keeps_the_best_weights(tmp_path: Path):
    recipe = Points()
    state = fit(recipe, Settings(epochs=20, batch=8, rate=0.02, workers=0), tmp_path)
    assert state.metrics["accuracy"] > 0.9
    assert same(weights(recipe), checkpoint.load(tmp_path / BEST)[0]["network"])
    assert not recipe.network.training
    rows = read(tmp_path / "metrics.jsonl")
    assert max(row.get("validation/accuracy", 0) for row in rows) == pytest.approx(state.best)
    assert state.stopped


@pytest.mark.parametrize("stop", [1, 7, 12])
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path, stop: int):
    whole, killed = Points(), Points()
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    fit(whole, SHORT, tmp_path / "whole")
    calls = 0

    def kill(recipe: Recipe, batch: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 8 + stop:  # the first eight only measure the speed
            raise KeyboardInterrupt

    killed.spoilt = kill
    with pytest.raises(KeyboardInterrupt):
        fit(killed, SHORT, tmp_path / "killed")
    again = Points()
    state = fit(again, SHORT, tmp_path / "killed")
    assert same(weights(whole), weights(again))
    assert same(*(checkpoint.load(tmp_path / name / LAST)[0]["network"] for name in ("whole", "killed")))
    assert state.step == 20
    steps = [row["step"] for row in read(tmp_path / "killed" / "metrics.jsonl")]
    assert steps == sorted(steps)


class Pictures(Points):
    """The same with pictures, whose filters lie otherwise in memory where they are multiplied in half precision."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        layers = torch.nn.Conv2d(2, 32, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(32, 2, 3), torch.nn.Flatten()
        self.network = torch.nn.Sequential(*layers)
        self.points = self.points[:, :, None, None].repeat(1, 1, 3, 3)

    def example(self, row: int):
        return self.points[row], self.sides[row]


@pytest.mark.parametrize("arithmetic", ["bf16", "fp32"])
def test_filters_go_on_to_the_same_weights_and_lie_as_before(tmp_path: Path, arithmetic: str):
    settings = replace(SHORT, arithmetic=arithmetic, epochs=2)
    whole, killed, again = Pictures(), Pictures(), Pictures()
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    fit(whole, settings, tmp_path / "whole")
    layouts = []

    def kill(recipe: Recipe, batch: Any) -> None:
        layouts.append(recipe.network[2].weight.stride(1))
        if len(layouts) == 8 + 7:
            raise KeyboardInterrupt

    killed.spoilt = kill
    with pytest.raises(KeyboardInterrupt):
        fit(killed, settings, tmp_path / "killed")
    fit(again, settings, tmp_path / "killed")
    assert same(weights(whole), weights(again))
    assert set(layouts) == {1 if arithmetic == "bf16" else 9}
    assert again.network[2].weight.is_contiguous()


def test_a_finished_training_is_not_done_again(tmp_path: Path):
    fit(Points(), SHORT, tmp_path)
    recipe = Points()
    recipe.spoilt = lambda *_: pytest.fail("it was trained again")
    assert fit(recipe, SHORT, tmp_path).stopped == "the schedule is done"


def test_another_seed_gives_another_training_and_the_same_seed_the_same(tmp_path: Path):
    found = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        recipe = Points()
        (tmp_path / name).mkdir()
        fit(recipe, Settings(epochs=2, batch=8, rate=0.02, workers=0, seed=seed), tmp_path / name)
        found.append(weights(recipe))
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_weights(tmp_path: Path):
    recipe = Points()
    calls = 0

    def spoil(recipe: Points, batch: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 8 + 13:
            batch[0].mul_(math.nan)

    recipe.spoilt = spoil
    with pytest.raises(TrainingError, match="no number any more, at step 12") as caught:
        fit(recipe, SHORT, tmp_path)
    assert "--rate 0.005" in caught.value.hint
    kept = checkpoint.load(tmp_path / BEST)
    assert kept[1]["step"] in (5, 10)
    assert all(torch.isfinite(value).all() for value in kept[0]["network"].values())


def test_too_little_memory_halves_the_batch_and_says_so(tmp_path: Path):
    recipe, sizes = Points(), []

    def refuse(recipe: Points, batch: Any) -> None:
        sizes.append(len(batch[0]))
        if len(batch[0]) > 4:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")

    recipe.spoilt = refuse
    state = fit(recipe, Settings(epochs=2, batch=16, rate=0.02, workers=0), tmp_path)
    plan = Plan.load(tmp_path / PLAN)
    assert plan is not None
    assert (plan.batch, plan.accumulate) == (4, 4)
    assert state.stopped == "the schedule is done"
    assert sum("halv" in note or "gradients added up" in note for note in recipe.notes) == 2
    assert sizes[0] == 16
    assert max(sizes[2:]) == 4


def test_memory_that_does_not_suffice_for_one_image_is_an_error(tmp_path: Path):
    recipe = Points()

    def refuse(recipe: Points, batch: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")

    recipe.spoilt = refuse
    with pytest.raises(TrainingError, match="one image at a time"):
        fit(recipe, Settings(epochs=1, batch=2, rate=0.02, workers=0), tmp_path)


def test_added_gradients_give_what_a_large_batch_gives(tmp_path: Path):
    found = []
    for name, batch, accumulate in (("large", 20, 1), ("small", 5, 4)):
        recipe = Points()
        recipe.network = torch.nn.Linear(2, 2)
        torch.nn.init.eye_(recipe.network.weight)
        torch.nn.init.zeros_(recipe.network.bias)
        (tmp_path / name).mkdir()
        settings = Settings(
            epochs=3, batch=batch, accumulate=accumulate, rate=0.02, workers=0, arithmetic="fp32", horizon=0.0
        )
        fit(recipe, settings, tmp_path / name)
        found.append(checkpoint.load(tmp_path / name / LAST)[0]["network"])
    for name, value in found[0].items():
        assert torch.allclose(value, found[1][name], atol=1e-5)


def test_it_stops_when_nothing_is_gained(tmp_path: Path):
    recipe = Points()
    recipe.measure = lambda network, device: {"accuracy": 0.5}  # type: ignore[method-assign]
    state = fit(recipe, Settings(epochs=25, batch=8, rate=0.02, workers=0, patience=3), tmp_path)
    assert state.stopped == "3 evaluations without gain"
    assert state.step == 20


def test_a_falling_loss_is_a_gain_and_decides_between_equals(tmp_path: Path):
    # The first is asked before training, to see how long an evaluation takes.
    losses = iter([0.9, 0.7, 0.8, 0.6, 0.65, 0.65, 0.65, 0.5])
    recipe = Points()
    recipe.measure = lambda network, device: {"accuracy": 0.5, "loss": next(losses)}  # type: ignore[method-assign]
    state = fit(recipe, Settings(epochs=25, batch=8, rate=0.02, workers=0, patience=3), tmp_path)
    assert (state.step, state.best_step, state.metrics["loss"]) == (30, 15, 0.6)


def lengthen(monkeypatch) -> None:
    """Let the first evaluation find time for more steps, with other rounds."""

    def refit(plan: Plan, settings: Settings, **_: Any) -> bool:
        changed, plan.total = plan.total == 60, 100
        return changed

    monkeypatch.setattr(module.schedule, "refit", refit)


def evaluations(folder: Path) -> list[int]:
    return [row["step"] for row in read(folder / "metrics.jsonl") if "validation/accuracy" in row]


ROUNDS = Settings(epochs=12, rounds=6, batch=8, rate=0.02, workers=0, save_seconds=0.0, patience=99)


def test_a_schedule_that_is_fitted_anew_is_judged_after_whole_rounds(tmp_path: Path, monkeypatch):
    lengthen(monkeypatch)
    fit(Points(), ROUNDS, tmp_path)
    assert evaluations(tmp_path) == [10, 26, 42, 58, 74, 90, 100]


@pytest.mark.parametrize("stop", [9, 14, 27])
def test_a_killed_training_is_judged_at_the_same_steps(tmp_path: Path, monkeypatch, stop: int):
    lengthen(monkeypatch)
    killed, calls = Points(), 0

    def kill(recipe: Recipe, batch: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 8 + stop:
            raise KeyboardInterrupt

    killed.spoilt = kill
    with pytest.raises(KeyboardInterrupt):
        fit(killed, ROUNDS, tmp_path)
    fit(Points(), ROUNDS, tmp_path)
    assert evaluations(tmp_path) == [10, 26, 42, 58, 74, 90, 100]


@pytest.mark.parametrize("memory", [99, 4])
def test_what_was_trained_in_half_precision_is_itself_again(tmp_path: Path, memory: int):
    class Doubled(torch.nn.Linear):
        def forward(self, points):
            assert points.dtype == torch.float32
            return super().forward(points) * 2

    def refuse(recipe: Points, batch: Any) -> None:
        if len(batch[0]) > memory:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")

    recipe = Points()
    recipe.network, recipe.spoilt = Doubled(2, 2), refuse
    fit(recipe, Settings(epochs=2, batch=8, rate=0.02, workers=0, arithmetic="bf16"), tmp_path)
    fresh = Doubled(2, 2)
    fresh.load_state_dict(recipe.network.state_dict())
    for network in (recipe.network, copy.deepcopy(recipe.network)):
        assert torch.equal(network(recipe.points), fresh(recipe.points))
        network.weight.data.zero_()
        network.bias.data.zero_()
        assert not network(recipe.points).any()


def test_weights_of_another_network_are_refused(tmp_path: Path):
    fit(Points(), SHORT, tmp_path)
    other = Points()
    other.network = torch.nn.Linear(2, 2)
    with pytest.raises(InputError, match="another network"):
        fit(other, SHORT, tmp_path)


def test_images_that_fail_in_mid_epoch_are_skipped_and_counted(tmp_path: Path):
    class Broken(Points):
        def example(self, row: int):
            return None if row % 5 == 0 else super().example(row)

    state = fit(Broken(), SHORT, tmp_path)
    assert sorted(set(state.skipped)) == [0, 5, 10, 15, 20, 25, 30, 35]
    assert state.metrics["accuracy"] > 0.6


def test_nothing_to_train_on_is_an_error(tmp_path: Path):
    with pytest.raises(InputError, match="no image to train on"):
        fit(Points(count=0), SHORT, tmp_path)


def test_worker_processes_change_nothing(tmp_path: Path):
    found = []
    for workers in (0, 2):
        recipe = Points()
        (tmp_path / str(workers)).mkdir()
        fit(recipe, Settings(epochs=1, batch=8, rate=0.02, workers=workers), tmp_path / str(workers))
        found.append(weights(recipe))
    assert same(*found)


def test_a_full_disk_is_an_error_that_says_so(tmp_path: Path, monkeypatch):
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save", full)
    with pytest.raises(TrainingError) as caught:
        fit(Points(), SHORT, tmp_path)
    assert "No space left" in caught.value.got


def test_the_schedule_is_fitted_to_the_minutes(tmp_path: Path):
    # A clock that goes one second a look: a step then takes a few seconds, and a minute a few steps.
    ticks = iter(range(10**9))
    original = module.time.monotonic
    module.time.monotonic = lambda: float(next(ticks))  # type: ignore[assignment]
    try:
        state = fit(Points(), Settings(minutes=5, batch=4, rate=0.02, workers=0, patience=99), tmp_path)
    finally:
        module.time.monotonic = original
    assert 5 < state.step < 300
    assert json.loads((tmp_path / PLAN).read_text())["total"] <= 300
