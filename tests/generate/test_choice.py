"""Which models draw, by name."""

from __future__ import annotations

import pytest

from lucida.errors import ModelError, UnknownName
from lucida.generate import choices, find_generator


def test_choices_begin_with_what_is_at_hand_and_say_what_each_asks(toy):
    found = choices()

    assert found[0].name == "toy"
    assert found[0].terms == "For tests only."
    assert found[0].at_hand
    names = [choice.name for choice in found]
    assert {"sd15", "sdxl", "flux-schnell", "qwen-image"} <= set(names)
    assert any("gpt-image" in name for name in names)
    remote = {choice.name: choice.needs.remote for choice in found}
    assert not remote["sdxl"]
    assert all(remote[name] for name in names if name.startswith("openai:"))
    assert all(choice.terms for choice in found)
    assert len(names) == len(set(names))


def test_the_models_name_is_short_and_others_are_refused(toy):
    assert find_generator("").name == find_generator("embedded").name == "embedded-generator"
    with pytest.raises(UnknownName, match="sdxl"):
        find_generator("sdxll")
    with pytest.raises(ModelError, match="cannot draw"):
        find_generator("blood-cells")
