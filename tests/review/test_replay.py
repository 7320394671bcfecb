"""A replay finds every inconsistency: each value of a certificate is altered, one at a time."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lucida.errors import CertificateError
from lucida.review import Certificate, Session
from lucida.review.population import Population
from lucida.review.replay import DESCRIPTIVE, replay, verify

SEED = "0" * 31 + "1"  # as if drawn: with another one the few wrong labels may not be asked for


def make(*, per_class: bool = False, reviewer_error: float = 0.0, n: int = 260) -> Certificate:
    """Make a certificate with changes, undos, labels, an unsure answer and both epochs."""
    rng = np.random.default_rng(3)
    q = rng.beta(1.9, 0.1, n)
    right = rng.random(n) < q
    names = [f"i{i}" for i in range(n)]
    session = Session(names, rng.choice(["cat", "dog"], n, p=[0.7, 0.3]).tolist(), q, max_error=0.15,
                      per_class=per_class, reviewer_error=reviewer_error, worth=0.5,
                      seed=SEED, drawn=True)  # fmt: skip
    answers = 0
    while (name := session.next()) is not None:
        good = right[int(name[1:])]
        session.answer(name, "right" if good else "wrong", None if good else "owl")
        answers += 1
        if answers == 30:
            session.undo()
        if answers == 33:
            session.answer(name, "unsure")
    return session.certificate(attempts=[{"run": "a"}, {"run": "b"}])


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return make()


def test_what_a_session_writes_replays(certificate: Certificate) -> None:
    for made in (certificate, make(per_class=True), make(reviewer_error=0.1), make(n=40)):
        result = made.verify()
        assert result.problems == ()
        assert result.checked == ("replay",)
        assert "not signed" in str(result)
    assert len(certificate.kept)
    assert {answer["verdict"] for answer in certificate.answers} == {"right", "wrong", "unsure", "undone"}


def alterations(value: Any) -> list[Any]:
    """Alter one value in a few ways."""
    if isinstance(value, bool):
        return [not value, int(value)]
    if isinstance(value, int):
        return [value + 1, value - 1, value + 0.5, str(value)]
    if isinstance(value, float):
        return [value * 1.001 + 1e-6, value * 0.999 - 1e-6, None]
    if isinstance(value, str):
        others = ["right", "wrong", "unsure", "undone", "pilot", "epoch-1", "epoch-2", "", value + "x", None, "i0"]
        return [other for other in others if other != value]
    if isinstance(value, list):
        return [value[:-1], value[1:], [*value, *value[-1:]], None]
    return ["x", 1]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """List the paths of all values and of all lists that are not empty."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))
    if not isinstance(value, dict) and value != []:
        yield path


def found(values: dict[str, Any], population: Population) -> bool:
    try:
        return not replay(Certificate.from_json(values, population)).ok
    except CertificateError:
        return True


@pytest.mark.parametrize("per_class", [False, True])
def test_every_altered_value_is_found(certificate: Certificate, per_class: bool) -> None:
    made = make(per_class=True) if per_class else certificate
    assert made.population is not None
    values = made.to_json()
    rng, tried, missed = np.random.default_rng(0), 0, []
    for path in list(places(values)):
        if path[0] in DESCRIPTIVE or path == ("population_file",):
            continue
        if path[0] in ("kept", "accepted") and len(path) > 1 and path[1] % 10:
            continue  # rows are alike: every tenth will do
        if per_class and path[0] != "groups":
            continue  # the rest is the same as with one group
        spot = values
        for key in path[:-1]:
            spot = spot[key]
        original = spot[path[-1]]
        choices = alterations(original)
        if per_class or (path[0] == "answers" and len(path) > 1 and path[1] % 5) or len(path) > 4:
            choices = [
                choices[int(rng.integers(len(choices)))]
            ]  # elsewhere values of this kind are altered in all ways
        for altered in choices:
            spot[path[-1]] = altered
            tried += 1
            if not found(values, made.population):
                missed.append((path, original, altered))
        spot[path[-1]] = original
    assert tried > 300
    assert missed == []
    assert not found(values, made.population)


def test_the_fields_that_only_describe_are_these() -> None:
    """Whoever adds a field to this list must know that only a signature covers it."""
    assert {
        "question",
        "context",
        "attempts",
        "created",
        "versions",
        "worth",
        "max_reviews",
        "signature",
        "ended",
    } == DESCRIPTIVE


