"""Measure what compression gains and costs: the embedded encoder in bf16 and int8 beside PyTorch, with certificates.

    python benchmarks/compress.py --data FOLDER                    # images with splits, labelled by WordNet ids
    python benchmarks/compress.py --data FOLDER --keep FOLDER      # keep the certificates, for `lucida verify`

The embedded encoder names 200 classes. It runs as PyTorch runs it (eager, float32), and exported: in float32, in bf16
where the processor has it, and in int8 made from training images. All take turns on one core; ratios are of medians of
one run. Accuracy is on the validation part, which took no part in training, and the loss beside float32 is certified by
paired evidence.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

# Before PyTorch starts threads: everything is measured on one core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from lucida.compress import certificate, claim, speed
from lucida.compress.int8 import CALIBRATION, TRIAL, quantise
from lucida.compress.outcomes import outcomes
from lucida.compress.subject import prepared
from lucida.data import Samples, read_data
from lucida.env import versions
from lucida.models import engine
from lucida.models.embedded.family import weights
from lucida.models.embedded.tuned import load_network
from lucida.models.onnx.card import Card, read_card
from lucida.models.onnx.model import run_batch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lucida.models.engine import Feeds, Session


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="images with a training and a validation part")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--worse-by", type=float, default=0.01, help="loss of accuracy that is to be ruled out")
    parser.add_argument("--keep", type=Path, help="folder for the certificates")
    options = parser.parse_args()
    names = ("camera-lucida", "python", "torch", "openvino", "onnxruntime", "nncf")
    print({name: version for name, version in versions().items() if name in names})
    print(engine.describe(), "bf16" if engine.has_bf16() else "no bf16")
    card, rows = _by_wordnet(read_card(weights() / "encoder.toml"))
    samples = read_data(options.data, "classify")
    with tempfile.TemporaryDirectory() as name:
        keep = options.keep or Path(name)
        keep.mkdir(parents=True, exist_ok=True)
        ranges = prepared(card, samples.of("train"), CALIBRATION + TRIAL)
        (best, *others), failed = quantise(card.file, card, ranges, keep)
        for one in (best, *others):
            chosen = ", chosen" if one is best else ""
            print(f"int8 by {one.way}: cosine {one.cosine:.4f}, {one.agreement:.1%} of answers the same{chosen}")
        print(*(f"int8 by {one}\n" for one in failed), sep="", end="")
        files = {"exported, fp32": (card.file, "fp32"), "int8": (best.file, "int8")}
        if engine.has_bf16():
            files["bf16"] = (card.file, "bf16")
        sessions = {name: engine.open_session(*file) for name, file in files.items()}
        _speeds(card, sessions, prepared(card, samples.of("validation"), 32), options.rounds)
        narrow: dict[str, Session] = {name: Among(session, rows) for name, session in sessions.items()}
        _accuracies(card, narrow, files, samples.of("validation"), options.worse_by, keep)


def _by_wordnet(card: Card) -> tuple[Card, NDArray[np.int64]]:
    """Return the card with its classes named as the data names them, and which of its logits these are."""
    entries = json.loads((weights() / "classes.json").read_text(encoding="utf-8"))
    rows = [row for row, entry in enumerate(entries) if "wordnet" in entry]
    return replace(card, synonyms=tuple((entries[row]["wordnet"],) for row in rows)), np.array(rows)


class Among:
    """A session whose answers are among some of its classes only."""

    def __init__(self, session: Session, rows: NDArray[np.int64]) -> None:
        self.engine, self.inputs, self.outputs = session.engine, session.inputs, session.outputs
        self._session, self._rows = session, rows

    def __call__(self, feeds: Feeds, wanted: Sequence[str]) -> list[NDArray[np.float32]]:
        """Return the outputs, those columns of each."""
        return [value[:, self._rows] for value in self._session(feeds, wanted)]


def _speeds(card: Card, sessions: Mapping[str, Session], images: NDArray[np.float32], rounds: int) -> None:
    network = load_network(weights()).eval()
    dense = load_network(weights()).eval().to(memory_format=torch.channels_last)

    def eager(batch: NDArray[np.float32]) -> object:
        with torch.inference_mode():
            return network(torch.from_numpy(batch))

    def last(batch: NDArray[np.float32]) -> object:
        with torch.inference_mode():
            return dense(torch.from_numpy(batch).contiguous(memory_format=torch.channels_last))

    ways: dict[str, speed.Way] = {"PyTorch fp32": eager, "PyTorch fp32, channels last": last}
    for name, session in sessions.items():
        ways[name] = lambda batch, session=session: run_batch(session, card, batch, (card.logits,))  # type: ignore[misc]
    rates = speed.speeds({name: (way, images) for name, way in ways.items()}, rounds=rounds, seconds=300)
    print(f"\n{'images a second on one core':<30} {'batch 1':>8} {'ratio':>6} {'batch 32':>9} {'ratio':>6}")
    for name, found in rates.items():
        ratios = [found[size] / rates["PyTorch fp32"][size] for size in speed.BATCHES]
        print(f"{name:<30} {found[1]:>8,.0f} {ratios[0]:>6.2f} {found[32]:>9,.0f} {ratios[1]:>6.2f}")


def _accuracies(
    card: Card,
    sessions: dict[str, Session],
    files: dict[str, tuple[Path, str]],
    samples: Samples,
    worse_by: float,
    keep: Path,
) -> None:
    whole = sessions.pop("exported, fp32")
    a = certificate.Side("embedded", certificate.digest_of_model(card.file), whole.engine)
    for name, session in sessions.items():
        found, notes = outcomes(samples, (whole, card), (session, card))
        weighed = claim.no_worse(found, worse_by=worse_by)
        side = certificate.Side(f"embedded {name}", certificate.digest_of_model(files[name][0]), session.engine)
        values = certificate.write(keep / f"{name}.json", found, weighed, a, side, {"origin": samples.origin}, 0)
        assert not certificate.problems(values)
        pairs, count = weighed.pairs, weighed.pairs.total
        right = [(pairs.both + alone) / count for alone in (pairs.only_a, pairs.only_b)]
        alone = f"float32 alone right on {pairs.only_a}, {name} alone on {pairs.only_b}"
        print(f"\n{name}: accuracy {right[1]:.4f} beside {right[0]:.4f} in float32 on {count:,} images; {alone}.")
        print(f"{values['claim']} The smallest loss that is ruled out: {certificate.points(weighed.proven)}.")
        print(*notes, sep="\n", end="")


if __name__ == "__main__":
    main()
