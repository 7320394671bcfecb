"""A server that watches: quiet traffic, a change, the alarm and what follows from it, and another start."""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from starlette.testclient import TestClient

from lucida.catalog import Annotation, Catalog, add
from lucida.errors import InputError, UnknownName
from lucida.images import LIMITS
from lucida.models import find
from lucida.review import Session, certify
from lucida.review.expiry import expiry
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.served import Shelf
from lucida.serve.watch import queues
from lucida.serve.watch.measure import NUMBERS, measure, table
from lucida.serve.watch.reference import find_reference
from lucida.serve.watch.settings import WatchSettings
from lucida.serve.watch.watcher import Watcher
from pictures import picture, write_pictures
from served_models import ready, told, upload

SETTINGS = WatchSettings("catalog", a_minute=100_000, review=0.3, keep_images=True, images=90)


def shot(seed: int, light: float = 1.0) -> bytes:
    """Return a picture as a JPEG, darker where the light is less."""
    out = BytesIO()
    kind = ("disc", "square", "stripes")[seed % 3]
    pixels = np.asarray(picture(kind, seed, 32), np.float64) * light
    Pillow.fromarray(pixels.astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """A catalog of ninety pictures."""
    folder = tmp_path_factory.mktemp("watched")
    write_pictures(folder / "pictures", 0)
    for seed in range(90):
        (folder / "pictures" / f"{seed}.png").write_bytes(shot(seed))
    add([folder / "pictures"], catalog=folder / "catalog")
    with Catalog.open(folder / "catalog") as opened:
        yield opened


def serving(catalog: Catalog) -> tuple[Desk, TestClient]:
    """Return a server that watches a model which always says the same."""
    shelf = Shelf([told("classify", ("disc", "square"), lambda n: (2.0, 0.0), "shapes")])
    desk = Desk(shelf, Settings(workers=1), catalog)
    desk.watch = Watcher(desk, SETTINGS)
    return desk, TestClient(build(desk), base_url="http://localhost")


def state(client: TestClient, **until: Any) -> dict[str, Any]:
    """Return what is told of the watch once it is so."""
    for _ in range(600):
        found: dict[str, Any] = client.get("/v1/watch").json()
        if all(found[name] == value for name, value in until.items()):
            return found
        time.sleep(0.1)
    raise AssertionError(found)


def send(client: TestClient, images: list[bytes]) -> None:
    for data in images:
        assert client.post("/v1/classify", **upload(data)).status_code == 200


def test_a_change_is_told_with_its_images_and_becomes_a_queue(catalog: Catalog, tmp_path: Path) -> None:
    made = certify(["disc"] * 400, [0.9] * 400, lambda _: True, max_error=0.05, seed=1)
    run = catalog.runs.start("label", question="shape", model="shapes")
    review = catalog.runs.start("review", question="shape", model="shapes", parent=run.id)
    path = made.save(catalog.runs.folder(review.id) / "certificate.json")
    _, client = serving(catalog)
    with client:
        ready(client)
        state(client, phase="watching")
        send(client, [shot(1000 + n) for n in range(60)])
        quiet = state(client, images=60)
        assert (quiet["phase"], quiet["changed"], quiet["reference"]["images"]) == ("watching", [], 90)
        assert quiet["accuracy"]["today"]["answers"] == 60
        assert not any(curve["crossed"] for curve in quiet["curves"])
        assert expiry(path) is None
    # Another start goes on where this one stopped.
    _, client = serving(catalog)
    with client:
        ready(client)
        assert state(client, phase="watching")["images"] == 60
        dark = [shot(2000 + n, 0.5) for n in range(40)]
        send(client, dark)
        found = state(client, phase="alarm", images=100)
        (alarm,) = found["alarms"]
        assert "darker" in found["changed"]
        assert abs(alarm["signals"][0]["since_row"] - 60) < 12
        assert all(one["kept"] for one in alarm["images"])
        assert "expired: its population drifted on" in str(expiry(path))
        assert 'lucida_drift_alarm{model="shapes"} 1.0' in client.get("/metrics").text
        assert alarm["expired"] == [str(path.resolve())]
        shown = client.get(f"/v1/watch/images/{alarm['images'][0]['image']}")
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
        before = catalog.images.count()
        queue = client.post(f"/v1/watch/alarms/{alarm['id']}/queue").json()
        assert catalog.images.count() > before
        assert queue["images"] >= 40
        assert client.post(f"/v1/watch/alarms/{alarm['id']}/queue").json()["run"] == queue["run"]
        _answer(catalog, queue["question"])
        verdict = {"number": found["accuracy"]["waiting"][0]["number"], "verdict": "right"}
        assert client.post("/v1/watch/verdicts", json=verdict).json()["today"]["right"] == 1
        anew = client.post(f"/v1/watch/alarms/{alarm['id']}/close").json()
        assert (anew["phase"], anew["images"], anew["reference"]["images"]) == ("watching", 0, 90)


def _answer(catalog: Catalog, question: str) -> None:
    from lucida.review import Review

    with pytest.raises(InputError, match="Nobody has answered"):
        queues.training_set(catalog, question)
    review = Review.open(catalog, question=question, teach=False)
    card = review.next()
    assert card is not None
    assert catalog.images.name(card.image).startswith("live/") or card.image in catalog.images.ids()
    review.answer(card.image, "wrong", "square")
    (sample,) = queues.training_set(catalog, question).items
    assert sample.target is not None


def test_a_server_that_watches_nothing_says_so(catalog: Catalog) -> None:
    desk = Desk(Shelf([told("classify", ("disc", "square"), lambda n: (2.0, 0.0), "shapes")]), Settings(workers=1))
    with TestClient(build(desk), base_url="http://localhost") as client:
        ready(client)
        assert client.get("/v1/watch").json()["phase"] == "off"
        assert client.post("/v1/watch/verdicts", json={}).status_code == 404
        assert client.get("/v1/watch/images/x").status_code == 404


def test_numbers_say_what_a_person_sees() -> None:
    encoder = find("embedded").load()
    plain = picture("stripes", 1, 96)
    rows = {}
    for name, image in {
        "plain": plain,
        "dark": Pillow.fromarray((np.asarray(plain) * 0.5).astype(np.uint8)),
        "blurred": plain.resize((24, 24)).resize((96, 96)),
        "wide": plain.resize((192, 96)),
    }.items():
        out = BytesIO()
        image.save(out, "PNG")
        answer = b'{"label": "b", "score": 0.9, "runner_up": [["a", 0.1]]}'
        rows[name] = measure(out.getvalue(), answer, encoder, LIMITS)
    found = dict(zip(rows, table(list(rows.values()), ["a", "b"]), strict=True))
    place = {name: number for number, name in enumerate(NUMBERS)}
    assert found["dark"][place["brightness"]] < 0.6 * found["plain"][place["brightness"]]
    assert found["blurred"][place["sharpness"]] < found["plain"][place["sharpness"]]
    assert found["blurred"][place["noise"]] < found["plain"][place["noise"]]
    assert found["wide"][place["shape"]] == pytest.approx(np.log(2))
    assert found["plain"][place["class"]] == 1
    assert found["plain"][place["score"]] == pytest.approx(np.log(9), rel=1e-3)
    assert np.isnan(found["plain"][place["objects"]])


def test_references_that_are_none_are_refused(catalog: Catalog, tmp_path: Path) -> None:
    assert find_reference("live", None, 100) is None
    with pytest.raises(InputError, match="no catalog is served"):
        find_reference("catalog", None, 100)
    with pytest.raises(UnknownName):
        find_reference("label-x", catalog, 100)
    with pytest.raises(InputError, match="There is no reference"):
        find_reference(str(tmp_path / "certificate.json"), catalog, 100)
    with pytest.raises(InputError, match="too small"):
        find_reference(str(tmp_path), catalog, 100)
    found = find_reference("catalog", catalog, 70)
    assert found is not None
    assert len(found.images) == 70
    assert found.images == find_reference("catalog", catalog, 70).images


def test_runs_and_certificates_are_references(catalog: Catalog, tmp_path: Path) -> None:
    ids = catalog.images.ids()[:80]
    run = catalog.runs.start("label", question="kind", model="m")
    catalog.annotations.append(Annotation(image=id, question="kind", run=run.id, label="disc") for id in ids)
    found = find_reference(run.id, catalog, 1000)
    assert (set(found.images), found.scores) == (set(ids), True)
    session = Session(ids, ["disc"] * 80, [0.9] * 80, max_error=0.1, seed=1)
    path = session.certificate().save(tmp_path / "certificate.json")
    found = find_reference(str(path), catalog, 1000)
    assert (set(found.images), found.certificate) == (set(ids), path)
    assert found.read(ids[0]) == catalog.images.read(ids[0])
    learned = catalog.runs.start("train", question="kind", model="m")
    catalog.annotations.append(
        Annotation(image=id, question="kind", run=run.id, actor="anna", kind="answer", label="disc",
                   detail={"verdict": "right"}) for id in ids
    )  # fmt: skip
    found = find_reference(learned.id, catalog, 1000)
    assert (len(found.images), found.scores) == (80, False)
    assert "too sure" in found.notes[0]
