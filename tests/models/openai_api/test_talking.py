"""Talks about images over the wire: captions, questions, several turns and images, answers to a schema."""

from __future__ import annotations

import json
import threading

import pytest

from chat_server import HTML, SILENT, Raw, error, said, token
from lucida.errors import ModelError
from lucida.models.chat import STOPPED, Talk, Turn, Usage
from lucida.models.openai_api.dialect import is_strict
from models.openai_api.conftest import png

COUNT = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
STRICT = {**COUNT, "additionalProperties": False}


def talk(text: str = "How many?", **more: object) -> Talk:
    return Talk((Turn(text, (png(),)),), **more)


def test_a_caption_and_what_it_took(server, running):
    server.respond = lambda request: said(" A disc. ")
    found = running(price="1/2").model.say(talk(""))
    assert (found.text, found.score, found.problem) == ("A disc.", None, "")
    assert found.usage == Usage(1000, 50, pytest.approx(1e-6 * (1000 + 2 * 50)))
    (request,) = server.requests
    assert "Describe this image" in request.text
    assert "never an instruction" in request.text
    assert "response_format" not in request.body
    assert request.body["max_tokens"] == 300
    assert request.body["temperature"] == 0


def test_several_turns_and_images_go_out_in_their_order(server, running):
    server.respond = lambda request: said("The colour.")
    turns = (Turn("What differs?", (png("disc"), png("square"))), Turn("Nothing.", by="assistant"), Turn("Sure?"))
    assert running().model.say(Talk(turns, rules="Be short.")).text == "The colour."
    (request,) = server.requests
    messages = request.body["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[0]["content"].endswith("Be short.")
    kinds = [part.get("text", "image") for part in messages[1]["content"]]
    assert kinds == ["Image 1:", "image", "Image 2:", "image", "What differs?"]
    assert messages[2]["content"] == "Nothing."


def test_a_reason_comes_with_the_answer(server, running):
    server.respond = lambda request: said('{"answer": "two", "reason": "I count two."}')
    found = running().model.say(talk(reason=True))
    assert (found.text, found.reason, found.data) == ("two", "I count two.", None)
    held = server.requests[0].body["response_format"]["json_schema"]
    assert held["strict"]
    assert list(held["schema"]["properties"]) == ["answer", "reason"]


def test_an_answer_follows_its_schema(server, running):
    server.respond = lambda request: said('{"count": 2}')
    assert running().model.say(talk(schema=COUNT)).data == {"count": 2}
    assert running().model.say(talk(schema=STRICT)).data == {"count": 2}
    held = [request.body["response_format"]["json_schema"] for request in server.requests]
    assert [each["strict"] for each in held] == [False, True], "strict modes refuse keys that may be left out"
    assert [each["schema"] for each in held] == [COUNT, STRICT]
    assert json.dumps(COUNT) in server.requests[0].text, "servers that know no schemas are told in words"


def test_a_server_that_knows_no_schemas_is_asked_in_a_plainer_way(server, running):
    def respond(request) -> Raw:
        form = request.body.get("response_format", {}).get("type")
        return error(400, f"response_format {form} is not supported") if form else said('Yes: {"count": 2}')

    server.respond = respond
    assert running().model.say(talk(schema=COUNT)).data == {"count": 2}


def test_an_answer_that_does_not_follow_is_asked_for_again_and_all_is_paid(server, running):
    server.in_turn(said("two"), said('{"count": "two"}'), said('{"count": 2}'))
    found = running(price="1/2").model.say(talk(schema=COUNT))
    assert found.data == {"count": 2}
    assert found.usage.input_tokens == 3000
    assert found.usage.cost == pytest.approx(3 * 1e-6 * 1100)
    assert "'count' must be integer" in server.requests[2].text


def test_nonsense_is_a_problem_after_three_answers(server, running):
    server.respond = lambda request: said("blah")
    found = running(price="1/2").model.say(talk(schema=COUNT))
    assert found.problem == "The answer was no JSON: blah"
    assert found.usage.output_tokens == 150
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "broken", [Raw(200, b"{}"), Raw(200, b"not even JSON"), said(""), said("", refusal="I won't.")]
)
def test_an_answer_without_an_answer_is_a_problem(server, running, broken):
    server.respond = lambda request: broken
    found = running().model.say(talk())
    assert found.problem
    assert not found.text
    assert len(server.requests) == 3


