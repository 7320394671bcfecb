"""Review: a person answers, evidence grows, a certificate says what is proven."""

from lucida.review.certificate import Certificate
from lucida.review.session import Answer, Session, Status, certify

__all__ = ["Answer", "Certificate", "Session", "Status", "certify"]
