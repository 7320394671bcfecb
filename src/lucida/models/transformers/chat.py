"""A chat model that sees, run here: what it says, and how likely each class is by its own probabilities."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import ImageError, InputError, MissingExtra, ModelError
from lucida.images import decode
from lucida.models.answer_form import Written, converse
from lucida.models.chat import Prompt, Reply, Said, Talk, Usage
from lucida.models.hub.snapshot import UNSTATED, Snapshot
from lucida.models.needs import ImageNeeds
from lucida.models.quiet import quiet
from lucida.models.spec import Gives, Model, Precision, Spec, Trial
from lucida.models.transformers.saying import written

if TYPE_CHECKING:
    from numpy.typing import NDArray


SIDE = 1024  # longer side in pixels that an image is scaled down to; models scale further
CHUNK = 32  # classes whose words are read at a time


def chat_spec(snapshot: Snapshot, *, family: str) -> Spec:
    """Return the spec of a chat model."""

    def build(spec: Spec, precision: Precision, trial: Trial | None) -> Model:
        return ChatModel(spec, snapshot, precision)

    return Spec(
        name=snapshot.name,
        family=family,
        tasks=("ask", "caption", "answer"),
        needs=ImageNeeds(SIDE, resize="fit", interpolation="bicubic"),
        gives=Gives(),
        licence=UNSTATED,
        source=snapshot.name,
        revision=snapshot.revision[:12],
        note="Chooses among classes by its own probabilities, without a reason; describes images and answers questions"
        " in words, with a reason where one is asked for. The score of an answer is the mean probability of its tokens."
        " Nothing leaves this machine.",
        build=build,
    )


class ChatModel(Model):
    """A running chat model.

    Every class is scored as the whole answer, its end included, so that no answer is outside the classes and "cat" is
    told from "catfish"; the image and the question are read once for all classes.

    Args:
        spec: What it promises.
        snapshot: Its files.
        precision: "fp32", "bf16", or "auto": bf16 on a GPU, else fp32.

    Raises:
        MissingExtra: transformers is not installed.
        ModelError: It cannot be loaded, or int8 is asked for.
    """

    def __init__(self, spec: Spec, snapshot: Snapshot, precision: Precision = "auto") -> None:
        super().__init__(spec)
        try:
            import torch
            import transformers

            from lucida.models.transformers.network import load
        except ImportError as error:
            raise MissingExtra(error.name or "transformers", "hub", f"Running {spec.name}") from error
        if precision == "int8":
            raise ModelError(
                f"{spec.name} cannot run int8.",
                expected="--precision auto, fp32 or bf16",
                got="int8",
                hint="leave --precision out",
            )
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._precision = precision if precision != "auto" else "bf16" if self._device == "cuda" else "fp32"
        with quiet():
            model, _ = load(transformers.AutoModelForImageTextToText, snapshot, optional=("lm_head", "position_ids"))
            self._processor = transformers.AutoProcessor.from_pretrained(
                snapshot.folder, local_files_only=True, trust_remote_code=False
            )
        self._model = model.to(self._device, torch.bfloat16 if self._precision == "bf16" else torch.float32)
        self._torch = torch
        # The model keeps state between the pass over the image and that over the classes.
        self._lock = threading.Lock()

    @property
    def engine(self) -> str:
        return f"torch {self._device} {self._precision}"

    def ask(self, prompt: Prompt, images: Sequence[bytes]) -> list[Reply]:
        return [self._ask(prompt, image) for image in images]

    def quote(self, prompt: Prompt, images: int = 1) -> Usage:
        return Usage(cost=0.0)

    def quote_talk(self, talk: Talk) -> Usage:
        return Usage(cost=0.0)

    def say(self, talk: Talk) -> Said:
        try:
            pictures = [[self._picture(data) for data in turn.images] for turn in talk.turns]
        except ImageError as error:
            return Said(problem=error.what)
        name, limit = self.spec.name, self._limit

        def write(asked: Talk) -> Written:
            return written(self._model, self._processor, asked, pictures, name=name, limit=limit)

        with self._lock, quiet(), self._torch.inference_mode():
            said = converse(write, talk)
        return replace(said, usage=Usage(cost=0.0))

    def _ask(self, prompt: Prompt, image: bytes) -> Reply:
        try:
            pictures = [self._picture(data) for data in (*(shot.image for shot in prompt.shots), image)]
        except ImageError as error:
            return Reply(problem=error.what)
        with self._lock, quiet(), self._torch.inference_mode():
            scores = self.scores(prompt, pictures)
        likely = np.exp(scores - scores.max())
        return Reply(
            dict(zip(prompt.classes, (likely / likely.sum()).tolist(), strict=True)),
            basis="log-probabilities",
            usage=Usage(cost=0.0),
        )

    def _picture(self, data: bytes) -> Any:
        from PIL import Image as Pillow

        return Pillow.fromarray(self.spec.needs.fit(decode(data, cover=self.spec.needs.cover)))

    def scores(self, prompt: Prompt, pictures: Sequence[Any]) -> NDArray[np.float64]:
        """Return the log-probability of each class as the whole answer, float64 (classes,).

        To be called in inference mode, by one thread at a time.
        """
        torch = self._torch
        inputs = self._processor.apply_chat_template(
            conversation(prompt, pictures),
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self._device)
        self._refuse_long(prompt, int(inputs["input_ids"].shape[1]))
        if "pixel_values" in inputs:
            inputs["pixel_values"] = inputs["pixel_values"].to(self._model.dtype)
        read = self._model(**inputs, use_cache=True)
        first = read.logits[0, -1].float().log_softmax(-1)
        words = self._words(prompt, pictures)
        scores = []
        for start in range(0, len(words), CHUNK):
            chunk = words[start : start + CHUNK]
            longest = max(map(len, chunk))
            tokens = torch.tensor([w + [w[-1]] * (longest - len(w)) for w in chunk], device=self._device)
            # All but the last word of each answer, after what was read; the words' own probabilities come out.
            cache = _repeated(read.past_key_values, len(chunk))
            # Without a mask: nothing was padded, and models with positions of their own go on counting by themselves.
            more = self._model(input_ids=tokens[:, :-1], past_key_values=cache, use_cache=True)
            rest = more.logits.float().log_softmax(-1).gather(2, tokens[:, 1:, None])[..., 0]
            for row, own in enumerate(chunk):
                scores.append(float(first[own[0]] + rest[row, : len(own) - 1].sum()))
        return np.array(scores)

    def _words(self, prompt: Prompt, pictures: Sequence[Any]) -> list[list[int]]:
        """Return the tokens of each class as the assistant's turn, to its end.

        They are read off the model's own form of conversation, which may put a space before an answer.
        """
        tokenizer, messages = self._processor.tokenizer, conversation(prompt, pictures)
        ends = self._model.generation_config.eos_token_id
        stops = ends if isinstance(ends, list) else [ends] if ends is not None else [tokenizer.eos_token_id]
        asked = self._processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        found = []
        for name in prompt.classes:
            turn = {"role": "assistant", "content": [{"type": "text", "text": name}]}
            whole = self._processor.apply_chat_template([*messages, turn], tokenize=False)
            answer = whole.removeprefix(asked) if whole.startswith(asked) else name
            words = tokenizer.encode(answer, add_special_tokens=False)
            end = next((i for i, word in enumerate(words) if word in stops), len(words))
            found.append([*words[:end], words[end] if end < len(words) else stops[0]])
        return found

    @property
    def _limit(self) -> int:
        """Tokens that it reads; 0 where its files do not say."""
        text = getattr(self._model.config, "text_config", self._model.config)
        return int(getattr(text, "max_position_embeddings", 0) or 0)

    def _refuse_long(self, prompt: Prompt, tokens: int) -> None:
        limit = self._limit
        if limit and tokens > limit:
            raise InputError(
                f"The question is longer than {self.spec.name} reads.",
                expected=f"at most {limit:,} tokens, the image included",
                got=f"{tokens:,} tokens with {len(prompt.classes):,} classes and {len(prompt.shots)} example images",
                hint="fewer classes, shorter definitions, fewer example images; or --model clip, which reads a class at"
                " a time",
            )


def conversation(prompt: Prompt, pictures: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the messages: rules first, then each example image with its answer, then the image that is asked about.

    Args:
        prompt: What is asked.
        pictures: The example images and the one that is asked about, as PIL images.
    """
    lines = [prompt.rules, prompt.question, f"Answer with one of: {', '.join(prompt.classes)}."]
    lines += [f"{name}: {meaning}" for name, meaning in prompt.definitions.items()]
    text = "\n".join(line for line in [*lines, "Answer with the name alone."] if line)
    messages: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures):
        said = text if number == 0 else prompt.question
        content = [{"type": "image", "image": picture}, {"type": "text", "text": said}]
        messages.append({"role": "user", "content": content})
        if number < len(prompt.shots):
            answer = [{"type": "text", "text": prompt.shots[number].answer}]
            messages.append({"role": "assistant", "content": answer})
    return messages


def _repeated(cache: Any, times: int) -> Any:
    """Return a copy of what was read, once for each class."""
    import copy

    mine = copy.deepcopy(cache)
    mine.batch_repeat_interleave(times)
    return mine
