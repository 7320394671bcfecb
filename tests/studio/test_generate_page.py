"""The Generate page: what it draws and refuses, and what is found again."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from lucida.catalog import Catalog
from lucida.generate.writing import story_of
from lucida.results import run_lengths
from lucida.studio.application import Site, application, open_site
from lucida.studio.gate import Gate
from lucida.studio.generating import Generating
from pictures import scene
from studio.toy_generator import Toy, fresh, toys

BASE = "http://127.0.0.1:8700"


def png(size: tuple[int, int] = (60, 40)) -> bytes:
    out = io.BytesIO()
    scene(5, 80).crop((0, 0, *size)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with toys(), Catalog.open(tmp_path_factory.mktemp("generating") / "catalog", create=True) as catalog:
        yield catalog.path.parent


@pytest.fixture(autouse=True)
def toy() -> Iterator[type[Toy]]:
    with fresh() as found:
        yield found


@pytest.fixture(scope="module")
def generating(home: Path) -> Iterator[Generating]:
    with Catalog.open(home / "catalog") as catalog, Generating(catalog) as found:
        yield found
    assert not found.shelf.folder.exists()


@pytest.fixture(scope="module")
def client(generating: Generating) -> Iterator[TestClient]:
    """A browser that has opened the link."""
    open_site(Site(None, generating=generating))
    gate = Gate(application(), host="127.0.0.1", port=8700)
    with TestClient(gate, base_url=BASE) as client:
        assert client.get(gate.link()).status_code == 200
        yield client
    open_site(None)


def upload(client: TestClient, data: bytes) -> Any:
    return client.post("/api/generate/upload", params={"name": "photo.png"}, content=data).json()


def start(client: TestClient, **asked: Any) -> dict[str, Any]:
    view: dict[str, Any] = client.post("/api/generate/start", json={"n": 2, "agreed": True, **asked}).json()
    return view


def over(client: TestClient, job: str) -> dict[str, Any]:
    """Wait for the end of a job."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        view: dict[str, Any] = client.get(f"/api/generate/job/{job}").json()
        if view["state"] not in ("waiting", "working"):
            return view
    raise AssertionError(view)


def test_pictures_are_drawn_after_the_terms_were_read_and_found_again(client: TestClient, home: Path) -> None:
    refused = start(client, prompt="a red truck", agreed=False)["error"]
    assert refused["got"].startswith("For tests")
    begun = start(client, prompt="a red truck", seed=2**60, negative="blur", steps=9)
    done = over(client, begun["job"])
    said = "Drew 'stripes', the nearest to what was asked."
    assert done["notes"] == [{"text": said, "key": "class_drawn", "values": {"what": "'stripes'"}}]
    assert done["state"] == "done"
    assert [part["seed"] for part in done["parts"]] == [str(2**60), str(2**60 + 1)]
    assert client.get(f"/api/generate/job/{begun['job']}", params={"since": 1}).json()["parts"] == done["parts"][1:]
    first = done["parts"][0]["id"]
    # The terms are not asked for again; the same request has the same pictures.
    again = over(client, start(client, prompt="a red truck", seed=2**60, negative="blur", steps=9, agreed=False)["job"])
    assert (again["result"], again["parts"][0]["id"]) == ({"known": 2}, first)
    story = client.get(f"/api/generate/story/{first}").json()
    assert (story["request"]["steps"], story["seed"], story["run"]) == (9, str(2**60), begun["run"])
    file = client.get(f"/api/generate/file/{first}")
    assert f"a-red-truck-{2**60}.png" in file.headers["content-disposition"]
    assert story_of(file.content)["request"]["negative"] == "blur"
    assert client.get(f"/api/generate/picture/{first}", params={"side": 64}).headers["content-type"] == "image/jpeg"
    # What a person thinks of it is an answer in the catalog.
    assert client.post("/api/generate/rate", json={"image": first, "stars": 4}).json() == {"stars": 4}
    assert client.post("/api/generate/rate", json={"image": first, "stars": 6}).status_code == 422
    assert client.post("/api/generate/rate", json={"image": first, "stars": 0}).json() == {"stars": 0}
    assert client.post("/api/generate/rate", json={"image": first, "stars": 4}).json() == {"stars": 4}
    past = client.get("/api/generate/history").json()[0]
    assert (past["run"], past["prompt"], past["n"], past["images"][0]) == (begun["run"], "a red truck", 2, first)
    found = client.post("/api/generate/recall", json={"run": begun["run"]}).json()
    assert [picture["stars"] for picture in found["pictures"]] == [4, 0]
    assert found["words"] == {"prompt": "a red truck", "negative": "blur", "steps": 9}
    with Catalog.open(home / "catalog") as catalog:
        assert catalog.annotations.of_image("rating", first).label == "4"  # type: ignore[union-attr]


