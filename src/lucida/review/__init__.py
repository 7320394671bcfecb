"""Review: a person answers, evidence grows, a certificate says what is proven."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lucida.review.certificate import Certificate
    from lucida.review.log import Answer
    from lucida.review.objects.certificate import ObjectsCertificate
    from lucida.review.objects.terms import ObjectTerms
    from lucida.review.objects.workflow import ObjectReview
    from lucida.review.replay import verify
    from lucida.review.session import Session, Status, certify
    from lucida.review.workflow import Review, Terms

_HOMES = {
    "Answer": "log",
    "Certificate": "certificate",
    "ObjectReview": "objects.workflow",
    "ObjectTerms": "objects.terms",
    "ObjectsCertificate": "objects.certificate",
    "Review": "workflow",
    "Session": "session",
    "Status": "session",
    "Terms": "workflow",
    "certify": "session",
    "verify": "replay",
}

__all__ = [
    "Answer",
    "Certificate",
    "ObjectReview",
    "ObjectTerms",
    "ObjectsCertificate",
    "Review",
    "Session",
    "Status",
    "Terms",
    "certify",
    "verify",
]


def __getattr__(name: str) -> Any:
    # Loaded on first use: the command line's help must not wait for SciPy and PyArrow.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
