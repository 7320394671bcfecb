"""A certificate whose population drifted: a note beside it, which no signature is broken by."""

from __future__ import annotations

from pathlib import Path

from lucida.review import certify
from lucida.review.expiry import Expiry, expire, expiry, note_of
from lucida.review.replay import verify


def test_an_expired_certificate_says_so_and_still_holds(tmp_path: Path) -> None:
    truth = [True] * 400
    made = certify(["cat"] * 400, [0.9] * 400, truth.__getitem__, max_error=0.05, seed=1)
    path = made.save(tmp_path / "certificate.json")
    before = path.read_bytes()
    assert expiry(path) is None
    assert not verify(path).expired
    expire(path, "darker, blurred", alarm="a1", when=0.0)
    # What was found first stays.
    assert expire(path, "noisier") == Expiry("1970-01-01", "darker, blurred", "a1")
    found = verify(path)
    assert found.ok
    assert "expired: its population drifted on 1970-01-01 (darker, blurred)" in str(found)
    assert found.to_json()["expired"] == str(expiry(path))
    assert path.read_bytes() == before


def test_a_note_that_is_broken_is_none(tmp_path: Path) -> None:
    note_of(tmp_path / "certificate.json").write_text("{")
    assert expiry(tmp_path / "certificate.json") is None
