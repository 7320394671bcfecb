"""A running ONNX model: batches in, vectors or logits out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lucida.errors import ModelError
from lucida.models.precision import Weights, choose
from lucida.models.spec import Model, Output, Precision, Spec, Trial

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.engine import Session
    from lucida.models.onnx.card import Card


class OnnxModel(Model):
    """Runs the image half of a card's model.

    Args:
        spec: What it promises.
        card: Its files and the names of their inputs and outputs.
        precision: "auto", "fp32", "bf16" or "int8".
        trial: What to check the precision on.

    Raises:
        ModelError: The file lacks an input or output that the card names, or no engine can run it.
    """

    def __init__(self, spec: Spec, card: Card, precision: Precision = "auto", trial: Trial | None = None) -> None:
        super().__init__(spec)
        self._card = card
        weights = Weights(card.file, card.input, card.needs, self._read, f"{card.name} {card.digest}")
        self._session = choose(weights, precision, trial)
        self._check_names(self._session)
        self._settled: dict[int, Session] = {}

    @property
    def engine(self) -> str:
        return self._session.engine

    def settle(self, sizes: Sequence[int]) -> bool:
        card = self._card
        free = self._session.inputs[card.input][:1] in ((), (None,))
        _, *rest = _laid_out(np.empty((0, *card.needs.shape), np.float32), card).shape
        known = self._settled
        found = {n: known.get(n) or self._session.fixed({card.input: (n, *rest)}) for n in sizes if free}
        settled = {n: session for n, session in found.items() if session is not None}
        # A number that is none of these is put together of them, so that they all must be there.
        self._settled = settled if len(settled) == len(sizes) and 1 in settled else {}
        return bool(self._settled)

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self._card.embedding:
            return super().embed(batch)
        return self.outputs(batch, (self._card.embedding,))[0]

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self._card.logits:
            return super().logits(batch)
        return self.outputs(batch, (self._card.logits,))[0]

    def outputs(self, batch: NDArray[np.float32], names: Sequence[str]) -> list[NDArray[np.float32]]:
        """Return several outputs of one pass, each float32 (n, size).

        Args:
            batch: float32 (n, channels, height, width).
            names: Names of outputs in the file.
        """
        self.spec.needs.check(batch)
        settled = self._settled
        if not settled or not len(batch):
            return run_batch(self._session, self._card, batch, names)
        parts: list[list[NDArray[np.float32]]] = []
        at = 0
        while at < len(batch):
            size = max(n for n in settled if n <= len(batch) - at)
            parts.append(run_batch(settled[size], self._card, batch[at : at + size], names))
            at += size
        return parts[0] if len(parts) == 1 else [np.concatenate(part) for part in zip(*parts, strict=True)]

    def _read(self, session: Session, images: NDArray[np.float32], output: Output) -> NDArray[np.float32]:
        self._check_names(session)
        names = {"embedding": self._card.embedding, "logits": self._card.logits}
        return run_batch(session, self._card, images, (names[output] or max(names.values()),))[0]

    def _check_names(self, session: Session) -> None:
        card = self._card
        for kind, name, known in (
            ("input", card.input, list(session.inputs)),
            ("output", card.embedding, session.outputs),
            ("output", card.logits, session.outputs),
        ):
            if name and name not in known:
                raise ModelError(
                    f"{card.file} has no {kind} named {name!r}, which {card.path.name} names.",
                    expected=f"one of {', '.join(known)}",
                    got=repr(name),
                    hint=f"correct [{kind}] in {card.path.name}",
                )


def run_batch(
    session: Session, card: Card, batch: NDArray[np.float32], names: Sequence[str], *, flat: bool = True
) -> list[NDArray[np.float32]]:
    """Run a session on prepared images in the layout and the batch size that the file takes.

    Args:
        session: The loaded file.
        card: How it is used.
        batch: float32 (n, channels, height, width).
        names: Outputs that are wanted.
        flat: Give every output as (n, size), not in its own shape.

    Raises:
        ModelError: The engine refuses the input.
    """
    images = _laid_out(batch, card)
    fixed = session.inputs[card.input][0] if session.inputs[card.input] else None
    steps = range(0, len(images), fixed or max(len(images), 1))
    rows: list[list[NDArray[np.float32]]] = []
    for start in steps:
        chunk = images[start : start + fixed] if fixed else images
        filled = _fill(chunk, fixed) if fixed else chunk
        try:
            found = session({card.input: filled}, names)
        except Exception as error:
            # Each engine has its own error classes for an input of the wrong size.
            raise ModelError(
                f"{card.file} refuses the images that {card.path.name} promises it.",
                expected=f"an input of shape {session.inputs[card.input]}",
                got=f"{filled.shape}: {' '.join(str(error).split())[:200]}",
                hint=f"correct [input] in {card.path.name}",
            ) from error
        rows.append([(value.reshape(len(filled), -1) if flat else value)[: len(chunk)] for value in found])
    if not rows:
        return [np.empty((0, 0), np.float32) for _ in names]
    return rows[0] if len(rows) == 1 else [np.concatenate(parts) for parts in zip(*rows, strict=True)]


def _laid_out(batch: NDArray[np.float32], card: Card) -> NDArray[np.float32]:
    return batch if card.needs.layout == "NCHW" else np.ascontiguousarray(batch.transpose(0, 2, 3, 1))


def _fill(images: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """Repeat the last image up to n: files exported for a fixed batch take no less."""
    missing = n - len(images)
    return np.concatenate([images, images[-1:].repeat(missing, axis=0)]) if missing else images
