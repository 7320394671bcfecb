"""Recheck a certificate from its own two files, without refitting anything.

The orders are recomputed from the seed, the evidence from the stored sets, weights and answers, the result from the
evidence, the words from the result. Whatever does not fit is listed, all of it. A file that was forged as a whole can
still be consistent: only a signature shows that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lucida.errors import CertificateError
from lucida.evidence.chain import SHARES, Chain, start_epoch
from lucida.evidence.finite import Mixture
from lucida.evidence.nested import Epoch
from lucida.evidence.order import ORDER_RULE, HashOrder, Ints, score_bins
from lucida.evidence.selection import STAGES, choose_pilot, largest
from lucida.review.certificate import Certificate, bin_edges, digest_of_answers, read_json
from lucida.review.claim import claim_in_full, claim_in_short
from lucida.review.expiry import expiry
from lucida.review.layout import misfits
from lucida.review.log import UNDONE, Answer, Log
from lucida.review.population import DIGEST_RULE, Population

DESCRIPTIVE = frozenset(
    {"question", "context", "attempts", "created", "versions", "worth", "max_reviews", "signature", "ended"}
)
"""Fields that describe and do not enter the claim: a replay cannot check them, a signature covers them."""


@dataclass(frozen=True)
class Verification:
    """Say what came of a check.

    `problems` lists every inconsistency in plain words; `checked` is ("replay",), with "signature by key ..." where a
    signature was checked too; `signed` tells whether the file carries a signature at all.
    """

    problems: tuple[str, ...]
    checked: tuple[str, ...]
    signed: bool = False
    expired: str = ""

    @property
    def ok(self) -> bool:
        """Tell whether no problem was found."""
        return not self.problems

    @property
    def exit_code(self) -> int:
        """Give the exit code of the command line: 1 for a certificate that does not hold."""
        return 0 if self.ok else 1

    def to_json(self) -> dict[str, Any]:
        """Give the verification as JSON values."""
        return {
            "ok": self.ok,
            "problems": list(self.problems),
            "checked": list(self.checked),
            "signed": self.signed,
            **({"expired": self.expired} if self.expired else {}),
        }

    def __str__(self) -> str:
        lines = [f"Checked: {', '.join(self.checked)}."]
        if self.ok:
            lines.append("The certificate holds together: everything in it follows from its answers.")
        else:
            count = len(self.problems)
            lines.append(f"The certificate does NOT hold: {count} problem{'s' if count > 1 else ''}.")
            lines += [f"- {problem}" for problem in self.problems]
        if self.expired:
            lines.append(f"It has {self.expired}. What it proves of its population stays true.")
        if len(self.checked) == 1:
            lines.append(
                "It is signed, but no key was given to check that: a forger could have made it."
                if self.signed
                else "It is not signed: this shows that the file is consistent, not who made it."
            )
        return "\n".join(lines)


def verify(path: str | Path, *, public_key: str | Path | None = None) -> Verification:
    """Recheck the certificate at `path`, of labels or objects, and what lies beside it; with a key, its signature, too.

    Raises:
        CertificateError: a file cannot be read at all.
        InputError: the key is no Ed25519 public key.
    """
    from lucida.review.objects import certificate as objects

    values = read_json(Path(path))
    of_objects = values.get("format") == objects.FORMAT
    found = objects.ObjectsCertificate.load(path).verify() if of_objects else replay(Certificate.load(path))
    if (note := expiry(Path(path))) is not None:
        found = replace(found, expired=str(note))
    return signature_checked(found, values, public_key)


def signature_checked(found: Verification, values: Mapping[str, Any], public_key: str | Path | None) -> Verification:
    """Add to what a replay found whether a key signed the file; nothing where no key is given.

    Raises:
        InputError: the key is no Ed25519 public key.
    """
    if public_key is None:
        return found
    from lucida.review.signing import check_signature

    name, problem = check_signature(values, public_key)
    problems = (*found.problems, *([problem] if problem else []))
    return replace(found, problems=problems, checked=(*found.checked, f"signature by key {name[:16]}"))


def replay(certificate: Certificate) -> Verification:
    """Recompute everything that a certificate claims from what it holds.

    Raises:
        CertificateError: it was read without its population.
    """
    if certificate.population is None:
        raise CertificateError(
            "The certificate has no population to be checked against.",
            expected="a certificate from a session, or one loaded with its population",
            got="one built from JSON alone",
            hint="use Certificate.load(path)",
        )
    problems = list(misfits(certificate.to_json()))
    if not problems:  # with a broken layout there is nothing to compute with
        problems = list(_inconsistencies(certificate, certificate.population))
    return Verification(tuple(problems), ("replay",), certificate.signature is not None)


def _inconsistencies(certificate: Certificate, population: Population) -> Iterator[str]:
    problems = list(_check_frozen(certificate, population))
    yield from problems
    parts = population.split(certificate.per_class, certificate.unit)
    if [name for name, _ in parts] != [group["name"] for group in certificate.groups]:
        yield "the groups are not those of the population"
        return
    log, problems = _read_log(certificate, population)
    yield from problems
    if problems:  # what follows would only repeat them
        return
    kept, allowed, found = [np.empty(0, dtype=np.int64)], 0, 0
    for group, (_, rows) in zip(certificate.groups, parts, strict=True):
        epochs, problems = _rerun(certificate, population, group, rows, log)
        yield from problems
        proven = largest(epochs)
        size, most = (proven.size, proven.allowed) if proven else (0, 0)
        if proven:
            kept.append(rows[epochs[proven.epoch].members(proven.rung)])
            allowed, found = allowed + most, found + proven.found
        stated = (group["kept"], group["max_wrong"], group["bound"])
        if not _same(stated, (size, most, most / size if size else 0.0)):
            where = f" of class {group['name']!r}" if group["name"] is not None else ""
            yield f"the result{where} is stated as {stated}, but the answers give {(size, most)}"
    yield from _check_result(certificate, population, log, np.sort(np.concatenate(kept)), allowed, found)


def still_proven(certificate: Certificate, more: Sequence[Answer]) -> bool:
    """Tell whether what a certificate keeps is still proven when more answers came after its own.

    Args:
        certificate: One that holds together, with its population.
        more: Answers, asked for or not; their stage is not read, since they belong to the last one.
    """
    population = certificate.population
    assert population is not None, "a certificate with its population"
    log, _ = _read_log(certificate, population)
    later, _ = _read_log(certificate, population)
    parts = population.split(certificate.per_class, certificate.unit)
    for group, (_, rows) in zip(certificate.groups, parts, strict=True):
        inside = {population.ids[row] for row in rows.tolist()}
        stage = [STAGES[0], *(epoch["stage"] for epoch in group["epochs"])][-1]
        for line in more:
            if line.id in inside:
                later.add(replace(line, stage=stage))
        proven = largest(_rerun(certificate, population, group, rows, log)[0])
        after = _rerun(certificate, population, group, rows, later)[0]
        if proven is not None and not (after and after[proven.epoch].certified()[proven.rung]):
            return False
    return True


def _check_frozen(certificate: Certificate, population: Population) -> Iterator[str]:
    """Compare what was fixed before the review with the rules of this format."""
    ids = population.ids
    if len(set(ids)) != len(ids):
        yield "the population names an id twice"
    if not np.isfinite(population.scores).all():
        yield "the population has scores that are not finite"
    elif population.digest() != certificate.digest:
        yield "the population is not the one that was frozen: its digest differs"
    if certificate.total != len(ids):
        yield f"it speaks of {certificate.total:,} labels, but the population has {len(ids):,}"
    if certificate.order_rule != ORDER_RULE:
        yield "its rule of the order is not the one of this format"
    if certificate.digest_rule != DIGEST_RULE:
        yield "its rule of the digest is not the one of this format"
    if certificate.population_file is not None and not certificate.population_file.endswith(".parquet"):
        yield "its population is no Parquet file"
    if certificate.answers_digest != digest_of_answers(certificate.answers):
        yield "the answers are not those that were written down: their digest differs"
    mixture = Mixture.below(certificate.max_error)
    stated = certificate.mixture
    if not _same([stated["no_error"], *stated["betas"]], [mixture.no_error, *mixture.betas]):
        yield "its mixture is not the one that this format fixes for its max_error"
    drawn = isinstance(certificate.seed, str) and re.fullmatch("[0-9a-f]{32}", certificate.seed)
    if not certificate.simulation and not drawn:
        yield "its seed was given, not drawn, but it does not say that it is a simulation"


def _read_log(certificate: Certificate, population: Population) -> tuple[Log, list[str]]:
    """Read the answers as they came; the log, and what is impossible in it."""
    log, problems, predicted = Log(), [], dict(zip(population.ids, population.predicted, strict=False))
    classes = population.classes(certificate.unit) if certificate.per_class else [None] * len(population)
    group_of: dict[str, str | None] = dict(zip(population.ids, classes, strict=False))
    stage_of: dict[str | None, str] = {}
    for number, values in enumerate(certificate.answers):
        line = Answer(**values)
        place = f"answer {number} ({line.id!r})"
        if line.id not in predicted:
            problems.append(f"{place} is about something outside the population")
            continue
        if line.verdict == UNDONE:
            last = log.last()
            if last is None or (last.id, last.stage, line.label) != (line.id, line.stage, None):
                problems.append(f"{place} takes back what was not the last answer")
            else:
                log.take_back()
            continue
        if line.label is not None and (line.verdict == "right" or line.label == predicted[line.id]):
            problems.append(f"{place} gives a label that does not go with its verdict {line.verdict!r}")
        before = stage_of.get(group_of[line.id], STAGES[0])
        if STAGES.index(line.stage) < STAGES.index(before):
            problems.append(f"{place} belongs to {line.stage}, but {before} had begun")
        stage_of[group_of[line.id]] = line.stage
        log.add(line)
    return log, problems


def _rerun(
    certificate: Certificate, population: Population, group: dict[str, Any], rows: Ints, log: Log
) -> tuple[list[Epoch], list[str]]:
    """Run the e-processes of one group over the stored answers; the epochs, and what does not fit."""
    problems: list[str] = []
    where = f" of class {group['name']!r}" if group["name"] is not None else ""
    names = [population.ids[row] for row in rows.tolist()]
    bins = score_bins(population.scores[rows])
    orders = HashOrder(certificate.seed, names)
    if group["total"] != len(rows):
        problems.append(f"the number of labels{where} is not {group['total']:,}")
    level = (1 - certificate.confidence) / len(certificate.groups)
    if not math.isclose(group["level"], level, rel_tol=1e-12):
        problems.append(f"the level{where} is not (1 - confidence) / number of groups")
    if not _same(group["bins"], bin_edges(bins, population.scores[rows])):
        problems.append(f"the score bins{where} are not those of the population")
    pilot = group["pilot"]["asked"]
    first_round, second_round = choose_pilot(bins, orders, min(group["pilot"]["size"], len(rows)))
    one, both = [names[i] for i in first_round], [names[i] for i in first_round + second_round]
    if pilot not in (one, both):
        problems.append(f"the pilot{where} is not the one of this seed")
    first = np.array([STAGES.index(log.first_stage[n]) if n in log.first_stage else 9 for n in names])
    begun = [STAGES[0], *(epoch["stage"] for epoch in group["epochs"])]
    if begun != list(STAGES[: len(begun)]):
        problems.append(f"the stages{where} are not in their order")
        return [], problems
    named = set(names)
    used = {line.stage for line in log.lines if line.id in named}
    if used - set(begun):
        problems.append(f"answers{where} belong to a stage that never began: {', '.join(sorted(used - set(begun)))}")
    if begun[-1] not in used | {STAGES[0]}:
        problems.append(f"{begun[-1]}{where} began, but no answer belongs to it")
    unasked = [n for n in pilot if log.first_stage.get(n) != STAGES[0]]
    if len(begun) > 1 and unasked:
        problems.append(f"epoch-1{where} began before {unasked[0]!r} of the pilot was answered")
    epochs = []
    for number, stated in enumerate(group["epochs"]):
        place = f"{stated['stage']}{where}"
        held = sorted(b for added in stated["sets"] for b in added)
        if held != list(range(len(group["bins"]))) or not all(stated["sets"]):
            problems.append(f"the sets of {place} do not hold every score bin once")
        elif len(stated["weights"]) != len(stated["sets"]) or not _same(sum(stated["weights"]), 1.0):
            problems.append(f"the weights of {place} do not sum to 1")
        elif stated["share"] != SHARES[number]:
            problems.append(f"the share of {place} is not the {SHARES[number]} that this format fixes")
        elif not (first > number).any():
            problems.append(f"{place} began with nothing left to check")
        else:
            epoch = start_epoch(
                Chain(tuple(map(tuple, stated["sets"])), tuple(stated["weights"])),
                bins,
                orders.order(stated["stage"], np.flatnonzero(first > number)),
                level=group["level"] * stated["share"],
                max_error=certificate.max_error,
                mixture=Mixture.below(certificate.max_error),
                missed=certificate.reviewer_error,
            )
            if stated["sizes"] != epoch.size.tolist() or stated["nulls"] != epoch.null.tolist():
                problems.append(f"the sizes of the sets of {place} are not those of the population and the answers")
            standing = {i: log.standing[n].verdict != "right" for i, n in enumerate(names) if n in log.standing}
            epoch.record_many(standing)
            epochs.append(epoch)
            continue
        return [], problems
    return epochs, problems


def _check_result(
    certificate: Certificate, population: Population, log: Log, kept: Ints, allowed: int, found: int
) -> Iterator[str]:
    """Compare the stated result with the one that the answers give."""
    row = {name: i for i, name in enumerate(population.ids)}
    reviewed = np.array(sorted(row[name] for name in log.standing), dtype=np.int64)
    accepted = np.setdiff1d(kept, reviewed)
    rows = {"kept": kept, "accepted": accepted, "reviewed": reviewed}
    for name, computed in rows.items():
        stated = getattr(certificate, name)
        if not np.array_equal(stated, computed):
            yield f"{name} lists {len(stated):,} rows, but the answers give {len(computed):,} (or other ones)"
    numbers = {
        "bound": allowed / len(kept) if len(kept) else 0.0,
        "rate_left": (allowed - found) / len(accepted) if len(accepted) else 0.0,
        "max_wrong_left": allowed - found,
        "errors_found": sum(line.verdict != "right" for line in log.standing.values()),
    }
    for name, value in numbers.items():
        if not _same(getattr(certificate, name), value):
            yield f"{name} is stated as {getattr(certificate, name)}, but the answers give {value}"
    if certificate.claim != claim_in_short(certificate):
        yield "the words of the claim are not those of its numbers"
    if certificate.claim_in_full != claim_in_full(certificate):
        yield "the full words of the claim are not those of its numbers"


def _same(stated: Any, computed: Any) -> bool:
    """Compare numbers, and lists of them, up to the last bits."""
    if isinstance(stated, list | tuple):
        alike = isinstance(computed, list | tuple) and len(stated) == len(computed)
        return alike and all(map(_same, stated, computed))
    return not isinstance(computed, list | tuple) and math.isclose(stated, computed, rel_tol=1e-12, abs_tol=1e-15)
