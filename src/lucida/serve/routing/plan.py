"""What a route is to be: which models, in which order, for whom; as serve.yaml and the command line say it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from lucida.errors import InputError
from lucida.screen.nodes import Node
from lucida.serve.routing.breaker import BreakerRule
from lucida.serve.routing.rollout import RolloutRule
from lucida.serve.yaml_rules import Rule, number, read_table, text, texts, whole

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
KINDS: Final = ("chain", "arms", "rollout")
_SECONDS: Final = (0.001, 86_400.0)


@dataclass(frozen=True)
class ShadowRule:
    """What is also asked of another model, after the answer.

    Attributes:
        share: Of the images, above 0, at most 1.
        model: Which one; "" for the other arm.
    """

    share: float
    model: str = ""


@dataclass(frozen=True)
class RoutePlan:
    """A route.

    Attributes:
        name: What clients ask for.
        arms: Models and their weights: one of a chain, from and to of a roll-out.
        fallbacks: Models that answer where the arm does not, in order.
        timeouts: Seconds of work, of models that have a time-out of their own.
        timeout: Of the others; None for an equal share of the server's deadline.
        breaker: When a model is left alone.
        salt: Splits the keys; "" for the name.
        shadow: None for none.
        rollout: None for none.
        confidence: Of what is said of the arms.
    """

    name: str
    arms: Mapping[str, float]
    fallbacks: tuple[str, ...] = ()
    timeouts: Mapping[str, float] = field(default_factory=dict)
    timeout: float | None = None
    breaker: BreakerRule = field(default_factory=BreakerRule)
    salt: str = ""
    shadow: ShadowRule | None = None
    rollout: RolloutRule | None = None
    confidence: float = 0.95

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return "rollout" if self.rollout is not None else "arms" if len(self.arms) > 1 else "chain"

    @property
    def models(self) -> tuple[str, ...]:
        """All of its models, each once."""
        shadow = (self.shadow.model,) if self.shadow is not None and self.shadow.model else ()
        return tuple(dict.fromkeys((*self.arms, *self.fallbacks, *shadow)))


def read_routes(node: Node, what: str) -> tuple[RoutePlan, ...]:
    """Read the table of routes of serve.yaml.

    Raises:
        UnknownName: A key is not known.
        InputError: A value is not what it must be.
    """
    if not isinstance(node.value, dict):
        raise node.wrong(f"{what} is no table.", "NAME: [MODEL, MODEL]", "clothes: [siglip2, embedded]")
    return tuple(_read_route(name, one) for name, one in node.value.items())


def parse_routes(given: Sequence[str]) -> tuple[RoutePlan, ...]:
    """Read routes as the command line has them: "NAME=MODEL,MODEL" is a chain, "NAME=MODEL:90,MODEL:10" has weights.

    Raises:
        InputError: One is neither.
    """
    plans = []
    for one in given:
        name, equals, rest = one.partition("=")
        models = [part.strip() for part in rest.split(",")]
        if not (NAME.fullmatch(name) and equals and all(models)):
            raise _no_route(one)
        split = [part.rpartition(":") for part in models]
        weights = {model: _weight(weight) for model, colon, weight in split if colon}
        if not weights:
            plans.append(_chain(name, models))
        elif len(weights) == len(models) > 1 and all(weight > 0 for weight in weights.values()):
            plans.append(RoutePlan(name, weights))
        else:
            raise _no_route(one)
    return tuple(plans)


def _weight(given: str) -> float:
    try:
        found = float(given)
    except ValueError:
        return -1.0
    return found if 0 < found < 1e9 else -1.0


def _no_route(given: str) -> InputError:
    return InputError(
        "This is no route.",
        expected="NAME=MODEL,MODEL for a chain, NAME=MODEL:90,MODEL:10 for an A/B test",
        got=repr(given[:100]),
        hint="--route clothes=siglip2,embedded",
    )


def _chain(name: str, models: Sequence[str], **more: Any) -> RoutePlan:
    return RoutePlan(name, {models[0]: 1.0}, tuple(dict.fromkeys(models[1:])), **more)


def _read_route(name: str, node: Node) -> RoutePlan:
    if not NAME.fullmatch(name):
        raise node.wrong(f"{name[:100]!r} is no name for a route.", "letters, digits and . _ -", "clothes: …")
    where = f"the route {name!r}"
    if not isinstance(node.value, dict):
        return _chain(name, node.texts(where))
    found = read_table(node, _ROUTE, where)
    kinds = [kind for kind in KINDS if kind in found]
    if len(kinds) != 1:
        raise node.wrong(f"{where} is not clear.", f"one of {', '.join(KINDS)}", "chain: [MODEL, MODEL]")
    of = found.pop(kinds[0])
    timeout = found.pop("timeout", None)
    found |= {"timeouts": timeout} if isinstance(timeout, dict) else {"timeout": timeout}
    if kinds == ["chain"]:
        if found.pop("fallbacks", None) is not None:
            raise node.wrong(f"{where} has fallbacks beside its chain.", "chain: [PRIMARY, FALLBACK]", "add them there")
        plan = _chain(name, of, **found)
    elif kinds == ["arms"]:
        plan = RoutePlan(name, of, **found)
    else:
        backs = tuple(dict.fromkeys((of.source, *found.pop("fallbacks", ()))))
        plan = RoutePlan(name, {of.source: 100.0, of.target: 0.0}, backs, rollout=of, **found)
    _check(plan, node, where)
    return plan


def _check(plan: RoutePlan, node: Node, where: str) -> None:
    if plan.shadow is not None and not plan.shadow.model and len(plan.arms) < 2:
        raise node.wrong(f"{where} has a shadow without a model.", "shadow: {model: MODEL, share: 0.1}", "name it")
    for model in plan.timeouts:
        if model not in plan.models:
            raise node.wrong(f"{where} has a time-out for {model[:100]!r}.", f"one of {', '.join(plan.models)}")


def _arms(node: Node, what: str) -> dict[str, float]:
    if not isinstance(node.value, dict) or len(node.value) < 2:
        raise node.wrong(f"{what} is no table of two models or more.", "MODEL: WEIGHT", "arms: {siglip2: 90, new: 10}")
    weigh = number(0, 1e9)
    found = {name: weigh(weight, f"the weight of {name!r}") for name, weight in node.value.items()}
    if not any(found.values()):
        raise node.wrong(f"{what} has no weight above 0.", "MODEL: WEIGHT", "arms: {siglip2: 90, new: 10}")
    return found


def _timeout(node: Node, what: str) -> float | dict[str, float]:
    read = number(*_SECONDS)
    if not isinstance(node.value, dict):
        return float(read(node, what))
    return {name: read(one, f"the time-out of {name!r}") for name, one in node.value.items()}


def _shadow(node: Node, what: str) -> ShadowRule:
    if not isinstance(node.value, dict):
        return ShadowRule(_SHARE(node, what))
    return ShadowRule(**read_table(node, {"model": text, "share": _SHARE}, what, required=("share",)))


def _rollout(node: Node, what: str) -> RolloutRule:
    found = read_table(node, _ROLLOUT, what, required=("from", "to"))
    found["source"], found["target"] = found.pop("from"), found.pop("to")
    if found["source"] == found["target"]:
        raise node.wrong(f"{what} leads from a model to itself.", "two models", "from: OLD, to: NEW")
    return RolloutRule(**found)


def _steps(node: Node, what: str) -> tuple[float, ...]:
    read = number(0.001, 100)
    ones = node.value if isinstance(node.value, list) else [node]
    found = tuple(read(one, what) for one in ones)
    if not found or any(after <= before for before, after in pairwise(found)):
        raise node.wrong(f"{what} do not rise.", "per cent, each more than the one before", "steps: [1, 5, 25, 100]")
    return found if found[-1] == 100 else (*found, 100.0)


_SHARE: Final = number(1e-6, 1)
_BREAKER: Final[dict[str, Rule]] = {
    "failures": whole(1, 1000),
    "share": number(0, 1),
    "window": number(*_SECONDS),
    "pause": number(*_SECONDS),
}
_ROLLOUT: Final[dict[str, Rule]] = {
    "from": text,
    "to": text,
    "steps": _steps,
    "requests": whole(1, 1e9),
    "seconds": number(0, 1e9),
    "errors": number(0, 1),
    "latency": number(0.01, 1000),
    "feedback": whole(0, 1e9),
}
_ROUTE: Final[dict[str, Rule]] = {
    "chain": texts,
    "arms": _arms,
    "rollout": _rollout,
    "fallbacks": texts,
    "timeout": _timeout,
    "breaker": lambda node, what: BreakerRule(**read_table(node, _BREAKER, what)),
    "shadow": _shadow,
    "salt": text,
    "confidence": number(0.5, 0.9999),
}
