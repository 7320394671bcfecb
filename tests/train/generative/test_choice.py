"""Which kind of generator is advised, from what was measured."""

from __future__ import annotations

from lucida.train.generative.choice import Measured, advise

TABLE = {
    "flow": Measured((0.30, 0.25, 0.35), (90.0, 85.0, 95.0), 8.0, 3.1),
    "diffusion": Measured((0.34, 0.29, 0.39), None, 7.0, 3.1),
    "gan": Measured((0.60, 0.50, 0.70), None, 400.0, 2.0),
    "vae": Measured((1.20, 1.10, 1.30), None, 300.0, 0.9, edits=True),
}


def test_the_advice_follows_the_figures() -> None:
    plan = advise(TABLE, "20 minutes each")
    quality, speed, editing = plan.reasons
    assert "flow, nearest" in quality
    assert "diffusion cannot be told from it" in quality
    assert "gan, 400 pictures a second against 8" in speed
    assert editing.startswith("Latent editing: vae")
    assert plan.command.endswith("--model flow")
    assert "90.0 (85.0 to 95.0)" in str(plan)


def test_nothing_is_claimed_that_was_not_measured() -> None:
    plan = advise({}, "")
    assert "benchmarks.generators" in plan.reasons[0]
    assert not plan.facts
