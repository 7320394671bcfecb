"""Pictures that are made, searches and screenings, in our own shape."""

from __future__ import annotations

import asyncio
import base64
import io
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from lucida.catalog import Catalog
from lucida.images import content_id
from lucida.serve import made_bodies
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.making import WAITING, Bench, Step, Stopped
from lucida.serve.refusal import CLIENT_GONE, Refused
from serve.making_desk import making_desk
from served_models import png, ready, upload


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, catalog: Catalog) -> Iterator[TestClient]:
    with TestClient(build(making_desk(tmp_path_factory.mktemp("making"), catalog)), base_url="http://localhost") as one:
        ready(one)
        yield one


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_pictures_are_drawn_and_kept_in_the_catalog(client: TestClient, catalog: Catalog) -> None:
    got = client.post("/v1/generate", json={"prompt": "cat", "n": 2, "seed": 5, "steps": 2})
    assert got.status_code == 200, got.text
    answer = made_bodies.GenerateAnswer.model_validate_json(got.content)
    assert ([one.seed for one in answer.images], answer.model) == ([5, 6], "painter")
    data = base64.b64decode(answer.images[0].png)
    assert content_id(data) == answer.images[0].id
    assert catalog.images.read(answer.images[0].id) == data
    alone = client.post("/v1/generate", json={"prompt": "cat", "seed": 5, "steps": 2}, headers={"accept": "image/png"})
    assert (alone.headers["content-type"], alone.headers["x-seed"]) == ("image/png", "5")
    np.testing.assert_array_equal(opened(alone.content), opened(data))
    # What the file tells of itself holds no path of this machine.
    assert b"model.toml" not in alone.content + got.content


def test_a_picture_begins_from_an_image_and_a_mask(client: TestClient) -> None:
    mask = np.zeros((48, 48), np.uint8)
    mask[10:30, 10:30] = 255
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    files = {"image": ("x.png", png()), "mask": ("m.png", file.getvalue())}
    got = client.post("/v1/generate", files=files, data={"prompt": "dog"}, headers={"accept": "image/png"})
    assert got.status_code == 200, got.text
    before, after = opened(png())[..., :3], opened(got.content)
    assert not (before != after)[mask == 0].any()
    assert (before != after)[mask > 0].any()


def test_an_image_is_enlarged(client: TestClient) -> None:
    got = client.post("/v1/restore", **upload(png(), upscale="2"))
    answer = made_bodies.RestoreAnswer.model_validate_json(got.content)
    assert (answer.size, answer.model, answer.image) == ((96, 96), "larger", content_id(png()))
    assert opened(base64.b64decode(answer.png)).shape[:2] == (96, 96)
    # The sets that `lucida restore` knows, although an encoder is served under that name.
    other = client.post("/v1/restore", **upload(png(), upscale="2", model="embedded"))
    assert (other.json()["model"], opened(base64.b64decode(other.json()["png"])).shape[:2]) == ("embedded", (96, 96))
    assert client.post("/v1/restore", **upload(png(), upscale="2", model="colours")).status_code == 404
    listed = {one["id"]: one["tasks"] for one in client.get("/v1/models").json()["data"]}
    assert (listed["embedded"][-1], listed["embedded-real"]) == ("restore", ["restore"])
    alone = client.post("/v1/restore", headers={"accept": "image/png"}, **upload(png(), upscale="2"))
    assert alone.content == base64.b64decode(answer.png)


