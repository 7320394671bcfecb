"""Questions and their answers, over the wire, with a server that does as it is told."""

from __future__ import annotations

import json

import pytest

from chat_server import Raw, answer, error, said, token
from lucida.errors import InputError
from lucida.models.chat import Prompt, Shot, Usage
from lucida.models.openai_api.model import AGAIN
from models.openai_api.conftest import png


def test_an_answer_with_its_reason_and_what_it_took(server, running, prompt):
    server.respond = lambda request: said(answer("square", 0.8, "It has corners."))
    (reply,) = running(price="1/2").model.ask(prompt, [png()])
    assert reply.probabilities == pytest.approx({"disc": 0.1, "square": 0.8, "stripes": 0.1})
    assert (reply.reason, reply.basis, reply.problem) == ("It has corners.", "self-report", "")
    assert reply.usage == Usage(1000, 50, pytest.approx(1e-6 * (1000 + 2 * 50)))


def test_what_is_said_to_the_model(server, running):
    prompt = Prompt(
        "What is it?", ("a", "b"), {"b": "a thing of class b"}, "Look closely.", (Shot(png("square"), "b"),)
    )
    server.respond = lambda request: said(answer("a"))
    running().model.ask(prompt, [png()])
    (request,) = server.requests
    for words in ("What is it?", "- a\n- b: a thing of class b", "Look closely.", "An example of the class b:"):
        assert words in request.text
    assert len(request.images) == 2
    assert all(url.startswith("data:image/jpeg;base64,") for url in request.images)
    assert request.body["model"] == "m"
    assert request.body["temperature"] == 0
    schema = request.body["response_format"]["json_schema"]
    assert schema["strict"]
    assert schema["schema"]["properties"]["class"]["enum"] == ["a", "b"]


def test_probabilities_come_from_tokens_where_there_are_some(server, running, prompt):
    tokens = [token('{"class": "', 0.99), token("disc", 0.7, square=0.2, stripes=0.1), token('", "reason": ""}', 0.99)]
    text = '{"class": "disc", "reason": ""}'
    server.respond = lambda request: said(text, tokens=tokens)
    (reply,) = running().model.ask(prompt, [png()])
    assert reply.basis == "log-probabilities"
    assert reply.probabilities == pytest.approx({"disc": 0.7, "square": 0.2, "stripes": 0.1})


def test_several_images_in_one_request(server, running, prompt):
    entries = [{"image": n, "class": name, "confidence": 0.9} for n, name in ((1, "disc"), (2, "square"))]
    server.respond = lambda request: said(json.dumps({"answers": entries}))
    replies = running(together=2).model.ask(prompt, [png("disc"), png("square")])
    assert [max(r.probabilities, key=r.probabilities.get) for r in replies] == ["disc", "square"]
    assert sum(reply.usage.input_tokens for reply in replies) == 1000
    assert len(server.requests) == 1


def test_only_the_images_without_an_answer_are_asked_about_again(server, running, prompt):
    first = {"answers": [{"image": 2, "class": "square", "confidence": 0.9}]}
    server.in_turn(said(json.dumps(first)), said(answer("disc")))
    replies = running(together=2).model.ask(prompt, [png("disc"), png("square")])
    assert [max(r.probabilities, key=r.probabilities.get) for r in replies] == ["disc", "square"]
    assert [len(request.images) for request in server.requests] == [2, 1]


def test_votes_are_counted(server, running, prompt):
    server.respond = lambda request: said(answer("disc"))
    server.in_turn(said(answer("disc", reason="round")), said(answer("square")), said(answer("disc")))
    (reply,) = running(votes=3).model.ask(prompt, [png()])
    assert reply.basis == "votes"
    mean = (0.9 + 0.05 + 0.9) / 3
    assert reply.probabilities["disc"] == pytest.approx((2 + mean) / 4)
    assert reply.reason == "round"
    assert reply.usage.input_tokens == 3000
    assert all(request.body["temperature"] > 0 for request in server.requests)


def test_votes_come_in_one_request_where_the_server_can(server, running, prompt, monkeypatch):
    monkeypatch.setenv("LUCIDA_API_URL", server.url)
    model = running(votes=3).model
    object.__setattr__(model._server._dialect, "samples", True)
    server.in_turn(said(answer("disc"), answer("disc")), said(answer("square")))
    (reply,) = model.ask(prompt, [png()])
    assert [request.body.get("n") for request in server.requests] == [3, None]
    assert reply.probabilities["disc"] == pytest.approx((2 + (0.9 + 0.9 + 0.05) / 3) / 4)


BAD = [
    said("no idea"),
    said(answer("hat")),
    said('{"class": "disc'),
    said(""),
    said(answer("disc"), refusal="I will not."),
    said("", finish="content_filter"),
    said('{"class": "di', finish="length"),
]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_answer_is_asked_for_again_and_paid_for(server, running, prompt, bad):
    server.in_turn(bad, said(answer("stripes")))
    (reply,) = running(price="1/1").model.ask(prompt, [png()])
    assert max(reply.probabilities, key=reply.probabilities.get) == "stripes"
    assert reply.usage == Usage(2000, 100, pytest.approx(0.0021))
    assert "could not be used" in server.requests[1].text


@pytest.mark.parametrize("bad", BAD)
def test_bad_answers_come_to_an_end(server, running, prompt, bad):
    server.respond = lambda request: bad
    (reply,) = running().model.ask(prompt, [png()])
    assert reply.problem
    assert not reply.probabilities
    assert len(server.requests) == 1 + AGAIN
    assert reply.usage.input_tokens == 1000 * (1 + AGAIN)


