"""The words of the claim, in one place: the session, the certificate and the replay say the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lucida.review.certificate import Certificate


# How a model makes each unit that a certificate can be about.
MADE = {
    "labels": "labelled",
    "boxes": "drew",
    "masks": "drew",
    "captions": "wrote",
    "answers": "gave",
    "readings": "read",
    "descriptions": "wrote",
}


def percent(rate: float) -> str:
    """Write a rate as a percentage without needless digits: 0.02 is "2 %"."""
    return f"{100 * rate:.6g} %"


def singular(units: str) -> str:
    """Give one of several units: "label" of "labels"."""
    return "box" if units == "boxes" else units.removesuffix("s")


def _at_most(rate: float) -> str:
    # Rounded up, so that the shorter number is still a bound.
    return f"{math.ceil(1000 * rate - 1e-9) / 10:g} %"


def _wrong(certificate: Certificate) -> str:
    unsure = any(answer.get("verdict") == "unsure" for answer in certificate.answers)
    return "wrong or undecidable" if unsure else "wrong"


def claim_in_short(certificate: Certificate) -> str:
    """State the claim in a user's words."""
    kept, wrong, units = len(certificate.kept), _wrong(certificate), certificate.unit
    if not kept:
        return f"Nothing is proven: no {singular(units)} is kept."
    each = " in each class" if certificate.per_class else ""
    return (
        f"Of the {kept:,} {units} kept, at most {percent(certificate.max_error)}{each} are {wrong}, with "
        f'{percent(certificate.confidence)} confidence; "wrong" means wrong in the reviewer\'s judgement.'
    )


def claim_in_full(certificate: Certificate) -> str:
    """State the claim with everything it rests on."""
    wrong, n, units = _wrong(certificate), len(certificate.kept), certificate.unit
    most = sum(group["max_wrong"] for group in certificate.groups)
    parts = [
        f"A set of {certificate.total:,} {units} was frozen; nested candidate sets were fixed before anyone checked "
        f"them. The set that is kept ({n:,} {units}) holds, as the model {MADE[units]} it, at most {most:,} {wrong} "
        f"{units}, "
        f"with probability at least {percent(certificate.confidence)}, for any model, any score, any dependence "
        f"between images, any stopping rule and any order in which the program chose to ask. Wrong {units} found while "
        "checking are corrected, so what is released is better than that. The only randomness is the program's own "
        "review order."
    ]
    if certificate.per_class:
        parts.append("This holds for each predicted class by itself, for all of them at once.")
    if certificate.reviewer_error:
        parts.append(
            f"It allows for a reviewer who misses each wrong {singular(units)} with probability at most "
            f"{percent(certificate.reviewer_error)}, independently of the others."
        )
    if len(certificate.attempts) > 1:
        parts.append(
            f"{len(certificate.attempts)} attempts were made on these same {units}: each claim holds by itself, but "
            "choosing the best of them breaks the promise."
        )
    if certificate.simulation:
        parts.append("SIMULATION: the seed was given and not drawn after the freeze, so this proves nothing.")
    return " ".join(parts)


def summary(certificate: Certificate) -> str:
    """Say in a few lines what came of a review."""
    kept, wrong, units = len(certificate.kept), _wrong(certificate), certificate.unit
    lines = []
    if kept:
        each = " in each class" if certificate.per_class else ""
        lines.append(
            f"Kept {kept:,} of {certificate.total:,} {units}: at most {percent(certificate.max_error)} of them{each} "
            f"are {wrong}, with {percent(certificate.confidence)} confidence."
        )
    else:
        lines.append(f"Kept none of {certificate.total:,} {units}: nothing could be proven.")
    lines.append(f"You checked {len(certificate.reviewed):,} and found {certificate.errors_found:,} {wrong}.")
    if len(certificate.accepted):
        lines.append(
            f"{len(certificate.accepted):,} {units} are accepted unchecked, at most {certificate.max_wrong_left:,} of "
            f"them ({_at_most(certificate.rate_left)}) {wrong}."
        )
    if len(certificate.attempts) > 1:
        lines.append(
            f"This is one of {len(certificate.attempts)} attempts on the same {units}; a promise holds for one."
        )
    if certificate.simulation:
        lines.append("Simulation: the seed was given, so this is no proof.")
    return "\n".join(lines)
