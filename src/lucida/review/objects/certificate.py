"""The certificate of objects: what is proven of the boxes kept and of those missed, and all to recheck it.

It holds a certificate of the boxes like that of labels ("found"), and what was seen in whole images ("missed").
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lucida.errors import CertificateError
from lucida.evidence.order import ORDER_RULE
from lucida.review.certificate import Certificate, read_json, versions, write_json
from lucida.review.log import Log
from lucida.review.objects.claim import SHARES, claim_in_full, claim_in_short, summary
from lucida.review.objects.noticed import after_looking
from lucida.review.objects.units import split
from lucida.review.population import Population, freeze

if TYPE_CHECKING:
    from lucida.review.objects.missed import Looks
    from lucida.review.replay import Verification

FORMAT: Final = "camera-lucida objects certificate 1"


@dataclass
class ObjectsCertificate:
    """Hold a proven claim about objects in images; the JSON file has the same names as these attributes.

    `found` is the certificate of the boxes or masks (`unit`), with its share of the level, as the first stage has
    left it; `missed` says what was seen in whole images, what is bounded by it, and which objects turned out wrong
    there; None where nobody has looked. `images` is every image of the review, with the number of objects that stood
    in it.
    """

    claim: str
    claim_in_full: str
    unit: str
    confidence: float
    shares: dict[str, float]
    found: Certificate
    missed: dict[str, Any] | None
    seed: int | str
    simulation: bool
    question: str | None = None
    context: dict[str, Any] = field(default_factory=dict)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    ended: str = ""
    created: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    format: str = FORMAT
    signature: dict[str, str] | None = None
    images: Population | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return summary(self)

    @property
    def kept(self) -> Any:
        """Rows of the boxes that are kept, ascending int64; none where what turned out wrong has refuted them."""
        return self.found.kept[:0] if self.missed is not None and self.missed["withdrawn"] else self.found.kept

    @property
    def accepted(self) -> int:
        """How many of the kept nobody has answered, in either stage."""
        return len(self.found.accepted) if self.missed is None else int(self.missed["accepted"])

    def to_json(self) -> dict[str, Any]:
        """Return plain values, without the populations."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "images"}
        return values | {"found": self.found.to_json()}

    @staticmethod
    def from_json(
        values: Mapping[str, Any], population: Population | None = None, images: Population | None = None
    ) -> ObjectsCertificate:
        """Build a certificate from what `to_json` gave.

        Raises:
            CertificateError: a field is missing, unknown, or of another format.
        """
        known = {f.name for f in fields(ObjectsCertificate)} - {"images"}
        if not isinstance(values, Mapping) or values.get("format") != FORMAT or known ^ values.keys():
            odd = sorted(known ^ values.keys()) if isinstance(values, Mapping) else []
            raise CertificateError(
                "This is no certificate of objects that this program can read.",
                expected=f"a JSON object with format {FORMAT!r} and its fields",
                got=f"missing or unknown: {', '.join(map(str, odd)) or 'none'}",
                hint="take the file as it was made; a newer one needs a newer program",
            )
        found = Certificate.from_json(values["found"], population)
        return ObjectsCertificate(**{**values, "found": found}, images=images)

    def save(self, path: str | Path) -> Path:
        """Write the JSON file, and beside it the boxes and the images as Parquet; return the path of the JSON file."""
        path = Path(path)
        assert self.found.population is not None, "a certificate from a review"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.found.population_file = f"{path.stem}.population.parquet"
        self.found.population.save(path.with_name(self.found.population_file))
        if self.missed is not None and self.images is not None:
            self.missed["images_file"] = f"{path.stem}.images.parquet"
            self.images.save(path.with_name(self.missed["images_file"]))
        write_json(path, self.to_json())
        return path

    @staticmethod
    def load(path: str | Path) -> ObjectsCertificate:
        """Read a certificate and its populations.

        Raises:
            CertificateError: one of the files cannot be read.
        """
        path = Path(path)
        values = read_json(path)
        certificate = ObjectsCertificate.from_json(values)
        certificate.found.population = Population.load(_beside(path, certificate.found.population_file))
        if certificate.missed is not None:
            name = certificate.missed.get("images_file") if isinstance(certificate.missed, dict) else None
            certificate.images = Population.load(_beside(path, name))
        return certificate

    def verify(self) -> Verification:
        """Recheck everything that can be recomputed; see `lucida.review.objects.replay`."""
        from lucida.review.objects.replay import replay

        return replay(self)


