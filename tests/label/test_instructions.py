"""Instructions from files, and what makes two of them the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from lucida.catalog import Catalog
from lucida.errors import InputError, UnknownName
from lucida.label.instructions import agreed, read_instructions
from lucida.label.vocabulary import NONE, Vocabulary, read_vocabulary
from pictures import picture

WHOLE = """
name: clothing
version: 1.10
question: What kind of clothing is this?
rules: |
  Judge the largest piece.
  Ignore people.
classes:
  dress: one piece, top and skirt
  hat:
    definition: worn on the head
    examples: [hat.png, "second hat.png"]
  no:
none_of_these: yes
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two pictures beside the instructions."""
    picture("disc", 1).save(tmp_path / "hat.png")
    picture("disc", 2).save(tmp_path / "second hat.png")
    return tmp_path


def write(folder: Path, text: str, name: str = "rules.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_all_keys(folder: Path):
    found = read_instructions(write(folder, WHOLE))
    assert (found.name, found.version, found.question) == ("clothing", "1.10", "What kind of clothing is this?")
    assert found.rules == "Judge the largest piece.\nIgnore people."
    assert found.vocabulary is not None
    assert found.vocabulary.labels == ["dress", "hat", "no", NONE]
    assert found.definitions == {"dress": "one piece, top and skirt", "hat": "worn on the head"}
    assert [shot.answer for shot in found.shots] == ["hat", "hat"]
    assert found.shots[1].image == (folder / "second hat.png").read_bytes()
    assert (found.text, found.suffix) == (WHOLE, ".yaml")
    assert found.to_json() == {"name": "clothing", "version": "1.10", "digest": found.digest}


def test_the_prompt_that_they_make(folder: Path):
    found = read_instructions(write(folder, WHOLE))
    prompt = found.prompt(["dress", "hat"], "What is it?")
    assert prompt.question == "What kind of clothing is this?", "the instructions' own question counts"
    assert prompt.classes == ("dress", "hat")
    assert prompt.definitions == found.definitions
    assert len(prompt.shots) == 2
    assert found.prompt(["dress", "no"], "").shots == ()
    assert read_instructions(write(folder, "rules: x")).prompt(["a"], "What is it?").question == "What is it?"


def test_markdown_is_its_rules(folder: Path):
    found = read_instructions(write(folder, "# How to judge\n\nLook closely.\n", "How we judge.md"))
    assert (found.name, found.version, found.rules) == ("How we judge", "", "# How to judge\n\nLook closely.")
    assert found.vocabulary is None
    assert found.suffix == ".md"


def test_markdown_with_keys_before_it(folder: Path):
    text = "---\nname: x\nversion: 2\nclasses: [dress, hat]\n---\nLook.\n---\nMore.\n"
    found = read_instructions(write(folder, text, "a.md"))
    assert (found.name, found.version, found.rules) == ("x", "2", "Look.\n---\nMore.")
    assert found.vocabulary is not None
    assert found.vocabulary.names == ["dress", "hat"]
    windows = write(folder, "", "b.md")
    windows.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert read_instructions(windows).rules == "Look.\n---\nMore."


def test_rules_as_a_list(folder: Path):
    assert read_instructions(write(folder, "rules: [Look closely., Be brief.]")).rules == "- Look closely.\n- Be brief."


def test_the_digest_is_of_what_is_told_not_of_how_it_is_written(folder: Path):
    first = read_instructions(write(folder, WHOLE))
    same = WHOLE.replace("dress: one piece, top and skirt", '"dress":   "one piece, top and skirt"  # the usual')
    assert read_instructions(write(folder, same)).digest == first.digest
    changes = [("largest", "smallest"), ("1.10", "1.1"), ("one piece", "two pieces"), ("What kind", "Which kind")]
    changes += [("name: clothing", "name: clothes"), (": yes", ": no"), (', "second hat.png"', ""), ("  no:", "  na:")]
    for before, after in changes:
        assert read_instructions(write(folder, WHOLE.replace(before, after))).digest != first.digest, before
    picture("disc", 3).save(folder / "hat.png")
    assert read_instructions(write(folder, WHOLE)).digest != first.digest


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "holds no instructions"),
        ("just words", "holds no instructions"),
        ("- a\n- b", "holds no instructions"),
        ("a: [b", "not valid YAML"),
        ("rules: a\nrules: b", "not valid YAML"),
        ("classes: {hat: a, hat: b}", "not valid YAML"),
        ("classes: [hat]", "only one class"),
        ("classes: [hat, Hat]", "named twice"),
        ("classes: [hat, '']", "empty"),
        ("classes: [hat, none of these]", "an option, not a class"),
        ("classes: hat", "not clear"),
        ("classes: [hat, {dress: x}]", "not clear"),
        ("classes: {hat: {definition: [a]}, dress: }", "no text"),
        ("classes: {hat: {examples: gone.png}, dress: }", "cannot be used"),
        ("classes: {hat: {examples: [rules.yaml]}, dress: }", "no image"),
        ("classes: {hat: {examples: [[x]]}, dress: }", "no path"),
        ("name: [a]", "no text"),
        ("none_of_these: true", "has none"),
        ("classes: [a, b]\nnone_of_these: perhaps", "neither on nor off"),
    ],
)
def test_what_is_not_clear(folder: Path, text: str, problem: str):
    with pytest.raises(InputError) as caught:
        read_instructions(write(folder, text))
    assert problem in caught.value.what
    assert all((caught.value.expected, caught.value.got, caught.value.hint))


@pytest.mark.parametrize(
    ("text", "nearest"),
    [("rule: a", "rules"), ("Classes: [a, b]", "classes"), ("classes: {a: {exampels: x}, b: }", "examples")],
)
def test_an_unknown_key_is_answered_with_the_nearest(folder: Path, text: str, nearest: str):
    with pytest.raises(UnknownName) as caught:
        read_instructions(write(folder, text))
    assert repr(nearest) in caught.value.hint


def test_a_file_that_is_none(folder: Path):
    for path, problem in ((folder / "gone.yaml", "cannot be read"), (folder / "a.txt", "no file of instructions")):
        with pytest.raises(InputError, match=problem) as caught:
            read_instructions(path)
        assert all((caught.value.expected, caught.value.got, caught.value.hint))
    (folder / "binary.yaml").write_bytes(b"\xff\x00")
    with pytest.raises(InputError, match="not valid YAML"):
        read_instructions(folder / "binary.yaml")
    with pytest.raises(InputError, match="has no end"):
        read_instructions(write(folder, "---\nname: x\n", "a.md"))
    with pytest.raises(InputError, match="rules twice"):
        read_instructions(write(folder, "---\nrules: x\n---\ny\n", "a.md"))


def test_the_same_version_with_other_words_is_noted(folder: Path):
    first = read_instructions(write(folder, WHOLE))
    second = read_instructions(write(folder, WHOLE.replace("largest", "smallest")))
    (folder / "one.png").write_bytes((folder / "hat.png").read_bytes())
    with Catalog.open(folder / "catalog", create=True) as catalog:
        assert not first.changed(catalog)
        run = catalog.runs.start("label", question="kind", parameters={"instructions": first.to_json()})
        assert not first.changed(catalog)
        assert run.id in second.changed(catalog)
        assert "raise their version" in second.changed(catalog)
        newer = read_instructions(write(folder, WHOLE.replace("1.10", "2").replace("largest", "smallest")))
        assert not newer.changed(catalog)


def test_classes_from_two_places_must_agree(folder: Path):
    told = read_instructions(write(folder, "classes: {dress: one piece, hat: }"))
    both = agreed(read_vocabulary("hat,dress"), told)
    assert (both.names, both.descriptions) == (["dress", "hat"], [["one piece"], ["hat"]])
    meant = Vocabulary(["hat", "dress"], [["on the head"], ["dress"]], True)
    assert agreed(meant, told).descriptions == [["one piece"], ["on the head"]]
    assert agreed(meant, told).none_of_these
    assert agreed(None, told).names == ["dress", "hat"]
    assert agreed(meant, read_instructions(write(folder, "rules: x"))) == meant
    with pytest.raises(InputError, match="do not agree") as caught:
        agreed(read_vocabulary("hat,shoes"), told)
    assert "dress, shoes" in caught.value.got
    with pytest.raises(InputError, match="no classes to ask about"):
        agreed(None, None)


def test_words_stay_words(tmp_path: Path):
    file = tmp_path / "classes.yaml"
    file.write_text("no: absent\nyes: present\n007: agent\n1.10: version\nnull_: ~\n")
    found = read_vocabulary(str(file))
    assert found.names == ["no", "yes", "007", "1.10", "null_"]
    assert found.descriptions[-1] == ["null_"]
    for text, problem in (("a:\na:\nb:\n", "not valid YAML"), ("- a\n- b: c\n", "no plain name")):
        file.write_text(text)
        with pytest.raises(InputError, match=problem):
            read_vocabulary(str(file))
    file.write_text("a:\nb:\nnone_of_these: no\n")
    assert not read_vocabulary(str(file)).none_of_these
