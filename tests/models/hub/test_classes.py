"""Classes that share a name are told apart."""

from __future__ import annotations

from lucida.models.hub.classes import tell_apart


def test_what_shares_a_first_name_is_called_by_all_its_names():
    names = [["tench", "Tinca tinca"], ["crane"], ["crane", "machine"], ["Maillot", "suit"], ["maillot", "suit"]]
    found = tell_apart([list(words) for words in names])
    assert [words[0] for words in found] == ["tench", "crane", "crane, machine", "Maillot, suit", "maillot, suit (2)"]
    assert found[0] == ["tench", "Tinca tinca"]
    assert len({words[0].casefold() for words in found}) == len(found)


def test_nothing_to_tell_apart():
    assert tell_apart([["cat"], ["dog"]]) == [["cat"], ["dog"]]
    assert tell_apart([]) == []
