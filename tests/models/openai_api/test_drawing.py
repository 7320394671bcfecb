"""Pictures asked for over the network: what is sent, what comes back, what it costs, and what goes wrong."""

from __future__ import annotations

import base64
import dataclasses
import json
import struct
import threading
import zlib

import numpy as np
import pytest

from chat_server import CUT, HTML, SILENT, Raw, error
from images_server import USAGE, coded, draw, pattern, png, serve
from lucida.errors import InputError, LucidaError, ModelError
from lucida.models.generator import GenerationRequest, Given
from lucida.models.openai_api.address import read_address
from lucida.models.openai_api.drawing import DrawingModel
from lucida.models.openai_api.family import OpenAiFamily, api_spec
from lucida.models.openai_api.options import ApiOptions
from lucida.models.registry import find

SIZE = (64, 48)
BIKE = GenerationRequest("a red bicycle", size=SIZE)


@pytest.fixture
def server():
    """A server that draws."""
    with serve() as served:
        yield served


def model(server, name: str = "painter", waits: list[float] | None = None, **options):
    """Return a running model behind a server; it never waits."""
    full = f"api:{name}@{server.url}"
    chosen, sleep = ApiOptions(**options), (waits if waits is not None else []).append
    return DrawingModel(api_spec(full, chosen), read_address(full), chosen, sleep=sleep)


def several(server, together: int = 3):
    """Return a model that may be asked for several pictures at a time."""
    asked = model(server)
    needs = dataclasses.replace(asked.spec.generates, together=together)
    asked.spec = dataclasses.replace(asked.spec, generates=needs)
    return asked


def test_words_become_pictures(server):
    shares = []
    first, second = find(f"api:painter@{server.url}").load().generate(BIKE, [7, 8], shares.append)
    np.testing.assert_array_equal(first.pixels, pattern("a red bicycle", SIZE))
    assert (first.seed, second.seed, first.size) == (7, 8, SIZE)
    assert first.detail == {"repeatable": False}
    assert [sent.path for sent in server.asked] == ["generations"] * 2
    sent = server.asked[0].fields
    assert sent == {
        "model": "painter", "prompt": "a red bicycle", "size": "64x48", "response_format": "b64_json"
    }  # fmt: skip
    assert shares[-1] == 1.0


def test_one_request_asks_for_several_pictures_where_the_model_takes_it(server):
    found = several(server).generate(BIKE, range(5))
    assert [sent.fields.get("n") for sent in server.asked] == [3, 2]
    assert len({picture.pixels.tobytes() for picture in found}) == 3
    assert [picture.seed for picture in found] == list(range(5))


def test_fewer_pictures_than_asked_for_are_asked_for_again_and_more_are_left(server):
    server.faults = [coded(png(pattern("x", SIZE)))]
    server.respond = lambda wanted: coded(*draw(wanted), *draw(wanted))
    found = several(server).generate(BIKE, range(3))
    assert [sent.fields.get("n") for sent in server.asked] == [3, 2]
    assert len(found) == 3


def test_an_image_and_its_mask_are_sent_as_files(server):
    image = pattern("room", SIZE)
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20, 30:50] = 255
    request = dataclasses.replace(BIKE, image=Given(image), mask=Given(mask))
    (found,) = model(server).generate(request, [0])
    assert server.asked[0].path == "edits"
    assert set(server.asked[0].files) == {"image", "mask"}
    np.testing.assert_array_equal(found.pixels[mask == 0], image[mask == 0])
    np.testing.assert_array_equal(found.pixels[mask > 0], pattern("a red bicycle", SIZE)[mask > 0])
    model(server).generate(dataclasses.replace(BIKE, image=Given(image)), [0])
    assert set(server.asked[1].files) == {"image"}


def test_another_size_than_asked_for_is_said_and_fitted_into_a_photo(server):
    server.respond = lambda wanted: coded(png(pattern("x", (32, 32))))
    (plain,) = model(server).generate(BIKE, [0])
    assert plain.size == (32, 32)
    assert plain.detail["came_as"] == [32, 32]
    mask = Given(np.full((48, 64), 255, np.uint8))
    (edit,) = model(server).generate(dataclasses.replace(BIKE, image=Given(pattern("y", SIZE)), mask=mask), [0])
    assert edit.size == SIZE


