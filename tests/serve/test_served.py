"""Which models are served, under which names, and which of them is asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lucida.errors import InputError, ModelError, UnknownName
from lucida.models import find
from lucida.models.embedded.family import weights
from lucida.models.needs import ImageNeeds
from lucida.models.spec import Gives, Matcher, Model, Spec
from lucida.runs.seeing import Wish
from lucida.serve.served import Served, Shelf, open_shelf
from lucida.serve.services import SERVICES
from served_models import boxes, told
from told_models import model


def test_names_are_those_that_were_given() -> None:
    shelf = open_shelf(
        ["embedded", "cells=blood-cells", f"own={weights() / 'encoder.toml'}", f"onnx:{weights() / 'encoder.toml'}"]
    )
    assert list(shelf.models) == ["embedded", "cells", "own", "encoder"]
    # No path of the machine is told to clients.
    assert shelf.models["encoder"].spec.key.startswith("encoder@")
    assert "/" not in str(shelf.models["encoder"].spec.cannot("detect", "find"))


@pytest.mark.parametrize(
    ("names", "error", "said"),
    [
        ([], InputError, "no model"),
        (["embedded", "embedded"], InputError, "Two models"),
        (["embeded"], UnknownName, "embedded"),
        (["a=embeded"], UnknownName, "embedded"),
    ],
)
def test_what_cannot_be_served_is_refused(names: list[str], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        open_shelf(names)


def test_a_model_that_does_nothing_that_is_served_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    outlines = model("outline", (), lambda n: None, "outlines")
    monkeypatch.setattr("lucida.serve.served.find", lambda name, home=None: outlines)
    with pytest.raises(InputError, match="cannot be served"):
        open_shelf(["outlines"])


def test_the_first_that_can_is_asked() -> None:
    shelf = Shelf(
        [
            told("detect", ("bolt",), boxes, "bolts"),
            told("classify", ("red",), lambda n: (0.0,), "colours"),
            Served("embedded", find("embedded")),
        ]
    )
    classify = SERVICES["classify"]
    assert shelf.choose(classify, Wish("classify"), None).name == "colours"
    assert shelf.choose(classify, Wish("classify", ("dog", "cat")), None).name == "embedded"
    assert shelf.choose(classify, Wish("classify"), "embedded").name == "embedded"
    with pytest.raises(UnknownName, match="classify, detect"):
        shelf.choose(SERVICES["read"], Wish("read"), None)
    with pytest.raises(ModelError, match="cannot do the task"):
        classify.check(shelf.models["bolts"].spec, Wish("classify"))


def test_a_model_is_loaded_once_however_it_is_asked() -> None:
    served = Served("embedded", find("embedded"))
    first = served.seer(Wish("classify"))
    assert served.seer(Wish("classify")) is first
    assert served.seer(Wish("classify", ("dog", "cat"))).model is served.seer(Wish("embed")).model is first.model


def test_a_model_of_any_words_is_ready_without_some_and_must_be_told_which() -> None:
    loaded: list[tuple[str, ...]] = []

    def build(spec: Spec, *_: object) -> Model:
        loaded.append(spec.gives.classes)
        return Model(spec)

    matcher = Spec(
        "clip", "test", ("words",), ImageNeeds(8), Gives(4), "MIT", "a test", "1",
        match=lambda descriptions, none, templates: Matcher(), build=build,
    )  # fmt: skip
    finder = replace(
        told("detect", (), boxes, "finder").spec,
        look_for=lambda classes: replace(finder, gives=Gives(classes=tuple(classes))),
    )
    Served("clip", matcher).load()
    assert loaded == [()]
    served = Served("finder", finder)
    served.load()
    assert served.seer(Wish("detect", ("bolt", "nut"))).classes == ("bolt", "nut")
    for name, spec in (("classify", matcher), ("detect", finder)):
        with pytest.raises(InputError, match="was told none"):
            SERVICES[name].check(spec, Wish(name))
        SERVICES[name].check(spec, Wish(name, ("bolt", "nut")))
