"""The file that proves what a compression costs: everything said of it follows from the outcomes it holds.

It is JSON, with one line an image: the digest of its file, its label, what either model said. `lucida verify` counts
and weighs them again. That a model said so is not shown by the file; the digests name the models that anyone can ask.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Final

from lucida.compress.claim import ORDER_RULE, NoWorse, Outcome, no_worse
from lucida.whole import write_whole

FORMAT: Final = "camera-lucida comparison 1"
NAME: Final = "certificate.json"
_KEYS: Final = frozenset({
    "format", "claim", "claim_in_full", "holds", "worse_by", "confidence", "proven", "evidence", "pairs", "a", "b",
    "data", "order_rule", "attempts", "images", "created", "versions",
})  # fmt: skip
_RULE: Final = "sha256 over the lines `id<tab>label`, in ascending order, each ended by a newline"


@dataclass(frozen=True)
class Side:
    """One of the two models.

    Attributes:
        name: As it can be named again.
        digest: SHA-256 over its files.
        engine: What ran it here, and at which precision.
        file: The ONNX file beside the certificate, "" where it lies elsewhere.
    """

    name: str
    digest: str
    engine: str
    file: str = ""


def write(
    path: Path, outcomes: list[Outcome], found: NoWorse, a: Side, b: Side, data: Mapping[str, Any], attempts: int
) -> dict[str, Any]:
    """Write a certificate, and return what it holds.

    Args:
        path: The file.
        outcomes: What both said of each image.
        found: What `no_worse` made of them.
        a: The model before.
        b: The model after.
        data: Where the images come from, for people.
        attempts: Earlier comparisons of A with others on images of the same run.
    """
    from lucida.env import versions

    rows = sorted(outcomes, key=lambda one: one.id)
    values: dict[str, Any] = {
        "format": FORMAT,
        "claim": in_short(found),
        "claim_in_full": in_full(found, a, b, attempts),
        "holds": found.holds,
        "worse_by": found.worse_by,
        "confidence": found.confidence,
        "proven": found.proven,
        "evidence": found.evidence,
        "pairs": found.pairs.to_json(),
        "a": asdict(a),
        "b": asdict(b),
        "data": {**data, "images": len(rows), "digest": digest_of(rows), "digest_rule": _RULE},
        "order_rule": ORDER_RULE,
        "attempts": attempts,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "images": [list(asdict(one).values()) for one in rows],
    }
    write_whole(path, _text(values))
    return values


def _text(values: Mapping[str, Any]) -> str:
    """Return JSON with one line an image, so that people can read and compare it."""
    head = json.dumps({k: v for k, v in values.items() if k != "images"}, ensure_ascii=False, indent=1)
    rows = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in values["images"])
    return f'{head[:-2]},\n "images": [\n{rows}\n ]\n}}\n'


def problems(values: Mapping[str, Any], folder: Path | None = None) -> list[str]:
    """Return whatever in a certificate does not follow from its outcomes, in plain words.

    Args:
        values: What the file holds.
        folder: Where it lies: models beside it are compared with their digests.
    """
    return list(_problems(values, folder))


def _problems(values: Mapping[str, Any], folder: Path | None) -> Iterator[str]:
    missing = _KEYS - values.keys()
    extra = values.keys() - _KEYS - {"signature"}
    if missing or extra:
        yield f"its fields are not those of its format: missing {sorted(missing)}, unknown {sorted(extra)}"
        return
    try:
        outcomes = [Outcome(*map(_word, row)) for row in values["images"]]
        a, b = Side(**values["a"]), Side(**values["b"])
        found = no_worse(outcomes, worse_by=values["worse_by"], confidence=values["confidence"])
        attempts, stated = int(values["attempts"]), dict(values["data"])
    except (TypeError, ValueError) as error:
        yield f"what it holds cannot be weighed: {' '.join(str(error).split())}"
        return
    if values["order_rule"] != ORDER_RULE or stated.get("digest_rule") != _RULE:
        yield "its rules of order and digest are not those of this format"
    if stated.get("digest") != digest_of(outcomes) or stated.get("images") != len(outcomes):
        yield "the data are not those that were written down: their digest differs"
    computed = {
        "holds": found.holds,
        "proven": found.proven,
        "pairs": found.pairs.to_json(),
        "claim": in_short(found),
        "claim_in_full": in_full(found, a, b, attempts),
    }
    for name, value in computed.items():
        if values[name] != value:
            yield f"{name} is stated as {values[name]!r}, but the outcomes give {value!r}"
    if not math.isclose(float(values["evidence"]), found.evidence, rel_tol=1e-9):
        yield f"the evidence is stated as {values['evidence']}, but the outcomes give {found.evidence}"
    for side in (a, b):
        file = folder / side.file if folder and side.file else None
        if file and file.is_file() and digest_of_model(file) != side.digest:
            yield f"the model {side.file} is not the one that was measured: its digest differs"


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def digest_of(outcomes: Iterable[Outcome]) -> str:
    """Return the digest of images and labels, by `_RULE`."""
    lines = sorted(f"{one.id}\t{one.truth}\n" for one in outcomes)
    return sha256("".join(lines).encode("utf-8")).hexdigest()


def digest_of_model(file: Path) -> str:
    """Return the SHA-256 over an ONNX file, and over the weights that it keeps beside itself, if any."""
    whole = sha256()
    for part in (file, file.with_name(f"{file.name}.data")):
        if part.is_file():
            with part.open("rb") as opened:
                whole.update(file_digest(opened, "sha256").digest())
    return whole.hexdigest()


def in_short(found: NoWorse) -> str:
    """Return the claim in a sentence."""
    sure = f"{100 * found.confidence:g} % confidence"
    if found.holds:
        return f"No worse than before by more than {points(found.worse_by)}, with {sure}."
    return (
        f"Not proven: that it is no worse by more than {points(found.worse_by)}. These images prove, with {sure}, that "
        f"it is no worse by more than {points(found.proven)}."
    )


def in_full(found: NoWorse, a: Side, b: Side, attempts: int) -> str:
    """Return the claim with all that it rests on."""
    pairs = found.pairs
    bound = found.worse_by if found.holds else found.proven
    return (
        f"If these {pairs.total:,} images are independent draws from those that the models will see, then with "
        f"{100 * found.confidence:g} % confidence the accuracy of {b.name} ({b.engine}) is below that of {a.name} "
        f"({a.engine}) by at most {points(bound)}. On these images A has {pairs.both + pairs.only_a:,} right and B "
        f"{pairs.both + pairs.only_b:,}: A alone {pairs.only_a:,}, B alone {pairs.only_b:,}. The claim holds for one "
        f"comparison, not for the best of several; others of A made before: {attempts:,}."
    )


def points(share: float) -> str:
    """Return a difference of accuracies as people say it: "2 points"."""
    number = f"{100 * share:.2f}".rstrip("0").rstrip(".")
    return f"{number} point{'' if number == '1' else 's'}"
