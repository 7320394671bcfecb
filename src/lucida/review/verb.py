"""The verb `verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lucida.review.replay import Verification


def verify(certificate: Path, *, key: Path | None = None) -> Verification:
    """Recheck a certificate: replay it from the file alone.

    Args:
        certificate: The JSON file; its population Parquet lies beside it.
        key: An Ed25519 public key (PEM): also check that the file is signed by it.

    Raises:
        CertificateError: If the file cannot be read.
    """
    from lucida.review.replay import verify as replay

    return replay(certificate, public_key=key)
