"""The addresses: what is asked, what comes back, what is refused."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from lucida.catalog import Catalog
from lucida.images import content_id
from lucida.predict.verb import predict
from lucida.serve import bodies
from lucida.serve.desk import Desk
from lucida.serve.services import SERVICES
from served_models import png, upload

ASKED = {"ask": {"question": "Is it round?", "reason": "true"}}


@pytest.mark.parametrize("name", SERVICES)
def test_every_task_answers_in_the_form_that_openapi_promises(client: TestClient, name: str) -> None:
    got = client.post(f"/v1/{name}", **upload(png(), **ASKED.get(name, {})))
    assert got.status_code == 200, got.text
    answer = SERVICES[name].answer.model_validate_json(got.content)
    assert (answer.task, answer.width, answer.height, answer.image) == (name, 48, 48, content_id(png()))


def test_it_says_what_predict_says(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(png(side=64))
    (one,) = predict(tmp_path / "x.png", classes="dog,car").results
    body = client.post("/v1/classify", **upload(png(side=64), classes="dog, car")).json()
    assert body["label"] == one.result.to_json()["label"]
    assert body["score"] == pytest.approx(one.result.to_json()["score"], abs=0.02)
    assert body["notes"]


def test_own_classes_are_used_where_none_are_named(client: TestClient, desk: Desk) -> None:
    body = client.post("/v1/classify", **upload(png())).json()
    assert body["label"] in desk.shelf.models["embedded"].spec.gives.classes
    objects = client.post("/v1/detect", **upload(png(), classes="nut")).json()["objects"]
    assert [one["label"] for one in objects] == ["nut"]
    assert client.post("/v1/detect", **upload(png(), least="0.5")).json()["objects"][0]["mask"]["size"] == [48, 48]


def test_a_question_is_answered_with_its_reason(client: TestClient) -> None:
    body = client.post("/v1/ask", **upload(png(), question=["Is it round?", "Why?"], reason="true")).json()
    assert body["text"] == "yes: Why?"
    assert body["reason"] == "it looks so"
    assert body["before"] == [["Is it round?", "yes: Is it round?"]]
    assert client.post("/v1/caption", **upload(png())).json()["text"] == "a disc"


def test_an_image_comes_as_a_file_a_data_url_or_the_id_of_one_in_the_catalog(
    client: TestClient, catalog: Catalog
) -> None:
    id = catalog.images.ids()[0]
    data = catalog.images.read(id)
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    asked = [
        upload(data),
        {"json": {"image": url}},
        {"json": {"image": id}},
        {"files": {"image": (None, id)}},  # a field of a form, not a file
    ]
    found = [client.post("/v1/embed", **one).json() for one in asked]
    assert found[0]["image"] == id
    assert all(one == found[0] for one in found)


def test_what_is_not_there_is_not_found(client: TestClient, catalog: Catalog) -> None:
    unknown = client.post("/v1/embed", json={"image": "0" * 64})
    assert unknown.status_code == 404
    gone = client.post("/v1/embed", json={"image": catalog.images.resolve("stripes.png")[0]})
    assert (gone.status_code, gone.json()["error"]["type"]) == (422, "ImageError")
    nobody = client.post("/v1/classify", **upload(png(), model="embeded"))
    assert nobody.status_code == 404
    assert "'embedded'" in nobody.json()["error"]["hint"]
    assert client.post("/v1/clasify").status_code == 404
    assert "/v1/classify" in client.post("/v1/clasify").json()["error"]["hint"]
    assert client.get("/v1/classify").status_code == 405


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("classify", {"clases": "dog"}, "'classes'"),
        ("classify", {"model": "bolts"}, "cannot do the task 'classify'"),
        ("detect", {"classes": "bolt,screw"}, "Unknown class of bolts 'screw'"),
        ("detect", {"least": "2"}, "less than or equal to 1"),
        ("ask", {}, "'question' is missing"),
        ("ask", {"question": " "}, "'question.0'"),
        ("classify", {"classes": ",".join(map(str, range(1001)))}, "too many classes"),
    ],
)
def test_a_field_that_is_wrong_is_named(client: TestClient, name: str, fields: dict[str, str], said: str) -> None:
    got = client.post(f"/v1/{name}", **upload(png(), **fields))
    assert got.status_code == 422
    error = bodies.ErrorAnswer.model_validate_json(got.content).error
    assert said in " ".join((error.what, error.expected, error.hint))


def test_one_image_is_asked_for(client: TestClient) -> None:
    none = client.post("/v1/classify", files={"model": (None, "embedded")})
    assert (none.status_code, none.json()["error"]["what"]) == (422, "There is no image.")
    two = client.post("/v1/classify", **upload(png(), png(seed=1)))
    assert "/v1/batch" in two.json()["error"]["hint"]


def test_a_batch_says_what_is_wrong_with_one_in_its_place(client: TestClient) -> None:
    good, other = png(), png("square", 1)
    got = client.post("/v1/batch", **upload(good, b"%PDF-1.7", other, b"", task="detect"))
    found = bodies.BatchAnswer.model_validate_json(got.content).results
    assert [type(one).__name__ for one in found] == ["DetectAnswer", "BatchError", "DetectAnswer", "BatchError"]
    alone = client.post("/v1/detect", **upload(other))
    assert (alone.headers["x-cache"], alone.json()) == ("hit", got.json()["results"][2])
    named = client.post("/v1/batch", json={"images": ["0" * 64, "http://a.b/c.jpg"], "model": "coast"}).json()
    assert [one["error"]["type"] for one in named["results"]] == ["InputError", "InputError"]
    assert client.post("/v1/batch", **upload(*[good] * 5)).status_code == 422
    assert client.post("/v1/batch", json={"images": [], "task": "clasify"}).status_code == 422


def test_an_answer_is_kept_by_image_model_and_parameters(client: TestClient) -> None:
    data = png("stripes", 7)

    def cached(**fields: str) -> str:
        return client.post("/v1/classify", **upload(data, **fields)).headers["x-cache"]

    assert [cached(), cached(), cached(classes="dog,cat"), cached(classes="cat,dog")] == ["miss", "hit", "miss", "miss"]
    fresh = client.post("/v1/classify", headers={"cache-control": "no-cache"}, **upload(data))
    assert fresh.headers["x-cache"] == "miss"
    # To name an image by its id must not tell that somebody sent it.
    assert client.post("/v1/classify", json={"image": content_id(data)}).status_code == 404


def test_models_and_health(client: TestClient) -> None:
    listed = bodies.ModelsAnswer.model_validate_json(client.get("/v1/models").content)
    assert [one.id for one in listed.data][:2] == ["embedded", "tagger"]
    assert listed.data[0].tasks == ["classify", "embed"]
    assert listed.data[0].words
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_openapi_tells_of_every_answer_and_refusal(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) >= {f"/v1/{name}" for name in (*SERVICES, "batch", "models")} | {"/healthz", "/readyz"}
    page = client.get("/docs").text
    assert "<script" not in page
    assert "http://" not in page
    for name, service in SERVICES.items():
        operation = paths[f"/v1/{name}"]["post"]
        form = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert set(form["properties"]) == {"image", *service.request.model_fields}
        assert set(operation["responses"]) >= {"200", "404", "413", "415", "422", "429", "503", "504"}
        assert f"/v1/{name}" in page
