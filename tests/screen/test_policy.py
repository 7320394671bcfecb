"""A policy is read, and a mistake in it is pointed at."""

from __future__ import annotations

from pathlib import Path

import pytest

from lucida.errors import InputError
from lucida.screen.policy import read_policy
from pictures import picture

GOOD = """\
name: house rules
version: "2"
rules:
  - name: weapons
    words: [a gun, a knife]
    against: a kitchen
    threshold: 0.8
    action: block
  - name: advertising
    text: ["free money", "re:\\\\d{3}-\\\\d{4}"]
    action: blur
  - name: violence
    ask: Is there violence?
    model: gpt-4o
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "policy.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_rules_come_with_what_is_usual(tmp_path: Path) -> None:
    policy = read_policy(written(tmp_path, GOOD))
    weapons, advertising, violence = policy.rules
    assert (policy.name, policy.version) == ("house rules", "2")
    assert (weapons.kind, weapons.wanted, weapons.against) == ("words", ("a gun", "a knife"), ("a kitchen",))
    assert weapons.unsure == pytest.approx(0.48)
    assert (advertising.threshold, advertising.action) == (0.5, "blur")
    assert (violence.kind, violence.model) == ("ask", "gpt-4o")


@pytest.mark.parametrize(
    ("old", "new", "place", "what"),
    [
        ("action: block", "action: explode", "line 8, column 13", "no such action"),
        ("threshold: 0.8", "threshold: 8", "line 7, column 16", "no number from 0 to 1"),
        ("threshold: 0.8", "treshold: 0.8", "line 7, column 15", "has the key 'treshold'"),
        ("threshold: 0.8", "unsure: 0.9", "line 7, column 13", "unsure lies above"),
        ("  - name: weapons\n    words", "  - words", "line 4, column 5", "lacks its name"),
        ("name: advertising", "name: weapons", "line 9, column 5", "there twice"),
        ("name: advertising", "name: OK", "line 9, column 11", "break no rule"),
        ("    model: gpt-4o\n", "", "line 12, column 5", "needs a model"),
        ("words: [a gun, a knife]", "words: []", "line 5, column 12", "empty"),
        ("action: blur", "classes: [a]", "line 9, column 5", "one kind of thing"),
        ("action: block", "action: blur", "line 8, column 13", "can be blurred"),
        ("re:\\\\d{3}", "re:(", "line 10, column 26", "no pattern"),
        ('version: "2"', "name: twice", "line 2, column 1", "there twice"),
        ("[a gun, a knife]", "[a gun, a knife", "line 6", "expected ',' or ']'"),
        ("rules:", "laws:", "line 4, column 3", "has the key 'laws'"),
    ],
)
def test_a_mistake_is_said_with_its_line(tmp_path: Path, old: str, new: str, place: str, what: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as raised:
        read_policy(written(tmp_path, GOOD.replace(old, new, 1)))
    assert place in raised.value.what
    assert what in raised.value.what


def test_an_empty_file_and_a_missing_one_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="empty"):
        read_policy(written(tmp_path, "# nothing\n"))
    with pytest.raises(InputError, match="cannot be read"):
        read_policy(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="lacks 'rules'"):
        read_policy(written(tmp_path, "name: a\n"))


def test_an_alias_of_itself_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds itself"):
        read_policy(written(tmp_path, "name: a\nrules: &r\n  - name: b\n    words: *r\n"))


def test_examples_lie_beside_the_policy(tmp_path: Path) -> None:
    text = "name: a\nrules:\n  - name: logo\n    examples: logos\n"
    with pytest.raises(InputError, match=r"line 3, column 5: .*no example"):
        read_policy(written(tmp_path, text))
    (tmp_path / "logos").mkdir()
    picture("disc", 1).save(tmp_path / "logos" / "a.png")
    first = read_policy(written(tmp_path, text)).digest
    picture("disc", 2).save(tmp_path / "logos" / "a.png")
    assert read_policy(written(tmp_path, text)).digest != first
    with pytest.raises(InputError, match="outside"):
        read_policy(written(tmp_path, text.replace("logos", "../..")))
