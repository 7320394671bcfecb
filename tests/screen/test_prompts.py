"""Words of a policy in what people ask to be drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from lucida.errors import InputError
from lucida.screen.policy import read_policy
from lucida.screen.prompts import PromptRule, read_prompt


@pytest.mark.parametrize(
    ("words", "prompt", "found"),
    [
        ("bomb", "a Bomb on a table", True),
        ("bomb", "Bombay at night", False),
        ("ass", "a glass", False),
        ("bomb", "画bomb吧", True),
        ("bomb", "ｂｏｍｂ", True),
        ("bomb", "bo\u200bmb, b\u00f3mb", True),
        ("pipe bomb", "a PIPE-\nbomb", True),
        ("b-52", "a b-52 plane", True),
        ("炸弹", "画一个炸弹。", True),
        ("炸弹", "炸 弹", True),
        ("炸弹", "炸药和弹簧", False),
        ("C4炸药", "c4 炸药", True),
        (r"re:\bguns?\b", "two GUNS", True),
    ],
)
def test_words_are_found_however_they_are_written(words: str, prompt: str, found: bool) -> None:
    assert bool(read_prompt([PromptRule("it", (words,))], prompt)) == found


def test_rules_that_block_come_first(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(
        "name: words\nprompts:\n  - name: brands\n    text: acme\n    action: flag\n"
        "  - name: weapons\n    text: [pipe bomb, 炸弹]\n"
    )
    policy = read_policy(file, images=False)
    hits = read_prompt(policy.prompts, "an acme pipe bomb")
    assert [(hit.rule, hit.action, hit.said) for hit in hits] == [
        ("weapons", "block", "pipe bomb"),
        ("brands", "flag", "acme"),
    ]
    # It says nothing of images: `lucida screen` would call all of them ok.
    with pytest.raises(InputError, match="rules"):
        read_policy(file)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("name: a, text: [b], action: blur", "no such action"),
        ("name: a", "lacks its text"),
        ("name: a, text: ['re:(']", "no pattern"),
        ("name: a, words: [b]", "words"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, rule: str, said: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(f"name: words\nprompts:\n  - {{{rule}}}\n")
    with pytest.raises(InputError, match=r"policy\.yaml, line 3") as caught:
        read_policy(file, images=False)
    assert said in caught.value.message()
