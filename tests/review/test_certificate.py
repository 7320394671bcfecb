"""The certificate: its words, its files, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lucida.errors import CertificateError
from lucida.review import Certificate, Session
from lucida.review.replay import verify


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    rng = np.random.default_rng(0)
    q = rng.beta(1.9, 0.1, 1500)
    right = rng.random(1500) < q
    session = Session([f"{i}.jpg" for i in range(1500)], ["cat"] * 1500, q, max_error=0.05, seed=1)
    while (name := session.next()) is not None:
        session.answer(name, "right" if right[int(name[:-4])] else "wrong", None if right[int(name[:-4])] else "dog")
    return session.certificate(
        question="what is it?", context={"model": "m", "revision": "r1"}, attempts=[{"run": "one"}, {"run": "two"}]
    )


def test_the_json_has_the_names_of_the_attributes(certificate: Certificate) -> None:
    values = certificate.to_json()
    assert set(values) == {name for name in vars(certificate) if name not in ("population", "unit")}
    for name in ("kept", "accepted", "reviewed"):
        assert values[name] == getattr(certificate, name).tolist()
    assert json.loads(json.dumps(values, allow_nan=False)) == values


def test_what_is_saved_is_what_is_loaded(certificate: Certificate, tmp_path: Path) -> None:
    path = certificate.save(tmp_path / "deep" / "mine.json")
    assert {p.name for p in path.parent.iterdir()} == {"mine.json", "mine.population.parquet"}
    loaded = Certificate.load(path)
    assert loaded.to_json() == certificate.to_json()
    assert loaded.population is not None
    assert loaded.population.digest() == certificate.digest
    assert loaded.verify().ok
    assert verify(path).ok
    assert pq.read_table(path.with_name("mine.population.parquet")).column_names == ["id", "predicted", "score"]
    assert loaded.save(tmp_path / "again.json").exists()
    assert verify(tmp_path / "again.json").ok


def test_the_claim_has_the_words_of_the_documentation(certificate: Certificate) -> None:
    n, most = len(certificate.kept), sum(g["max_wrong"] for g in certificate.groups)
    assert certificate.claim == (
        f"Of the {n:,} labels kept, at most 5 % are wrong, with 95 % confidence; "
        '"wrong" means wrong in the reviewer\'s judgement.'
    )
    for words in (
        f"at most {most:,} wrong labels",
        "with probability at least 95 %",
        "any stopping rule",
        "SIMULATION",
        "2 attempts",
    ):
        assert words in certificate.claim_in_full


def test_the_summary_is_short_and_says_what_counts(certificate: Certificate) -> None:
    text = str(certificate)
    assert text.startswith(f"Kept {len(certificate.kept):,} of 1,500 labels: at most 5 % of them are wrong")
    assert f"You checked {len(certificate.reviewed):,}" in text
    assert "2 attempts" in text
    assert len(text.splitlines()) <= 6


def test_the_bound_is_what_the_promise_allows(certificate: Certificate) -> None:
    n = len(certificate.kept)
    assert certificate.bound == int(0.05 * n + 1e-9) / n


def test_context_must_be_json() -> None:
    session = Session(["a"], ["x"], [1.0], max_error=0.1, seed=1)
    with pytest.raises(ValueError, match="JSON"):
        session.certificate(context={"loss": float("nan")})


def test_a_missing_file_a_cut_file_and_no_json_are_told_apart(certificate: Certificate, tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="cannot be read"):
        Certificate.load(tmp_path / "none.json")
    path = certificate.save(tmp_path / "c.json")
    text = path.read_text()
    for broken in (text[:100], "", "[]", "null", text.replace('"bound": ', '"bound": NaN, "x": ', 1), text + "}"):
        path.write_text(broken)
        with pytest.raises(CertificateError) as caught:
            Certificate.load(path)
        assert all((caught.value.what, caught.value.expected, caught.value.got, caught.value.hint))


def test_a_field_named_twice_is_refused(certificate: Certificate, tmp_path: Path) -> None:
    path = certificate.save(tmp_path / "c.json")
    path.write_text(path.read_text().replace('"bound": ', '"bound": 0.5,\n "bound": ', 1))
    with pytest.raises(CertificateError, match="twice"):
        Certificate.load(path)


@pytest.mark.parametrize("name", ["", "..", "../c.population.parquet", "/etc/passwd", None, 3])
def test_the_population_lies_beside_the_certificate(certificate: Certificate, tmp_path: Path, name: object) -> None:
    path = certificate.save(tmp_path / "c.json")
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | {"population_file": name}))
    with pytest.raises(CertificateError):
        Certificate.load(path)


def test_a_broken_population_is_told(certificate: Certificate, tmp_path: Path) -> None:
    path = certificate.save(tmp_path / "c.json")
    beside = path.with_name("c.population.parquet")
    table = pq.read_table(beside)
    for broken in (
        table.drop_columns(["score"]),
        table.set_column(0, "id", pa.array(range(1500))),
        table.set_column(2, "score", pa.array(["x"] * 1500)),
        table.set_column(1, "predicted", pa.array([None] * 1500, pa.string())),
    ):
        pq.write_table(broken, beside)
        with pytest.raises(CertificateError):
            Certificate.load(path)
    beside.write_bytes(b"PAR1 no")
    with pytest.raises(CertificateError):
        Certificate.load(path)
    beside.unlink()
    with pytest.raises(CertificateError, match="population"):
        Certificate.load(path)


def test_without_its_population_it_can_be_read_but_not_saved_or_checked(
    certificate: Certificate, tmp_path: Path
) -> None:
    alone = Certificate.from_json(certificate.to_json())
    assert alone.bound == certificate.bound
    with pytest.raises(CertificateError):
        alone.save(tmp_path / "c.json")
    with pytest.raises(CertificateError):
        alone.verify()


def test_a_newer_format_is_refused(certificate: Certificate) -> None:
    with pytest.raises(CertificateError, match="format"):
        Certificate.from_json(certificate.to_json() | {"format": "camera-lucida certificate 2"})
    values = certificate.to_json()
    del values["answers"]
    with pytest.raises(CertificateError, match="answers"):
        Certificate.from_json(values)
