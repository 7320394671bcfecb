"""BLIP and BLIP-2, run by PyTorch: greedy, so that the same image has the same caption."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from lucida.errors import ImageError, MissingExtra, ModelError
from lucida.images import decode
from lucida.models.answer_form import read_said
from lucida.models.chat import STOPPED, Said, Talk, Usage
from lucida.models.quiet import quiet
from lucida.models.spec import Model, Precision, Spec
from lucida.models.transformers.captioning import Kind, prompt_of, refusal
from lucida.models.transformers.saying import continued

if TYPE_CHECKING:
    from lucida.models.hub.snapshot import Snapshot


class Captioner(Model):
    """A running model that captions or answers.

    Args:
        spec: What it promises.
        snapshot: Its files.
        kind: How it is used.
        precision: "fp32", "bf16", or "auto": bf16 on a GPU, else fp32.

    Raises:
        MissingExtra: transformers is not installed.
        ModelError: It cannot be loaded, or int8 is asked for.
    """

    def __init__(self, spec: Spec, snapshot: Snapshot, kind: Kind, precision: Precision = "auto") -> None:
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
        architecture = str(snapshot.config["architectures"][0])
        with quiet():
            model, _ = load(getattr(transformers, architecture), snapshot, optional=("lm_head", "position_ids"))
            self._processor = transformers.AutoProcessor.from_pretrained(
                snapshot.folder, local_files_only=True, trust_remote_code=False
            )
        if getattr(self._processor, "num_query_tokens", 1) is None:
            # Files from before the processor put the places of the image into the text.
            self._processor.num_query_tokens = model.config.num_query_tokens
        self._model = model.to(self._device, torch.bfloat16 if self._precision == "bf16" else torch.float32)
        self._kind, self._torch, self._lock = kind, torch, threading.Lock()

    @property
    def engine(self) -> str:
        return f"torch {self._device} {self._precision}"

    def quote_talk(self, talk: Talk) -> Usage:
        return Usage(cost=0.0)

    def say(self, talk: Talk) -> Said:
        problem = refusal(self._kind, talk, self.spec.name)
        if problem:
            return Said(problem=problem)
        try:
            (picture,) = (self._picture(data) for turn in talk.turns for data in turn.images)
        except ImageError as error:
            return Said(problem=error.what)
        text = prompt_of(self._kind, talk.turns)
        with self._lock, quiet(), self._torch.inference_mode():
            inputs = self._processor(images=picture, return_tensors="pt", **({"text": text} if text else {}))
            inputs = inputs.to(self._device)
            inputs["pixel_values"] = inputs["pixel_values"].to(self._model.dtype)
            limit = int(getattr(self._model.config.text_config, "max_position_embeddings", 0) or 0)
            found = continued(self._model, self._processor.tokenizer, inputs, talk, name=self.spec.name, limit=limit)
        if talk.stopped():
            return Said(problem=STOPPED)
        if found.problem:
            return Said(problem=found.problem)
        said = read_said(found, Talk(talk.turns))
        return Said(said.text, said.score, problem=said.problem, usage=Usage(cost=0.0))

    def _picture(self, data: bytes) -> Any:
        from PIL import Image as Pillow

        return Pillow.fromarray(self.spec.needs.fit(decode(data, cover=self.spec.needs.cover)))
