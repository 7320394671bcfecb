"""What a chat model that runs here says next: greedy, so that the same talk has the same answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lucida.models.answer_form import Written, in_pieces
from lucida.models.chat import Talk


def written(
    model: Any, processor: Any, talk: Talk, pictures: Sequence[Sequence[Any]], *, name: str, limit: int
) -> Written:
    """Return what a model writes after a talk. To be called in inference mode, by one thread at a time.

    Args:
        model: A transformers model that generates.
        processor: Its processor, which knows its form of conversation.
        talk: What was said so far, in all words.
        pictures: PIL images of each turn.
        name: Of the model, as a person knows it.
        limit: Tokens that it reads and writes at most; 0 where that is not known.
    """
    inputs = processor.apply_chat_template(
        turns_of(talk, pictures), add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    ).to(model.device)
    if "pixel_values" in inputs:
        inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
    return continued(model, processor.tokenizer, inputs, talk, name=name, limit=limit)


def continued(model: Any, tokenizer: Any, inputs: Any, talk: Talk, *, name: str, limit: int) -> Written:
    """Return what a model writes after prepared inputs.

    Args:
        model: A transformers model that generates.
        tokenizer: Its tokenizer.
        inputs: Token numbers, masks and pixels.
        talk: How long the answer may be, and whether it is still wanted.
        name: Of the model, as a person knows it.
        limit: Tokens that it reads and writes at most; 0 where that is not known.
    """
    tokens = int(inputs["input_ids"].shape[1]) if "input_ids" in inputs else 0
    if limit and tokens >= limit:
        return Written(problem=too_long(name, tokens, limit), hopeless=True)
    room = min(talk.longest, limit - tokens) if limit else talk.longest
    made = model.generate(
        **inputs,
        max_new_tokens=room,
        do_sample=False,
        num_beams=1,
        return_dict_in_generate=True,
        output_logits=True,
        # Asked after every token.
        stopping_criteria=[lambda tokens, _: tokens.new_full(tokens.shape[:1], talk.stopped(), dtype=bool)],
    )
    # The talk itself comes first in what a decoder gives back; the written tokens are the last, one a step.
    new = made.sequences[0, -len(made.logits) :].tolist()
    logarithms = [
        float(step[0].float().log_softmax(-1)[token]) for step, token in zip(made.logits, new, strict=True)
    ]  # fmt: skip
    found = in_pieces(lambda part: str(tokenizer.decode(part, skip_special_tokens=True)), new, logarithms)
    ends = model.generation_config.eos_token_id
    stops = ends if isinstance(ends, list) else [ends]
    return Written(found.text, found.pieces, cut=len(new) >= room and new[-1] not in stops)


def turns_of(talk: Talk, pictures: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Return the messages of a talk: the images of a turn before its words, the rules before the first words.

    Rules go into the first turn: some models know no other side than the two that talk.
    """
    messages = []
    for number, (turn, shown) in enumerate(zip(talk.turns, pictures, strict=True)):
        text = f"{talk.rules.strip()}\n\n{turn.text}" if number == 0 and talk.rules.strip() else turn.text
        content = [{"type": "image", "image": picture} for picture in shown]
        messages.append({"role": turn.by, "content": [*content, {"type": "text", "text": text}]})
    return messages


def too_long(name: str, tokens: int, limit: int) -> str:
    """Return the words for a talk that a model cannot read."""
    return f"The talk is longer than {name} reads: {tokens:,} tokens, images included, of at most {limit:,}."
