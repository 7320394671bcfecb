"""What models say of the same images, one image a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lucida.compress.claim import Outcome
from lucida.compress.subject import prepare, truth_of
from lucida.errors import ImageError, InputError
from lucida.images import content_id
from lucida.models.onnx.model import run_batch
from lucida.progress import track

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.data import Samples
    from lucida.models.engine import Session
    from lucida.models.onnx.card import Card

BATCH = 32


def outcomes(
    samples: Samples, a: tuple[Session, Card], b: tuple[Session, Card], *, learned: Samples | None = None
) -> tuple[list[Outcome], list[str]]:
    """Ask two models about the same images.

    Args:
        samples: Labelled images.
        a: The first model, and how it is used.
        b: The second; it must know the same classes.
        learned: Images that were learned from: those among `samples` with the same bytes are left out.

    Returns:
        One outcome an image, copies of the same bytes once; and what a person should know, a sentence each.
    """
    taught = {content_id(one.read()) for one in learned} if learned else set()
    found: list[Outcome] = []
    waiting: list[tuple[str, str, bytes]] = []
    known: set[str] = set()
    copies = gone = seen = 0
    with track("Judging", len(samples)) as step:
        for sample in samples:
            step()
            data = sample.read()
            name = content_id(data)
            seen += name in taught
            copies += name in known
            if name in known or name in taught:
                continue
            known.add(name)
            waiting.append((name, truth_of(sample), data))
            if len(waiting) == BATCH:
                gone += _ask(waiting, a, b, found)
                waiting = []
        gone += _ask(waiting, a, b, found)
    notes = [
        f"{count:,} {what} left out."
        for count, what in (
            (copies, "copies of other images are"),
            (seen, "images that the model learned from are"),
            (gone, "images that cannot be read are"),
        )
        if count
    ]
    return found, notes


def _ask(
    waiting: Sequence[tuple[str, str, bytes]], a: tuple[Session, Card], b: tuple[Session, Card], found: list[Outcome]
) -> int:
    """Add the outcomes of some images; return how many could not be read."""
    names, truths, pictures = [], [], []
    cards = [card for _, card in (a, b)]
    for name, truth, data in waiting:
        try:
            pictures.append([prepare(card, data) for card in cards])
        except (ImageError, InputError):
            continue
        names.append(name)
        truths.append(truth)
    if pictures:
        batches = [np.stack(side) for side in zip(*pictures, strict=True)]
        said = [answers(*one, batch) for one, batch in zip((a, b), batches, strict=True)]
        found += [Outcome(*one) for one in zip(names, truths, *said, strict=True)]
    return len(waiting) - len(pictures)


def answers(session: Session, card: Card, batch: NDArray[np.float32]) -> list[str]:
    """Return what a model says of prepared images: a class each, or tags as `truth_of` writes them."""
    logits = run_batch(session, card, batch, (card.logits,))[0]
    if card.task != "tag":
        return [card.classes[k] for k in logits.argmax(axis=1).tolist()]
    return ["|".join(sorted(card.classes[k] for k in np.flatnonzero(row > 0).tolist())) for row in logits]
