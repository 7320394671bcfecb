"""Names of classes as hub models give them."""

from __future__ import annotations

from collections import Counter


def tell_apart(names: list[list[str]]) -> list[list[str]]:
    """Give classes that share a first name all their names as one: "crane" is a bird and a machine."""
    firsts = Counter(words[0].casefold() for words in names)
    named = [words if firsts[words[0].casefold()] == 1 else [", ".join(words), *words] for words in names]
    seen: Counter[str] = Counter()
    for words in named:
        seen[words[0].casefold()] += 1
        if seen[words[0].casefold()] > 1:
            words[0] = f"{words[0]} ({seen[words[0].casefold()]})"
    return named