def _beside(path: Path, name: object) -> Path:
    if not isinstance(name, str) or name in ("", ".", "..") or Path(name).name != name:
        raise CertificateError(
            "The certificate does not name its population.",
            expected="the name of a Parquet file beside it",
            got=repr(name),
            hint="take the file as it was made",
        )
    return path.with_name(name)


def standing_objects(found: Certificate) -> dict[str, list[tuple[str, str]]]:
    """Return the objects that stand once the boxes are settled, by image: id and statement of each.

    These are the boxes kept without those called wrong, those that a person confirmed, and those that a person
    corrected. What a person could not decide does not stand.
    """
    population, log = found.population, Log.of_lines(found.answers)
    assert population is not None, "a certificate with its population"
    kept = set(found.kept.tolist())
    stand: dict[str, list[tuple[str, str]]] = {}
    for row, (id, predicted) in enumerate(zip(population.ids, population.predicted, strict=True)):
        answer = log.standing.get(id)
        verdict = answer.verdict if answer is not None else "kept" if row in kept else ""
        said = predicted if verdict in ("kept", "right") else answer.label if answer is not None else None
        if said is not None:
            stand.setdefault(split(id)[0], []).append((id, said))
    return stand


def images_of(found: Certificate, ids: Sequence[str]) -> Population:
    """Freeze the images for the second stage, with the number of objects that stand in each."""
    stand = standing_objects(found)
    return freeze(list(ids), [str(len(stand.get(image, ()))) for image in ids], [0.0] * len(ids))


def digest_of_looks(lines: Sequence[Mapping[str, Any]]) -> str:
    """Compute the SHA-256 of the answers on images as compact ASCII JSON with sorted keys."""
    return sha256(json.dumps(list(lines), sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()


def describe(looks: Looks, images: Population, found: Certificate) -> dict[str, Any]:
    """Return what was seen in whole images, and what is bounded by it."""
    answers = [line.to_json() for line in looks.lines]
    return {
        "images": len(images),
        "images_file": None,
        "digest": images.digest(),
        "standing": sum(int(count) for count in images.predicted),
        "cap": looks.cap,
        "max_missed": looks.max_missed,
        "order_rule": ORDER_RULE,
        "answers": answers,
        "answers_digest": digest_of_looks(answers),
        **results(looks, found),
    }


def results(looks: Looks, found: Certificate) -> dict[str, Any]:
    """Return the numbers that follow from the answers on images."""
    left = after_looking(found, looks)
    return {
        "wrong": left.wrong,
        "withdrawn": left.withdrawn,
        "accepted": len(left.accepted),
        "rate_left": left.rate_left,
        "looked": len(looks.standing),
        "with_missed": looks.with_missed,
        "marked": looks.marked,
        "images_bound": looks.images_bound,
        "total_bound": looks.total_bound,
        "mean_bound": looks.mean_bound,
    }


def write_certificate(
    found: Certificate,
    looks: Looks | None,
    images: Population,
    *,
    confidence: float,
    question: str | None,
    context: Mapping[str, Any],
    attempts: Sequence[Mapping[str, Any]],
    ended: str,
) -> ObjectsCertificate:
    """Write down what is proven by now."""
    certificate = ObjectsCertificate(
        claim="",
        claim_in_full="",
        unit=found.unit,
        confidence=confidence,
        shares=dict(SHARES),
        found=found,
        missed=None if looks is None else describe(looks, images, found),
        seed=found.seed,
        simulation=found.simulation,
        question=question,
        context=json.loads(json.dumps(dict(context), allow_nan=False)),
        attempts=json.loads(json.dumps([dict(a) for a in attempts], allow_nan=False)),
        ended=ended,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        images=images,
    )
    certificate.claim, certificate.claim_in_full = claim_in_short(certificate), claim_in_full(certificate)
    return certificate
