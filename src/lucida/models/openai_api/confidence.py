"""From answers to probabilities: by the log-probabilities of tokens, by what the model says of itself, by votes.

- Log-probabilities: the tokens of the class in the answer are followed. At each, the alternatives that the server
  gives are read as beginnings of classes; one that only one class has gives its probability to that class, one that
  several have is shared by them, and the path that was taken goes on. What no alternative explains goes to the classes
  not seen, none more than the least seen class has. Then all are scaled to sum to 1.
- Self-report: the class has the confidence c that the model gives it, the others share 1 - c.
- Votes: with v of n answers for a class and m the mean of the answers' own probabilities, (v + m) / (n + 1): one
  pseudo-vote that follows the model's own doubt, so that 3 of 3 is not certainty.

None of these is calibrated: a review is what measures them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lucida.models.openai_api.answers import Answer, fold

UNSAID = 0.5  # confidence where the model gives none
_CLASS = re.compile(rb'"class"\s*:\s*"')
_LEAST = 0.5  # share of the probability that must lie on classes; below, the tokens were not understood


@dataclass(frozen=True)
class Token:
    """One token of an answer.

    Attributes:
        text: Its bytes, UTF-8.
        probability: Natural logarithm of its probability.
        alternatives: The likeliest tokens at its place with the logarithms of their probabilities, itself included.
    """

    text: bytes
    probability: float
    alternatives: tuple[tuple[bytes, float], ...] = ()


def self_report(answer: Answer, classes: Sequence[str]) -> dict[str, float]:
    """Return the probabilities of an answer by its own confidence; its class is always the likeliest."""
    if len(classes) == 1:
        return {answer.label: 1.0}
    said = UNSAID if answer.confidence is None else answer.confidence
    # A class that is named with less than an equal share would not be the answer any more.
    sure = min(0.999, max(said, 1.05 / len(classes)))
    rest = (1 - sure) / (len(classes) - 1)
    return {name: sure if name == answer.label else rest for name in classes}


def by_votes(answers: Sequence[dict[str, float]], labels: Sequence[str]) -> dict[str, float]:
    """Return the probabilities of several answers: their votes, and one pseudo-vote of their mean.

    Args:
        answers: Probabilities of each answer, over the same classes.
        labels: The class of each answer.
    """
    n = len(answers)
    return {
        name: (sum(label == name for label in labels) + sum(each[name] for each in answers) / n) / (n + 1)
        for name in answers[0]
    }


def by_tokens(tokens: Sequence[Token], labels: Sequence[str], classes: Sequence[str]) -> list[dict[str, float] | None]:
    """Return the probabilities of each answer in a text by its tokens; None where they cannot be read from them.

    Args:
        tokens: The tokens of the whole text, in order.
        labels: The class of each answer, in the order in which they stand in the text; "" for one without.
        classes: The classes that were allowed.
    """
    text = b"".join(token.text for token in tokens)
    starts = [found.end() for found in _CLASS.finditer(text)]
    if len(starts) != len(labels):
        return [None] * len(labels)
    spelled = [(name, way) for name in classes for way in _spellings(name)]
    return [
        _follow(tokens, start, spelled, label, classes) if label and _stands(text, start) == fold(label) else None
        for start, label in zip(starts, labels, strict=True)
    ]


def _stands(text: bytes, start: int) -> str:
    """Return the class that stands in a text, as classes are compared."""
    try:
        return fold(str(json.JSONDecoder(strict=False).raw_decode(text[start - 1 :].decode(errors="replace"))[0]))
    except ValueError:
        return ""


def _spellings(name: str) -> set[bytes]:
    ways = {name, json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1]}
    return {way.encode().lower() + b'"' for way in ways}


def _follow(
    tokens: Sequence[Token], start: int, spelled: Sequence[tuple[str, bytes]], label: str, classes: Sequence[str]
) -> dict[str, float] | None:
    mass = dict.fromkeys(classes, 0.0)
    begun, reached, unexplained, at = b"", 1.0, 0.0, 0
    for token in tokens:
        end = at + len(token.text)
        if end > start:
            before = token.text[: max(0, start - at)]
            explained = 0.0
            for text, logarithm in token.alternatives or ((token.text, token.probability),):
                if text == token.text or not text.startswith(before):
                    continue
                explained += _give(mass, begun + text[len(before) :], reached * math.exp(logarithm), spelled)
            taken = begun + token.text[len(before) :]
            chance = reached * math.exp(token.probability)
            unexplained += max(0.0, reached - explained - chance)
            begun, reached = taken, chance
            if len(_having(begun, spelled)) <= 1 or b'"' in begun:
                _give(mass, begun, reached, spelled)
                return _scaled(mass, unexplained, label)
        at = end
    return None


def _having(beginning: bytes, spelled: Sequence[tuple[str, bytes]]) -> set[str]:
    """Return the classes that a beginning may become; what comes after the closing quote says nothing."""
    quote = beginning.find(b'"')
    cut = (beginning if quote < 0 else beginning[: quote + 1]).lower()
    return {name for name, way in spelled if way.startswith(cut)} if cut else set()


def _give(mass: dict[str, float], beginning: bytes, chance: float, spelled: Sequence[tuple[str, bytes]]) -> float:
    having = _having(beginning, spelled)
    for name in having:
        mass[name] += chance / len(having)
    return chance if having else 0.0


def _scaled(mass: dict[str, float], unexplained: float, label: str) -> dict[str, float] | None:
    seen = [value for value in mass.values() if value > 0]
    if not math.isfinite(sum(seen)) or sum(seen) < _LEAST or mass[label] <= 0:
        return None
    unseen = len(mass) - len(seen)
    share = min(unexplained / unseen, min(seen)) if unseen else 0.0
    whole = sum(seen) + share * unseen
    return {name: (value if value > 0 else share) / whole for name, value in mass.items()}