def test_images_steer_what_is_drawn_and_come_back_with_the_request(client: TestClient, home: Path) -> None:
    photo = upload(client, png())
    made = client.post("/api/generate/control", json={"source": photo["token"], "control": "scribble"}).json()
    shown = client.get(f"/api/generate/given/{made['token']}")
    assert (np.asarray(Image.open(io.BytesIO(shown.content)).convert("L")) % 255 == 0).all()
    assert "made of the photo" in made["how"]["text"]
    lines = np.zeros((64, 96), bool)
    lines[30:34, 10:80] = True
    drawn = client.post("/api/generate/drawing", json=run_lengths.encode(lines)).json()
    assert (drawn["width"], drawn["height"]) == (96, 64)
    begun = start(client, n=1, control="scribble", control_image=drawn["token"], reference=photo["token"])
    assert over(client, begun["job"])["state"] == "done"
    request = Toy.asked[-1]
    assert request.control_image is not None
    assert ((request.control_image.pixels[..., 0] > 127) == lines).all()
    assert request.image is None
    # A mask that was painted: only that part is drawn anew.
    mask = np.zeros((40, 60), bool)
    mask[10:20, 10:30] = True
    edited = start(client, n=1, prompt="a boat", image=photo["token"], mask=run_lengths.encode(mask))
    view = over(client, edited["job"])
    found = np.asarray(Image.open(io.BytesIO(client.get(f"/api/generate/file/{view['parts'][0]['id']}").content)))
    changed = (found != np.asarray(Image.open(io.BytesIO(png())))).any(axis=2)
    assert changed[mask].mean() > 0.5
    assert not changed[~mask].any()
    # All of it is there again, for as long as the catalog is.
    recalled = client.post("/api/generate/recall", json={"run": edited["run"]}).json()
    assert client.get(f"/api/generate/given/{recalled['slots']['image']['token']}").content == png()
    assert (run_lengths.decode(recalled["mask"]) == mask).all()
    assert recalled["missing"] == []
    kept = home / "catalog" / "given"
    assert len(list(kept.iterdir())) == 3
    for file in kept.iterdir():
        file.rename(file.with_name(f"gone {file.name}"))
    assert client.post("/api/generate/recall", json={"run": edited["run"]}).json()["missing"] == ["image", "mask"]


def lora(file: Path, **told: str) -> Path:
    """Write a file of no weights whose header tells what was taught."""
    header = json.dumps({"__metadata__": {f"lucida.{name}": value for name, value in told.items()}}).encode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    return file


