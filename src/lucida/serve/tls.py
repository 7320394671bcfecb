"""Certificates of the server: checked before anything is loaded."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from lucida.errors import InputError

if TYPE_CHECKING:
    from lucida.serve.config import Settings

_HOW = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 365 makes a pair to try it with"


def check_tls(settings: Settings) -> None:
    """Refuse a certificate that cannot be used.

    Raises:
        InputError: It, or its key, cannot be read, or they do not belong together.
    """
    cert, key = settings.cert, settings.cert_key
    if cert is None:
        if key is not None:
            raise InputError("There is a key of a certificate and no certificate.", expected="--cert FILE", got="none",
                             hint=_HOW)  # fmt: skip
        return
    for file in (cert, key):
        if file is not None and not file.is_file():
            raise InputError(f"There is no file {file}.", expected="a certificate and its key in PEM", got="no file",
                             hint=_HOW)  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password: without one, OpenSSL would ask for it on the terminal.
        context.load_cert_chain(cert, key, password="")
    except (OSError, ValueError) as error:
        raise InputError(
            f"The certificate {cert} cannot be used.",
            expected="a certificate and its key in PEM that belong together, the key without a password",
            got=getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__,
            hint=_HOW,
        ) from error
