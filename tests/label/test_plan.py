"""What labelling would take is told before anything is done."""

from __future__ import annotations

import pytest

from lucida.catalog import Catalog
from lucida.label import label


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "LUCIDA_API_URL", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_nothing_is_done(place):
    planned = label(classes="disc,square,ring", catalog=place.catalog, plan=True)
    assert planned.run == ""
    assert planned.plan.cost == 0
    assert "free" in str(planned)
    with Catalog.open(place.catalog) as catalog:
        assert not catalog.runs.all()
        assert planned.plan.images == catalog.images.count()


def test_a_model_that_is_paid_for_has_a_price_without_its_key(place):
    planned = label(classes="disc,square,ring", model="embedded,gpt-4o", cascade=True, catalog=place.catalog, plan=True)
    seen, asked = planned.plan.shares
    assert (seen.model, seen.cost) == ("embedded", 0)
    assert asked.images == planned.plan.images
    assert 0 < asked.cost < asked.at_most
    assert planned.plan.cost == pytest.approx(asked.cost, abs=1e-5)
    assert "api.openai.com" in str(planned)
    assert planned.to_json()["plan"]["shares"][1]["model"] == "openai:gpt-4o"


def test_a_price_of_ones_own(place):
    options = {"classes": "disc,square", "model": "api:m@https://example.org/v1", "catalog": place.catalog}
    unknown = label(**options, plan=True)
    assert unknown.plan.cost is None
    assert "not known" in str(unknown)
    cheap, dear = (label(**options, plan=True, price=price).plan.cost for price in ("0.1/0.2", "1/2"))
    assert dear == pytest.approx(10 * cheap, rel=1e-3)


def test_images_seen_already_are_not_counted(place):
    label(classes="disc,square", catalog=place.catalog)
    (share,) = label(classes="disc,ring", catalog=place.catalog, plan=True).plan.shares
    assert share.images == 0
