"""The verb `verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lucida.review.replay import Verification


def verify(certificate: Path, *, key: Path | None = None) -> Verification:
    """Recheck a certificate, of labels or of a compression: replay it from the file alone.

    Args:
        certificate: The JSON file; the population Parquet of one of labels lies beside it.
        key: An Ed25519 public key (PEM): also check that the file is signed by it.

    Raises:
        CertificateError: If the file cannot be read.
    """
    from lucida.compress.certificate import FORMAT, problems
    from lucida.review.certificate import read_json
    from lucida.review.replay import Verification, signature_checked
    from lucida.review.replay import verify as replay

    values = read_json(certificate)
    if values.get("format") != FORMAT:
        return replay(certificate, public_key=key)
    found = Verification(tuple(problems(values, certificate.parent)), ("replay",), values.get("signature") is not None)
    return signature_checked(found, values, key)
