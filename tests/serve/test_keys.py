"""Keys: who is let in, to what, how often, until when; a file that changes under a server; nothing secret in words."""

from __future__ import annotations

import base64
import logging
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from lucida.errors import InputError, UnknownName
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.key_file import make_key, read_keys
from lucida.serve.key_ring import KeyRing
from lucida.serve.keys import Holder
from lucida.serve.quota_records import QuotaRecords
from lucida.serve.quotas import ADDRESSES, WRONG, Bucket, WrongKeys
from lucida.serve.records import Records
from lucida.serve.refusal import Refused
from lucida.serve.served import Shelf
from served_models import boxes, lines, png, ready, told, upload

NOON = 1_800_000_000.0 // 86_400 * 86_400 + 43_200


class Clock:
    """Says the time that it is told."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def status(ring: KeyRing, key: str, scope: str = "detect", address: str = "192.0.2.1") -> int:
    """Return how a request with a key would be answered."""
    try:
        ring.know(f"Bearer {key}", address)
        ring.admit(f"bearer {key}", scope)
    except Refused as error:
        return 500 if key[8:] and key[8:] in error.error.message() else error.status
    return 200


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.yaml"


def test_a_key_is_made_once_and_its_file_has_only_a_hash(file: Path) -> None:
    made = make_key(file, "anna", ["detect", "model:bolts"])
    text = file.read_text()
    assert made.key in str(made)
    assert made.key not in text + repr(made)
    assert made.key.split("-", 2)[2] not in text
    assert file.stat().st_mode & 0o77 == 0
    (entry,) = read_keys(file)
    assert (entry.name, entry.services, entry.models) == ("anna", ("detect",), ("bolts",))
    ring = KeyRing(file, Clock())
    assert ring.admit(f"Basic {base64.b64encode(f'me:{made.key}'.encode()).decode()}", "detect").name == "anna"
    assert [status(ring, key) for key in ("", made.key[:-1], made.key[:-1] + "_é", "x" * 9999)] == [401] * 4
    for header in ("", "Basic !", "Basic /w==", "Digest x", made.key):
        with pytest.raises(Refused) as refused:
            ring.know(header, "")
        assert (refused.value.status, "Basic" in refused.value.headers["www-authenticate"]) == (401, True)


def test_a_key_is_for_its_services_and_models_until_it_ends(file: Path) -> None:
    clock = Clock()
    made = make_key(file, "anna", ["detect", "model:bolts"])
    with file.open("a") as out:
        out.write(f"  expires: {'2027-01-17T00:00:00'}\n")
    ring = KeyRing(file, clock)
    assert [status(ring, made.key, scope) for scope in ("detect", "batch", "read", "new")] == [200, 200, 403, 403]
    holder = ring.admit(f"Bearer {made.key}", "batch")
    holder.check("detect", "bolts")
    for service, model in (("detect", "others"), ("read", "bolts")):
        with pytest.raises(Refused, match="not for"):
            holder.check(service, model)
    clock.now = read_keys(file)[0].expires
    assert status(ring, made.key) == 401


def test_quotas(file: Path) -> None:
    clock = Clock()
    made = make_key(file, "anna")
    with file.open("a") as out:
        out.write("  requests_a_minute: 3\n  images_a_day: 5\n")
    ring = KeyRing(file, clock)
    assert [status(ring, made.key) for _ in range(4)] == [200, 200, 200, 429]
    clock.now += 20
    assert [status(ring, made.key) for _ in range(2)] == [200, 429]
    clock.now += 3600
    holder = ring.admit(f"Bearer {made.key}", "detect")
    holder.take(4)
    with pytest.raises(Refused) as refused:
        holder.take(2)
    assert (refused.value.status, refused.value.retry) == (429, 43_200 - 3620)
    holder.take(1)
    clock.now += 43_200
    holder.take(5)


def test_a_file_that_changes_is_read_anew_and_an_old_key_ends_later(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    old = make_key(file, "anna", now=NOON)
    ring = KeyRing(file, clock, beside=lambda work: work())
    new = make_key(file, "anna", old_days=1, now=NOON)
    assert new.ended == (1, 1)
    assert (status(ring, old.key), status(ring, new.key)) == (200, 401)
    clock.now += 1
    assert (status(ring, old.key), status(ring, new.key)) == (200, 200)
    clock.now += 86_400
    assert (status(ring, old.key), status(ring, new.key)) == (401, 200)
    good = file.read_bytes()
    with caplog.at_level(logging.ERROR, "lucida.serve"):
        for broken in (b"- " + new.key.encode(), b"- {", b"\xff", good.replace(b"name:", b"nam:"), None):
            file.write_bytes(broken) if broken else file.unlink()
            clock.now += 2
            assert status(ring, new.key) == 200
            clock.now += 2
            assert status(ring, new.key) == 200
    assert len(caplog.records) == 5
    assert new.key not in caplog.text
    file.write_text("# nobody\n")
    clock.now += 2
    assert status(ring, new.key) == 401


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "holds no key"),
        ("a: 1", "line 1.* is a list"),
        ("- lucida-key", "line 1.*no entry"),
        ("- id: '12345678'\n  name: x", "line 1.*lacks the key 'sha256'"),
        ("- id: '1'\n  name: x\n  sha256: y", "line 1.*'id'"),
        ("- id: '12345678'\n  name: x\n  sha256: secret", "line 3.*'sha256'"),
        (f"- id: '12345678'\n  name: x\n  sha256: {'0' * 64}\n  scopes: [clasify]", "clasify"),
        (f"- id: '12345678'\n  name: x\n  sha256: {'0' * 64}\n  images_a_day: -1", "line 4.*range"),
        (f"- id: '12345678'\n  name: x\n  sha256: {'0' * 64}\n  expires: soon", "line 4.*no day"),
        (f"- &a\n  id: '12345678'\n  name: x\n  sha256: {'0' * 64}\n- *a", "there twice"),
    ],
)
def test_mistakes_in_the_file_are_told_with_their_line(file: Path, text: str, match: str) -> None:
    file.write_text(text)
    with pytest.raises(InputError, match=match) as error:
        KeyRing(file)
    assert all(part and "secret" not in part and "lucida-key" not in part for part in error.value.to_json().values())


def test_a_file_that_cannot_be_appended_to_is_left_as_it_was(file: Path, tmp_path: Path) -> None:
    file.write_text(f"[{{id: '12345678', name: x, sha256: '{'0' * 64}'}}]")
    before = file.read_bytes()
    with pytest.raises(InputError):
        make_key(file, "anna")
    assert file.read_bytes() == before
    for name, scopes in (("a b", ()), ("a", ("clasify",)), ("a", ("model:'",))):
        with pytest.raises(InputError):
            make_key(tmp_path / "new", name, scopes)
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(UnknownName, match="classify"):
        make_key(file, "anna", ["clasify"])
    with pytest.raises(InputError, match="cannot be written"):
        make_key(tmp_path / "none" / "keys", "anna")


def test_a_thousand_wrong_keys_are_slowed_down_and_shut_nobody_out(file: Path) -> None:
    clock = Clock()
    key = make_key(file, "anna").key
    ring = KeyRing(file, clock)
    wrong = key[:-4] + "AAAA"
    assert [status(ring, wrong) for _ in range(1000)] == [401] * WRONG + [429] * (1000 - WRONG)
    assert status(ring, key) == 200
    assert status(ring, wrong, address="192.0.2.2") == 401
    clock.now += 60
    assert status(ring, wrong) == 401


def test_addresses_are_remembered_in_bounded_memory() -> None:
    wrong = WrongKeys()
    for number in range(ADDRESSES + 50):
        wrong.note(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0)
    assert len(wrong) == ADDRESSES
    waits = [wrong.note(f"2001:db8::{number:x}%eth0", 0) for number in range(WRONG + 1)]
    assert (waits[-2], waits[-1]) == (0, 60 / WRONG)
    # A clock that is set back gives nothing, and takes nothing.
    bucket = Bucket(1, 100)
    assert (bucket.wait(50, 60), bucket.left, bucket.at) == (0, 1, 50)


def test_a_server_with_keys(file: Path) -> None:
    key = make_key(file, "anna", ["detect", "model:bolts"]).key
    with file.open("a") as out:
        out.write("  images_a_day: 2\n")
    models = [told("detect", ("bolt", "nut"), boxes, name) for name in ("bolts", "others")]
    desk = Desk(Shelf([*models, told("read", (), lines, "reader")]), Settings(workers=1), keys=KeyRing(file))
    seen = []
    desk.watchers.append(seen.append)
    mine = {"authorization": f"Bearer {key}"}
    with TestClient(build(desk), base_url="http://localhost") as client:
        ready(client)
        for address in ("/v1/models", "/docs", "/openapi.json", "/none"):
            assert client.get(address).status_code == 401
        assert client.get("/healthz").status_code == 200
        assert client.get("/v1/models", headers=mine).status_code == 200
        assert client.get("/docs", auth=("", key)).status_code == 200
        assert client.post("/v1/read", headers=mine, **upload(png())).status_code == 403
        # A batch does not get round what the key is for, nor a model that is named.
        assert client.post("/v1/batch", headers=mine, **upload(png(), task="read")).status_code == 403
        assert client.post("/v1/detect", headers=mine, **upload(png(), model="others")).status_code == 403
        assert client.post("/v1/batch", headers=mine, **upload(png(), png(), png(seed=1))).status_code == 429
        assert [client.post("/v1/detect", headers=mine, **upload(png())).status_code for _ in range(3)] == [
            200, 200, 429,
        ]  # fmt: skip
    assert (desk.open, desk.pool.taken) == (0, 0)
    assert {exchange.holder for exchange in seen if exchange.service} == {"anna"}


def test_a_day_s_quota_outlives_the_server(file: Path, tmp_path: Path) -> None:
    key = make_key(file, "anna").key
    file.write_text(file.read_text() + "  images_a_day: 3\n")
    records, clock = Records(tmp_path / "catalog"), Clock()

    def started() -> tuple[QuotaRecords, Holder]:
        ring = KeyRing(file, clock)
        kept = QuotaRecords(records, ring)
        kept.load()
        return kept, ring.admit(f"Bearer {key}", "detect")

    (tmp_path / "catalog").mkdir()
    first, anna = started()
    second, same = started()  # another server on the same catalog
    anna.take(1)
    same.take(1)
    first.save()
    second.save()
    first.save()
    _, anna = started()
    with pytest.raises(Refused, match="images a day"):
        anna.take(2)
    anna.take(1)
    clock.now += 86_400
    kept, anna = started()
    anna.take(3)
    kept.save()
    _, anna = started()
    with pytest.raises(Refused):
        anna.take(1)
    records.close()


def test_a_key_sees_the_models_that_it_is_for(file: Path) -> None:
    key = make_key(file, "anna", ["detect", "tag", "model:bolts", "model:larger"]).key
    models = [told("detect", ("bolt",), boxes, "bolts"), told("detect", ("nut",), boxes, "nuts")]
    desk = Desk(Shelf(models), Settings(workers=1), keys=KeyRing(file))
    with TestClient(build(desk), base_url="http://localhost", headers={"authorization": f"Bearer {key}"}) as client:
        assert [(one["id"], one["tasks"]) for one in client.get("/v1/models").json()["data"]] == [("bolts", ["detect"])]
        assert (client.get("/v1/models/nuts").status_code, client.get("/v1/models/bolts").status_code) == (404, 200)
