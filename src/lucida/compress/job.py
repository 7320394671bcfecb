"""One compression, from a run to a smaller one, measured beside it on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucida.compress import certificate, claim, speed
from lucida.compress.make import Wish, make
from lucida.compress.outcomes import outcomes
from lucida.compress.result import CompressResult, Row, read_result
from lucida.compress.subject import Subject, labelled, prepared
from lucida.data.sample import TRAIN, VALIDATION
from lucida.errors import LucidaError
from lucida.models import engine
from lucida.models.onnx.model import run_batch
from lucida.models.precision import Weights, choose
from lucida.train.job import write_json
from lucida.train.location import MODEL, RESULT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.compress.claim import Outcome
    from lucida.data import Samples
    from lucida.models.engine import Session
    from lucida.models.onnx.card import Card
    from lucida.models.spec import Precision

    Way = Callable[[NDArray[np.float32]], object]

WARNING = (
    "These are the validation images, which chose the weights before compression: for a promise about new images, "
    "judge by some that nobody has used: --data PLACE."
)


def run_compress(
    catalog: Catalog, subject: Subject, wish: Wish, data: Path | None, student: Subject | None = None
) -> CompressResult:
    """Compress a run, or go on with a compression that was started with the same arguments.

    Args:
        catalog: Where the runs are kept.
        subject: The run.
        wish: What is to be done.
        data: Images to judge by; None for the run's validation part.
        student: A smaller network that was trained to answer as the run does, and takes its place.

    Raises:
        InputError: There are no images to go by, or the network cannot be pruned.
        ModelError: What came out does not run.
        MissingExtra: A package is not installed.
    """
    samples, judged = _images(catalog, subject, wish, data)
    run = catalog.runs.start(
        "compress",
        question=subject.question,
        model=str(subject.config["model"]),
        parameters={
            **asdict(wish),
            "judged": judged.digest(),
            "data": judged.origin,
            "student": student.run if student else "",
        },
        parent=subject.run,
    )
    folder = catalog.runs.folder(run.id)
    if (kept := read_result(folder)) is not None:
        return kept
    source = student or subject
    card, made, notes = make(source, samples, wish, folder)
    write_json(folder / "config.json", {**subject.config, "compressed": {"from": subject.run, **asdict(wish)}})
    before = engine.open_session(subject.card.file, "fp32")
    after = _open(card, "bf16" if wish.half == "bf16" and engine.has_bf16() else "auto")
    learned = samples.of(TRAIN) if samples and data else None
    found, more = outcomes(judged, (before, subject.card), (after, card), learned=learned)
    weighed = claim.no_worse(found, worse_by=wish.worse_by, confidence=wish.confidence)
    engine_after = f"{after.engine} + int8" if wish.int8 else after.engine
    a = certificate.Side(subject.run, certificate.digest_of_model(subject.card.file), before.engine)
    b = certificate.Side(run.id, certificate.digest_of_model(card.file), engine_after, f"{MODEL}/{card.file.name}")
    about = {"origin": judged.origin, "split": ", ".join(judged.splits), "chose_the_weights_of_a": data is None}
    others = [one for one in catalog.runs.all() if (one.verb, one.parent) == ("compress", subject.run)]
    attempts = sum(one.started < run.started for one in others)
    written = certificate.write(folder / certificate.NAME, found, weighed, a, b, about, attempts)
    ways = {"before": (before, subject.card), "after": (after, card)}
    rows = _rows(subject, ways, engine_after, found, judged)
    result = CompressResult(
        run=run.id,
        parent=subject.run,
        made=made,
        rows=rows,
        images=len(found),
        data=judged.origin,
        claim=written["claim"],
        holds=weighed.holds,
        proven=weighed.proven,
        certificate=str(folder / certificate.NAME),
        folder=str(folder),
        notes=(*notes, *more, *_warnings(attempts, data)),
    )
    write_json(folder / RESULT, result.to_json())
    catalog.runs.finish(run.id)
    return result


def _images(catalog: Catalog, subject: Subject, wish: Wish, data: Path | None) -> tuple[Samples | None, Samples]:
    """Return the images of the training where they are needed, and those that judge."""
    if data is None:
        divided = subject.divided(catalog)
        return divided, labelled(divided.of(VALIDATION))
    return subject.divided(catalog) if wish.int8 or wish.prune else None, subject.judged(data)


def _warnings(attempts: int, data: Path | None) -> list[str]:
    """Say what the claim does not cover."""
    others = f"Compressions of this run judged before: {attempts:,}. The claim holds for one, not for the best of them."
    return [*([others] if attempts else []), *([WARNING] if data is None else [])]


def _open(card: Card, precision: Precision) -> Session:
    """Open a model as it will be opened when it is named."""

    def read(session: Session, batch: Any, output: Any) -> Any:
        return run_batch(session, card, batch, (card.logits,))[0]

    return choose(Weights(card.file, card.input, card.needs, read, f"{card.name} {card.digest}"), precision)


def _rows(
    subject: Subject,
    ways: dict[str, tuple[Session, Card]],
    engine_after: str,
    found: list[Outcome],
    judged: Samples,
) -> tuple[Row, ...]:
    """Measure all ways to run the model side by side."""
    runs: dict[tuple[str, str], Way] = {}
    sizes: dict[tuple[str, str], int] = {}
    if network := _network(subject):
        key = ("PyTorch", "eager fp32")
        runs[key], sizes[key] = network, _bytes(subject.card.file)
    for name, (session, card) in ways.items():
        key = (name, engine_after if name == "after" else session.engine)
        runs[key], sizes[key] = _way(session, card), _bytes(card.file)
    if engine.has_bf16():
        session = engine.open_session(subject.card.file, "bf16")
        key = ("before", session.engine)
        runs[key], sizes[key] = _way(session, subject.card), _bytes(subject.card.file)
    keys = sorted(runs, key=lambda key: ("PyTorch", "before", "after").index(key[0]))
    images = {name: prepared(card, judged, speed.BATCHES[-1]) for name, (_, card) in ways.items()}
    images["PyTorch"] = images["before"]
    rates = speed.speeds({" ".join(key): (runs[key], images[key[0]]) for key in keys})
    sides = {("before", ways["before"][0].engine): "a", ("after", engine_after): "b"}
    return tuple(
        Row(*key, sizes[key], *rates[" ".join(key)].values(), *_accuracy(found, sides.get(key, ""))) for key in keys
    )


def _way(session: Session, card: Card) -> Way:
    return lambda batch: run_batch(session, card, batch, (card.logits,))


def _bytes(file: Path) -> int:
    parts = (file, file.with_name(f"{file.name}.data"))
    return sum(part.stat().st_size for part in parts if part.is_file())


def _accuracy(found: list[Outcome], side: str) -> tuple[float, ...]:
    """Return the accuracy of one side and its 95 % interval; nothing where it was not judged."""
    if not side:
        return ()
    from scipy.stats import binomtest

    right = sum(getattr(one, side) == one.truth for one in found)
    interval = binomtest(right, len(found)).proportion_ci(0.95, "exact")
    return right / len(found), float(interval.low), float(interval.high)


def _network(subject: Subject) -> Way | None:
    """Return the network as PyTorch runs it; None where there is none."""
    if find_spec("torch") is None:
        return None
    import torch

    from lucida.compress.prune import trained_network
    from lucida.train.trained import Trained

    try:
        network = trained_network(Trained.open(subject.folder))
    except LucidaError:
        return None

    def run(batch: NDArray[np.float32]) -> object:
        with torch.inference_mode():
            return network(torch.from_numpy(batch))

    return run