def test_a_server_that_knows_no_response_format_is_not_told_again(server):
    server.faults = [error(400, "Unknown parameter: 'response_format'.")]
    model(server).generate(BIKE, [0, 1])
    assert ["response_format" in sent.fields for sent in server.asked] == [True, False, False]


def test_an_address_is_followed_to_the_same_server_only(server):
    picture = png(pattern("x", SIZE))
    root = server.url.removesuffix("/v1")
    server.files = {
        "/made/1.png": Raw(200, picture, "image/png"),
        "/away": Raw(302, headers={"location": "/made/1.png"}),
    }
    answers = {
        f"{root}/made/1.png": None,
        "/made/1.png": None,
        "data:image/png;base64," + base64.b64encode(picture).decode(): None,
        "http://169.254.169.254/latest": "another host, 169.254.169.254: it is not followed",
        f"https{root[4:]}/made/1.png": "another host",
        "file:///etc/hostname": "another host",
        f"{root}/away": "cannot be fetched",
        f"{root}/gone.png": "status 404",
    }
    for url, refusal in answers.items():
        server.respond = lambda wanted, url=url: Raw(200, json.dumps({"data": [{"url": url}]}).encode())
        if refusal is None:
            np.testing.assert_array_equal(model(server).generate(BIKE, [0])[0].pixels, pattern("x", SIZE))
            continue
        with pytest.raises(ModelError) as caught:
            model(server).generate(BIKE, [0])
        assert refusal in caught.value.got
    assert server.fetched.count("/made/1.png") == 2


@pytest.mark.parametrize(
    "faults",
    [
        [error(429, "slow down", Retry_After="17")],
        [error(500, "oops"), error(503, "oops")],
        [CUT],
        [Raw(200, b'{"data": [{"b64_json": "aaaa', cut_after=20)],
        [Raw(200, b'{"data": [')],
    ],
)
def test_what_may_get_better_is_tried_again(server, faults):
    server.faults, waits = list(faults), []
    assert len(model(server, waits=waits).generate(BIKE, [0])) == 1
    assert len(waits) == len(faults)
    if faults[0].status == 429:
        assert 17 <= waits[0] <= 19