def test_dropping_an_attempt_is_found(certificate: Certificate) -> None:
    assert certificate.population is not None
    values = certificate.to_json()
    assert found(values | {"attempts": values["attempts"][:1]}, certificate.population)
    assert found(values | {"attempts": []}, certificate.population)


def test_every_edit_of_the_answers_is_found(certificate: Certificate) -> None:
    assert certificate.population is not None
    values = certificate.to_json()
    answers = values["answers"]
    outside = {"id": "elsewhere", "verdict": "right", "label": None, "stage": "pilot"}
    for i in range(0, len(answers), 3):
        assert found(values | {"answers": answers[:i] + answers[i + 1 :]}, certificate.population)
        assert found(values | {"answers": [*answers[:i], outside, *answers[i:]]}, certificate.population)
    unasked = next(name for name in certificate.population.ids if name not in {a["id"] for a in answers})
    for stage in ("pilot", "epoch-1", "epoch-2"):
        more = [*answers, {"id": unasked, "verdict": "right", "label": None, "stage": stage}]
        assert found(values | {"answers": more}, certificate.population)


def test_every_edit_of_the_population_is_found(certificate: Certificate, tmp_path: Path) -> None:
    path = certificate.save(tmp_path / "c.json")
    beside = path.with_name("c.population.parquet")
    table = pq.read_table(beside)
    columns = {name: table[name].to_pylist() for name in table.column_names}
    for row in range(0, len(table), 40):
        for name, change in (
            ("id", lambda v: v + "x"),
            ("predicted", lambda v: v + "x"),
            ("score", lambda v: v - 1e-9),
        ):
            edited = copy.deepcopy(columns)
            edited[name][row] = change(edited[name][row])
            pq.write_table(pa.table(edited), beside)
            assert not verify(path).ok
    kept = set(certificate.kept.tolist())
    inside, outside = min(kept), min(set(range(len(table))) - kept)
    order = list(range(len(table)))
    order[inside], order[outside] = outside, inside
    for edited in (table.slice(1), pa.concat_tables([table, table.slice(0, 1)]), table.take(order)):
        pq.write_table(edited, beside)
        assert not verify(path).ok
    pq.write_table(table, beside)
    assert verify(path).ok


def test_all_problems_are_listed_and_not_only_the_first(certificate: Certificate) -> None:
    assert certificate.population is not None
    values = certificate.to_json() | {"bound": 0.0, "rate_left": 0.0, "errors_found": 0, "claim": "All is well."}
    result = replay(Certificate.from_json(values, certificate.population))
    assert len(result.problems) == 4
    for word in ("bound", "rate_left", "errors_found", "claim"):
        assert any(word in problem for problem in result.problems)
    assert "does NOT hold: 4 problems" in str(result)
    assert result.to_json()["ok"] is False


def test_another_seed_is_found(certificate: Certificate) -> None:
    assert certificate.population is not None
    assert found(certificate.to_json() | {"seed": "0" * 32}, certificate.population)


def test_a_given_seed_cannot_pass_for_a_drawn_one() -> None:
    session = Session([str(i) for i in range(50)], ["x"] * 50, np.arange(50), max_error=0.1, seed=7, drawn=True)
    while (name := session.next()) is not None:
        session.answer(name, "right")
    assert any("seed" in problem for problem in session.certificate().verify().problems)


def test_a_deeply_broken_layout_is_listed_and_raises_nothing(certificate: Certificate) -> None:
    assert certificate.population is not None
    for changes in (
        {"groups": [{}]},
        {"groups": [3]},
        {"groups": []},
        {"answers": [[1, 2]]},
        {"mixture": {"no_error": 0.2, "betas": []}},
        {"mixture": {"no_error": 0.2, "betas": [[1.0], [1.0]]}},
        {"confidence": 0.9},
        {"max_error": 0.9999},
        {"per_class": True},
    ):
        assert found(certificate.to_json() | changes, certificate.population)


def test_extra_fields_are_found(certificate: Certificate, tmp_path: Path) -> None:
    path = certificate.save(tmp_path / "c.json")
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"note": "trust me"}))
    with pytest.raises(CertificateError, match="note"):
        verify(path)
    values["groups"][0]["note"] = "trust me"
    path.write_text(json.dumps(values))
    assert not verify(path).ok
