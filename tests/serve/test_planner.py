"""What the planner chooses, of a model whose costs are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from lucida.errors import InputError
from lucida.models.spec import Model, Spec
from lucida.serve import planner
from lucida.serve.batching import Batching
from lucida.serve.config import Settings
from lucida.serve.planner import Chosen, choose, measure, plan
from lucida.serve.sharing import Served
from told_models import model

Cost = Callable[[int, bool], float]


class Played(Model):
    """Takes as much time of a clock of its own as it is told."""

    def __init__(self, spec: Spec, cost: Cost, settles: bool = True) -> None:
        super().__init__(spec)
        self.now, self.sizes, self._cost, self._settles = 0.0, tuple[int, ...](), cost, settles
        self.calls = 0

    def settle(self, sizes: Sequence[int]) -> bool:
        self.sizes = tuple(sizes) if self._settles else ()
        return bool(self.sizes)

    def ask(self, n: int) -> None:
        self.calls += 1
        self.now += self._cost(n, bool(self.sizes))

    def logits(self, batch: np.ndarray[Any, Any]) -> Any:
        self.ask(len(batch))
        return np.tile(np.array([[0.0, 1.0]], np.float32), (len(batch), 1))


def played(cost: Cost, *, settles: bool = True) -> Played:
    return Played(model("classify", ("a", "b"), lambda _: None, "played"), cost, settles)


def chosen(cost: Cost, *, settles: bool = True) -> Chosen:
    one = played(cost, settles=settles)
    return choose(measure(one, one.ask, clock=lambda: one.now))


def test_the_cheapest_is_chosen_and_of_those_as_good_the_fewest_at_a_time():
    assert chosen(lambda n, _: 0.005 * n).sizes == ()
    assert chosen(lambda n, _: 0.005 * n).most == 1
    # A call costs as much as two images: eight together are cheapest by far.
    assert chosen(lambda n, _: 0.004 + 0.002 * n).most == 8
    four = chosen(lambda n, _: 0.001 * max(n, 4), settles=False)
    assert (four.most, four.sizes, round(four.alone, 6), round(four.cost, 6)) == (4, (), 0.004, 0.001)
    fixed = chosen(lambda n, fixed: (0.004 if fixed else 0.006) * n)
    assert (fixed.most, fixed.sizes) == (1, (1,))
    assert "6.00 ms" in str(fixed)


def test_nobody_waits_long_for_a_batch_and_measuring_is_bounded():
    slow = played(lambda n, _: 0.2 if n == 1 else 0.2 + 0.01 * n)
    assert choose(measure(slow, slow.ask, clock=lambda: slow.now)).most == 1
    assert slow.calls <= 2 * (1 + planner.ROUNDS)


def test_an_accelerator_gathers_images_for_a_moment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(planner.engine, "has_gpu", lambda: True)
    found = chosen(lambda n, _: 0.004 + 0.0001 * n)
    assert (found.most, found.linger) == (8, planner.LINGER)
    assert chosen(lambda n, _: 0.004 * n).linger == 0.0


def test_what_was_measured_is_kept_for_the_next_start(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LUCIDA_CACHE", str(tmp_path))
    spec = model("classify", ("a", "b"), lambda _: None, "played")
    made: list[Played] = []

    def build(spec: Spec, *_: Any) -> Model:
        made.append(Played(spec, lambda n, _: 0.0))
        return made[-1]

    def started() -> Served:
        return Served("m", Spec(
            spec.name, "test", ("classify",), spec.needs, spec.gives, "MIT", "a test", "1", build=build,
        ))  # fmt: skip

    first, again, asked, plain = (started() for _ in range(4))
    assert "measured in" in plan(first, "measured")
    assert "as measured before" in plan(again, "measured")
    assert made[1].calls == 0
    assert again.batching == first.batching
    assert plan(asked, "4") == "m (none): up to 4 images at a time, as asked"
    assert (asked.batching, made[2].sizes) == (Batching(4), (1, 2, 4))
    assert (plan(plain, "default"), plain.batching) == ("", Batching())


def test_a_plan_that_is_none_is_refused():
    for wrong in ("fast", "0", "65", "-1", "٣"):
        with pytest.raises(InputError, match="plan"):
            Settings(plan=wrong)
