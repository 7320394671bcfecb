"""What is told of a route: how its models do, where its roll-out is, which arm is better."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from lucida.serve.routing import bodies
from lucida.serve.watch.readings import Reading

if TYPE_CHECKING:
    from lucida.evidence.arms import Difference
    from lucida.serve.routing.judging import Verdict
    from lucida.serve.routing.ledger import Ledger
    from lucida.serve.routing.route import Route
    from lucida.serve.routing.router import Router


def told(route: Route, verdicts: Sequence[Verdict], ledger: Ledger, *, lasting: bool) -> bodies.RouteAnswer:
    """Return what is told of a route."""
    plan = route.plan
    return bodies.RouteAnswer(
        name=plan.name,
        kind=plan.kind,
        tasks=list(route.services),
        fallbacks=list(plan.fallbacks),
        since=route.since,
        arms=[_arm(route, model) for model in route.counts],
        shadow=_shadow(route),
        rollout=_rollout(route),
        verdicts=[_verdict(one) for one in verdicts],
        changes=[bodies.ChangeAnswer(**asdict(one)) for one in route.changes],
        records=bodies.RecordsAnswer(
            lasting=lasting,
            waiting=ledger.waiting,
            lost=ledger.lost,
            trouble=ledger.failing.line() if ledger.failing is not None else None,
        ),
    )


def readings(router: Router) -> Iterator[Reading]:
    """Say how routes are, for metrics."""
    for name, route in router.routes.items():
        for model, counts in route.counts.items():
            labels = {"route": name, "model": model}
            for what, value in asdict(counts).items():
                about = "Images on routes, by what became of them."
                yield Reading("lucida_route_images_total", about, value, {**labels, "what": what}, "counter")
            breaker = route.breakers[model]
            yield Reading(
                "lucida_route_breaker_open", "Whether a model is left alone.", breaker.state != "closed", labels
            )
            yield Reading("lucida_route_threads_hung", "Threads that hang in a model.", breaker.hung, labels)
            share = route.weights.get(model, 0.0)
            yield Reading("lucida_route_share", "Share of the keys that belong to a model.", share, labels)
        if (shadow := route.shadow) is not None:
            for what in ("asked", "agreed", "failed", "skipped"):
                about = "Images that a shadow was asked about, by what became of them."
                labels = {"route": name, "what": what}
                yield Reading("lucida_route_shadow_total", about, getattr(shadow, what), labels, "counter")
    if router.routes:
        about = "Answers of routes that could not be remembered."
        yield Reading("lucida_route_records_lost_total", about, router.ledger.lost, kind="counter")


def _arm(route: Route, model: str) -> bodies.ArmAnswer:
    breaker = route.breakers[model]
    return bodies.ArmAnswer(
        model=model, share=route.weights.get(model, 0.0), **asdict(route.counts[model]), breaker=breaker.state,
        failures=breaker.failures, opens=round(breaker.wait, 3), hung=breaker.hung,
    )  # fmt: skip


def _shadow(route: Route) -> bodies.ShadowAnswer | None:
    shadow, rule = route.shadow, route.plan.shadow
    if shadow is None or rule is None:
        return None
    return bodies.ShadowAnswer(
        model=rule.model or None, share=rule.share, asked=shadow.asked, agreed=shadow.agreed, failed=shadow.failed,
        skipped=shadow.skipped, waiting=shadow.waiting,
    )  # fmt: skip


def _rollout(route: Route) -> bodies.RolloutAnswer | None:
    rule, rollout = route.plan.rollout, route.rollout
    if rule is None:
        return None
    if rollout is None:
        state, why = "unknown", "where it was is not known: the records cannot be read"
    else:
        state, why = rollout.state, rollout.why
    conditions = rollout.conditions() if rollout is not None and rollout.state == "running" else []
    return bodies.RolloutAnswer(
        source=rule.source,
        target=rule.target,
        steps=list(rule.steps),
        step=rollout.step if rollout is not None else 0,
        share=rollout.share if rollout is not None else 0.0,
        state=state,
        since=rollout.since if rollout is not None else route.since,
        why=why,
        conditions=[bodies.ConditionAnswer(**asdict(one)) for one in conditions],
    )


def _verdict(one: Verdict) -> bodies.VerdictAnswer:
    difference, paired, unpaired = (_bounds(part) for part in (one.difference, one.paired, one.unpaired))
    pairs = one.pairs
    return bodies.VerdictAnswer(
        a=one.a,
        b=one.b,
        better=one.better,
        said=_said(one),
        difference=bodies.DifferenceAnswer(**difference),
        paired=bodies.PairedAnswer(
            **paired, same=pairs.both, only_a=pairs.only_a, only_b=pairs.only_b, unclear=one.unclear
        ),
        unpaired=bodies.UnpairedAnswer(
            **unpaired, right_a=one.right[0], judged_a=one.judged[0], right_b=one.right[1], judged_b=one.judged[1],
            matches=one.matches,
        ),
    )  # fmt: skip


def _bounds(of: Difference) -> dict[str, float]:
    # Rounded outwards: what is told must hold as well.
    return {
        "low": max(-1.0, round(of.low - 5e-5, 4)), "high": min(1.0, round(of.high + 5e-5, 4)),
        "confidence": round(of.confidence, 6), "evidence_a": float(f"{of.for_a:.4g}"),
        "evidence_b": float(f"{of.for_b:.4g}"),
    }  # fmt: skip


def _said(one: Verdict) -> str:
    difference = one.difference
    if one.better is None:
        span = f"{one.b} has from {difference.low:+.1%} to {difference.high:+.1%} more right than {one.a}"
        return f"It is not known yet which is better: {span} ({difference.confidence:.0%})."
    least, most = sorted((abs(difference.low), abs(difference.high)))
    other = one.b if one.better == one.a else one.a
    more = f"it has {least:.1%} to {most:.1%} more right than {other} ({difference.confidence:.0%})"
    return f"{one.better} is better: {more}."
