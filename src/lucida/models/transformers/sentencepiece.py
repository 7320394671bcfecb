"""The tokenizer of SigLIP, which comes as a SentencePiece model, brought to the `tokenizers` package."""

from __future__ import annotations

import string
from typing import Any


def from_sentencepiece(tokenizer: Any) -> Any:
    """Return a `tokenizers.Tokenizer` that gives the same ids.

    Source: SigLIP's own reading of a text: lower case, no punctuation, single spaces, an end mark.

    Args:
        tokenizer: A transformers tokenizer over a SentencePiece model.
    """
    from tokenizers import Regex, normalizers
    from transformers.convert_slow_tokenizer import T5Converter

    class Converter(T5Converter):  # type: ignore[misc]
        def vocab(self, proto: Any) -> list[tuple[str, float]]:
            # No sentinels are added to the end, as T5 has them.
            return [(piece.piece, piece.score) for piece in proto.pieces]

    made = Converter(tokenizer).converted()
    punctuation = Regex(f"[{''.join(chr(92) + sign for sign in string.punctuation)}]")
    made.normalizer = normalizers.Sequence(
        [
            normalizers.Lowercase(),
            normalizers.Replace(punctuation, ""),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
            made.normalizer,
        ]
    )
    return made
