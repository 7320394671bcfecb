"""The public client of OpenAI asks the application: embeddings, pictures, edits, chat, models."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import numpy as np
import openai
import pytest
from openai import OpenAI
from PIL import Image
from starlette.testclient import TestClient

from lucida.serve.application import build
from serve.making_desk import Recorder, making_desk
from served_models import png, ready


def data_url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def pixels(data: str | None) -> np.ndarray:
    assert data is not None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAI]:
    desk = making_desk(tmp_path_factory.mktemp("openai"), None)
    with TestClient(build(desk), base_url="http://localhost") as opened:
        ready(opened)
        yield OpenAI(base_url="http://localhost/v1", api_key="none", http_client=opened, max_retries=0)


def test_images_and_words_are_embedded_in_one_space(client: OpenAI) -> None:
    red, blue = (io.BytesIO() for _ in range(2))
    Image.new("RGB", (16, 16), (230, 0, 0)).save(red, "PNG")
    Image.new("RGB", (16, 16), (0, 0, 230)).save(blue, "PNG")
    inputs = [data_url(red.getvalue()), "red", data_url(blue.getvalue())]
    # The client asks for base64 by itself; both forms say the same.
    told = client.embeddings.create(model="colours", input=inputs)
    plain = client.embeddings.create(model="colours", input=inputs, encoding_format="float")
    vectors = np.array([one.embedding for one in told.data])
    np.testing.assert_allclose(vectors, [one.embedding for one in plain.data])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert (vectors[1] @ vectors[0] > 0.99, vectors[1] @ vectors[2] < 0.1) == (True, True)
    assert ([one.index for one in told.data], told.model, told.usage.total_tokens) == ([0, 1, 2], "colours", 0)
    short = client.embeddings.create(model="embedded", input=inputs[0], dimensions=100).data[0].embedding
    assert (len(short), round(float(np.linalg.norm(short)), 5)) == (100, 1.0)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"input": "red", "model": "embedded"}, "no vectors of texts"),
        ({"input": "https://a.b/c.jpg", "model": "colours"}, "not fetched"),
        ({"input": [], "model": "colours"}, "So many"),
        ({"input": "red", "model": "colours", "dimensions": 4}, "not so long"),
        ({"input": "red", "model": "painter"}, "no vectors of texts"),
        ({"input": data_url(b"no image"), "model": "colours"}, "no image"),
    ],
)
def test_what_cannot_be_embedded_is_told_as_the_client_expects(client: OpenAI, asked: dict, said: str) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match=said) as caught:
        client.embeddings.create(**asked)
    assert isinstance(caught.value.body, dict)
    assert said in caught.value.body["message"]
    assert {"what", "expected", "got", "hint"} <= set(caught.value.body)
    assert caught.value.code is None


def test_pictures_are_drawn_and_drawn_again_by_their_seed(client: OpenAI) -> None:
    told = client.images.generate(model="painter", prompt="cat", n=2, size="8x8", response_format="b64_json")
    assert told.data is not None
    first, second = told.data
    assert (pixels(first.b64_json).shape, first.b64_json != second.b64_json) == ((8, 8, 3), True)
    seed = first.seed  # type: ignore[attr-defined]
    again = client.images.generate(model="painter", prompt="cat", extra_body={"seed": seed}).data
    assert again is not None
    np.testing.assert_array_equal(pixels(again[0].b64_json), pixels(first.b64_json))
    streamed = list(client.images.generate(
        model="painter", prompt="cat", stream=True, partial_images=2, extra_body={"seed": seed}
    ))  # fmt: skip
    assert [one.type for one in streamed] == ["image_generation.completed"]
    np.testing.assert_array_equal(pixels(streamed[0].b64_json), pixels(again[0].b64_json))
    for asked in ({"response_format": "url"}, {"size": "7x7"}, {"size": "large"}, {"n": 11}):
        with pytest.raises(openai.UnprocessableEntityError) as caught:
            client.images.generate(**{"model": "painter", "prompt": "cat", **asked})  # type: ignore[call-overload]
        # No path of this machine is told.
        assert "model.toml" not in str(caught.value)
    with pytest.raises(openai.NotFoundError, match="painter"):
        client.images.generate(model="embedded", prompt="cat")


def test_an_image_is_drawn_anew_where_the_mask_is_transparent(client: OpenAI) -> None:
    photo = png(side=32)
    mask = np.full((32, 32, 4), 255, np.uint8)
    mask[8:24, 8:24, 3] = 0
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    asked = {"model": "painter", "prompt": "dog", "image": photo}
    told = client.images.edit(**asked, mask=file.getvalue(), extra_body={"seed": 3}).data
    assert told is not None
    before, after = np.asarray(Image.open(io.BytesIO(photo)).convert("RGB")), pixels(told[0].b64_json)
    changed = (before != after).any(axis=2)
    assert changed[8:24, 8:24].any()
    assert not changed[:4].any()
    (event,) = client.images.edit(**asked, mask=file.getvalue(), stream=True, extra_body={"seed": 3})
    assert (event.type, pixels(event.b64_json).tolist()) == ("image_edit.completed", after.tolist())
    # Without a mask the whole image is where it begins; several images are too many.
    whole = client.images.edit(**asked, size="8x8").data
    assert whole is not None
    assert pixels(whole[0].b64_json).shape == (8, 8, 3)
    with pytest.raises(openai.UnprocessableEntityError, match="nowhere transparent"):
        client.images.edit(**asked, mask=photo)
    with pytest.raises(openai.UnprocessableEntityError, match="more than one image"):
        client.images.edit(model="painter", prompt="dog", image=[photo, photo])


def shown(text: str, url: str) -> list[dict]:
    return [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]


def test_a_talk_about_images(client: OpenAI) -> None:
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": shown("What is it?", data_url(png()))},
        {"role": "assistant", "content": "A disc."},
        {"role": "user", "content": "Sure?"},
    ]
    told = client.chat.completions.create(model="recorder", messages=messages, max_tokens=50)
    assert (told.choices[0].message.content, told.choices[0].finish_reason) == ("heard Sure?", "stop")
    assert (told.usage.prompt_tokens, told.usage.total_tokens, told.object) == (12, 15, "chat.completion")
    talk = Recorder.talks[-1]
    assert ([one.by for one in talk.turns], talk.rules, talk.longest) == (
        ["user", "assistant", "user"],
        "Be short.",
        50,
    )
    assert talk.turns[0].images == (png(),)
    pieces = list(client.chat.completions.create(
        model="recorder", messages=messages, stream=True, stream_options={"include_usage": True}
    ))  # fmt: skip
    assert "".join(one.choices[0].delta.content or "" for one in pieces if one.choices) == "heard Sure?"
    assert (pieces[1].choices[0].finish_reason, pieces[2].usage.completion_tokens) == ("stop", 3)
    schema = {"type": "object", "properties": {"round": {"type": "boolean"}}, "required": ["round"]}
    form = {"type": "json_schema", "json_schema": {"name": "it", "schema": schema}}
    told = client.chat.completions.create(model="recorder", messages=messages, response_format=form)
    assert told.choices[0].message.content == '{"round": true}'


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([{"role": "user", "content": shown("What?", "https://a.b/c.jpg")}], "not fetched"),
        ([{"role": "user", "content": shown("What?", data_url(b"%PDF-1.7"))}], "image"),
        ([{"role": "tool", "content": "x"}], "nobody known"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "not understood"),
        ([{"role": "assistant", "content": "x"}], "asks nothing"),
        ([{"role": "user", "content": 7}], "no content"),
        ([{"role": "user", "content": shown("", data_url(png()))} for _ in range(5)], "too many images"),
    ],
)
def test_what_is_no_talk_is_refused(client: OpenAI, messages: list, said: str) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match=said):
        client.chat.completions.create(model="recorder", messages=messages)


def test_models_are_listed_and_found(client: OpenAI) -> None:
    listed = list(client.models.list())
    assert [one.id for one in listed] == ["embedded", "colours", "painter", "larger", "recorder", "embedded-real"]
    assert client.models.retrieve("painter").to_dict()["tasks"] == ["generate"]
    with pytest.raises(openai.NotFoundError, match="painter"):
        client.models.retrieve("paintr")
    with pytest.raises(openai.NotFoundError, match="Unknown model"):
        client.chat.completions.create(model="recordr", messages=[{"role": "user", "content": "x"}])
    with pytest.raises(openai.UnprocessableEntityError, match="cannot"):
        client.chat.completions.create(model="painter", messages=[{"role": "user", "content": "x"}])
