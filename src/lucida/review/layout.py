"""The layout of a certificate's JSON: which fields there are, and of what kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from lucida.evidence.selection import REASONS, STAGES
from lucida.review.log import UNDONE, VERDICTS

Kind = tuple[str, Callable[[Any], bool]]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _one_of(*choices: str) -> Kind:
    return f"one of {', '.join(map(repr, choices))}", lambda v: isinstance(v, str) and v in choices


TEXT: Kind = ("text", lambda v: isinstance(v, str))
TEXT_OR_NULL: Kind = ("text or null", lambda v: v is None or isinstance(v, str))
FLAG: Kind = ("true or false", lambda v: isinstance(v, bool))
NUMBER: Kind = ("a number", _is_number)
RATE: Kind = ("a number between 0 and 1", lambda v: _is_number(v) and 0 < v < 1)
SHARE: Kind = ("a number from 0 to 1", lambda v: _is_number(v) and 0 <= v <= 1)
POSITIVE: Kind = ("a number above 0", lambda v: _is_number(v) and v > 0)
WHOLE: Kind = ("a whole number from 0 on", _is_whole)
WHOLE_OR_NULL: Kind = ("a whole number from 0 on, or null", lambda v: v is None or _is_whole(v))
SEED: Kind = (
    "a whole number or text",
    lambda v: isinstance(v, str) or (isinstance(v, int) and not isinstance(v, bool)),
)
RECORD: Kind = ("an object", lambda v: isinstance(v, dict))
RECORD_OR_NULL: Kind = ("an object or null", lambda v: v is None or isinstance(v, dict))

PILOT: dict[str, Any] = {"stage": _one_of(STAGES[0]), "size": WHOLE, "asked": [TEXT]}
EPOCH: dict[str, Any] = {
    "stage": _one_of(*STAGES[1:]),
    "share": RATE,
    "sets": [[WHOLE]],
    "weights": [SHARE],
    "sizes": [WHOLE],
    "nulls": [WHOLE],
}
GROUP: dict[str, Any] = {
    "name": TEXT_OR_NULL,
    "total": WHOLE,
    "level": RATE,
    "bins": [[NUMBER]],
    "pilot": PILOT,
    "epochs": [EPOCH],
    "kept": WHOLE,
    "max_wrong": WHOLE,
    "bound": SHARE,
}
ANSWER: dict[str, Any] = {
    "id": TEXT,
    "verdict": _one_of(*VERDICTS, UNDONE),
    "label": TEXT_OR_NULL,
    "stage": _one_of(*STAGES),
}
CERTIFICATE: dict[str, Any] = {
    "claim": TEXT,
    "claim_in_full": TEXT,
    "bound": SHARE,
    "rate_left": SHARE,
    "max_wrong_left": WHOLE,
    "errors_found": WHOLE,
    "total": WHOLE,
    "digest": TEXT,
    "max_error": RATE,
    "confidence": RATE,
    "per_class": FLAG,
    "worth": NUMBER,
    "max_reviews": WHOLE_OR_NULL,
    "reviewer_error": SHARE,
    "seed": SEED,
    "simulation": FLAG,
    "mixture": {"no_error": SHARE, "betas": [[POSITIVE]]},
    "groups": [GROUP],
    "answers": [ANSWER],
    "answers_digest": TEXT,
    "question": TEXT_OR_NULL,
    "context": RECORD,
    "attempts": [RECORD],
    "ended": _one_of(*REASONS),
    "created": TEXT,
    "versions": RECORD,
    "order_rule": TEXT,
    "digest_rule": TEXT,
    "format": TEXT,
    "population_file": TEXT_OR_NULL,
    "signature": RECORD_OR_NULL,
}


def misfits(values: Any, layout: Any = CERTIFICATE, place: str = "") -> Iterator[str]:
    """List in plain words where `values` differ from the layout (arrays of rows are checked on reading)."""
    if isinstance(layout, tuple):
        expected, fits = layout
        if not fits(values):
            yield f"{place} is not {expected}: {values!r:.80}"
    elif isinstance(layout, list):
        if not isinstance(values, list):
            yield f"{place} is not a list: {values!r:.80}"
            return
        for number, value in enumerate(values):
            yield from misfits(value, layout[0], f"{place}[{number}]")
    elif not isinstance(values, dict):
        yield f"{place} is not an object: {values!r:.80}"
    else:
        for name in sorted(layout.keys() - values.keys()):
            yield f"{place}.{name} is missing".lstrip(".")
        if layout is not CERTIFICATE:
            for name in sorted(values.keys() - layout.keys()):
                yield f"{place}.{name} does not belong there"
        for name in layout.keys() & values.keys():
            yield from misfits(values[name], layout[name], f"{place}.{name}".lstrip("."))