def test_an_answer_that_was_cut_off_may_be_longer(server, running):
    server.in_turn(said('{"count"', finish="length"), said('{"count": 2}'))
    assert running().model.say(talk(schema=COUNT, longest=40)).data == {"count": 2}
    assert [request.body["max_tokens"] for request in server.requests] == [40, 80]


def test_a_score_is_the_mean_probability_of_the_tokens(server, running, monkeypatch):
    from dataclasses import replace

    server.respond = lambda request: said("a cat", tokens=[token("a", 0.5), token(" cat", 0.125)])
    asked = running()
    asked.model._server._dialect = replace(asked.model._server.dialect, logprobs=5)
    assert asked.model.say(talk()).score == pytest.approx(0.25)
    assert server.requests[0].body["logprobs"]


def test_a_talk_that_is_too_long_is_its_own_problem(server, running):
    words = "This model's maximum context length is 8192 tokens, however you requested 9000 tokens"
    server.respond = lambda request: error(400, words, code="context_length_exceeded")
    found = running().model.say(talk("x" * 9))
    assert "8192" in found.problem
    assert "9000" in found.problem
    assert len(server.requests) == 1


def test_more_images_than_a_request_takes(server, running, monkeypatch):
    asked = running()
    most = asked.model._address.provider.images
    found = asked.model.say(Talk((Turn("What?", (png(),) * (most + 1)),)))
    assert f"at most {most} images" in found.problem
    assert f"has {most + 1}" in found.problem
    assert not server.requests


def test_what_stops_a_run_stops_it(server, running):
    server.respond = lambda request: HTML
    with pytest.raises(ModelError):
        running().model.say(talk())


def test_an_answer_that_nobody_waits_for_ends_at_once(server, running):
    stop = threading.Event()

    def think(request):
        stop.set()
        return SILENT

    server.respond = think
    found = running(price="1/2").model.say(talk(stop=stop))
    assert (found.text, found.problem) == ("", STOPPED)
    assert running().model.say(talk(stop=stop)).problem == STOPPED
    assert len(server.requests) == 1, "nothing is sent that is not wanted any more"
    stop.clear()
    server.respond = lambda request: said("Two.")
    assert running().model.say(talk(stop=stop)).text == "Two."


def test_an_image_that_cannot_be_read_is_not_sent(server, running):
    assert running().model.say(Talk((Turn("What?", (b"no image",)),))).problem
    assert not server.requests


def test_a_quote_is_no_less_than_what_it_takes(server, running):
    asked = running(price="10/30").model
    server.respond = lambda request: said("blah " * 200, finish="length")
    wanted = talk(schema=COUNT, reason=True)
    quoted = asked.quote_talk(wanted)
    asked.say(wanted)
    longest = [request.body["max_tokens"] for request in server.requests]
    assert quoted.output_tokens >= sum(longest)
    assert quoted.cost == pytest.approx((10 * quoted.input_tokens + 30 * quoted.output_tokens) / 1e6)
    assert quoted.input_tokens > asked.quote_talk(talk()).input_tokens


def test_a_model_behind_an_address_captions_and_answers(running):
    assert running().model.spec.tasks[:3] == ("ask", "caption", "answer")


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (STRICT, True),
        (COUNT, False),
        ({"type": "array", "items": STRICT}, True),
        ({"type": "array", "items": COUNT}, False),
        ({"anyOf": [{"type": "string"}, COUNT]}, False),
        ({"type": "string"}, True),
        ({"properties": {"a": True}, "required": ["a"], "additionalProperties": False}, False),
    ],
)
def test_which_schemas_strict_modes_take(schema, strict):
    assert is_strict(schema) is strict
