"""A policy: rules in plain words, each with what it looks for, how sure it must be, and what follows.

name: house rules
version: "3"
rules:
  - name: weapons
    words: [a gun, a knife held as a weapon]     # an encoder compares the image with these …
    against: [a kitchen, a toy, people]          # … and with these
    model: siglip2                               # the embedded encoder where it is left out
    threshold: 0.8                               # from here the rule is broken
    unsure: 0.4                                  # from here a person decides
    action: block                                # block | flag | blur
  - name: nudity
    classes: [porn, hentai]                      # classes of a classifier
    model: hf:Falconsai/nsfw_image_detection
  - name: advertising
    text: [free money, "re:\\b\\d{3}-\\d{4}\\b"]   # words and patterns in the text that stands in the image
  - name: logo
    examples: logos/                             # images, or folders of them, beside this file
  - name: faces
    objects: [face]                              # boxes of a detector
    model: yunet
    except: [Anna]                               # or only: of people whose faces were named by `lucida faces`
    action: blur
  - name: violence
    ask: Does this image show violence between people?   # a model that answers
    model: gpt-4o
prompts:                                         # of what people ask to be drawn, where it is served
  - name: weapons
    text: [pipe bomb, 炸弹, "re:\\bguns?\\b"]      # whole words
    action: block                                # block | flag
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from lucida.errors import InputError
from lucida.screen import prompts
from lucida.screen.nodes import Node, read_nodes

T = TypeVar("T", "Rule", prompts.PromptRule)
ACTIONS: Final = ("block", "flag", "blur")
OK: Final = "ok"
HINT: Final = "--policy policy.yaml, with name and rules"
# What a rule looks for, and from which score it is usually broken.
KINDS: Final = {"words": 0.7, "classes": 0.5, "text": 0.5, "examples": 0.9, "objects": 0.5, "ask": 0.5}
UNSURE: Final = 0.6  # share of the threshold from which a person decides
_KEYS: Final = ("name", "against", "model", "threshold", "unsure", "action", "only", "except", *KINDS)
HOUSE: Final = Path(__file__).parent / "policies"  # those that are found by name: "privacy"


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: What it is called, and the label of images that break it.
        kind: What it looks for, one of `KINDS`.
        wanted: The words, classes, patterns, paths, objects, or the question.
        against: Words that stand for harmless images, with `words`.
        model: Whose judgement counts; "" for the usual one.
        threshold: Score from which it is broken.
        unsure: Score from which a person decides.
        action: What follows: "block", "flag", or "blur" what was found.
        only: With `objects`, of faces: people whom alone it speaks of.
        spared: The same: people whom it does not speak of.
    """

    name: str
    kind: str
    wanted: tuple[str, ...]
    against: tuple[str, ...] = ()
    model: str = ""
    threshold: float = 0.5
    unsure: float = 0.3
    action: str = "flag"
    only: tuple[str, ...] = ()
    spared: tuple[str, ...] = ()

    def risk(self, score: float) -> float:
        """Return how likely it is broken, 0 to 1, one half at the threshold."""
        if score < self.threshold:
            return 0.5 * score / self.threshold
        return 0.5 + 0.5 * (score - self.threshold) / (1 - self.threshold) if self.threshold < 1 else 1.0

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        people = {"only": list(self.only), "spared": list(self.spared)}
        # Left out where there are none: older policies keep their digest.
        plain = {key: value for key, value in self.__dict__.items() if key not in people}
        return {**plain, "wanted": list(self.wanted), "against": list(self.against),
                **{key: value for key, value in people.items() if value}}  # fmt: skip


