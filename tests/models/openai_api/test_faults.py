"""What goes wrong on the way: busy, broken, gone, not allowed, not there."""

from __future__ import annotations

import email.utils
import json
import logging
import threading
import time

import pytest

from chat_server import CUT, HTML, SILENT, Raw, answer, error, said, serve
from lucida.errors import ModelError
from lucida.models.openai_api.family import api_spec
from models.openai_api.conftest import png

GOOD = said(answer("disc"))


def ask(asked, prompt):
    return asked.model.ask(prompt, [png()])[0]


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_a_busy_or_broken_server_is_asked_again(server, running, prompt, status):
    server.in_turn(error(status, "later"), error(status, "later"), GOOD)
    asked = running(price="1/1")
    reply = ask(asked, prompt)
    assert reply.probabilities
    assert reply.usage.input_tokens == 1000, "what failed was not paid for"
    assert len(asked.waits) == 2
    assert asked.waits[0] <= 1
    assert 1 <= asked.waits[1] <= 2, "waits grow"


def test_retry_after_is_honoured(server, running, prompt):
    server.in_turn(error(429, "slow down", Retry_After="17"), error(503, "x", Retry_After_Ms="2500"), GOOD)
    asked = running()
    assert ask(asked, prompt).probabilities
    first, second = asked.waits
    assert 17 <= first <= 19
    assert 2.5 <= second <= 3


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("You exceeded your current quota, please check your plan and billing details. Please retry in 27.5s.", 27.5),
        ("Rate limit reached. Please try again in 1m12s. Visit us.", 72),
        ("try again in 900ms", 0.9),
    ],
)
def test_a_wait_that_is_only_in_the_words(server, running, prompt, words, seconds):
    body = json.dumps([{"error": {"code": 429, "message": words, "status": "RESOURCE_EXHAUSTED"}}])
    server.in_turn(Raw(429, body.encode()), GOOD)
    asked = running()
    assert ask(asked, prompt).probabilities
    assert seconds <= asked.waits[0] <= 1.1 * seconds


def test_retry_after_as_a_date(server, running, prompt):
    server.in_turn(error(429, "x", Retry_After=email.utils.formatdate(time.time() + 100, usegmt=True)), GOOD)
    asked = running()
    ask(asked, prompt)
    assert 80 < asked.waits[0] < 120


@pytest.mark.parametrize("value", ["soon", "nan", "-5", ""])
def test_retry_after_that_is_nonsense(server, running, prompt, value):
    server.in_turn(error(429, "x", Retry_After=value), GOOD)
    asked = running()
    assert ask(asked, prompt).probabilities
    assert 0 <= asked.waits[0] <= 1


def test_a_server_that_asks_for_hours_has_no_quota_left(server, running, prompt):
    server.respond = lambda request: error(429, "daily limit", Retry_After="7200")
    with pytest.raises(ModelError, match="used up") as caught:
        ask(running(), prompt)
    assert "7,200 s" in caught.value.got
    assert len(server.requests) == 1


def test_a_server_that_stays_busy(server, running, prompt):
    server.respond = lambda request: error(429, "busy")
    with pytest.raises(ModelError, match="too busy") as caught:
        ask(running(attempts=3), prompt)
    assert "--workers" in caught.value.hint
    assert len(server.requests) == 3


def test_a_server_that_breaks_at_one_image(server, running, prompt):
    server.respond = lambda request: error(500, "oops")
    reply = ask(running(attempts=3), prompt)
    assert "failed 3 times" in reply.problem
    assert "oops" in reply.problem
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "fault",
    [CUT, Raw(200, b'{"choices": [{"mess', cut_after=10), Raw(200, b'{"choices": [{"mess'), Raw(200, b"\xff\xfe")],
)
def test_a_connection_that_is_cut_may_have_been_paid_for(server, running, prompt, fault):
    server.in_turn(fault, GOOD)
    asked = running(price="1/1")
    reply = ask(asked, prompt)
    assert reply.probabilities
    assert len(asked.waits) == 1
    assert 0.00105 < reply.usage.cost <= asked.model.quote(prompt).cost


def test_connections_that_are_always_cut_come_to_an_end(server, running, prompt):
    server.respond = lambda request: CUT
    reply = ask(running(), prompt)
    assert "connection failed" in reply.problem
    assert len(server.requests) == 4


def test_a_server_that_says_nothing(server, running, prompt):
    server.in_turn(SILENT, GOOD)
    asked = running(timeout=0.2)
    assert ask(asked, prompt).probabilities
    server.respond = lambda request: SILENT
    assert "no answer in time" in ask(running(timeout=0.05), prompt).problem


def test_nobody_there(running, prompt):
    with serve() as gone:
        url = gone.url
    asked = running(f"api:m@{url}", attempts=7)
    with pytest.raises(ModelError, match="cannot be reached") as caught:
        ask(asked, prompt)
    assert "refused, 2 times" in caught.value.got.replace(")", "")
    assert "start the server" in caught.value.hint
    assert len(asked.waits) == 1, "a server that never answered is not waited for"


