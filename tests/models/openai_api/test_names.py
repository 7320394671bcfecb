"""Names to addresses, keys and prices; nothing is sent."""

from __future__ import annotations

import sys
from io import BytesIO

import pytest
from PIL import Image

from lucida.errors import InputError, MissingExtra, ModelError
from lucida.models.chat import Prompt
from lucida.models.openai_api.address import read_address
from lucida.models.openai_api.family import OpenAiFamily, api_spec
from lucida.models.openai_api.options import ApiOptions
from lucida.models.openai_api.providers import Price, providers, read_price

FAMILY = OpenAiFamily()
_FILE = BytesIO()
Image.new("RGB", (8, 8)).save(_FILE, "PNG")
PICTURE = _FILE.getvalue()


@pytest.mark.parametrize(
    ("name", "full", "url", "model", "key"),
    [
        ("gpt-4o", "openai:gpt-4o", "https://api.openai.com/v1", "gpt-4o", "OPENAI_API_KEY"),
        ("openai:o9", "openai:o9", "https://api.openai.com/v1", "o9", "OPENAI_API_KEY"),
        ("claude:claude-haiku-4-5", None, "https://api.anthropic.com/v1/", "claude-haiku-4-5", "ANTHROPIC_API_KEY"),
        ("ollama:llava:7b", None, "http://localhost:11434/v1", "llava:7b", ""),
        ("vllm:Qwen/Qwen2-VL", None, "http://localhost:8000/v1", "Qwen/Qwen2-VL", ""),
        ("api:a/b:c@http://h:1/v1", None, "http://h:1/v1", "a/b:c", "LUCIDA_API_KEY"),
        ("api:m@x@https://h/v1/", "api:m@x@https://h/v1", "https://h/v1", "m@x", "LUCIDA_API_KEY"),
        ("api:m", "api:m@https://api.openai.com/v1", "https://api.openai.com/v1", "m", "OPENAI_API_KEY"),
    ],
)
def test_a_name_says_where_to_ask(name, full, url, model, key):
    assert FAMILY.claims(name)
    found = read_address(name)
    assert (found.name, found.url, found.model, found.key) == (full or name, url, model, key)
    assert read_address(found.name) == found, "a model is found again under its own name"
    spec = FAMILY.spec(name)
    draws = () if full == "openai:gpt-4o" or "claude" in name else ("generate",)
    tasks = ("ask", "caption", "answer", *draws)
    assert (spec.name, spec.source, spec.tasks) == (found.name, url, tasks)
    assert model in spec.revision


@pytest.mark.parametrize("name", ["embedded", "onnx:x", "gpt", "siglip2", "openai", "api", "x:y", "C:\\a.onnx", ""])
def test_other_names_are_left_to_others(name):
    assert not FAMILY.claims(name)


def test_every_model_of_the_table_has_a_spec_and_a_price():
    assert {"openai:gpt-4o", "openai:gpt-4o-mini"} <= set(FAMILY.suggestions())
    for name in FAMILY.suggestions():
        spec = FAMILY.spec(name)
        assert spec.name == name
        assert "Images are sent to" in spec.note
        assert "per million tokens in" in spec.note
        assert "as of 20" in spec.note


def test_a_dated_name_has_the_price_of_its_model():
    offer = providers()["openai"].offer
    assert offer("gpt-4o-2024-08-06").price == offer("gpt-4o").price
    assert offer("gpt-4o-mini-2024-07-18").price == offer("gpt-4o-mini").price
    assert offer("gpt-4o-audio").price is None


def test_the_url_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://proxy/v1")
    assert (read_address("api:m").url, read_address("api:m").key) == ("http://proxy/v1", "OPENAI_API_KEY")
    monkeypatch.setenv("LUCIDA_API_URL", "http://mine/v1/")
    assert (read_address("api:m").name, read_address("api:m").key) == ("api:m@http://mine/v1", "LUCIDA_API_KEY")


def test_the_key_for_openai_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-openai")
    assert read_address("api:m@http://elsewhere/v1").key == "LUCIDA_API_KEY"


@pytest.mark.parametrize("name", ["api:", "api:@http://h/v1", "openai:", "openai: "])
def test_a_name_without_a_model(name):
    with pytest.raises(ModelError, match="not clear") as caught:
        read_address(name)
    assert all((caught.value.expected, caught.value.got, caught.value.hint))


@pytest.mark.parametrize("url", ["http://a:pass@h/v1", "https://h/v1?key=pass", "http://pass@h/v1"])
def test_a_key_in_a_url_is_refused_and_not_repeated(url):
    with pytest.raises(ModelError, match="holds a key") as caught:
        read_address(f"api:m@{url}")
    assert "pass" not in str(caught.value).replace("password", "")
    assert "LUCIDA_API_KEY" in caught.value.hint


@pytest.mark.parametrize("url", ["http://", "http://h:port/v1"])
def test_a_url_that_is_none(url):
    with pytest.raises(ModelError, match="not clear"):
        read_address(f"api:m@{url}")


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:1", True),
        ("http://127.0.0.1/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://10.0.0.1", False),
    ],
)
def test_what_is_on_this_machine_costs_nothing(url, local):
    spec = api_spec(f"api:m@{url}")
    assert ("do not leave this machine" in spec.note) == local
    assert ("--price IN/OUT" in spec.note) != local


def test_a_price_given_counts(monkeypatch: pytest.MonkeyPatch):
    assert "$1 per million tokens in, $2.5 out, as given" in api_spec("gpt-4o", ApiOptions(price="1/2.5")).note
    assert read_price("0.15/0.60") == Price(0.15, 0.60)
    assert Price(2.5, 10).of(1_000_000, 100_000) == pytest.approx(3.5)


@pytest.mark.parametrize("words", ["", "1", "1/2/3", "a/b", "-1/2", "nan/1", "inf/1"])
def test_a_price_that_is_none(words):
    with pytest.raises(InputError, match="price") as caught:
        api_spec("gpt-4o", ApiOptions(price=words))
    assert all((caught.value.expected, caught.value.got, caught.value.hint))


@pytest.mark.parametrize("wrong", [{"votes": 0}, {"together": 17}, {"workers": 65}, {"timeout": 0.0}])
def test_options_out_of_range(wrong):
    with pytest.raises(InputError, match="out of range") as caught:
        ApiOptions(**wrong)
    assert caught.value.expected


def test_no_key_names_the_variable():
    with pytest.raises(ModelError, match="no key") as caught:
        api_spec("gpt-4o").load().ask(Prompt("What is it?", ("cat", "dog")), [PICTURE])
    assert "OPENAI_API_KEY" in caught.value.expected
    assert "export OPENAI_API_KEY" in caught.value.hint


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtra) as caught:
        api_spec("ollama:llava").load().ask(Prompt("What is it?", ("cat", "dog")), [PICTURE])
    assert "camera-lucida[vlm]" in caught.value.hint


def test_what_it_would_cost_is_told_without_a_key():
    model = api_spec("gpt-4o").load()
    prompt = Prompt("What is it?", ("cat", "dog"))
    usual, most = model.expect(prompt).cost, model.quote(prompt).cost
    assert usual is not None
    assert most is not None
    assert 0 < usual < most
    assert model.expect(prompt, 4).cost < 4 * usual, "several images share the words"
    assert api_spec("api:m@https://example.org/v1").load().expect(prompt).cost is None
