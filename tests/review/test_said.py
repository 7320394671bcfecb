"""A review teaches on what models without vectors, and several labellers, have said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from lucida.catalog import Catalog
from lucida.errors import InputError
from lucida.label.job import run_label
from lucida.label.labeller import Proposal
from lucida.label.several import Panel
from lucida.models import find
from lucida.results import Classification
from lucida.review.material import Material
from lucida.review.plan import spent_on


class Said:
    """A model without vectors that is right about most images."""

    accuracy = None
    engine = ""
    notes: tuple[str, ...] = ()
    cost = 0.25

    def __init__(self, truth: dict[str, str], wrong_every: int, name: str) -> None:
        self.truth, self.model, self.revision = truth, name, "1"
        self.classes = sorted(set(truth.values()))
        self.wrong = set(list(truth)[::wrong_every])

    def parameters(self) -> dict[str, object]:
        return {"mode": "asked", "classes": self.classes, "encoder": "embedded"}

    def check(self, catalog: Catalog, todo: Sequence[str], folder: Path | None) -> None:
        return

    def learn(self, catalog: Catalog, folder: Path) -> None:
        return

    def taught(self, catalog: Catalog) -> dict[str, str]:
        return {}

    def propose(self, catalog: Catalog, ids: Sequence[str]) -> Iterator[list[Proposal]]:
        for image in ids:
            label = self.truth[image]
            if image in self.wrong:
                label = next(name for name in self.classes if name != label)
            rest = tuple((name, 0.1) for name in self.classes if name != label)
            yield [Proposal(image, Classification(label, 0.8, rest), {"cost": 0.001})]


def test_a_model_without_vectors_is_taught_on_the_embedded_ones(catalog, truth):
    result = run_label(catalog, Said(truth, 7, "talker"), question="asked")
    material = Material.gather(catalog, catalog.runs.get(result.run), run=None)
    width = find("embedded").gives.dimensions
    assert material.features.shape == (len(truth), width + 3)
    assert material.parts["words"] == slice(width, width + 3)
    assert "agreement" not in material.parts
    assert material.by_words
    np.testing.assert_allclose(np.exp(material.features[:, width:]).sum(axis=1), 1, atol=1e-5)


def test_agreement_of_several_is_a_score_of_its_own(catalog, truth):
    members = [Said(truth, 7, "a"), Said(truth, 11, "b")]
    spec = find("embedded")
    result = run_label(catalog, Panel(members, (spec.name, spec.revision)), question="panel")
    material = Material.gather(catalog, catalog.runs.get(result.run), run=None)
    shares = material.features[:, material.parts["agreement"]]
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    agree = [image not in members[0].wrong ^ members[1].wrong for image in material.ids]
    # Where both say the same, one class has it all.
    assert ((shares.max(axis=1) == 1) == np.array(agree)).mean() > 0.95
    assert material.said[0].agree is not None


def test_vectors_of_another_revision_are_refused(catalog, truth):
    result = run_label(catalog, Panel([Said(truth, 7, "a"), Said(truth, 9, "b")], ("embedded", "0")), question="old")
    with pytest.raises(InputError, match="another revision") as caught:
        Material.gather(catalog, catalog.runs.get(result.run), run=None)
    assert all((caught.value.expected, caught.value.got, caught.value.hint))


def test_what_labels_have_cost(catalog, truth):
    result = run_label(catalog, Said(truth, 7, "talker"), question="asked")
    spent = spent_on(catalog, catalog.runs.get(result.run))
    assert (spent.images, spent.paid, spent.left) == (len(truth), len(truth), 0)
    assert spent.cost == pytest.approx(0.001 * len(truth))
    assert "$0.36" in str(spent)
    label_run = catalog.runs.latest("kind", "label")
    assert spent_on(catalog, label_run) is None
