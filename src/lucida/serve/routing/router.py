"""Answers what is asked of routes: the model that an image belongs to, else the next one."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Sequence
from hashlib import sha256
from time import time
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import InputError, ModelError, UnknownName
from lucida.serve.keys import ANYONE, ASKING, REQUEST
from lucida.serve.looking import Job, Looked
from lucida.serve.refusal import CLIENT_GONE, Refused, refusal_of
from lucida.serve.routing.calls import BreakerOpen, Call, is_fault, open_error, why
from lucida.serve.routing.ledger import Ledger
from lucida.serve.routing.plan import RoutePlan
from lucida.serve.routing.route import Route, Trip
from lucida.serve.routing.said import ROUTED
from lucida.serve.routing.shadow import Shadow
from lucida.serve.routing.tables import Noted
from lucida.serve.routing.verdicts import Verdicts
from lucida.serve.services import SERVICES

if TYPE_CHECKING:
    from lucida.runs.seeing import Wish
    from lucida.serve.answers import Gone
    from lucida.serve.desk import Desk
    from lucida.serve.intake import Sent
    from lucida.serve.services import Service

PATIENT: Final = 3.0  # seconds that the start waits to know where roll-outs were
_log = logging.getLogger("lucida.serve.routes")


class Router:
    """The routes of a server; its methods are called in the event loop.

    Args:
        desk: What they lead to.
        plans: What they are to be.

    Raises:
        UnknownName: A route names a model that is not served.
        InputError: A route has the name of a model, or its models have nothing in common.
    """

    def __init__(self, desk: Desk, plans: Sequence[RoutePlan]) -> None:
        self._desk = desk
        self.ledger = Ledger(desk.records)
        self.routes = {plan.name: self._route(plan) for plan in plans}
        self.verdicts = Verdicts(desk, self.routes)

    def _route(self, plan: RoutePlan) -> Route:
        models = self._desk.shelf.models
        if plan.name in models:
            raise InputError(
                f"A route and a model have the name {plan.name!r}.", expected="a name for each", got=plan.name,
                hint=f"serve the model under another one: NAME={plan.name}",
            )  # fmt: skip
        for name in plan.models:
            if name not in models:
                raise UnknownName(f"model of the route {plan.name!r}", name, models, hint="serve it as well")
        can = [name for name in ROUTED if all(SERVICES[name].can(models[model].spec) for model in plan.models)]
        if not can:
            tasks = {model: "/".join(one.name for one in models[model].services) for model in plan.models}
            raise InputError(
                f"The models of the route {plan.name!r} have no task in common.",
                expected=f"one of {', '.join(ROUTED)}",
                got=", ".join(f"{model}: {own}" for model, own in tasks.items()),
                hint="put models of one task on a route; vectors of different models cannot be compared",
            )
        settings = self._desk.settings
        told = [plan.name, plan.salt, repr(plan.rollout), *(models[model].spec.key for model in plan.arms)]
        version = sha256(json.dumps(told).encode()).hexdigest()[:16]
        timeout = settings.deadline / (1 + len(plan.fallbacks))
        route = Route(plan, tuple(can), version, timeout, max(2, settings.threads), self.ledger)
        if plan.shadow is not None:
            route.shadow = Shadow(self._desk, plan.shadow.share, lambda job, body: self._note(job, "shadow", body))
        return route

    async def load(self) -> None:
        """Find out where roll-outs were; if that takes long, nothing is rolled out until it is known."""
        if not self.routes:
            return
        self.ledger.start()
        kept = asyncio.wrap_future(self.ledger.kept)
        kept.add_done_callback(self._begin)
        for route in self.routes.values():
            if route.shadow is not None:
                route.shadow.start()
        await asyncio.wait([kept], timeout=PATIENT)

    def _begin(self, kept: asyncio.Future[Any]) -> None:
        if kept.cancelled() or kept.exception() is not None:
            return
        states, changes = kept.result()
        for name, route in self.routes.items():
            route.begin(states, [change for of, change in changes if of == name])
            self.verdicts.heard(name)

    def close(self) -> None:
        """Write what there is, and end all threads."""
        for route in self.routes.values():
            route.keep()
            if route.shadow is not None:
                route.shadow.close()
        if self.routes:
            self.ledger.close()
        self.verdicts.close()

    def job(self, name: str, service: Service, wish: Wish, sent: Sent, user: str) -> Job:
        """Return what is to be done for an image.

        Args:
            name: Of the route that is asked.
            service: What for.
            wish: What is asked.
            sent: The image.
            user: Whom it is for; "" where that is not known.

        Raises:
            Refused: 403, whoever asks may not ask this; 422, the route is not for this.
            InputError: Its models must be told classes, or do not know them.
        """
        route, models = self.routes[name], self._desk.shelf.models
        ASKING.get().check(service.name, name)
        self.refuse(name, service.name)
        holder = ASKING.get()
        arm = route.arm(user or (holder.name if holder is not ANYONE else sent.id))
        legs = tuple(dict.fromkeys((arm, *route.plan.fallbacks)))
        # One that was served when the routes were made may be gone since.
        there = [leg for leg in legs if leg in models]
        able = tuple(leg for leg in there if service.fits(models[leg].spec, wish))
        if not able:
            if there:
                service.check(models[there[0]].spec, wish)
            raise self._none(route, [f"{leg} is served no more" for leg in legs], None)
        trip = Trip(route, arm, able)
        return Job(service, models[able[0]], wish, sent, REQUEST.get(), trip)

    def refuse(self, name: str | None, task: str) -> None:
        """Refuse what a route is not for; a name that is no route's is fine.

        Raises:
            Refused: 422.
        """
        if name not in self.routes:
            return
        services = self.routes[name].services
        if task not in services:
            error = InputError(
                f"The route {name!r} is not for this.", expected=f"one of {', '.join(services)}", got=task,
                hint="ask a model; GET /v1/models lists what each can",
            )  # fmt: skip
            raise Refused(422, error)

    async def answer(
        self, job: Job, gone: Gone | None, *, fresh: bool = False, held: bool = False
    ) -> tuple[bytes, bool]:
        """Return the JSON of an answer, and whether it was given before.

        Args:
            job: What is asked, as `job` returns it.
            gone: Is done once nobody waits for it any more.
            fresh: Whether an answer that is kept will not do.
            held: Whether there is a place for it.

        Raises:
            Refused: There is no place, no time, nobody who waits, or none of the models answered.
            LucidaError: The image is not what it must be.
        """
        trip = job.trip
        assert trip is not None
        route, desk, loop = trip.route, self._desk, asyncio.get_running_loop()
        until = loop.time() + desk.settings.deadline
        failures, last = list[str](), None
        route.counts[trip.arm].belonged += 1
        for leg in trip.legs:
            one = job._replace(served=desk.shelf.models.get(leg, job.served))
            began = loop.time()
            try:
                body, kept = await self._ask(route, one, until, gone, fresh=fresh, held=held or last is not None)
            except Exception as error:
                over, fault = _is_over(error, until, loop.time()), is_fault(error)
                if leg == trip.arm and fault and not over:
                    route.saw(leg, False, None)
                if over or not (fault or isinstance(error, BreakerOpen)):
                    route.counts[trip.arm].failed += fault
                    raise
                failures.append(f"{leg}: {why(error)}")
                last = error
                self._log_failure(one, error)
                continue
            trip.model = leg
            self._count(trip, one, body, kept, loop.time() - began)
            return _dressed(route, trip, body, job.request), kept
        route.counts[trip.arm].failed += 1
        raise self._none(route, failures, last)

    async def _ask(
        self, route: Route, job: Job, until: float, gone: Gone | None, *, fresh: bool, held: bool
    ) -> tuple[bytes, bool]:
        desk, model = self._desk, job.served.name
        if not fresh and (found := desk.cache.get(job.key)) is not None:
            desk.observe(Looked(job, found, True, 0.0))
            return found, True
        breaker = route.breakers[model]
        given = breaker.enter()
        if given is None:
            raise open_error(model, breaker)
        began = asyncio.get_running_loop().time()
        body = await Call(desk, job, breaker, given, route.timeout(model)).make(until, gone, held=held)
        desk.looked += 1
        desk.cache.keep(job.key, body)
        desk.observe(Looked(job, body, False, asyncio.get_running_loop().time() - began))
        return body, False

    def _count(self, trip: Trip, job: Job, body: bytes, kept: bool, seconds: float) -> None:
        route, own = trip.route, trip.model == trip.arm
        route.counts[trip.model].answered += 1
        route.counts[trip.model].kept += kept
        route.counts[trip.arm].fell_back += not own
        if own and not kept:
            route.saw(trip.arm, True, seconds)
        if route.plan.kind != "chain":
            self._note(job, "answer" if own else "fallback", body)
        if own and not kept and (shadow := route.shadow) is not None and route.plan.shadow is not None:
            arms = list(route.plan.arms)
            other = route.plan.shadow.model or arms[(arms.index(trip.arm) + 1) % len(arms)]
            served = self._desk.shelf.models[other]
            if other != trip.model and job.service.fits(served.spec, job.wish):
                shadow.see(job._replace(served=served), body)

    def _note(self, job: Job, role: str, body: bytes) -> None:
        trip, spec = job.trip, job.served.spec
        if trip is None or trip.route.plan.kind == "chain":
            return
        asked = sha256(json.dumps([job.service.name, job.wish.to_json()], sort_keys=True).encode()).hexdigest()[:16]
        row = Noted(
            time(), trip.route.plan.name, job.request, job.sent.id, asked, job.service.name, trip.arm, job.served.name,
            spec.key, role, body,
        )  # fmt: skip
        self.ledger.note(row)

    def _log_failure(self, job: Job, error: Exception) -> None:
        if not isinstance(error, BreakerOpen):
            known = refusal_of(error).status != 500
            _log.warning("request %s: %s failed: %s", job.request, job.served.name, refusal_of(error).said,
                         exc_info=None if known else error)  # fmt: skip

    def _none(self, route: Route, failures: Sequence[str], last: Exception | None) -> Refused:
        waits = [breaker.wait for breaker in route.breakers.values() if breaker.state == "open"]
        retry = max(1, math.ceil(min(waits))) if waits else None
        status = refusal_of(last).status if last is not None and not isinstance(last, BreakerOpen) else 503
        error = ModelError(
            f"No model of the route {route.plan.name!r} answered.",
            expected="an answer of one of its models",
            got="; ".join(failures),
            hint=f"come again in {retry} s" if retry is not None else "come again later",
        )
        return Refused(503 if status == 500 else status, error, retry=retry)


def _is_over(error: Exception, until: float, now: float) -> bool:
    """Tell whether nobody waits any more, or no time is left for another model."""
    return now >= until or (isinstance(error, Refused) and error.status == CLIENT_GONE)


def _dressed(route: Route, trip: Trip, body: bytes, request: str) -> bytes:
    """Return an answer that says how it came about."""
    more: dict[str, str] = {"route": route.plan.name}
    if trip.model != trip.arm:
        more["fallback_of"] = trip.arm
    if route.plan.kind != "chain":
        more["request_id"] = request
    return body[:-1] + b"," + json.dumps(more, separators=(",", ":")).encode()[1:]
