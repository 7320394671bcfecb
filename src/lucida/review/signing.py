"""Signatures by Ed25519: who made a certificate, beyond that it holds together.

Source: RFC 8032.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lucida.errors import InputError
from lucida.review.certificate import read_json, write_json

ALGORITHM = "Ed25519"
NOT_SIGNED = frozenset({"signature", "population_file"})  # the file may be renamed; its digest is signed
HOW_TO_MAKE = "openssl genpkey -algorithm ed25519 -out key.pem && openssl pkey -in key.pem -pubout -out key.pub.pem"


def make_key_pair(private_key: str | Path) -> tuple[Path, Path]:
    """Make an Ed25519 key pair: `private_key`, readable by its owner alone, and `<stem>.pub.pem` beside it.

    Returns both paths. The same with openssl: see `HOW_TO_MAKE`.

    Raises:
        InputError: one of the files exists already.
    """
    private = Path(private_key)
    public = private.with_name(f"{private.stem}.pub.pem")
    for path in (private, public):
        if path.exists():
            raise InputError(
                f"There is a file already: {path}",
                expected="a name that is free",
                got="an existing file",
                hint="choose another name; a lost key cannot be made again",
            )
    key = Ed25519PrivateKey.generate()
    private.parent.mkdir(parents=True, exist_ok=True)
    private.touch(mode=0o600)
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


def sign(certificate: str | Path, private_key: str | Path) -> str:
    """Sign the certificate file in place with a private key (PEM) and return the key's fingerprint.

    The signature covers the canonical JSON of all fields but the signature and the name of the population file, and
    through the digest the population itself.

    Raises:
        CertificateError: the certificate cannot be read.
        InputError: the key file is missing, or no Ed25519 private key without a password.
    """
    path = Path(certificate)
    values, key = read_json(path), load_private_key(private_key)
    name = fingerprint(key.public_key())
    signature = base64.b64encode(key.sign(canonical(values))).decode("ascii")
    write_json(path, values | {"signature": {"algorithm": ALGORITHM, "public_key": name, "value": signature}})
    return name


def check_signature(values: Mapping[str, Any], public_key: str | Path) -> tuple[str, str]:
    """Check the signature in a certificate's JSON values against a public key (PEM).

    Returns the key's fingerprint and what is wrong ("" if the signature is good).

    Raises:
        InputError: the key file is missing or no Ed25519 public key.
    """
    key = load_public_key(public_key)
    name, stated = fingerprint(key), values.get("signature")
    if stated is None:
        return name, "it is not signed"
    if not isinstance(stated, Mapping) or stated.get("algorithm") != ALGORITHM:
        return name, f"its signature is not of the kind {ALGORITHM}"
    if stated.get("public_key") != name:
        return name, f"it says that it is signed by the key {stated.get('public_key')!r}, not by the given one"
    try:
        key.verify(base64.b64decode(str(stated.get("value")), validate=True), canonical(values))
    except (InvalidSignature, binascii.Error, ValueError):
        return name, "its signature does not fit: the file is not what the owner of the key signed"
    return name, ""


def canonical(values: Mapping[str, Any]) -> bytes:
    """Give the bytes that are signed: sorted keys, no spaces, ASCII."""
    signed = {name: value for name, value in values.items() if name not in NOT_SIGNED}
    return json.dumps(signed, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def fingerprint(key: Ed25519PublicKey) -> str:
    """Give the SHA-256 of the raw public key in hexadecimal."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return sha256(raw).hexdigest()


def load_private_key(path: str | Path) -> Ed25519PrivateKey:
    """Read an Ed25519 private key from a PEM file without a password.

    Raises:
        InputError: the file is missing or holds something else.
    """
    data = _read(path)
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
        raise _wrong_key(path, "private", _what_it_is(data, str(problem))) from problem
    if not isinstance(key, Ed25519PrivateKey):
        raise _wrong_key(path, "private", f"a private key of another kind ({type(key).__name__.strip('_')})")
    return key


def load_public_key(path: str | Path) -> Ed25519PublicKey:
    """Read an Ed25519 public key from a PEM file.

    Raises:
        InputError: the file is missing or holds something else.
    """
    data = _read(path)
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise _wrong_key(path, "public", _what_it_is(data, str(problem))) from problem
    if not isinstance(key, Ed25519PublicKey):
        raise _wrong_key(path, "public", f"a public key of another kind ({type(key).__name__.strip('_')})")
    return key


def _read(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as problem:
        raise InputError(
            f"The key file cannot be read: {path}",
            expected="a PEM file with an Ed25519 key",
            got=problem.strerror or str(problem),
            hint=f"make a pair with: {HOW_TO_MAKE}",
        ) from problem


def _what_it_is(data: bytes, problem: str) -> str:
    if b"ENCRYPTED" in data:
        return "a private key with a password"
    if b"PRIVATE KEY" in data:
        return "a private key"
    if b"PUBLIC KEY" in data:
        return "a public key"
    return "a certificate of a web server" if b"BEGIN CERTIFICATE" in data else f"no key ({problem[:80]})"


def _wrong_key(path: str | Path, kind: str, got: str) -> InputError:
    use = "sign with the private key" if kind == "private" else "check with the public key"
    return InputError(
        f"This is no Ed25519 {kind} key: {path}",
        expected=f"a PEM file with an Ed25519 {kind} key{', without a password' if kind == 'private' else ''}",
        got=got,
        hint=f"{use}; make a pair with: {HOW_TO_MAKE}",
    )
