"""Signatures: good ones, forged files, and every wrong kind of key file."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lucida.errors import CertificateError, InputError
from lucida.review import Session
from lucida.review.replay import DESCRIPTIVE, verify
from lucida.review.signing import fingerprint, load_public_key, make_key_pair, sign


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Give a signed certificate, the private and the public key."""
    rng = np.random.default_rng(0)
    right = rng.random(400) < 0.98
    session = Session([str(i) for i in range(400)], ["cat"] * 400, rng.random(400), max_error=0.1)
    while (name := session.next()) is not None:
        session.answer(name, "right" if right[int(name)] else "wrong")
    path = session.certificate(question="what?", context={"a": 1}, attempts=[{"run": "1"}]).save(tmp_path / "c.json")
    private, public = make_key_pair(tmp_path / "key.pem")
    assert sign(path, private) == fingerprint(load_public_key(public))
    return path, private, public


def test_a_good_signature_is_checked_and_named(signed: tuple[Path, Path, Path]) -> None:
    path, _, public = signed
    result = verify(path, public_key=public)
    assert result.ok
    assert result.signed
    assert result.checked == ("replay", f"signature by key {fingerprint(load_public_key(public))[:16]}")
    assert "forger" not in str(result)


def test_without_a_key_it_says_that_the_signature_was_not_checked(signed: tuple[Path, Path, Path]) -> None:
    result = verify(signed[0])
    assert result.ok
    assert result.checked == ("replay",)
    assert "no key was given" in str(result)


def test_every_field_that_only_describes_is_covered(signed: tuple[Path, Path, Path]) -> None:
    path, _, public = signed
    values = json.loads(path.read_text())
    altered: dict[str, Any] = {
        "question": "who?",
        "context": {"a": 2},
        "attempts": [],
        "created": "2001-01-01T00:00:00+00:00",
        "versions": {},
        "worth": 7.0,
        "max_reviews": 9,
        "ended": "",
    }
    assert altered.keys() == DESCRIPTIVE - {"signature"}
    for name, value in altered.items():
        path.write_text(json.dumps(values | {name: value}))
        assert verify(path).ok, name
        assert not verify(path, public_key=public).ok, name


def test_a_forgery_that_holds_together_is_found_by_the_signature_alone(
    signed: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    path, _, public = signed
    signature = json.loads(path.read_text())["signature"]
    session = Session([str(i) for i in range(400)], ["cat"] * 400, np.arange(400), max_error=0.1)
    while (name := session.next()) is not None:
        session.answer(name, "right")
    forged = session.certificate()
    forged.signature = signature
    forged.save(path)
    assert verify(path).ok
    assert any("signature" in problem for problem in verify(path, public_key=public).problems)


def test_another_key_no_signature_and_a_broken_one_are_told_apart(
    signed: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    path, _, public = signed
    _, other = make_key_pair(tmp_path / "other.pem")
    assert any("not by the given one" in p for p in verify(path, public_key=other).problems)
    values = json.loads(path.read_text())
    cases = {
        "not signed": None,
        "not of the kind": values["signature"] | {"algorithm": "RSA"},
        "does not fit": values["signature"] | {"value": "AAAA"},
        "its signature does not fit": values["signature"] | {"value": "not base64!"},
    }
    for words, signature in cases.items():
        path.write_text(json.dumps(values | {"signature": signature}))
        assert any(words in p for p in verify(path, public_key=public).problems), words


def test_a_signed_certificate_may_be_renamed(signed: tuple[Path, Path, Path], tmp_path: Path) -> None:
    path, _, public = signed
    values = json.loads(path.read_text())
    beside = path.with_name(values["population_file"])
    beside.rename(tmp_path / "new.population.parquet")
    path.write_text(json.dumps(values | {"population_file": "new.population.parquet"}))
    assert verify(path, public_key=public).ok


def test_layout_of_the_file_does_not_matter(signed: tuple[Path, Path, Path]) -> None:
    path, _, public = signed
    path.write_text(json.dumps(json.loads(path.read_text()), indent=3, sort_keys=True))
    assert verify(path, public_key=public).ok


def test_signing_again_replaces_the_signature(signed: tuple[Path, Path, Path], tmp_path: Path) -> None:
    path, _, _ = signed
    private, public = make_key_pair(tmp_path / "second.pem")
    sign(path, private)
    assert verify(path, public_key=public).ok


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_the_private_key_is_for_its_owner_alone_and_never_overwritten(tmp_path: Path) -> None:
    private, _ = make_key_pair(tmp_path / "deep" / "key.pem")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    with pytest.raises(InputError, match="already"):
        make_key_pair(private)


def pem(key: Any, *, private: bool, password: bytes | None = None) -> bytes:
    if not private:
        public: bytes = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return public
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    data: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return data


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "rsa", "x25519", "swapped", "password", "cut"])
@pytest.mark.parametrize("private", [True, False])
def test_wrong_key_files_are_named(signed: tuple[Path, Path, Path], tmp_path: Path, kind: str, private: bool) -> None:
    path, good, public = signed
    key = tmp_path / "wrong.pem"
    rsa_key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else None
    contents: dict[str, Any] = {
        "empty": b"",
        "text": b"hello",
        "rsa": rsa_key and pem(rsa_key, private=private),
        "x25519": pem(x25519.X25519PrivateKey.generate(), private=private),
        "swapped": (public if private else good).read_bytes(),
        "password": pem(Ed25519PrivateKey.generate(), private=True, password=b"secret"),
        "cut": (good if private else public).read_bytes()[:60],
    }
    if kind == "folder":
        key.mkdir()
    elif kind != "missing":
        key.write_bytes(contents[kind])
    before = path.read_bytes()
    with pytest.raises(InputError) as caught:
        sign(path, key) if private else verify(path, public_key=key)
    error = caught.value
    assert all((error.what, error.expected, error.got, error.hint))
    assert "wrong.pem" in error.what
    if kind == "swapped":
        assert error.got == ("a public key" if private else "a private key")
    if kind == "password":
        assert "password" in error.got
    if kind in ("rsa", "x25519"):
        assert "another kind" in error.got
    assert path.read_bytes() == before


def test_signing_what_is_no_certificate_is_refused(tmp_path: Path) -> None:
    private, _ = make_key_pair(tmp_path / "key.pem")
    with pytest.raises(CertificateError):
        sign(tmp_path / "none.json", private)
