"""`label --adapt`: tuned once, kept only where it helps, refused where it cannot be measured."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from lucida.catalog import Catalog
from lucida.errors import InputError, MissingExtra
from lucida.evaluate.figure import Figure
from lucida.label import adaptation, label
from lucida.label.head import Head
from lucida.models import find


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make two dozen images enough to adapt to, and four steps enough to adapt."""
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    from lucida.tuning import tune

    monkeypatch.setattr(adaptation, "FEWEST", 10)
    monkeypatch.setattr(tune.Tuning.__init__, "__defaults__", (4, 8, *tune.Tuning.__init__.__defaults__[2:]))


def losses(monkeypatch: pytest.MonkeyPatch, *values: float) -> None:
    """Let the heads that are compared have these losses, in turn, and the same accuracy."""
    real, left = adaptation._held_out, list(values)

    def held_out(*arguments) -> Head:
        head = real(*arguments)
        value = left.pop(0)
        head.losses = value + (0.1 - 0.01 * len(left)) * np.arange(12.0)
        head.accuracy = Figure.share(9, 12)
        return head

    monkeypatch.setattr(adaptation, "_held_out", held_out)


def test_a_fall_within_the_noise_is_none():
    draw = np.random.default_rng(0)
    old = draw.normal(1, 1, 50)
    assert adaptation.surely_less(old - 0.5, old)
    assert adaptation.surely_less(old - 0.5 + draw.normal(0, 1, 50), old)
    assert not adaptation.surely_less(old + 0.1, old)
    assert not adaptation.surely_less(old - 0.01 + draw.normal(0, 1, 50), old)
    assert not adaptation.surely_less(np.full(50, np.nan), old)
    assert not adaptation.surely_less(None, old)


@pytest.mark.torch
def test_a_tuned_encoder_that_helps_is_used_and_found_again(place, few, monkeypatch):
    losses(monkeypatch, 2.0, 1.0)
    result = label(examples=place.examples, question="kind", adapt=True, catalog=place.catalog)
    assert result.adapted["kept"] is True
    assert result.adapted["before"] == result.adapted["after"] == 0.75
    assert "Adapted to your 24 images" in result.notes[-1]
    assert result.to_json()["adapted"] == result.adapted
    with Catalog.open(place.catalog) as catalog:
        run = catalog.runs.get(result.run)
        (folder,) = (place.catalog / "models").iterdir()
        assert run.model == f"embedded:{folder.name}"
        tuned, shipped = find(run.model, catalog.models), find("embedded")
    assert (tuned.gives.dimensions, tuned.tasks) == (shipped.gives.dimensions, shipped.tasks)
    assert tuned.revision == run.revision != shipped.revision
    assert tuned.licence == shipped.licence
    assert not list(folder.glob("checkpoint*")), "what is done needs no checkpoint"


@pytest.mark.torch
def test_one_that_does_not_help_is_left_out(place, few, monkeypatch):
    losses(monkeypatch, 1.0, 1.0)
    result = label(examples=place.examples, question="kind", adapt=True, catalog=place.catalog)
    assert result.adapted["kept"] is False
    assert "did not help" in result.notes[-1]
    with Catalog.open(place.catalog) as catalog:
        assert catalog.runs.get(result.run).model == "embedded"


@pytest.mark.torch
def test_the_same_call_again_does_not_tune_again(place, few, monkeypatch):
    first = label(examples=place.examples, question="kind", adapt=True, catalog=place.catalog)

    def never(*_: object) -> None:
        raise AssertionError("tuned twice")

    monkeypatch.setattr(adaptation, "_tune", never)
    again = label(examples=place.examples, question="kind", adapt=True, catalog=place.catalog)
    assert (again.run, again.new, again.adapted) == (first.run, 0, first.adapted)


@pytest.mark.torch
def test_answers_teach_it_too(place, few, monkeypatch):
    from lucida.catalog import Annotation

    losses(monkeypatch, 2.0, 1.0)
    truth = place.truth()
    with Catalog.open(place.catalog) as catalog:
        run = catalog.runs.start("review", question="kind")
        catalog.annotations.append(
            Annotation(image, "kind", run.id, kind="answer", label=kind, actor="someone")
            for image, kind in list(truth.items())[:12]
        )
    result = label(question="kind", adapt=True, catalog=place.catalog)
    assert result.adapted["kept"] is True
    assert result.images == 24


def refused(place, kind, **options):
    with pytest.raises(kind) as caught:
        label(adapt=True, catalog=place.catalog, **options)
    error = caught.value
    assert all((error.what, error.expected, error.got, error.hint)), error
    assert not (place.catalog / "models").exists()
    return error


def test_words_cannot_be_adapted_to(place):
    assert "needs examples" in refused(place, InputError, classes="disc,square").what


def test_another_model_cannot_be_adapted(place, monkeypatch):
    from dataclasses import replace

    from lucida.models import registry

    monkeypatch.setattr(registry, "find", lambda name, home: replace(find("embedded"), name="other"))
    assert "Only the embedded encoder" in refused(place, InputError, examples=place.examples).what


def test_without_pytorch_the_error_names_the_command(place, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "camera-lucida[torch]" in refused(place, MissingExtra, examples=place.examples).hint


@pytest.mark.torch
def test_too_few_images_are_labelled_without(place):
    pytest.importorskip("torch")
    result = label(examples=place.examples, question="kind", adapt=True, catalog=place.catalog)
    assert result.adapted == {"kept": False, "before": None, "after": None}
    assert "too few" in result.notes[-1]


@pytest.mark.torch
def test_the_network_is_that_of_the_shipped_file():
    torch = pytest.importorskip("torch")
    from lucida.models.embedded.family import weights
    from lucida.models.embedded.tuned import load_network
    from lucida.models.precision import made_sample

    spec = find("embedded")
    batch = made_sample(spec.needs, 4)
    network = load_network(weights())
    with torch.inference_mode():
        shape, logits = network(torch.from_numpy(batch))
    model = spec.load("fp32")
    torch.testing.assert_close(torch.from_numpy(model.logits(batch)), logits, atol=1e-3, rtol=1e-3)
    part = model.embed(batch)[:, spec.gives.parts["shape"]]
    torch.testing.assert_close(torch.from_numpy(part), shape, atol=1e-3, rtol=1e-3)


@pytest.mark.torch
def test_an_untouched_network_is_written_as_it_came(tmp_path: Path):
    pytest.importorskip("torch")
    from lucida.models.embedded.family import weights
    from lucida.models.embedded.tuned import load_network, write_tuned

    write_tuned(weights(), load_network(weights()), tmp_path)
    for name in ("encoder.onnx", "encoder.toml", "classes.json", "LICENSE"):
        assert (tmp_path / name).read_bytes() == (weights() / name).read_bytes()


@pytest.mark.torch
def test_a_tuned_encoder_moves_with_its_catalog(place, few, monkeypatch, tmp_path: Path):
    from lucida.export import export
    from lucida.review.workflow import Review

    losses(monkeypatch, 2.0, 1.0)
    assert label(examples=place.examples, question="kind", adapt=True, catalog=place.catalog).adapted["kept"]
    moved = tmp_path / "moved"
    shutil.move(place.catalog, moved)
    with Catalog.open(moved) as catalog:
        review = Review.open(catalog, question="kind")
        card = review.next()
        assert card is not None
        review.answer(card.image, "right")
        review.stop()
    export(tmp_path / "out", question="kind", include="proposed", catalog=moved)
    sheet = next((tmp_path / "out").glob("*.md")).read_text(encoding="utf-8")
    assert "research use only" in sheet