@pytest.mark.parametrize(
    ("address", "fields", "said"),
    [
        ("restore", {}, "Nothing is to be done"),
        ("restore", {"upscale": "17"}, "upscale"),
        ("restore", {"upscale": "2", "mask": "http://a.b/c.png"}, "not fetched"),
        (
            "restore",
            {"upscale": "2", "mask": "data:image/png;base64," + base64.b64encode(png(side=24)).decode()},
            "The mask sent has",
        ),
        ("generate", {"prompt": "cat", "size": "7x7"}, "painter cannot draw 7 x 7"),
        ("generate", {"prompt": "cat", "control": "depth"}, "painter cannot follow depth"),
        ("generate", {"prompt": "cat", "loras": "/etc/passwd"}, "Unknown field"),
        ("search", {"like": "https://a.b/c.jpg"}, "not fetched"),
        ("search", {"where": "nothing"}, "nothing"),
        ("screen", {"policy": "/etc/passwd"}, "Unknown field"),
    ],
)
def test_what_is_wrong_is_said_without_a_path(client: TestClient, address: str, fields: dict, said: str) -> None:
    got = client.post(f"/v1/{address}", **upload(png(), **fields))
    assert got.status_code == 422, got.text
    assert said in got.json()["error"]["message"]
    assert "/tmp" not in got.text


def test_images_are_found_by_words_and_by_images(client: TestClient, catalog: Catalog) -> None:
    disc = catalog.images.resolve("disc.png")[0]
    got = client.post("/v1/search", json={"image": disc, "top": 1, "model": "colours", "glob": "*.png"})
    assert got.status_code == 200, got.text
    answer = made_bodies.SearchAnswer.model_validate_json(got.content)
    assert [(one.name, one.image) for one in answer.results] == [("disc.png", disc)]
    # One that is sent is compared as well; without the catalog's pictures there is nothing to say.
    other = client.post("/v1/search", **upload(png("square", 1, 64), model="colours", glob="*.png", top="5"))
    assert other.status_code == 200, other.text
    assert client.post("/v1/search", json={"text": "red", "model": "colours"}).json()["results"]
    assert client.post("/v1/search", json={}).status_code == 422
    assert client.post("/v1/search", json={"text": "red", "model": "painter"}).status_code == 404


def test_an_image_is_screened_by_the_policy_of_the_server(client: TestClient, catalog: Catalog) -> None:
    got = client.post("/v1/screen", **upload(png()))
    assert got.status_code == 200, got.text
    answer = made_bodies.ScreenAnswer.model_validate_json(got.content)
    assert (answer.policy, answer.verdict, answer.label) == ("house rules", "breaks", "dogs")
    assert client.post("/v1/screen", **upload(b"%PDF-1.7")).status_code == 422


def test_where_nothing_is_served_it_is_said_how_to(client: TestClient, request: pytest.FixtureRequest) -> None:
    plain: TestClient = request.getfixturevalue("plain")
    for address, how in (("generate", "None of the"), ("search", ""), ("screen", "--policy")):
        asked = {"json": {"prompt": "cat"}} if address == "generate" else upload(png())
        got = plain.post(f"/v1/{address}", **asked)
        assert (got.status_code, how in got.text) == ((200 if address == "search" else 404), True), got.text


def test_work_stops_when_nobody_waits_and_a_full_bench_refuses() -> None:
    bench = Bench(SimpleNamespace(settings=Settings(workers=1)))  # type: ignore[arg-type]
    begun, left, ended = (threading.Event() for _ in range(3))

    def work(step: Step) -> None:
        begun.set()
        left.wait(10)
        try:
            step(0.5)
        except Stopped:
            ended.set()
            raise

    async def ask() -> list[int]:
        gone = [asyncio.get_running_loop().create_future() for _ in range(WAITING + 2)]
        asked = [asyncio.ensure_future(bench.do("making", work, one)) for one in gone]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert await asyncio.to_thread(begun.wait, 10)
        for one in gone:
            one.set_result(None)
        found = await asyncio.gather(*asked, return_exceptions=True)
        left.set()
        return [one.status for one in found if isinstance(one, Refused)]

    assert asyncio.run(ask()) == [*[CLIENT_GONE] * (WAITING + 1), 429]
    assert ended.wait(10)
    bench.close()


@pytest.fixture
def plain(catalog: Catalog) -> Iterator[TestClient]:
    from lucida.models import find
    from lucida.serve.desk import Desk
    from lucida.serve.served import Served, Shelf

    desk = Desk(Shelf([Served("embedded", find("embedded"))]), Settings(workers=1), catalog)
    with TestClient(build(desk), base_url="http://localhost") as one:
        ready(one)
        yield one
