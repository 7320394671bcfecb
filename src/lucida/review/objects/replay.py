"""Recheck a certificate of objects from its own files, without refitting anything; see `lucida.review.replay`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from lucida.errors import CertificateError, InputError
from lucida.evidence.order import ORDER_RULE
from lucida.review.layout import FLAG, NUMBER, RATE, RECORD, RECORD_OR_NULL, SEED, TEXT, TEXT_OR_NULL, WHOLE, misfits
from lucida.review.objects.certificate import (
    ObjectsCertificate,
    digest_of_looks,
    images_of,
    results,
    standing_objects,
)
from lucida.review.objects.claim import SHARES, claim_in_full, claim_in_short
from lucida.review.objects.missed import SEEN, Look, Looks
from lucida.review.population import Population
from lucida.review.replay import Verification
from lucida.review.replay import replay as replay_found

LOOK: Final[dict[str, Any]] = {
    "id": TEXT,
    "verdict": (f"one of {', '.join(SEEN)}", lambda v: isinstance(v, str) and v in SEEN),
    "objects": [TEXT],
    "wrong": [{"id": TEXT, "label": TEXT_OR_NULL}],
}
MISSED: Final[dict[str, Any]] = {
    "images": WHOLE,
    "images_file": TEXT_OR_NULL,
    "digest": TEXT,
    "standing": WHOLE,
    "cap": WHOLE,
    "max_missed": RATE,
    "order_rule": TEXT,
    "answers": [LOOK],
    "answers_digest": TEXT,
    "wrong": WHOLE,
    "withdrawn": FLAG,
    "accepted": WHOLE,
    "rate_left": NUMBER,
    "looked": WHOLE,
    "with_missed": WHOLE,
    "marked": WHOLE,
    "images_bound": WHOLE,
    "total_bound": WHOLE,
    "mean_bound": NUMBER,
}
TOP: Final[dict[str, Any]] = {
    "claim": TEXT,
    "claim_in_full": TEXT,
    "unit": TEXT,
    "confidence": RATE,
    "shares": {"found": RATE, "missed": RATE},
    "found": RECORD,
    "missed": RECORD_OR_NULL,
    "seed": SEED,
    "simulation": FLAG,
    "question": TEXT_OR_NULL,
    "context": RECORD,
    "attempts": [RECORD],
    "ended": TEXT,
    "created": TEXT,
    "versions": RECORD,
    "format": TEXT,
    "signature": RECORD_OR_NULL,
}


def replay(certificate: ObjectsCertificate) -> Verification:
    """Recompute everything that a certificate of objects claims from what it holds.

    Raises:
        CertificateError: it was read without its populations.
    """
    if certificate.found.population is None or (certificate.missed is not None and certificate.images is None):
        raise CertificateError(
            "The certificate has no population to be checked against.",
            expected="a certificate from a review, or one loaded with its populations",
            got="one built from JSON alone",
            hint="use ObjectsCertificate.load(path)",
        )
    problems = list(_layout(certificate))
    if not problems:
        problems = list(_inconsistencies(certificate))
    return Verification(tuple(problems), ("replay",), certificate.signature is not None)


def _layout(certificate: ObjectsCertificate) -> Iterator[str]:
    yield from misfits(certificate.to_json(), TOP)
    if isinstance(certificate.missed, dict):
        yield from misfits(certificate.missed, MISSED, "missed")


def _inconsistencies(certificate: ObjectsCertificate) -> Iterator[str]:
    found = certificate.found
    yield from (f"of what was found: {problem}" for problem in replay_found(found).problems)
    stated = (certificate.unit, certificate.seed, certificate.simulation)
    if stated != (found.unit, found.seed, found.simulation):
        yield "unit, seed or simulation are not those of what was found"
    if found.unit not in ("boxes", "masks"):
        yield f"it is about {found.unit}, which lie in no image"
    if certificate.shares != SHARES:
        yield "the shares of the level are not those that this format fixes"
    level = 1 - certificate.confidence
    if not math.isclose(1 - found.confidence, SHARES["found"] * level, rel_tol=1e-9):
        yield "the confidence of what was found is not its share"
    if certificate.missed is not None and certificate.images is not None:
        yield from _check_missed(certificate, certificate.missed, certificate.images)
    if certificate.claim != claim_in_short(certificate):
        yield "the words of the claim are not those of its numbers"
    if certificate.claim_in_full != claim_in_full(certificate):
        yield "the full words of the claim are not those of its numbers"


def _check_missed(certificate: ObjectsCertificate, missed: dict[str, Any], images: Population) -> Iterator[str]:
    if len(set(images.ids)) != len(images.ids):
        yield "the images name one twice"
        return
    if images.digest() != missed["digest"]:
        yield "the images are not those that were looked at: their digest differs"
        return
    if images_of(certificate.found, images.ids).predicted != images.predicted:
        yield "the objects that stand in the images are not those that the first stage settled"
        return
    if missed["standing"] != sum(map(int, images.predicted)) or missed["images"] != len(images):
        yield "the number of images, or of objects that stand in them, is not that of the images"
    if missed["order_rule"] != ORDER_RULE:
        yield "its rule of the order is not the one of this format"
    if missed["answers_digest"] != digest_of_looks(missed["answers"]):
        yield "the answers on images are not those that were written down: their digest differs"
    if missed["cap"] < 1:
        yield "an image that counts for nothing bounds nothing"
        return
    level = SHARES["missed"] * (1 - certificate.confidence)
    looks = Looks(images.ids, certificate.seed, level=level, cap=missed["cap"], max_missed=missed["max_missed"])
    try:
        looks.replay(Look.of_json(line) for line in missed["answers"])
    except InputError as problem:
        yield problem.what
        return
    stand = standing_objects(certificate.found)
    for look in looks.standing.values():
        odd = {one.id for one in look.wrong} - {id for id, _ in stand.get(look.id, ())}
        if odd or len({one.id for one in look.wrong}) < len(look.wrong):
            yield f"what turned out wrong in the image {look.id[:12]!r} did not stand there once"
            return
    for name, value in results(looks, certificate.found).items():
        if not math.isclose(missed[name], value, rel_tol=1e-9, abs_tol=1e-12):
            yield f"{name} is stated as {missed[name]}, but the answers give {value}"
