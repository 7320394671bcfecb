"""A running ONNX model that restores: pieces of images of any size in, better ones out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lucida.errors import ModelError
from lucida.models import engine, fidelity
from lucida.models.restorer import RestoringModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.models.engine import Session
    from lucida.models.onnx.restore import RestoreCard
    from lucida.models.spec import Precision, Spec

USUAL_NOISE = 15.0  # grey levels, where a model has to be told and nobody did


class OnnxRestorer(RestoringModel):
    """Runs the network of a card.

    Args:
        spec: What it promises.
        card: Its file and the names of its inputs and outputs.
        precision: "auto": bf16 where the machine is fast at it and its images are those of fp32.

    Raises:
        ModelError: The file lacks an input or output that the card names, no engine can run it, or the machine does
            not have the precision that is asked for.
    """

    def __init__(self, spec: Spec, card: RestoreCard, precision: Precision = "auto") -> None:
        super().__init__(spec)
        self._card = card
        if precision == "auto" and not card.mask:
            self._session = fidelity.choose(
                lambda p: engine.open_session(card.file, p),
                self._try,
                ["bf16"] if engine.has_bf16() else [],
                channels=card.needs.channels,
                identity=f"{card.name} {card.digest} on {engine.describe()}",
            )
        else:
            wanted = "fp32" if precision == "auto" else precision
            refuse_precision(spec, wanted)
            self._session = engine.open_session(card.file, wanted)
        self._check_names(self._session)

    @property
    def engine(self) -> str:
        return self._session.engine

    def _try(self, session: Session, images: NDArray[np.float32]) -> NDArray[np.float32]:
        self._check_names(session)
        high, wide = self._card.needs.padded(*images.shape[2:])
        more = ((0, 0), (0, 0), (0, high - images.shape[2]), (0, wide - images.shape[3]))
        return np.concatenate([self._pass(session, one[None], USUAL_NOISE, None) for one in np.pad(images, more)])

    def _run(
        self, batch: NDArray[np.float32], noise: float | None, mask: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        return self._pass(self._session, batch, USUAL_NOISE if noise is None else noise, mask)

    def _pass(
        self, session: Session, batch: NDArray[np.float32], noise: float, mask: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        card = self._card
        feeds = {card.input: np.ascontiguousarray(batch)}
        if card.noise:
            feeds[card.noise] = _levels(noise, batch.shape, session.inputs[card.noise])
        if card.mask and mask is not None:
            feeds[card.mask] = mask
        fixed = session.inputs[card.input][0]
        if fixed is not None and fixed != len(batch):
            # Exported for one image at a time, as many are.
            rows = [self._pass(session, one[None], noise, None if mask is None else mask[i : i + 1])
                    for i, one in enumerate(batch)]  # fmt: skip
            return np.concatenate(rows)
        found = session(feeds, (card.output,))[0]
        expected = (len(batch), card.needs.channels, batch.shape[2] * card.scale, batch.shape[3] * card.scale)
        if found.shape != expected:
            raise ModelError(
                f"{card.file} gives other images than {card.path.name} promises.",
                expected=f"(n, channels, height, width) {expected} of an input {batch.shape}",
                got=f"{found.shape}",
                hint=f"correct channels or scale in {card.path.name}",
            )
        return found

    def _check_names(self, session: Session) -> None:
        card = self._card
        inputs = [("input", name, list(session.inputs)) for name in (card.input, card.noise, card.mask) if name]
        for kind, name, known in (*inputs, ("output", card.output, session.outputs)):
            if name not in known:
                raise ModelError(
                    f"{card.file} has no {kind} named {name!r}, which {card.path.name} names.",
                    expected=f"one of {', '.join(known)}",
                    got=repr(name),
                    hint=f"correct [{kind}] in {card.path.name}",
                )


def _levels(noise: float, batch: tuple[int, ...], shape: tuple[int | None, ...]) -> NDArray[np.float32]:
    """Return the noise of each image in the shape that the network takes."""
    n, _, height, width = batch
    wanted = (n, 1, height, width)[: len(shape)] if len(shape) != 2 else (n, 1)
    filled = tuple(size if fixed is None else fixed for size, fixed in zip(wanted, shape, strict=True))
    return np.full(filled, noise / 255, np.float32)


def refuse_precision(spec: Spec, precision: str) -> None:
    """Refuse a precision that the machine does not have, or that spoils images.

    Raises:
        ModelError: It is int8, or bf16 where there is none.
    """
    if precision == "fp32" or (precision == "bf16" and engine.has_bf16()):
        return
    raise ModelError(
        f"{spec.name} cannot run {precision} here.",
        expected="--precision auto or fp32" + (", bf16" if engine.has_bf16() else ""),
        got=f"{precision} on {engine.describe()}",
        hint="--precision auto picks what the machine has, is fast, and gives the images of fp32",
    )
