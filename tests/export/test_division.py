"""Which vectors are trusted to tell near-identical images."""

from __future__ import annotations

import numpy as np
import pytest

from lucida.catalog import Catalog, add
from lucida.export.division import _vectors
from lucida.models import find
from lucida.runs import embed
from pictures import write_pictures


@pytest.fixture
def catalog(tmp_path, monkeypatch):
    monkeypatch.setenv("LUCIDA_CACHE", str(tmp_path / "cache"))
    write_pictures(tmp_path / "photos", 4, first_seed=1000)
    add([tmp_path / "photos"], catalog=tmp_path / "catalog")
    with Catalog.open(tmp_path / "catalog") as opened:
        yield opened


def labelled(catalog: Catalog, key: str) -> None:
    catalog.runs.start("label", question="kind", model="any", parameters={"vectors": key})


@pytest.mark.parametrize("key", ["hf:org/clip@1234", "embedded@r1/logits", "/models/embedded-like@12"])
def test_vectors_whose_distances_were_not_measured_are_left_out(catalog, key):
    ids = catalog.images.ids()
    catalog.vectors.add(key, ids, np.ones((len(ids), 4), np.float32))
    labelled(catalog, key)
    assert _vectors(catalog, "kind", ids) is None


def test_the_embedded_encoders_vectors_serve_whatever_labelled(catalog):
    ids = catalog.images.ids()
    key = embed(catalog, "embedded")
    labelled(catalog, "hf:org/clip@1234")
    found = _vectors(catalog, "kind", ids)
    assert found.shape == (len(ids), find("embedded").gives.dimensions)
    np.testing.assert_array_equal(found, catalog.vectors.get(key, ids))


def test_an_adapted_encoders_vectors_count(catalog):
    ids = catalog.images.ids()
    key = "embedded:adapted-0123@r1"
    catalog.vectors.add(key, ids, np.ones((len(ids), 4), np.float32))
    labelled(catalog, key)
    assert _vectors(catalog, "kind", ids).shape == (len(ids), 4)


def test_images_without_a_vector_are_zeros(catalog):
    ids = catalog.images.ids()
    embed(catalog, "embedded", ids[:3])
    found = _vectors(catalog, "kind", ids)
    assert found[:3].any(axis=1).all()
    assert not found[3:].any()