@dataclass(frozen=True)
class Policy:
    """Rules.

    Attributes:
        name: What it is called; also the question that its verdicts answer.
        version: As a person counts it.
        rules: The gravest first.
        folder: Of the file: where its examples lie.
        prompts: Rules of what people ask to be drawn.
    """

    name: str
    version: str
    rules: tuple[Rule, ...]
    folder: Path
    prompts: tuple[prompts.PromptRule, ...] = ()

    @property
    def digest(self) -> str:
        """16 hex digits that change whenever a verdict may, bytes of the examples included."""
        whole = hashlib.sha256(json.dumps([rule.to_json() for rule in self.rules], sort_keys=True).encode())
        for rule in self.rules:
            for file in example_files(self, rule):
                whole.update(hashlib.sha256(file.read_bytes()).digest())
        return whole.hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return what a run keeps of it."""
        return {"name": self.name, "version": self.version, "digest": self.digest,
                "rules": [rule.to_json() for rule in self.rules]}  # fmt: skip


def read_policy(path: Path, *, images: bool = True) -> Policy:
    """Read a policy.

    Args:
        path: A YAML file; or "privacy", the policy of the house, where there is no such file.
        images: Whether it is for images; else it may have rules of prompts alone.

    Raises:
        InputError: It cannot be read, or something in it is not clear; says in which line and column.
    """
    if not path.exists() and (HOUSE / f"{path}.yaml").is_file():
        path = HOUSE / f"{path}.yaml"
    root = read_nodes(path, "policy", HINT)
    table = root.table(("name", "version", "rules", "prompts"), "The policy")
    needed = ("name", "rules") if images or "prompts" not in table else ("name",)
    for key in needed:
        if key not in table:
            raise root.wrong(f"The policy lacks {key!r}.", "name and rules", HINT)
    nodes = _listed(table["rules"], "each with a name and what it looks for") if "rules" in table else []
    found = _each(nodes, _rule)
    asked = _each(_listed(table["prompts"], "each with name and text") if "prompts" in table else [], _prompt_rule)
    version = table["version"].text("version") if "version" in table else ""
    policy = Policy(table["name"].text("name"), version, tuple(found), path.parent, tuple(asked))
    for rule, node in zip(found, nodes, strict=True):
        if rule.kind == "examples" and not example_files(policy, rule):
            raise node.wrong(f"The rule {rule.name!r} has no example that is there.", "images beside the policy")
    return policy


def _listed(node: Node, what: str) -> list[Node]:
    if not isinstance(node.value, list) or not node.value:
        raise node.wrong("There are no rules.", f"a list of rules, {what}")
    return node.value


def _each(nodes: list[Node], read: Callable[[Node], T]) -> list[T]:
    found: dict[str, T] = {}
    for node in nodes:
        rule = read(node)
        if rule.name in found:
            raise node.wrong(f"The rule {rule.name!r} is there twice.", "each name once")
        found[rule.name] = rule
    return list(found.values())


def _prompt_rule(node: Node) -> prompts.PromptRule:
    table = node.table(("name", "text", "action"), "A rule of prompts")
    for key in ("name", "text"):
        if key not in table:
            raise node.wrong(f"A rule of prompts lacks its {key}.", "name: weapons, text: [pipe bomb, 炸弹]")
    wanted = table["text"].texts("text")
    _check_patterns(wanted, table["text"])
    for words, one in zip(wanted, _nodes(table["text"]), strict=True):
        if not prompts.folded(words).strip():
            raise one.wrong("There is nothing to read in this.", "a word")
    action = table["action"].text("action") if "action" in table else "block"
    if action not in prompts.ACTIONS:
        raise table["action"].wrong("There is no such action for prompts.", " or ".join(prompts.ACTIONS))
    return prompts.PromptRule(table["name"].text("name"), wanted, action)


def _rule(node: Node) -> Rule:
    table = node.table(_KEYS, "A rule")
    if "name" not in table:
        raise node.wrong("A rule lacks its name.", "name: weapons")
    name = table["name"].text("name")
    if name.casefold() == OK:
        raise table["name"].wrong(f"{OK!r} is what images are called that break no rule.", "another name")
    kinds = [kind for kind in KINDS if kind in table]
    if len(kinds) != 1:
        raise node.wrong(f"The rule {name!r} must look for one kind of thing.", f"one of {', '.join(KINDS)}")
    (kind,) = kinds
    threshold = table["threshold"].number("threshold") if "threshold" in table else KINDS[kind]
    unsure = table["unsure"].number("unsure") if "unsure" in table else threshold * UNSURE
    if unsure > threshold:
        raise table["unsure"].wrong("unsure lies above the threshold.", f"at most {threshold:g}")
    action = table["action"].text("action") if "action" in table else "flag"
    if action not in ACTIONS:
        raise table["action"].wrong("There is no such action.", " or ".join(ACTIONS))
    if action == "blur" and kind not in ("objects", "text"):
        raise table["action"].wrong("Only what lies somewhere can be blurred.", "objects or text", "action: block")
    if "against" in table and kind != "words":
        raise table["against"].wrong("Only words are weighed against others.", "no key 'against'")
    only, spared = (table[key].texts(key) if key in table else () for key in ("only", "except"))
    if (only or spared) and kind != "objects":
        raise table["only" if only else "except"].wrong("Only faces are of people.", "objects: [face]")
    if only and spared:
        raise table["except"].wrong("A rule speaks of some people or of all others.", "only or except")
    wanted = table[kind].texts(kind)
    if kind == "text":
        _check_patterns(wanted, table[kind])
    against = table["against"].texts("against") if "against" in table else ()
    model = table["model"].text("model") if "model" in table else ""
    if kind in ("classes", "objects", "ask") and not model:
        raise node.wrong(f"The rule {name!r} needs a model.", "model: NAME", "lucida models lists them")
    return Rule(name, kind, wanted, against, model, threshold, unsure, action, only, spared)


def _check_patterns(wanted: tuple[str, ...], node: Node) -> None:
    import re

    for text, one in zip(wanted, _nodes(node), strict=True):
        if text.startswith("re:"):
            try:
                re.compile(text[3:])
            except re.error as error:
                raise one.wrong(f"This is no pattern: {error}.", "a regular expression after re:") from error


def _nodes(node: Node) -> list[Node]:
    return node.value if isinstance(node.value, list) else [node]


def example_files(policy: Policy, rule: Rule) -> list[Path]:
    """Return the example images of a rule, in order.

    Raises:
        InputError: A path leads out of the policy's folder.
    """
    if rule.kind != "examples":
        return []
    home, found = policy.folder.resolve(), []
    for name in rule.wanted:
        place = (policy.folder / name).resolve()
        if not place.is_relative_to(home):
            raise InputError(
                f"The example {name!r} of {rule.name!r} lies outside of the policy's folder.",
                expected=f"a path below {policy.folder}",
                got=name,
                hint="copy it beside the policy",
            )
        files = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
        found += [path for path in files if path.is_file() and not path.name.startswith(".")]
    return found
