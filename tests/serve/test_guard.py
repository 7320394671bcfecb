"""The policy before and after a picture is drawn: what is forbidden is neither kept nor sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import openai
import pytest
from openai import OpenAI
from starlette.testclient import TestClient

from lucida.catalog import Catalog
from lucida.results.screening import Finding, Screening
from lucida.runs.seeing import Seen
from lucida.screen.policy import read_policy
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.served import Shelf
from models.tiny_generators import flow
from serve.making_desk import POLICY, by_path
from served_models import png, ready, upload


class Judge:
    """Says of the images it is shown, in order, what it is told; then that all is well."""

    def __init__(self) -> None:
        self.verdicts: list[Finding] = []

    def __call__(self, files: Sequence[bytes]) -> list[Seen]:
        found = (self.verdicts.pop(0),) if self.verdicts else ()
        return [Seen(Screening("ok", 1.0, tuple(one for one in found if one.score)))]


OK, BLOCK, FLAG = (Finding("dogs", *rest) for rest in ((0.0, False, ""), (0.9, True, "block"), (0.4, False, "block")))


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    with Catalog.open(tmp_path_factory.mktemp("guard") / "catalog", create=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


@pytest.fixture(scope="module")
def client(catalog: Catalog, judge: Judge) -> Iterator[TestClient]:
    folder: Path = catalog.path.parent
    (folder / "policy.yaml").write_text(POLICY)
    policy = read_policy(folder / "policy.yaml")
    desk = Desk(Shelf([by_path("painter", flow(folder / "painter"))]), Settings(workers=1), catalog, policy=policy)
    with TestClient(build(desk), base_url="http://localhost") as one:
        ready(one)
        object.__setattr__(desk.finder.guard, "see", judge)
        yield one


def test_a_prompt_is_read_before_anything_is_drawn(client: TestClient, catalog: Catalog) -> None:
    before = len(catalog.runs.all())
    for asked in ({"prompt": "a pipe-bomb"}, {"prompt": "画 炸弹"}):
        got = client.post("/v1/generate", json=asked)
        assert (got.status_code, got.json()["error"]["code"]) == (403, "content_policy_violation")
        assert "forbids this prompt" in got.json()["error"]["what"]
    job = client.post("/v1/jobs", json={"task": "generate", "prompt": "a pipe bomb"})
    assert (job.status_code, client.get("/v1/jobs").json()["data"]) == (403, [])
    asking = OpenAI(base_url="http://localhost/v1", api_key="none", http_client=client, max_retries=0)
    with pytest.raises(openai.PermissionDeniedError, match="forbids") as caught:
        asking.images.generate(model="painter", prompt="a pipe bomb")
    assert caught.value.code == "content_policy_violation"
    assert len(catalog.runs.all()) == before


def test_a_forbidden_picture_is_neither_kept_nor_sent(client: TestClient, catalog: Catalog, judge: Judge) -> None:
    asked = {"prompt": "cat", "n": 2, "steps": 2}
    judge.verdicts = [OK, BLOCK]
    got = client.post("/v1/generate", json=asked)
    assert (got.status_code, catalog.images.count()) == (403, 0)
    assert "forbids this picture" in got.text
    judge.verdicts = [OK, FLAG]
    got = client.post("/v1/generate", json=asked)
    assert (got.status_code, got.headers["x-policy"], catalog.images.count()) == (200, "review", 2)
    assert got.json()["policy"] == {
        "policy": "house rules", "verdict": "review", "found": [{"of": "picture", "rule": "dogs", "reason": ""}],
    }  # fmt: skip
    # One that was drawn before is looked at as well.
    judge.verdicts = [BLOCK]
    assert client.post("/v1/generate", json=asked).status_code == 403
    alone = client.post("/v1/generate", json={**asked, "n": 1}, headers={"accept": "image/png"})
    assert alone.headers["x-policy"] == "ok"


def test_an_image_to_begin_from_is_looked_at(client: TestClient, judge: Judge) -> None:
    judge.verdicts = [BLOCK]
    got = client.post("/v1/generate", **upload(png(), prompt="cat", steps="2"))
    assert (got.status_code, "forbids this image" in got.text) == (403, True)
    judge.verdicts = [FLAG, OK]
    got = client.post("/v1/images/edits", **upload(png(), prompt="cat", size="8x8"))
    assert (got.status_code, got.headers.get("x-policy"), got.json()["policy"]["found"][0]["of"]) == (
        200,
        "review",
        "image",
    )
    # Each picture of a job is judged by itself.
    judge.verdicts = [OK, BLOCK]
    job = client.post("/v1/jobs", json={"task": "generate", "prompt": "bird", "n": 2, "steps": 2}).json()
    client.get(f"/v1/jobs/{job['id']}/events")
    found = client.get(f"/v1/jobs/{job['id']}/result").json()["results"]
    assert (len(found[0]["images"]), found[1]["error"]["code"]) == (1, "content_policy_violation")
