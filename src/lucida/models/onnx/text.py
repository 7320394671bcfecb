"""The text half of a CLIP-like pair: words become vectors once, never once an image."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from lucida.errors import InputError, ModelError
from lucida.models import engine
from lucida.models.spec import Matcher, check_rows
from lucida.models.threads import available_cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.onnx.card import Text

# An average over a few wordings is steadier than any one of them (Radford et al. 2021, section 3.1.4).
TEMPLATES = ("{}", "a photo of a {}.", "a close-up photo of a {}.", "a photo of the {}.", "a picture of {}.")

BATCH = 8  # texts a call, where the file takes any number

# What an image that is none of the classes may be called; its mean vector lies between most things.
ANYTHING = ("something", "an object", "a thing", "a scene", "a background", "a texture")


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row to length one."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12), np.float32)


class TextMatcher(Matcher):
    """Scores image vectors by their cosine with the mean vector of each class's prompts.

    Args:
        text: The text half.
        descriptions: For each class the words or phrases that stand for it.
        none: Whether one more class stands for anything else.
        templates: Wordings with {} for the class, instead of the usual ones.
    """

    def __init__(
        self,
        text: Text,
        descriptions: Sequence[Sequence[str]],
        *,
        none: bool = False,
        templates: Sequence[str] = (),
    ) -> None:
        encode = TextEncoder(text)
        descriptions = [*descriptions, *([ANYTHING] if none else [])]
        own = list(dict.fromkeys((text.template, *TEMPLATES)))
        # Of our own wordings those that are too long for a model are left out; what a person wrote is never.
        wordings = [prompts(words, templates) if templates else encode.fitting(words, own) for words in descriptions]
        vectors = unit(encode([text for texts in wordings for text in texts]))
        ends = np.cumsum([len(texts) for texts in wordings])
        self._classes = unit(np.stack([part.mean(axis=0) for part in np.split(vectors, ends[:-1])]))
        self._scale = np.float32(text.logit_scale)

    @property
    def directions(self) -> NDArray[np.float32]:
        return self._classes

    def logits(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        check_rows(outputs, self._classes.shape[1])
        return np.asarray(self._scale * unit(outputs) @ self._classes.T, np.float32)


def prompts(words: Sequence[str], templates: Sequence[str]) -> list[str]:
    """Return every wording of every phrase; a phrase of more than four words stands as it is."""
    short = [word for word in words if len(word.split()) <= 4]
    long = [word for word in words if len(word.split()) > 4]
    return [template.replace("{}", word) for word in short for template in templates] + long


class TextEncoder:
    """Turns texts into vectors float32 (n, d)."""

    def __init__(self, text: Text) -> None:
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_file(str(text.tokenizer))
        except Exception as error:
            # The tokenizers package raises a bare Exception for every reason.
            raise ModelError(
                f"The tokenizer {text.tokenizer} cannot be loaded.",
                expected="a tokenizer.json of the tokenizers package",
                got=str(error)[:200],
                hint="export it again, with save_pretrained of a fast tokenizer",
            ) from error
        padding = self._tokenizer.padding or {}
        self._tokenizer.no_truncation()
        self._tokenizer.enable_padding(
            direction=padding.get("direction", "right"),
            length=text.context,
            pad_id=padding.get("pad_id", 0),
            pad_token=padding.get("pad_token", "[PAD]"),
        )
        self._text = text
        self._session = engine.open_session(text.file, "fp32")
        for kind, name, known in (
            ("input", text.name, list(self._session.inputs)),
            ("input", text.mask, list(self._session.inputs)),
            ("output", text.output, self._session.outputs),
        ):
            if name and name not in known:
                raise ModelError(
                    f"{text.file} has no {kind} named {name!r}.",
                    expected=f"one of {', '.join(known)}",
                    got=repr(name),
                    hint="correct [text] in the model's TOML",
                )

    def fitting(self, words: Sequence[str], templates: Sequence[str]) -> list[str]:
        """Return the wordings of some phrases that the model can read, and the phrases themselves in any case."""
        found = prompts(words, templates)
        encoded = self._tokenizer.encode_batch(found)
        short = [text for text, e in zip(found, encoded, strict=True) if len(e.ids) <= self._text.context]
        return list(dict.fromkeys((*short, *words)))

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encode texts.

        Raises:
            InputError: One is longer than the model reads.
        """
        encoded = self._tokenizer.encode_batch(list(texts))
        longest = max(encoded, key=lambda e: len(e.ids), default=None)
        if longest is not None and len(longest.ids) > self._text.context:
            raise InputError(
                "The description of a class is longer than the model reads.",
                expected=f"at most {self._text.context} tokens, about {self._text.context * 2 // 3} words",
                got=f"{len(longest.ids)} tokens: {texts[encoded.index(longest)][:80]!r} …",
                hint="shorten it, or give several short descriptions: name: [first, second]",
            )
        fixed = self._session.inputs[self._text.name][0]

        def run(start: int) -> NDArray[np.float32]:
            chunk = encoded[start : start + (fixed or BATCH)]
            filled = [*chunk, *([chunk[-1]] * ((fixed or 0) - len(chunk)))]
            feeds = {self._text.name: np.array([e.ids for e in filled], np.int64)}
            if self._text.mask:
                feeds[self._text.mask] = np.array([e.attention_mask for e in filled], np.int64)
            return self._session(feeds, (self._text.output,))[0].reshape(len(filled), -1)[: len(chunk)]

        with ThreadPoolExecutor(available_cores()) as pool:
            return np.concatenate(list(pool.map(run, range(0, len(encoded), fixed or BATCH))))
