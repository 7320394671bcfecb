"""Answers about results in the shell: one line an image, until no answer would prove more or a person stops."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lucida.search.cutoff import Claim
    from lucida.search.judging import Judging

_MEANT: Final = {"y": True, "yes": True, "j": True, "是": True, "n": False, "no": False, "否": False}
_ENDS: Final = ("q", "quit", "")


def judge(judging: Judging, read: Callable[[str], str] = input) -> Claim:
    """Ask about results until where relevance ends is proven as far as answers can; return what is proven.

    Args:
        judging: Knows what to ask, and keeps each answer at once: the same call goes on.
        read: Shows a prompt and returns a line; EOFError ends it.
    """
    catalog = judging.catalog
    print("Is each of these what you looked for? y or n; q ends it, and the same command goes on.", file=sys.stderr)
    said = judging.claim().results
    while (image := judging.next()) is not None:
        given = _answer(f"[{len(judging.answers) + 1}] {catalog.images.name(image)} ", read)
        if given is None:
            break
        claim = judging.answer(image, given)
        if claim.results != said:
            said = claim.results
            print(f"    {claim}", file=sys.stderr)
    return judging.claim()


def _answer(prompt: str, read: Callable[[str], str]) -> bool | None:
    """Return what was answered; None where nobody answers any more."""
    while True:
        try:
            said = read(prompt).strip().casefold()
        except EOFError:
            return None
        if said in _MEANT:
            return _MEANT[said]
        if said in _ENDS:
            return None
        print("    y or n; q ends it.", file=sys.stderr)