def test_a_server_that_goes_away_is_waited_for(running, prompt):
    with serve() as gone:
        asked = running(f"api:m@{gone.url}", attempts=5)
        assert ask(asked, prompt).probabilities
    with pytest.raises(ModelError, match="cannot be reached") as caught:
        ask(asked, prompt)
    assert "5 times" in caught.value.got
    assert len(asked.waits) in (4, 5), "the connection that was open may be cut first"


@pytest.mark.parametrize(
    ("fault", "problem", "said"),
    [
        (HTML, "OpenAI-compatible", "a web page"),
        (Raw(404, b"<html>nginx</html>", "text/html"), "OpenAI-compatible", "status 404"),
        (Raw(200, b"  <!DOCTYPE html>", "text/plain"), "OpenAI-compatible", "a web page"),
        (error(401, "bad key"), "refuses the key", "bad key"),
        (Raw(400, b'[{"error": {"message": "API key not valid."}}]'), "refuses the key", "API key not valid"),
        (error(403, "not for you"), "does not allow 'm'", "not for you"),
        (error(402, "pay first"), "used up", "pay first"),
        (error(429, "You exceeded your current quota", code="insufficient_quota"), "used up", "quota"),
        (error(400, "too long", code="context_length_exceeded"), "with its 3 classes", "too long"),
        (error(400, "This model's maximum context length is 10"), "with its 3 classes", "maximum context"),
    ],
)
def test_what_cannot_get_better_stops_at_once(server, running, prompt, fault, problem, said):
    server.respond = lambda request: fault
    with pytest.raises(ModelError, match=problem) as caught:
        ask(running(), prompt)
    assert said in caught.value.got
    assert all((caught.value.expected, caught.value.hint))
    assert len(server.requests) == 1


def test_an_unknown_model_is_answered_with_those_there_are(server, running, prompt):
    server.models = ["llava:7b", "qwen2-vl"]
    server.respond = lambda request: error(404, "model not found")
    with pytest.raises(ModelError, match="has no model 'llava'") as caught:
        ask(running(f"api:llava@{server.url}"), prompt)
    assert "llava:7b" in caught.value.expected
    assert "did you mean 'llava:7b'" in caught.value.hint
    server.models = None
    with pytest.raises(ModelError, match="has no model") as caught:
        ask(running(), prompt)
    assert server.url in caught.value.hint


def test_the_key_is_sent_and_never_shown(server, running, prompt, monkeypatch, caplog):
    key = "sk-a-very-secret-key"
    monkeypatch.setenv("LUCIDA_API_KEY", key)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-a-person")
    caplog.set_level(logging.DEBUG)
    asked = running()
    ask(asked, prompt)
    assert server.requests[0].headers["authorization"] == f"Bearer {key}"
    assert "openai-organization" not in server.requests[0].headers
    server.respond = lambda request: error(401, f"Incorrect API key provided: {key}")
    with pytest.raises(ModelError) as caught:
        ask(asked, prompt)
    shown = [str(caught.value), repr(caught.value.to_json()), caplog.text, repr(asked.model), repr(vars(asked.model))]
    shown += [repr(asked.model.spec), repr(asked.model._server), str(caught.value.__context__)]
    server.respond = lambda request: error(500, f"broken near {key}")
    shown.append(ask(running(attempts=1), prompt).problem)
    for text in shown:
        assert key not in text


def test_a_server_of_this_machine_is_asked_directly(server, running, prompt, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert ask(running(attempts=1), prompt).probabilities


def test_a_server_that_contradicts_itself_comes_to_an_end(server, running, prompt):
    def respond(request):
        return error(400, "use neither max_tokens nor max_completion_tokens")

    server.respond = respond
    assert "refused" in ask(running(), prompt).problem
    assert len(server.requests) <= 14


def test_a_model_that_thinks_is_asked_in_its_own_way(server, running, prompt, monkeypatch):
    from lucida.models.openai_api.address import read_address
    from lucida.models.openai_api.dialect import Dialect

    parameters = Dialect.of(read_address("gpt-5-mini")).parameters({}, longest=9, answers=1, heat=0.0)
    assert {"reasoning_effort", "max_completion_tokens", "response_format"} == set(parameters)
    without = Dialect.of(read_address("gpt-5-mini")).plainer("unknown parameter: reasoning_effort")
    assert without is not None
    assert not without.effort


def test_many_threads_learn_one_dialect(server, running, prompt):
    from concurrent.futures import ThreadPoolExecutor

    def respond(request):
        return error(400, "temperature is not supported") if "temperature" in request.body else GOOD

    server.respond = respond
    asked = running()
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: ask(asked, prompt), range(40)))
    assert all(reply.probabilities for reply in replies)
    assert 40 < len(server.requests) <= 48


def test_a_model_that_is_stopped_waits_no_more(server, prompt):
    """Ctrl-C must not wait for minutes that a busy server asked for."""
    server.respond = lambda request: error(429, "busy", Retry_After="500")
    model = api_spec(f"api:m@{server.url}").load()
    found = []
    asking = threading.Thread(target=lambda: found.extend(model.ask(prompt, [png()])), daemon=True)
    asking.start()
    while not server.requests:
        asking.join(0.01)
    model.stop()
    asking.join(30)
    assert not asking.is_alive()
    assert "Stopped" in found[0].problem
    assert len(server.requests) == 1
