"""The certificate: what is proven of the labels, and all that is needed to recheck it."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import CertificateError
from lucida.evidence.finite import Floats, Mixture
from lucida.evidence.order import ORDER_RULE, Ints
from lucida.evidence.selection import STAGES
from lucida.review.claim import MADE, claim_in_full, claim_in_short, summary
from lucida.review.population import DIGEST_RULE, Population
from lucida.whole import write_whole

if TYPE_CHECKING:
    from lucida.review.replay import Verification
    from lucida.review.session import Group, Session

FORMAT = "camera-lucida certificate 1"
_ARRAYS = ("kept", "accepted", "reviewed")


@dataclass
class Certificate:
    """Hold a proven claim about labels; the JSON file has the same names as these attributes.

    `kept`, `accepted` and `reviewed` are ascending int64 arrays of rows of the population: the certified set,
    the certified set without the reviewed rows, and every row a person answered. `bound` is the proven rate
    of wrong labels in `kept`, `rate_left` the one in `accepted` alone, `max_wrong_left` the same as a count.
    """

    claim: str
    claim_in_full: str
    kept: Ints
    accepted: Ints
    reviewed: Ints
    bound: float
    rate_left: float
    max_wrong_left: int
    errors_found: int
    total: int
    digest: str
    max_error: float
    confidence: float
    per_class: bool
    worth: float
    max_reviews: int | None
    reviewer_error: float
    seed: int | str
    simulation: bool
    mixture: dict[str, Any]
    groups: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    answers_digest: str
    question: str | None = None
    context: dict[str, Any] = field(default_factory=dict)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    ended: str = ""
    created: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    order_rule: str = ORDER_RULE
    digest_rule: str = DIGEST_RULE
    format: str = FORMAT
    population_file: str | None = None
    signature: dict[str, str] | None = None
    unit: str = "labels"  # what was checked, a key of `lucida.review.claim.MADE`
    population: Population | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return summary(self)

    def to_json(self) -> dict[str, Any]:
        """Give the certificate as JSON values, without the population."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "population"}
        if self.unit == "labels":
            values.pop("unit")  # as in all certificates of labels, those of before there were others
        return values | {name: values[name].tolist() for name in _ARRAYS}

    @staticmethod
    def from_json(values: Mapping[str, Any], population: Population | None = None) -> Certificate:
        """Build a certificate from what `to_json` gave.

        Raises:
            CertificateError: a field is missing, unknown, or of another format.
        """
        known = {f.name for f in fields(Certificate)} - {"population"}
        if not isinstance(values, Mapping) or values.get("format") != FORMAT:
            raise CertificateError(
                "This is no certificate that this program can read.",
                expected=f"a JSON object with format {FORMAT!r}",
                got=repr(values.get("format")) if isinstance(values, Mapping) else type(values).__name__,
                hint="pass the certificate.json that `lucida export` wrote; a newer one needs a newer program",
            )
        missing, extra = known - values.keys() - {"unit"}, values.keys() - known
        unit = values.get("unit", "labels")
        if not isinstance(unit, str) or unit not in MADE:
            raise CertificateError(
                "The certificate is about something that this program does not know.",
                expected=", ".join(MADE),
                got=repr(unit),
                hint="take the file as it was made; a newer one needs a newer program",
            )
        if missing or extra:
            raise CertificateError(
                "The certificate does not have the fields of its format.",
                expected=", ".join(sorted(known)),
                got=f"missing: {sorted(missing) or 'none'}; unknown: {sorted(extra) or 'none'}",
                hint="take the file as it was made",
            )
        try:
            arrays = {name: _rows(values[name]) for name in _ARRAYS}
        except (TypeError, ValueError, OverflowError) as problem:
            raise CertificateError(
                "The rows that the certificate names are not numbers.",
                expected="lists of whole numbers as kept, accepted and reviewed",
                got=str(problem),
                hint="take the file as it was made",
            ) from problem
        return Certificate(**{**values, **arrays}, population=population)

    def save(self, path: str | Path) -> Path:
        """Write the JSON file, and beside it `<stem>.population.parquet`; return the path of the JSON file.

        Raises:
            CertificateError: this certificate was read without its population.
        """
        path = Path(path)
        if self.population is None:
            raise CertificateError(
                "The certificate has no population to save.",
                expected="a certificate from a session, or one loaded with its population",
                got="one built from JSON alone",
                hint="use Certificate.load(path)",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        self.population_file = f"{path.stem}.population.parquet"
        self.population.save(path.with_name(self.population_file))
        write_json(path, self.to_json())
        return path

    @staticmethod
    def load(path: str | Path) -> Certificate:
        """Read a certificate and its population.

        Raises:
            CertificateError: one of the two files cannot be read.
        """
        path = Path(path)
        values = read_json(path)
        certificate = Certificate.from_json(values)
        beside = certificate.population_file
        if not isinstance(beside, str) or beside in ("", ".", "..") or Path(beside).name != beside:
            raise CertificateError(
                "The certificate does not name its population.",
                expected="the name of a Parquet file beside it, as population_file",
                got=repr(beside),
                hint="take the file as it was made",
            )
        certificate.population = Population.load(path.with_name(beside))
        return certificate

    def verify(self) -> Verification:
        """Recheck everything that can be recomputed; see `lucida.review.replay`."""
        from lucida.review.replay import replay

        return replay(self)


def _rows(values: Any) -> Ints:
    array = np.array(values)
    if array.ndim != 1 or (len(array) and array.dtype.kind != "i"):  # numpy would turn 1.5 and true into 1
        raise ValueError(f"{str(values)[:80]} is no list of whole numbers")
    return array.astype(np.int64)


def dump(values: Mapping[str, Any]) -> str:
    """Write JSON, one field a line: readable at the top level, compact below."""
    rows = (f" {json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in values.items())
    return "{\n" + ",\n".join(rows) + "\n}\n"


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write JSON so that the file is either the old or the new one, never half of it."""
    write_whole(path, dump(values))


def read_json(path: Path) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        CertificateError: the file is missing, no JSON object, names a field twice or holds NaN or Infinity.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a field is named twice")
        return dict(pairs)

    def refuse(text: str) -> float:
        raise ValueError(f"{text} is no number of JSON")

    try:
        values = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once, parse_constant=refuse)
        if not isinstance(values, dict):
            raise ValueError(f"a JSON {type(values).__name__}")
    except (OSError, ValueError, RecursionError) as problem:
        raise CertificateError(
            f"The certificate cannot be read: {path}",
            expected="a JSON object",
            got=str(problem),
            hint="pass the certificate.json that `lucida export` wrote",
        ) from problem
    return values


def write_certificate(
    session: Session,
    *,
    question: str | None,
    context: Mapping[str, Any],
    attempts: Sequence[Mapping[str, Any]],
) -> Certificate:
    """Write down the present state of a session."""
    status = session.status()
    proven = [p for group in session.groups if (p := group.selection.proven())]
    rows = [group.rows[group.selection.kept()] for group in session.groups]
    kept = np.sort(np.concatenate([np.empty(0, dtype=np.int64), *rows]))
    reviewed = np.array(sorted(session.reviewed_rows()), dtype=np.int64)
    mixture = Mixture.below(session.max_error)
    answers = [dict(vars(line)) for line in session.log.lines]
    certificate = Certificate(
        claim="",
        claim_in_full="",
        kept=kept,
        accepted=np.setdiff1d(kept, reviewed, assume_unique=True),
        reviewed=reviewed,
        bound=status.bound,
        rate_left=status.rate_left,
        max_wrong_left=sum(p.allowed - p.found for p in proven),
        errors_found=status.errors_found,
        total=status.total,
        digest=session.population.digest(),
        max_error=session.max_error,
        confidence=session.confidence,
        per_class=session.per_class,
        worth=session.worth,
        max_reviews=session.max_reviews,
        reviewer_error=session.reviewer_error,
        seed=session.seed,
        simulation=session.simulation,
        mixture={"no_error": mixture.no_error, "betas": [list(b) for b in mixture.betas]},
        groups=[_describe(group, session.population.ids) for group in session.groups],
        answers=answers,
        answers_digest=digest_of_answers(answers),
        question=question,
        context=json.loads(json.dumps(dict(context), allow_nan=False)),
        attempts=json.loads(json.dumps([dict(a) for a in attempts], allow_nan=False)),
        ended=status.reason,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        unit=session.unit,
        population=session.population,
    )
    certificate.claim, certificate.claim_in_full = claim_in_short(certificate), claim_in_full(certificate)
    return certificate


def _describe(group: Group, ids: Sequence[str]) -> dict[str, Any]:
    """Describe what was fixed in one group before each stage, and what came of it."""
    selection, names = group.selection, [ids[row] for row in group.rows.tolist()]
    proven = selection.proven()
    begun = max((i + 1 for i, s in enumerate(selection.started) if s.touched), default=0)  # others prove nothing
    return {
        "name": group.name,
        "total": selection.total,
        "level": group.level,
        "bins": bin_edges(selection.bins, selection.scores),
        "pilot": {"stage": STAGES[0], "size": selection.pilot_size, "asked": [names[item] for item in selection.pilot]},
        "epochs": [
            {
                "stage": started.stage,
                "share": started.share,
                "sets": [list(bins) for bins in started.chain.strata],
                "weights": list(started.chain.weights),
                "sizes": started.epoch.size.tolist(),
                "nulls": started.epoch.null.tolist(),
            }
            for started in selection.started[:begun]
        ],
        "kept": proven.size if proven else 0,
        "max_wrong": proven.allowed if proven else 0,
        "bound": proven.allowed / proven.size if proven else 0.0,
    }


def digest_of_answers(answers: list[dict[str, Any]]) -> str:
    """Compute the SHA-256 of the answers as compact ASCII JSON with sorted keys."""
    return sha256(json.dumps(answers, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()


def bin_edges(bins: Ints, scores: Floats) -> list[list[float]]:
    """List the lowest and highest score of each bin."""
    edges = np.array([[np.inf, -np.inf]] * (int(bins.max()) + 1 if len(bins) else 0)).reshape(-1, 2)
    np.minimum.at(edges[:, 0], bins, scores)
    np.maximum.at(edges[:, 1], bins, scores)
    return edges.tolist()


def versions() -> dict[str, str]:
    """Give the versions of what computes the evidence."""
    found = {"python": platform.python_version()}
    for name in ("camera-lucida", "numpy", "scipy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found
