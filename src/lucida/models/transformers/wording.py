"""What a model is told to look for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lucida.errors import InputError

if TYPE_CHECKING:
    from lucida.models.spec import Spec


def needs_words(spec: Spec) -> tuple[str, ...]:
    """Return what a model is to look for.

    Raises:
        InputError: It was told nothing.
    """
    names = tuple(name.strip() for name in spec.gives.classes)
    if not names or not all(names):
        raise InputError(
            f"{spec.name} finds whatever it is told to, and was told nothing.",
            expected="what to look for",
            got="no classes" if not names else "an empty one",
            hint='--classes "bolt,crack"; in Python spec.look_for(["bolt", "crack"])',
        )
    return names


def check_length(spec: Spec, tokenizer: Any, texts: Sequence[str], most: int) -> None:
    """Refuse texts that are longer than a model reads.

    Raises:
        InputError: One is.
    """
    for text in texts:
        tokens = len(tokenizer(text, truncation=False)["input_ids"])
        if tokens > most:
            raise InputError(
                f"What is looked for is described at greater length than {spec.name} reads.",
                expected=f"at most {most} tokens",
                got=f"{tokens} tokens: {text[:80]!r}",
                hint="fewer words, or fewer classes",
            )
