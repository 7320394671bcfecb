"""Notes: sentences that know which ones they are."""

from __future__ import annotations

import copy
import json

from lucida.notes import Note, told


def test_a_note_is_its_sentence_and_tells_what_it_is_made_of() -> None:
    inner = Note("for", "{name} for {word}", name="cat", word="kitty")
    note = Note("drawn", "It draws {what}.", what=inner)
    assert note == "It draws cat for kitty."
    assert json.dumps([note]) == '["It draws cat for kitty."]'
    assert told(note)["values"]["what"] == {"text": inner, "key": "for", "values": {"name": "cat", "word": "kitty"}}
    assert told("plain") == {"text": "plain"}
    assert told(copy.deepcopy(note)) == told(note)
