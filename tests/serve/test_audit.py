"""The audit: what stands in it and what never does, its size, and a disk that is full."""

from __future__ import annotations

import errno
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from lucida.errors import InputError
from lucida.images import content_id
from lucida.serve.application import build
from lucida.serve.audit import TOLD, Audit, AuditSettings
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.headers import Exchange
from lucida.serve.served import Shelf
from served_models import png, ready, talker, upload

ONE = Exchange("one", "ask", "talker", 200, 0.25, looked=1, holder="anna", images=("0" * 64,), words=("Who is it?",))


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_who_asked_what_and_what_came_of_it(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    audit = Audit(AuditSettings(file), lambda: 1_800_000_000.5)
    audit(ONE)
    audit.close()
    assert lines(file) == [
        {
            "when": "2027-01-15T08:00:00.500+00:00", "id": "one", "holder": "anna", "service": "ask",
            "model": "talker", "status": 200, "seconds": 0.25, "images": ["0" * 64], "cached": 0, "looked": 1,
        }
    ]  # fmt: skip
    assert file.stat().st_mode & 0o77 == 0
    asked = Audit(AuditSettings(file, prompts=True))
    asked(ONE)
    assert lines(file)[1]["words"] == ["Who is it?"]
    assert "Who" not in repr(ONE)


def test_strangers_are_counted_and_push_nobody_out(tmp_path: Path) -> None:
    file, now = tmp_path / "audit.jsonl", [0.0]
    audit = Audit(AuditSettings(file), lambda: now[0])
    for status in (200, *[401] * 500, *[429] * 500):
        audit(Exchange("x", status=status))
    assert lines(file) == []
    now[0] = TOLD
    audit(Exchange("x", status=404))
    assert [line["turned_away"] for line in lines(file)] == [{"401": 500, "404": 1, "429": 500}]
    audit(Exchange("x", status=404))
    audit.close()
    assert lines(file)[1]["turned_away"] == {"404": 1}


@pytest.mark.parametrize("files", [1, 3])
def test_its_size_is_bounded(tmp_path: Path, files: int) -> None:
    file = tmp_path / "audit.jsonl"
    audit = Audit(AuditSettings(file, 1000, files))
    for number in range(40):
        audit(Exchange(str(number), "ask"))
    found = sorted(tmp_path.iterdir())
    assert [one.name for one in found] == ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"][:files]
    assert all(one.stat().st_size <= 1000 for one in found)
    ids = [int(line["id"]) for one in reversed(found) for line in lines(one)]
    assert ids == list(range(40 - len(ids), 40))
    # Another run goes on where this one ended.
    Audit(AuditSettings(file, 1000, files))
    assert lines(file)[-1]["id"] == "39"


def test_a_full_disk_is_told_of_once_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "audit.jsonl"
    audit, write = Audit(AuditSettings(file)), os.write
    audit(ONE)

    def full(handle: int, data: bytes) -> int:
        if len(data) % 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data[:7])

    with caplog.at_level(logging.WARNING, "lucida.serve"):
        monkeypatch.setattr(os, "write", full)
        for id in ("a", "bb", "ccc"):
            audit(Exchange(id, "ask"))
        assert (audit.lost, len(caplog.records)) == (3, 1)
        monkeypatch.setattr(os, "write", write)
        audit(ONE)
        audit(ONE)
    assert [line.get("lost") for line in lines(file)] == [None, 3, None]
    assert len(caplog.records) == 2
    with pytest.raises(InputError, match="cannot be written"):
        Audit(AuditSettings(tmp_path / "none" / "audit"))


def test_a_server_that_is_audited(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    desk = Desk(Shelf([talker()]), Settings(workers=1))
    desk.watchers.append(Audit(AuditSettings(file, prompts=True)))
    with TestClient(build(desk), base_url="http://localhost") as client:
        ready(client)
        client.post("/v1/ask", **upload(png(), question="Who?"))
        client.post("/v1/batch", **upload(png(), b"%PDF", task="ask", question="Who?"))
        client.post("/v1/ask", **upload(png(), model="none", question="Who?"))
    one, batch, wrong = lines(file)
    assert (one["images"], one["words"], one["looked"]) == ([content_id(png())], ["Who?"], 1)
    assert (batch["images"], batch["words"]) == ([content_id(png()), content_id(b"%PDF")], ["Who?"])
    assert (wrong["status"], wrong["model"], wrong["images"]) == (404, "", [content_id(png())])
