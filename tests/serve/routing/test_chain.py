"""A chain answers while any of its models does: each fault of the primary, alone and together."""

from __future__ import annotations

import threading

import pytest

from lucida.errors import InputError, ModelError, UnknownName
from lucida.serve.routing.breaker import BreakerRule
from lucida.serve.routing.plan import RoutePlan, ShadowRule
from serve.routing.desks import Model, server
from served_models import png, upload

RULE = BreakerRule(failures=2, pause=1000)


def chain(**more: object) -> RoutePlan:
    return RoutePlan("route", {"a": 1.0}, ("b",), breaker=RULE, **more)  # type: ignore[arg-type]


def test_the_primary_answers_and_the_route_is_listed() -> None:
    with server([Model("a"), Model("b", "dog")], chain()) as run:
        got = run.ask()
        assert got.status_code == 200
        body = got.json()
        assert (body["model"], body["route"], body["label"]) == ("a", "route", "cat")
        assert not {"fallback_of", "request_id"} & body.keys()
        listed = {one["id"]: one for one in run.client.get("/v1/models").json()["data"]}
        assert (listed["route"]["owned_by"], listed["route"]["tasks"]) == ("route", ["classify"])
        # What the model itself was asked is known to the route, and the other way round.
        assert run.ask("a", png()).json().keys() == body.keys() - {"route"}
        assert run.ask("route", png()).headers["x-cache"] == "hit"


def test_a_primary_that_raises_is_followed_left_alone_tried_and_asked_again() -> None:
    a, b = Model("a"), Model("b", "dog")
    with server([a, b], chain()) as run:
        breaker = run.desk.router.routes["route"].breakers["a"]
        now = [0.0]
        breaker._clock = lambda: now[0]
        a.error = ModelError("The network is damaged.")
        for _ in range(4):
            got = run.ask()
            assert (got.status_code, got.json()["model"], got.json()["fallback_of"]) == (200, "b", "a")
        assert (a.asked, breaker.state) == (2, "open")
        a.error, now[0] = None, 1001.0
        assert run.ask().json()["model"] == "a"
        assert breaker.state == "closed"
        told = run.route()
        assert [one["what"] for one in told["changes"]] == ["breaker open", "breaker closed"]
        assert (told["arms"][0]["belonged"], told["arms"][0]["fell_back"]) == (5, 4)


def test_when_all_fail_the_last_error_is_told_with_all_reasons() -> None:
    a, b = Model("a"), Model("b")
    with server([a, b], chain()) as run:
        a.error, b.error = ModelError("The network is damaged."), ValueError("a secret")
        got = run.ask()
        assert got.status_code == 503
        error = got.json()["error"]
        assert "a: The network is damaged" in error["got"]
        assert "b: an unexpected ValueError" in error["got"]
        assert "secret" not in got.text
        run.ask()
        got = run.ask()  # both are left alone now
        assert (got.status_code, 900 < int(got.headers["retry-after"]) <= 1000) == (503, True)


def test_what_is_wrong_with_an_image_is_no_reason_to_ask_another_model() -> None:
    a, b = Model("a"), Model("b")
    with server([a, b], chain()) as run:
        for _ in range(5):
            assert run.ask(image=b"%PDF").status_code == 422
        a.error = InputError("This is no image of a cell.")
        for _ in range(5):
            assert run.ask().status_code == 422
        assert b.asked == 0
        assert run.desk.router.routes["route"].breakers["a"].failures == 0


def test_a_model_that_hangs_takes_no_thread_with_it() -> None:
    a, b = Model("a"), Model("b", "dog")
    with server([a, b], chain(timeouts={"a": 0.05}), workers=2) as run:
        a.hangs = threading.Event()
        for _ in range(6):
            got = run.ask()
            assert (got.status_code, got.json()["fallback_of"]) == (200, "a")
        breaker = run.desk.router.routes["route"].breakers["a"]
        assert (a.asked, breaker.state, breaker.hung) == (2, "open", 2)
        assert (run.desk.pool.hung, run.desk.pool.taken) == (2, 0)
        assert "no answer within 0.05 s" in run.route()["changes"][0]["why"]
        a.hangs.set()
        while breaker.hung or run.desk.pool.hung:
            run.client.get("/healthz")
        assert (breaker.hung, run.desk.pool.hung) == (0, 0)


def test_a_batch_falls_back_image_by_image() -> None:
    a, b = Model("a"), Model("b", "dog")
    with server([a, b], chain()) as run:
        a.error = ModelError("The network is damaged.")
        got = run.client.post("/v1/batch", **upload(png("disc"), b"%PDF", png("square"), model="route"))
        labels = [one.get("label") or one["error"]["type"] for one in got.json()["results"]]
        assert labels == ["dog", "ImageError", "dog"]


def test_a_shadow_is_asked_after_the_answer_and_agreement_is_counted() -> None:
    a, b, c = Model("a"), Model("b"), Model("c", "dog")
    with server([a, b, c], chain(shadow=ShadowRule(1.0, "c"))) as run:
        for number in range(4):
            c.label = "cat" if number == 0 else "dog"
            assert run.ask().json()["label"] == "cat"
            while (told := run.route()["shadow"])["asked"] + told["skipped"] <= number or told["waiting"]:
                pass
        assert (told["asked"], told["agreed"], told["failed"]) == (4, 1, 0)
        c.error = ValueError("no")
        assert run.ask().status_code == 200
        while run.route()["shadow"]["failed"] == 0:
            pass
        assert run.desk.looked == 5


def test_a_route_is_for_its_own_tasks_and_other_addresses_say_so() -> None:
    with server([Model("a"), Model("b")], chain()) as run:
        for address, body in (("detect", upload(png(), model="route")), ("embed", upload(png(), model="route"))):
            got = run.client.post(f"/v1/{address}", **body)
            assert (got.status_code, got.json()["error"]["expected"]) == (422, "one of classify")
        talk = {"model": "route", "messages": [{"role": "user", "content": "hello"}]}
        assert run.client.post("/v1/chat/completions", json=talk).status_code == 422
        assert run.ask("rout").status_code == 404
        assert run.client.get("/v1/routes/rout").status_code == 404


@pytest.mark.parametrize(
    ("plan", "error", "said"),
    [
        (RoutePlan("route", {"x": 1.0}), UnknownName, "model of the route 'route'"),
        (RoutePlan("a", {"b": 1.0}), InputError, "have the name 'a'"),
    ],
)
def test_routes_that_lead_nowhere_are_refused(plan: RoutePlan, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said), server([Model("a"), Model("b")], plan):
        pass
