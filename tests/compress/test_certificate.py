"""The certificate of a compression, and what `lucida verify` says of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lucida.compress.certificate import Side, digest_of_model, write
from lucida.compress.claim import no_worse
from lucida.review.signing import make_key_pair, sign
from lucida.review.verb import verify


@pytest.fixture
def file(tmp_path: Path, outcomes) -> Path:
    some = outcomes(280, 3, 2, 40)
    (tmp_path / "model.onnx").write_bytes(b"weights")
    sides = (
        Side("train-1", "0" * 64, "openvino fp32"),
        Side("compress-1", digest_of_model(tmp_path / "model.onnx"), "openvino bf16 + int8", "model.onnx"),
    )
    write(tmp_path / "certificate.json", some, no_worse(some, worse_by=0.05), *sides, {"origin": "photos"}, 1)
    return tmp_path / "certificate.json"


def change(file: Path, **values) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_it_is_replayed_from_the_file_alone(file: Path):
    found = verify(file)
    assert found.ok, str(found)
    assert found.exit_code == 0
    values = json.loads(file.read_text())
    assert values["holds"]
    assert "by at most 5 points" in values["claim_in_full"]
    assert "made before: 1." in values["claim_in_full"]
    (file.parent / "model.onnx").unlink()
    assert verify(file).ok


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("holds", False),
        ("worse_by", 0.001),
        ("confidence", 0.999),
        ("proven", 0.0001),
        ("evidence", 1e9),
        ("pairs", {"both": 285, "only_a": 0, "only_b": 0, "neither": 40}),
        ("claim", "No worse than before."),
        ("claim_in_full", "It is fine."),
        ("attempts", 0),
        ("order_rule", "any"),
        ("images", []),
        ("images", [["a", "x", "x"]]),
        ("images", [["a", "x", "x", 5]]),
        ("data", {"origin": "elsewhere"}),
        ("a", {"name": "other"}),
        ("worse_by", "much"),
        ("unknown", 1),
    ],
)
def test_whatever_does_not_follow_is_named(file: Path, key: str, value):
    change(file, **{key: value})
    found = verify(file)
    assert not found.ok
    assert found.exit_code == 1


def test_an_outcome_cannot_be_turned(file: Path):
    rows = json.loads(file.read_text())["images"]
    turned = [[name, truth, a, truth] for name, truth, a, _ in rows]
    change(file, images=turned)
    assert any("pairs" in problem for problem in verify(file).problems)
    change(file, images=[["f" * 64, *rows[0][1:]], *rows[1:]])
    assert any("digest" in problem for problem in verify(file).problems)


def test_another_model_beside_it_is_noticed(file: Path):
    (file.parent / "model.onnx").write_bytes(b"others")
    assert any("not the one that was measured" in problem for problem in verify(file).problems)


def test_it_can_be_signed(file: Path, tmp_path: Path):
    private, public = make_key_pair(tmp_path / "key.pem")
    assert "it is not signed" in verify(file, key=public).problems
    sign(file, private)
    found = verify(file, key=public)
    assert found.ok, str(found)
    assert len(found.checked) == 2
    change(file, created="2001-01-01")
    assert not verify(file, key=public).ok


def test_what_is_not_proven_is_said_with_the_bound(tmp_path: Path, outcomes):
    some = outcomes(100, 6, 2, 10)
    side = Side("a", "0" * 64, "openvino fp32")
    found = no_worse(some, worse_by=0.01)
    values = write(tmp_path / "c.json", some, found, side, side, {}, 0)
    assert not values["holds"]
    assert values["claim"].startswith("Not proven")
    assert f"{100 * found.proven:g} points" in values["claim_in_full"]
    assert verify(tmp_path / "c.json").ok
