"""What of a prompt the text encoders do not read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from lucida.notes import Note

SHOWN: Final = 200  # characters of what is not read
PROMPT: Final = Note("prompt", "prompt")
NEGATIVE: Final = Note("negative_prompt", "negative prompt")


def unread(tokenizer: Any, text: str, longest: int) -> str:
    """Return the end of a text that is beyond what an encoder reads; "" where all is read.

    Args:
        tokenizer: Of transformers.
        text: A prompt.
        longest: Tokens that are read, those at the beginning and end included that the tokenizer adds.
    """
    whole = tokenizer(text, truncation=False, verbose=False).input_ids
    if len(whole) <= longest:
        return ""
    # The mark at the end takes the place of the last token that would have fitted.
    added = tokenizer.num_special_tokens_to_add(pair=False)
    plain = tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)
    kept = longest - added
    if tokenizer.is_fast:
        offsets = tokenizer(
            text, add_special_tokens=False, truncation=False, return_offsets_mapping=True, verbose=False
        ).offset_mapping
        return str(text[offsets[kept][0] :]).strip()
    return str(tokenizer.decode(plain.input_ids[kept:], skip_special_tokens=True)).strip()


def readers(pipeline: Any, longest: int) -> Iterator[tuple[Any, int]]:
    """Yield the tokenizers of a pipeline, each with the number of tokens that is read of it."""
    names = [name for name in pipeline.components if name.startswith("tokenizer")]
    for name in names:
        tokenizer = pipeline.components[name]
        if tokenizer is not None:
            # CLIP's positions end there, whatever else reads more of the prompt; others are cut by the pipeline.
            yield tokenizer, tokenizer.model_max_length if type(tokenizer).__name__.startswith("CLIP") else longest


def remarks(pipeline: Any, texts: Mapping[Note, str], longest: int) -> tuple[Note, ...]:
    """Return a sentence for each text whose end nothing reads, or only a part of the encoders.

    Args:
        pipeline: Of diffusers.
        texts: Prompts, under what they are called.
        longest: Tokens that the encoder reads that reads most.
    """
    found = []
    for called, text in texts.items():
        if not text:
            continue
        cuts = [(most, unread(tokenizer, text, most)) for tokenizer, most in readers(pipeline, longest)]
        if not cuts:
            continue
        most, left = max(cuts)
        fewest, _ = min(cuts)
        if left:
            shown = f"{left[:SHOWN]}…" if len(left) > SHOWN else left
            said = "Of the {called} {most} tokens are read; not read: '{shown}'."
            found.append(Note("prompt_cut", said, called=called, most=most, shown=shown))
        elif any(cut for _, cut in cuts):
            said = "Of the {called} one text encoder reads all, another only the first {fewest} tokens."
            found.append(Note("prompt_cut_in_part", said, called=called, fewest=fewest))
    return tuple(found)