def bomb() -> bytes:
    """Return a PNG file that claims 50,000 pixels a side."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("fault", "problem", "said"),
    [
        (error(401, "bad key"), "refuses the key", "bad key"),
        (error(400, "Your request was rejected by the safety system.", code="moderation_blocked"), "will not draw this",
         "rejected by the safety system"),
        (error(403, "content policy"), "will not draw this", "content policy"),
        (error(400, "size must be 512x512"), "drew nothing", "size must be 512x512"),
        (error(402, "pay first"), "used up", "pay first"),
        (error(404, "no such route"), "no way to ask it this", "status 404"),
        (HTML, "OpenAI-compatible", "a web page"),
        (Raw(200, b'{"error": {"message": "out of paint"}}'), "drew nothing", "out of paint"),
        (Raw(200, b'{"data": [7]}'), "drew nothing", "without a picture"),
        (Raw(200, b'{"data": [{"b64_json": "!!!"}]}'), "drew nothing", "no base64"),
        (coded(b"no image at all"), "drew nothing", "no image that can be read"),
        (coded(bomb()), "drew nothing", "50,000 x 50,000"),
    ],
)  # fmt: skip
def test_what_cannot_get_better_stops_at_once(server, fault, problem, said):
    server.respond = lambda wanted: fault
    with pytest.raises(ModelError, match=problem) as caught:
        model(server).generate(BIKE, [0])
    assert said in caught.value.got
    assert all((caught.value.expected, caught.value.hint))
    assert len(server.asked) == 1


@pytest.mark.parametrize(("fault", "times"), [(error(500, "oops"), 3), (CUT, 3), (error(429, "busy"), 3)])
def test_what_stays_broken_comes_to_an_end(server, fault, times):
    server.respond = lambda wanted: fault
    with pytest.raises(ModelError):
        model(server, attempts=3).generate(BIKE, [0])
    assert len(server.asked) == times


def test_who_stops_cuts_the_connection(server):
    server.faults = [SILENT]

    class Enough(Exception):
        pass

    def step(share: float) -> None:
        if server.asked:
            raise Enough

    with pytest.raises(Enough):
        model(server).generate(BIKE, [0], step)
    assert len(server.asked) == 1


def test_threads_ask_side_by_side(server):
    asked, found = model(server), {}
    threads = [
        threading.Thread(
            target=lambda name=name: found.update({name: asked.generate(GenerationRequest(name, size=SIZE), [0])})
        )
        for name in ("a cat", "a dog", "a boat")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for name, (picture,) in found.items():
        np.testing.assert_array_equal(picture.pixels, pattern(name, SIZE))
    assert len(found) == 3


def test_the_key_is_sent_and_never_shown(server, monkeypatch):
    key = "sk-a-very-secret-key"
    monkeypatch.setenv("LUCIDA_API_KEY", key)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-a-person")
    asked = model(server)
    asked.generate(BIKE, [0])
    assert server.asked[0].headers["authorization"] == f"Bearer {key}"
    assert "openai-organization" not in server.asked[0].headers
    for fault in (
        error(401, f"bad key {key}"),
        error(400, f"safety system, {key}"),
        Raw(200, json.dumps({"error": key}).encode()),
    ):
        server.faults = [fault]
        with pytest.raises(ModelError) as caught:
            asked.generate(BIKE, [0])
        assert key not in str(caught.value) + repr(caught.value.to_json()) + str(caught.value.__context__)


def test_what_a_picture_costs_is_said_before_and_after(server, monkeypatch):
    priced = model(server, price="5/40")
    assert priced.quote_pictures(BIKE, 2).cost == pytest.approx(2 * 6240 * 40e-6, rel=0.01)
    # On this machine nothing is paid, and nothing is said of it.
    assert "cost" not in priced.generate(BIKE, [0])[0].detail
    monkeypatch.setattr("lucida.models.openai_api.address.Address.local", False)
    assert priced.generate(BIKE, [0])[0].detail["cost"] == pytest.approx((30 * 5 + 1000 * 40) / 1e6)
    server.respond = lambda wanted: coded(*draw(wanted), usage={"input_tokens": "many"})
    assert priced.generate(BIKE, [0])[0].detail["cost"] == pytest.approx(priced.quote_pictures(BIKE).cost, abs=1e-6)
    server.faults = [CUT]
    twice = priced.generate(BIKE, [0])[0].detail["cost"]
    assert twice == pytest.approx(2 * priced.quote_pictures(BIKE).cost, abs=1e-6), "what was lost may be paid as well"
    assert "A picture costs at most $0.25" in priced.remarks(BIKE)[0]
    assert "not known" in model(server).remarks(BIKE)[0]
    assert USAGE["input_tokens"] == 30


@pytest.mark.parametrize(
    ("name", "near", "together", "edits", "cost"),
    [
        ("gpt-image-1", {(900, 900): (1024, 1024), (4000, 3000): (1536, 1024), (9, 16): (1024, 1536)}, 4, True, 0.25),
        ("dall-e-3", {(1920, 1080): (1792, 1024), (1024, 1024): (1024, 1024)}, 1, False, 0.08),
        ("gpt-image-2", {(1000, 5000): (992, 3840), (1536, 1024): (1536, 1024)}, 4, True, None),
    ],
)
def test_the_models_of_the_table(name, near, together, edits, cost):
    spec = find(name)
    assert (spec.name, spec.tasks) == (f"openai:{name}", ("generate",))
    assert spec.name in OpenAiFamily().drawers()
    assert "Prompts and images are sent to api.openai.com" in spec.note
    needs = spec.generates
    assert {size: needs.nearest(*size) for size in near} == near
    assert (needs.together, needs.image, needs.mask, needs.remote) == (together, edits, edits, True)
    assert "api.openai.com" in needs.terms
    quoted = spec.load().quote_pictures(BIKE).cost
    assert quoted == (None if cost is None else pytest.approx(cost, abs=0.001))


def test_who_does_not_draw_says_so():
    assert find("gpt-4o").generates is None
    assert find("claude:some-new-model").generates is None
    with pytest.raises(ModelError, match="cannot draw"):
        find("gpt-4o").load().generate(BIKE, [0])
    assert find("api:m@http://localhost:1/v1").generates.remote is False


def test_bad_wishes_are_refused_before_anything_is_sent(server):
    with pytest.raises(InputError, match="seed"):
        model(server).generate(BIKE, [-1])
    with pytest.raises(LucidaError, match="price"):
        model(server, price="dear").remarks(BIKE)
    assert not server.asked