def test_loras_of_trainings_and_files_are_chosen_and_come_back_with_the_request(client: TestClient, home: Path) -> None:
    run = "train-20260101-000000-abcd"
    taught = lora(home / "catalog/runs" / run / "model/pytorch_lora_weights.safetensors", base="sd15", token="sks bag")
    style = lora(home / "style.safetensors")
    named = client.get("/api/generate/lora", params={"name": str(style)}).json()
    assert (named["name"], named["title"]) == (str(style), "style")
    missing = client.get("/api/generate/lora", params={"name": str(home / "no.safetensors")}).json()["error"]
    assert "There is no LoRA" in missing["what"]
    begun = start(client, n=1, prompt="x", loras=[{"name": run, "weight": 0.6}, {"name": str(style), "weight": -1}])
    first = over(client, begun["job"])["parts"][0]["id"]
    assert [(one.file, one.weight) for one in Toy.asked[-1].loras] == [(taught, 0.6), (style, -1.0)]
    style.unlink()
    story = client.get(f"/api/generate/story/{first}").json()
    told = [(one["name"], one["title"], one["weight"], one["there"]) for one in story["loras"]]
    assert told == [(run, "sks bag", 0.6, True), (str(style), "style", -1.0, False)]
    assert client.get("/api/generate/history").json()[0]["loras"] == ["sks bag", "style"]
    found = client.post("/api/generate/recall", json={"run": begun["run"]}).json()
    assert [one["name"] for one in found["loras"]] == [run]
    assert found["missing"] == ["style"]
    refused = start(client, prompt="x", model="toy-plain", loras=[{"name": run}])["error"]
    assert "cannot take LoRAs" in refused["what"]


def test_what_cannot_be_drawn_is_said_before_it_begins(client: TestClient) -> None:
    def error(**asked: Any) -> str:
        told = start(client, prompt="x", **asked)["error"]
        return f"{told['what']} {told['hint']}"

    assert "Unknown model" in error(model="/etc/passwd")
    assert "--size 96 64, the nearest" in error(size=[97, 61])
    assert "Unknown image" in error(image="gone")
    assert "A mask needs an image" in error(mask={"size": [4, 4], "counts": "0"})
    assert "cannot begin from an image" in error(model="toy-plain", image=upload(client, png())["token"])
    assert "Nothing is asked" in start(client)["error"]["what"]
    empty = run_lengths.encode(np.zeros((8, 8), bool))
    assert client.post("/api/generate/drawing", json=empty).json()["error"]["what"] == "Nothing is drawn."
    assert upload(client, b"no image")["error"]["error"] == "ImageError"
    for wrong in ({"n": 0}, {"seed": -1}, {"seed": 2**63}, {"size": [1]}):
        assert client.post("/api/generate/start", json={"prompt": "x", **wrong}).status_code == 422
    assert client.get("/api/generate/file/gone").status_code == 404
    assert client.get("/api/generate/picture/gone").status_code in (404, 415)


def test_one_request_at_a_time_and_what_was_drawn_before_a_cancel_is_kept(
    client: TestClient, generating: Generating, toy: type[Toy]
) -> None:
    known = over(client, start(client, prompt="waits", n=1)["job"])["parts"]
    toy.go.clear()
    toy.began.clear()
    first = start(client, prompt="waits", n=3)
    second = start(client, prompt="fail", n=1)
    assert toy.began.wait(60)
    assert generating.offers()["now"] == first["job"]
    assert client.get(f"/api/generate/job/{second['job']}").json()["place"] == 1
    view = client.post(f"/api/generate/cancel/{first['job']}").json()
    assert (view["state"], [part["id"] for part in view["parts"]]) == ("cancelled", [known[0]["id"]])
    toy.go.set()
    failed = over(client, second["job"])
    assert (failed["state"], failed["error"]["got"]) == ("failed", "no such kernel")


def test_a_model_stays_loaded_and_others_are_found_by_name(
    client: TestClient, generating: Generating, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []
    monkeypatch.setattr(Toy, "__init__", lambda self, spec: loads.append(spec.name) or setattr(self, "spec", spec))
    named = client.get("/api/generate/model", params={"name": "toy-named"}).json()
    assert (named["name"], named["agreed"], named["needs"]["samplers"]) == ("toy-named", True, ["euler", "heun"])
    assert client.get("/api/generate/model", params={"name": "toy"}).json()["error"]["error"] == "UnknownName"
    for seed in (1, 2):
        assert over(client, start(client, prompt="x", model="toy-named", seed=seed)["job"])["state"] == "done"
    assert loads == ["toy-named"]
