"""The words of what is proven of objects, in one place: the certificate and its replay say the same."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lucida.review.claim import percent, singular

if TYPE_CHECKING:
    from lucida.review.objects.certificate import ObjectsCertificate

# Of what may go wrong altogether: half for "at most so many boxes are wrong", half for what was missed.
SHARES = {"found": 0.5, "missed": 0.5}


def claim_in_short(certificate: ObjectsCertificate) -> str:
    """State the claim in a user's words."""
    missed, sure, found = certificate.missed, percent(certificate.confidence), _found(certificate)
    if missed is None:
        sure = f", with {sure} confidence" if len(certificate.kept) and not _all_checked(certificate) else ""
        return f"{found}{sure}; nothing is said of objects that were missed."
    if missed["withdrawn"] and not _all_checked(certificate):
        return f"{found}; so nothing is said of objects that were missed."
    return (
        f"{found}. In at most {missed['images_bound']:,} of the {missed['images']:,} images "
        f"({_up(missed['images_bound'] / max(missed['images'], 1))}) an object is missed, and at most "
        f"{_short(missed['mean_bound'])} objects an image are, counted up to {missed['cap']} in each. All of this at "
        f'once, with {sure} confidence; "wrong" and "missed" mean so in the reviewer\'s judgement.'
    )


def _found(certificate: ObjectsCertificate) -> str:
    """Say what is proven of the objects that stand."""
    units, kept, found = certificate.unit, len(certificate.kept), certificate.found
    if _all_checked(certificate):
        return f"All {found.total:,} {units} were checked by a person: {_stand(certificate):,} stand"
    if kept:
        each = " in each class" if found.per_class else ""
        wrong = "wrong or undecidable" if _unsure(certificate) else "wrong"
        return f"Of the {kept:,} {units} kept, at most {percent(found.max_error)}{each} are {wrong}"
    if certificate.missed is not None and certificate.missed["withdrawn"]:
        return (
            f"No {singular(units)} is kept: while images were looked at, {certificate.missed['wrong']:,} {units} "
            "turned out wrong, and with that nothing is proven of the others"
        )
    return f"No {singular(units)} is kept"


def _all_checked(certificate: ObjectsCertificate) -> bool:
    return len(certificate.found.reviewed) == certificate.found.total


def _stand(certificate: ObjectsCertificate) -> int:
    """Count the objects that stand in the end: those taken away while images were looked at do not."""
    from lucida.review.objects.certificate import standing_objects
    from lucida.review.objects.missed import Look

    looks: dict[str, Look] = {}
    for values in (certificate.missed or {"answers": []})["answers"]:
        look = Look.of_json(values)
        looks.pop(look.id, None)
        looks |= {look.id: look} if look.verdict != "undone" else {}
    gone = sum(one.label is None for look in looks.values() for one in look.wrong)
    return sum(map(len, standing_objects(certificate.found).values())) - gone


def claim_in_full(certificate: ObjectsCertificate) -> str:
    """State the claim with everything it rests on."""
    units, missed, level = certificate.unit, certificate.missed, 1 - certificate.confidence
    for_found, for_missed = (percent(SHARES[name] * level) for name in ("found", "missed"))
    parts = [
        f"The chance of {percent(level)} that something of this is false is divided: {for_found} for the {units} that "
        f"are kept, {for_missed} for what was missed, half of it for the number of images and half for the number of "
        "objects.",
        f"FOUND. {certificate.found.claim_in_full} Single {units} were drawn, never whole images, so it does not "
        "matter how errors gather in images.",
    ]
    if missed is None:
        parts.append("MISSED. Nobody has looked for objects that were missed, so nothing is said of them.")
    else:
        parts.append(
            f"MISSED. When this was settled, the {missed['images']:,} images were put into a uniformly random order "
            f"and looked at one after another, with the {missed['standing']:,} objects that stand: the {units} kept "
            f"without those called wrong, those confirmed by a person, and those corrected. In {missed['looked']:,} "
            f"images a person marked what none of these shows: {missed['marked']:,} objects in "
            f"{missed['with_missed']:,} images (one that could not be decided counts as if the most that is counted "
            f"were missed). In all images together at most {missed['total_bound']:,} are missed, an image counted up "
            f"to {missed['cap']}. What was missed there is added, so what is released is better than that."
        )
        if missed["wrong"]:
            parts.append(
                f"While looking, {missed['wrong']:,} of the {units} that stand were called wrong. They were not "
                "drawn, so they prove nothing: they are taken away or corrected, and count among the wrong ones that "
                "the kept set may hold."
            )
        if missed["withdrawn"]:
            parts.append("Together with them the kept set is not proven any more: ALL OF THIS IS WITHDRAWN.")
    if len(certificate.attempts) > 1:
        parts.append(
            f"{len(certificate.attempts)} attempts were made on these same {units}: each claim holds by itself, but "
            "choosing the best of them breaks the promise."
        )
    if certificate.simulation:
        parts.append("SIMULATION: the seed was given and not drawn after the freeze, so this proves nothing.")
    return " ".join(parts)


def summary(certificate: ObjectsCertificate) -> str:
    """Say in a few lines what came of a review."""
    found, missed, units = certificate.found, certificate.missed, certificate.unit
    lines = [certificate.claim]
    lines.append(
        f"You checked {len(found.reviewed):,} of {found.total:,} {units} and found {found.errors_found:,} wrong; "
        f"{certificate.accepted:,} are accepted unchecked."
    )
    if missed is not None:
        lines.append(
            f"You looked at {missed['looked']:,} images and marked {missed['marked']:,} objects in "
            f"{missed['with_missed']:,} of them; {missed['wrong']:,} {units} turned out wrong there."
        )
    if certificate.simulation:
        lines.append("Simulation: the seed was given, so this is no proof.")
    return "\n".join(lines)


def _unsure(certificate: ObjectsCertificate) -> bool:
    return any(answer.get("verdict") == "unsure" for answer in certificate.found.answers)


def _up(rate: float) -> str:
    # Rounded up, so that the shorter number is still a bound.
    return f"{math.ceil(1000 * rate - 1e-9) / 10:g} %"


def _short(mean: float) -> str:
    return f"{math.ceil(100 * mean - 1e-9) / 100:g}"
