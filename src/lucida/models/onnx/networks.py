"""The networks of a model that draws: the one that draws, and from and to latents, run a picture at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import ModelError
from lucida.models import engine
from lucida.models.threads import available_cores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from lucida.models.engine import Session
    from lucida.models.onnx.generate_card import GenerateCard

    Feeds = Mapping[str, NDArray[Any]]


class Networks:
    """The open files of a card.

    On a processor each picture goes through alone, several at a time: no slower there, and the same to the last bit
    whatever is drawn beside it. On a GPU all go together.

    Args:
        card: The files, and the names of their inputs and outputs.
        precision: "fp32" or "bf16".

    Raises:
        ModelError: A file lacks an input or output that the card names, or no engine can run it.
    """

    def __init__(self, card: GenerateCard, precision: str) -> None:
        self.card, self.precision = card, precision
        self._main = engine.open_session(card.file, precision)
        self._decoder = engine.open_session(card.decoder, precision) if card.decoder else None
        self._check_names()
        self._pool = ThreadPoolExecutor(available_cores(), thread_name_prefix="draw")

    @property
    def engine(self) -> str:
        """What runs them, and at which precision."""
        return self._main.engine

    @cached_property
    def _encoder(self) -> Session:
        assert self.card.encoder is not None, "only asked of a card that has one"
        # A mean is read once a picture: there is nothing to gain from less.
        return engine.open_session(self.card.encoder, "fp32")

    def run(self, x: NDArray[np.float32], labels: NDArray[np.int64], time: float | None = None) -> NDArray[np.float32]:
        """Return what the network makes of noise.

        Args:
            x: float32 (n, *shape of the card).
            labels: Numbers of classes, int64 (n, ways); each picture is drawn in so many ways at once.
            time: What the network is told of the noise.

        Returns:
            float32 (n, ways, ...).
        """
        card, ways = self.card, labels.shape[1]

        def feed(rows: slice) -> Feeds:
            count = labels[rows].size
            feeds: dict[str, NDArray[Any]] = {card.image: np.repeat(x[rows], ways, axis=0)}
            if card.time:
                feeds[card.time] = np.full(count, time, np.float32)
            if card.label:
                feeds[card.label] = labels[rows].reshape(count)
            return feeds

        found = self._rows(self._main, len(x), feed, card.output)
        return found.reshape(len(x), ways, *found.shape[1:])

    def decode(self, x: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return pictures float32 (n, 3, side, side) in -1..1 of what was drawn.

        Args:
            x: float32 (n, *shape of the card): pictures, or latents.
            labels: Numbers of classes, int64 (n,).

        Raises:
            ModelError: What comes out is no picture of the size that the card promises.
        """
        card = self.card
        if card.method == "vae":
            found = self.run(np.asarray(x / card.scale + card.shift, np.float32), labels[:, None])[:, 0]
        elif self._decoder is not None:
            z = np.asarray(x / card.scale + card.shift, np.float32)
            found = self._simply(self._decoder, z, labels)
        else:
            found = x
        if found.ndim != 4 or found.shape[1] not in (1, 3) or found.shape[2:] != (card.side,) * 2:
            raise ModelError(
                f"{card.name} gives other pictures than {card.path.name} promises.",
                expected=f"(n, 3 or 1, {card.side}, {card.side})",
                got=f"{found.shape}",
                hint=f"correct size or [network] in {card.path.name}",
            )
        return found if found.shape[1] == 3 else np.repeat(found, 3, axis=1)

    def encode(self, pictures: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what the network would have to draw, float32 (n, *shape of the card), to give these pictures.

        Args:
            pictures: float32 (n, 3, side, side) in -1..1.
            labels: Numbers of classes, int64 (n,).
        """
        card = self.card
        if card.encoder is None:
            # The weights of luma: a network of one channel draws in grey.
            grey = np.asarray([0.299, 0.587, 0.114], np.float32)[:, None, None]
            return pictures if card.shape[0] == 3 else (pictures * grey).sum(axis=1, keepdims=True)
        z = self._simply(self._encoder, pictures, labels)
        if z.shape[1:] != card.shape:
            raise ModelError(
                f"{card.encoder} gives other latents than {card.path.name} promises.",
                expected=f"(n, {', '.join(map(str, card.shape))})",
                got=f"{z.shape}",
                hint=f"correct [network] or [latent] in {card.path.name}",
            )
        return np.asarray((z - card.shift) * card.scale, np.float32)

    def _simply(self, session: Session, images: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
        """Run what has an input of images, perhaps one of classes, and a first output that counts."""
        image = next(name for name, shape in session.inputs.items() if len(shape) == 4)
        others = [name for name, shape in session.inputs.items() if len(shape) == 1]

        def feed(rows: slice) -> Feeds:
            return {image: np.ascontiguousarray(images[rows]), **dict.fromkeys(others, labels[rows])}

        return self._rows(session, len(images), feed, session.outputs[0])

    def _rows(self, session: Session, n: int, feed: Callable[[slice], Feeds], output: str) -> NDArray[np.float32]:
        if n == 1 or "cuda" in session.engine:
            return self._call(session, feed(slice(0, n)), output)
        parts = self._pool.map(lambda i: self._call(session, feed(slice(i, i + 1)), output), range(n))
        return np.concatenate(list(parts))

    def _call(self, session: Session, feeds: Feeds, output: str) -> NDArray[np.float32]:
        fixed = next(iter(session.inputs.values()))[0]
        count = len(next(iter(feeds.values())))
        if fixed == 1 and count > 1:
            # Exported for one at a time.
            rows = [{name: value[i : i + 1] for name, value in feeds.items()} for i in range(count)]
            return np.concatenate([session(row, (output,))[0] for row in rows])
        return session(feeds, (output,))[0]

    def _check_names(self) -> None:
        card, session = self.card, self._main
        wanted = [("input", name, list(session.inputs)) for name in (card.image, card.time, card.label) if name]
        for kind, name, known in (*wanted, ("output", card.output, session.outputs)):
            if name not in known:
                raise ModelError(
                    f"{card.file} has no {kind} named {name!r}, which {card.path.name} names.",
                    expected=f"one of {', '.join(known)}",
                    got=repr(name),
                    hint=f"correct [network] in {card.path.name}",
                )
