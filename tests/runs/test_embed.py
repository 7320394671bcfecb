"""Vectors of images: whose they are, what is skipped, and that work goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from lucida.catalog import Catalog, add
from lucida.errors import ImageError, InputError, ModelError, UnknownName
from lucida.images import Image
from lucida.images import decode as real_decode
from lucida.models import Gives, Model
from lucida.runs import compute, embed
from pictures import write_pictures


def by_hand(catalog: Catalog, model, image: str) -> np.ndarray:
    """One image, decoded and prepared on its own."""
    decoded: Image = real_decode(catalog.images.read(image))
    return model.spec.needs.prepare(decoded).mean(axis=(1, 2))


def test_each_vector_is_that_of_its_image(catalog, model):
    key = embed(catalog, model.spec)
    ids = catalog.images.ids()
    vectors = catalog.vectors.get(key, ids)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, [by_hand(catalog, model, image) for image in ids], atol=1e-6)
    backwards = catalog.vectors.get(key, ids[::-1])
    assert np.array_equal(backwards, vectors[::-1])


def test_what_is_told_of_a_run(catalog, model):
    first = compute(catalog, model.spec)
    assert (first.key, first.images, first.new, first.skipped, first.engine) == (
        model.spec.key,
        30,
        30,
        {},
        "counting",
    )
    assert sum(model.seen) == 30
    assert max(model.seen) <= 4
    again = compute(catalog, model.spec)
    assert (again.images, again.new, again.engine) == (30, 0, "")
    assert sum(model.seen) == 30, "nothing is computed twice"


def test_only_some_images(catalog, model):
    ids = catalog.images.ids()
    some = [ids[20], ids[3], ids[11]]
    found = compute(catalog, model.spec, some)
    assert (found.images, found.new) == (3, 3)
    np.testing.assert_allclose(
        catalog.vectors.get(found.key, some), [by_hand(catalog, model, image) for image in some], atol=1e-6
    )
    rest = compute(catalog, model.spec)
    assert (rest.images, rest.new) == (30, 27)
    assert sum(model.seen) == 30
    assert compute(catalog, model.spec, []).new == 0


def test_new_images_alone_are_computed(catalog, model, tmp_path):
    embed(catalog, model.spec)
    write_pictures(tmp_path / "more", 1, first_seed=900)
    add([tmp_path / "more"], catalog=catalog.path)
    assert compute(catalog, model.spec).new == 3
    assert sum(model.seen) == 33


def test_images_that_cannot_be_read_are_skipped_told_and_tried_again(catalog, model, photos):
    paths = sorted(photos.iterdir())
    gone, changed = paths[2], paths[17]
    kept = {path: path.read_bytes() for path in (gone, changed)}
    names = {catalog.images.name(image): image for image in catalog.images.ids()}
    ids = {path: next(i for name, i in names.items() if Path(name).name == path.name) for path in kept}
    gone.unlink()
    changed.write_bytes(b"something else")
    found = compute(catalog, model.spec)
    assert set(found.skipped) == set(ids.values())
    assert (found.images, found.new) == (30, 28)
    assert all("gone, or has changed" in reason for reason in found.skipped.values())
    assert set(catalog.vectors.missing(found.key)) == set(ids.values())
    rest = [image for image in catalog.images.ids() if image not in found.skipped]
    np.testing.assert_allclose(
        catalog.vectors.get(found.key, rest), [by_hand(catalog, model, image) for image in rest], atol=1e-6
    )
    for path, data in kept.items():
        path.write_bytes(data)
    again = compute(catalog, model.spec)
    assert (again.new, again.skipped) == (2, {})
    assert sum(model.seen) == 30


def test_a_whole_batch_that_cannot_be_read(catalog, model, photos):
    for path in photos.iterdir():
        path.unlink()
    found = compute(catalog, model.spec)
    assert (found.new, len(found.skipped)) == (0, 30)
    assert model.seen == []


class Stop(BaseException):
    """What Ctrl-C does, without a signal."""


@pytest.mark.parametrize("stop", [Stop, KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("call", [0, 3, 6])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_run_that_stopped_goes_on_with_what_is_missing(catalog, model, monkeypatch, stop, call, workers):
    def before(now: int) -> None:
        if now == call:
            raise stop

    monkeypatch.setenv("LUCIDA_THREADS", workers)
    model.before = before
    with pytest.raises(stop):
        embed(catalog, model.spec)
    key, ids = model.spec.key, catalog.images.ids()
    missing = catalog.vectors.missing(key)
    # What came before the stop is kept, whole batches in order; two workers may not call in order.
    kept = len(ids) - len(missing)
    assert missing == ids[kept:]
    assert kept % 4 == 0
    assert workers == "2" or kept == 4 * call
    model.before, model.seen[:] = (lambda now: None), []
    assert compute(catalog, model.spec).new == len(missing)
    assert sum(model.seen) == len(missing)
    expected = [by_hand(catalog, model, image) for image in ids]
    np.testing.assert_allclose(catalog.vectors.get(key, ids), expected, atol=1e-6)


def test_what_was_kept_outlives_the_process_that_kept_it(catalog, model, monkeypatch):
    monkeypatch.setenv("LUCIDA_THREADS", "1")
    model.before = lambda now: (_ for _ in ()).throw(Stop) if now == 4 else None
    with pytest.raises(Stop):
        embed(catalog, model.spec)
    with Catalog.open(catalog.path) as other:
        assert len(other.vectors.missing(model.spec.key)) == 14


def test_an_error_of_the_decoder_in_a_thread_comes_out(catalog, model, monkeypatch):
    def broken(data, **options):
        raise MemoryError("no memory for the pixels")

    monkeypatch.setattr("lucida.runs.vectors.decode", broken)
    with pytest.raises(MemoryError, match="no memory for the pixels"):
        compute(catalog, model.spec)
    assert model.seen == []


def test_an_image_that_is_refused_in_a_thread_is_told(catalog, model, monkeypatch):
    victim = catalog.images.read(catalog.images.ids()[5])

    def picky(data, **options):
        if data == victim:
            raise ImageError("The image is damaged.", expected="pixels", got="noise", hint="another file")
        return real_decode(data, **options)

    monkeypatch.setattr("lucida.runs.vectors.decode", picky)
    found = compute(catalog, model.spec)
    assert found.skipped == {catalog.images.ids()[5]: "The image is damaged."}
    assert found.new == 29


def test_outputs_precisions_and_revisions_have_keys_of_their_own(catalog, model):
    spec = model.spec
    keys = [
        compute(catalog, spec).key,
        compute(catalog, spec, output="logits").key,
        compute(catalog, spec, precision="fp32").key,
        compute(catalog, replace(spec, revision="2")).key,
    ]
    assert keys == ["counting@1", "counting@1/logits", "counting@1:fp32", "counting@2"]
    assert sum(model.seen) == 4 * 30
    ids = catalog.images.ids()
    logits = catalog.vectors.get("counting@1/logits", ids)
    np.testing.assert_allclose(logits, 10 * catalog.vectors.get("counting@1", ids)[:, :2], atol=1e-5)


def test_what_a_model_cannot_do_is_refused_before_anything_is_kept(catalog, model):
    spec = replace(
        model.spec, tasks=("classify",), gives=Gives(classes=("a", "b")), build=lambda spec, p, s: Model(spec)
    )
    with pytest.raises(ModelError, match="cannot give vectors"):
        embed(catalog, spec)
    assert len(catalog.vectors.missing(spec.key)) == 30


def test_the_package_gives_the_function_whatever_was_imported_before():
    import_module("lucida.label.job")
    assert callable(import_module("lucida.runs").embed)


def test_unknown_names(catalog):
    with pytest.raises(UnknownName):
        embed(catalog, "embeded")
    with pytest.raises(InputError):
        embed(catalog, "embedded", ["0" * 64])


def test_the_precision_is_measured_on_images_of_the_catalog(catalog, model):
    shown = []
    spec = replace(model.spec, build=lambda spec, precision, trial: shown.append((precision, trial)) or model)
    compute(catalog, spec, precision="fp32")
    ((precision, trial),) = shown
    assert precision == "fp32"
    assert trial.count == catalog.images.count()
    ids = catalog.images.ids()
    sample = trial.images(16)
    assert sample.shape == (16, 3, 8, 8)
    ids = [ids[i] for i in np.linspace(0, len(ids) - 1, 16).astype(int)]
    np.testing.assert_allclose(sample.mean(axis=(2, 3)), [by_hand(catalog, model, image) for image in ids], atol=1e-6)


def test_the_embedded_model_on_a_catalog(catalog, monkeypatch, tmp_path):
    monkeypatch.setenv("LUCIDA_CACHE", str(tmp_path / "cache"))
    key = embed(catalog, "embedded")
    ids = catalog.images.ids()
    image, *_ = catalog.vectors.search(key, catalog.vectors.get(key, ids[:1])[0], k=3)
    assert image[0] == ids[0]
    assert image[1] == pytest.approx(1, abs=1e-3)