def test_an_answer_that_was_cut_off_may_be_longer(server, running, prompt):
    server.in_turn(said('{"class": "di', finish="length"), said(answer("disc")))
    running().model.ask(prompt, [png()])
    first, second = (request.body["max_tokens"] for request in server.requests)
    assert second == 2 * first


def test_an_image_that_is_none_costs_nothing(server, running, prompt):
    good, bad = running(together=2).model.ask(prompt, [png(), b"GIF89a broken"])
    assert good.probabilities
    assert "cannot be decoded" in bad.problem or "truncated" in bad.problem
    assert bad.usage == Usage()
    assert len(server.requests[0].images) == 1


@pytest.mark.parametrize(
    ("said_no", "gone"),
    [
        ("Unsupported value: 'temperature' does not support 0", "temperature"),
        ("Unknown parameter: 'logprobs'", "logprobs"),
        ("response_format is not supported", "response_format"),
        ("'max_tokens' is not supported, use 'max_completion_tokens'", "max_tokens"),
        ("something odd", "response_format"),
    ],
)
def test_what_a_server_does_not_know_is_left_out_from_then_on(server, running, prompt, said_no, gone):
    def respond(request):
        form = request.body.get("response_format", {}).get("type")
        known = gone not in request.body or (
            gone == "response_format" and form == "json_object" and "odd" not in said_no
        )
        return said(answer("disc")) if known else error(400, said_no)

    server.respond = respond
    model = running().model
    (reply,) = model.ask(prompt, [png()])
    assert reply.probabilities
    refused = len(server.requests)
    assert refused == 2
    model.ask(prompt, [png()])
    assert len(server.requests) == refused + 1, "it is refused once a model, not once an image"


def test_a_server_that_knows_nothing_but_text(server, running, prompt):
    def respond(request):
        asked = request.body.get("response_format", {}).get("type")
        return error(422, f"{asked}: unsupported response_format") if asked else said("The class: {'x'} disc")

    server.respond = respond
    (reply,) = running().model.ask(prompt, [png()])
    assert "no JSON" in reply.problem
    forms = [request.body.get("response_format", {}).get("type") for request in server.requests]
    assert forms == ["json_schema", "json_object", *[None] * (1 + AGAIN)]


def test_one_image_that_a_server_refuses_does_not_spoil_the_others(server, running, prompt):
    refused = png("stripes", 5)
    model = running(together=2).model
    url = model._url(refused)

    def respond(request):
        return error(400, "Invalid image data") if url in request.images else said(answer("disc"))

    server.respond = respond
    bad, good = model.ask(prompt, [refused, png()])
    assert "Invalid image data" in bad.problem
    assert good.probabilities
    assert bad.usage == Usage()


def test_tokens_that_a_server_does_not_count_are_estimated(server, running, prompt):
    server.respond = lambda request: said(answer("disc"), usage=None)
    model = running(price="1/1").model
    (reply,) = model.ask(prompt, [png()])
    assert 0 < reply.usage.cost <= model.quote(prompt).cost


def test_a_quote_is_never_less_than_what_it_takes(server, running, prompt):
    server.respond = lambda request: said("nonsense", usage={"prompt_tokens": 2700, "completion_tokens": 400})
    for votes in (1, 3):
        model = running(price="1/1", votes=votes).model
        (reply,) = model.ask(prompt, [png()])
        assert reply.usage.cost <= model.quote(prompt).cost


def test_a_quote_without_a_price_has_no_cost(running, prompt):
    quote = running("api:m@http://10.255.255.1/v1").model.quote(prompt)
    assert quote.cost is None
    assert quote.input_tokens > 0


def test_longer_questions_are_quoted_higher(running, prompt):
    model = running(price="1/1").model
    shots = Prompt(prompt.question, prompt.classes, rules="规则" * 500, shots=(Shot(png(), "disc"),))
    assert model.quote(shots).input_tokens > model.quote(prompt).input_tokens + 1000
    assert model.quote(prompt, 4).cost >= model.quote(prompt).cost


def test_too_many_images_for_one_request(running, prompt):
    shots = Prompt(prompt.question, prompt.classes, shots=(Shot(png(), "disc"),) * 16)
    with pytest.raises(InputError, match="too many images") as caught:
        running().model.ask(shots, [png()])
    assert "--together" in caught.value.hint
    with pytest.raises(InputError, match="too many images"):
        running().model.quote(prompt, 17)
    with pytest.raises(InputError, match="no classes"):
        running().model.ask(Prompt("?", ()), [png()])


def test_a_class_list_too_long_for_a_schema_is_still_checked(server, running):
    classes = tuple(f"class {n}" for n in range(300))
    server.respond = lambda request: said(answer("class 299"))
    (reply,) = running().model.ask(Prompt("?", classes), [png()])
    assert max(reply.probabilities, key=reply.probabilities.get) == "class 299"
    assert sum(reply.probabilities.values()) == pytest.approx(1)
    assert "enum" not in str(server.requests[0].body["response_format"])


def test_a_raw_answer_of_any_kind_is_no_crash(server, running, prompt):
    server.respond = lambda request: Raw(200, b'{"choices": [{"message": {"content": null}}]}')
    (reply,) = running().model.ask(prompt, [png()])
    assert "empty" in reply.problem


def test_a_model_that_does_not_keep_images_apart_is_asked_about_each(server, running, prompt):
    server.respond = lambda request: said(answer("disc" if len(request.images) == 1 else "square"))
    asked = running(together=3, price="1/1")
    replies = asked.model.ask(prompt, [png(seed=i) for i in range(3)])
    assert [max(reply.probabilities, key=reply.probabilities.__getitem__) for reply in replies] == ["disc"] * 3
    assert [len(request.images) for request in server.requests] == [3, 1, 1, 1]
    spent = sum(reply.usage.cost for reply in replies)
    assert spent <= asked.model.quote(prompt, 3).cost
