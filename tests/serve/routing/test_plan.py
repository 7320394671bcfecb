"""Routes as serve.yaml and the command line have them; every mistake is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lucida.errors import InputError
from lucida.serve.routing.breaker import BreakerRule
from lucida.serve.routing.plan import RoutePlan, ShadowRule, parse_routes
from lucida.serve.routing.rollout import RolloutRule
from lucida.serve.serve_file import make_plan

FILE = """
models: [a, b, c]
routes:
  short: [a, b]
  chain:
    chain: [a, b, a]
    timeout: {a: 2}
    breaker: {failures: 3, pause: 20}
    shadow: {model: c, share: 0.1}
  test:
    arms: {a: 90, b: 10}
    fallbacks: c
    timeout: 5
    shadow: 0.5
    salt: autumn
    confidence: 0.99
  next:
    rollout: {from: a, to: b, steps: [1, 10], requests: 500, errors: 0.02}
    fallbacks: [c]
"""


def read(tmp_path: Path, text: str) -> tuple[RoutePlan, ...]:
    (tmp_path / "serve.yaml").write_text(text)
    return make_plan(tmp_path / "serve.yaml").routes


def test_all_that_a_file_can_say(tmp_path: Path) -> None:
    short, chain, test, next_ = read(tmp_path, FILE)
    assert short == RoutePlan("short", {"a": 1.0}, ("b",))
    assert chain == RoutePlan(
        "chain", {"a": 1.0}, ("b", "a"), timeouts={"a": 2.0}, breaker=BreakerRule(failures=3, pause=20.0),
        shadow=ShadowRule(0.1, "c"),
    )  # fmt: skip
    assert test == RoutePlan(
        "test", {"a": 90.0, "b": 10.0}, ("c",), timeout=5.0, shadow=ShadowRule(0.5), salt="autumn", confidence=0.99
    )
    rule = RolloutRule("a", "b", (1.0, 10.0, 100.0), requests=500, errors=0.02)
    assert next_ == RoutePlan("next", {"a": 100.0, "b": 0.0}, ("a", "c"), rollout=rule)
    assert [one.kind for one in (short, chain, test, next_)] == ["chain", "chain", "arms", "rollout"]


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ("{chain: [a], arms: {a: 1, b: 1}}", "line 3.* is not clear"),
        ("{timeout: 1}", "is not clear"),
        ("{chain: [a], fallbacks: [b]}", "fallbacks beside its chain"),
        ("{chain: [a], shadow: 0.1}", "shadow without a model"),
        ("{chain: [a], timeout: {x: 1}}", "time-out for 'x'"),
        ("{arms: {a: 1}}", "no table of two models"),
        ("{arms: {a: 0, b: 0}}", "no weight above 0"),
        ("{rollout: {from: a, to: a}}", "from a model to itself"),
        ("{rollout: {from: a, to: b, steps: [5, 1]}}", "do not rise"),
        ("{rollout: {from: a}}", "lacks the key 'to'"),
        ("{chan: [a]}", "chain"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, route: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, f"models: [a, b]\nroutes:\n  x: {route}\n")


def test_the_command_line_has_a_short_form(tmp_path: Path) -> None:
    assert parse_routes(["x=a,b", "y=a:90,b:10"]) == (
        RoutePlan("x", {"a": 1.0}, ("b",)),
        RoutePlan("y", {"a": 90.0, "b": 10.0}),
    )
    assert make_plan(None, ["a", "b"], {"routes": ["x=a,b"]}).routes == (RoutePlan("x", {"a": 1.0}, ("b",)),)
    for wrong in ("x", "x=", "=a", "x=a:1", "x=a:1,b", "x=a:0,b:1", "x=a:nan,b:1"):
        with pytest.raises(InputError, match="This is no route"):
            parse_routes([wrong])
