"""Which precision to run at: decided by measurement, once for a model on a machine."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lucida.errors import ModelError
from lucida.models import engine
from lucida.models.cache import cache_folder
from lucida.models.needs import RAW
from lucida.whole import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from lucida.models.engine import FileSession, Session
    from lucida.models.needs import ImageNeeds
    from lucida.models.spec import Output, Precision, Trial

    Read = Callable[[Session, NDArray[np.float32], Output], NDArray[np.float32]]
    Images = Callable[[int], NDArray[np.float32]]

Concrete = Literal["fp32", "bf16", "int8"]

FAITHFUL = 0.99  # centred cosine
AGREEING = 0.95  # share of labels that stay
NEAR = 0.05  # of probability: closer than this, fp32 itself is undecided
SAMPLE = 32
TIMES = 3
FEW = 128  # images below which nothing is measured that is not known
MANY = 500  # images from which making int8 pays for itself


def centred_cosine(ours: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Return the mean cosine of rows after subtracting each set's mean: -1 to 1.

    Vectors of one model share a large common direction, which makes a plain cosine near 1 whatever happens.

    Args:
        ours: float32 (n, d).
        reference: float32 (n, d), the same images at full precision.
    """
    a = ours - ours.mean(axis=0)
    b = reference - reference.mean(axis=0)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(np.mean((a * b).sum(axis=1) / np.maximum(norms, 1e-12)))


def made_sample(needs: ImageNeeds, n: int = SAMPLE) -> NDArray[np.float32]:
    """Make images with the spectrum of photos (power falling with the square of frequency), always the same.

    Returns:
        float32 (n, channels, size, size), prepared.
    """
    from lucida.images import Image

    draw = np.random.default_rng(0)
    size, colours = needs.size, needs.depth if needs.channels == RAW else 3
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequency[0, 0] = 1 / size
    spectrum = np.fft.rfft2(draw.standard_normal((n, colours, size, size))) / frequency
    waves = np.fft.irfft2(spectrum, s=(size, size))
    waves /= waves.std(axis=(2, 3), keepdims=True)
    if needs.channels == RAW:
        # Measured values have been brought to a mean of 0 and a deviation of 1, whatever they are.
        return np.ascontiguousarray(waves, np.float32)
    pixels = np.clip(waves * 55 + draw.uniform(60, 190, (n, 3, 1, 1)), 0, 255).astype(np.uint8)
    return np.stack([needs.prepare(Image(p.transpose(1, 2, 0).copy(), "RGB")) for p in pixels])


@dataclass(frozen=True)
class Weights:
    """An ONNX file that may be run at several precisions.

    Attributes:
        path: The file, float32.
        input: Name of its image input.
        needs: What that takes.
        read: Runs a session on prepared images and returns the output of this kind, float32 (n, d), or the other where
            there is only one.
        identity: What changes whenever the file does.
    """

    path: Path
    input: str
    needs: ImageNeeds
    read: Read
    identity: str

    def open(self, precision: Concrete, images: Images | None = None) -> FileSession:
        """Load it; int8 is made from float32 the first time, on images."""
        if precision != "int8":
            return engine.open_session(self.path, precision)
        from lucida.models.quantise import quantised

        return engine.open_session(quantised(self, images or self.sample), "int8")

    def sample(self, n: int) -> NDArray[np.float32]:
        """Return images made up for the purpose."""
        return made_sample(self.needs, n)


def choose(weights: Weights, wanted: Precision, trial: Trial | None = None) -> FileSession:
    """Load a model at the precision that was asked for, or at the fastest that proves faithful.

    Args:
        weights: The model.
        wanted: "fp32", "bf16", "int8" or "auto".
        trial: What to measure on; made images where it is None.

    Raises:
        ModelError: A precision was asked for by name that the machine does not have.
        MissingExtra: int8 was asked for, and has to be made first, where NNCF is not installed.
    """
    images = _images(weights, trial)
    if wanted != "auto":
        _refuse_missing(wanted)
        return weights.open(wanted, images)
    able = [p for p in _fast() if p != "int8" or _worth_int8(weights, trial)]
    if not able:
        return weights.open("fp32")
    where, about = engine.describe(), f" {trial.about}" if trial and trial.decide else ""
    keys: dict[Concrete, str] = {p: f"{weights.identity}{about} {p} on {where}" for p in able}
    known = {p: found for p, key in keys.items() if (found := Measured.from_json(recall().get(key))) is not None}
    opened: dict[Concrete, FileSession] = {}
    if len(known) < len(able) and trial is not None and 0 < trial.count < FEW:
        # Measuring would take longer than it could save.
        return weights.open("fp32")
    if len(known) < len(able):
        opened = {p: weights.open(p, images) for p in ("fp32", *able)}
        known = _measure(weights, opened, images(SAMPLE), trial)
        remember({keys[p]: found.to_json() for p, found in known.items()})
    faithful = [p for p in able if known[p].faithful]
    best: Concrete = min(faithful, key=lambda p: known[p].seconds, default="fp32")
    return opened.get(best) or weights.open(best, images)


@dataclass(frozen=True)
class Measured:
    """What a fast precision did on a sample, beside fp32.

    Attributes:
        cosine: Centred cosine of its outputs.
        agreement: Share of images with the same label, near ties aside; 1 where there are no labels.
        seconds: Time of one image on one core.
    """

    cosine: float
    agreement: float
    seconds: float

    @property
    def faithful(self) -> bool:
        return self.cosine >= FAITHFUL and self.agreement >= AGREEING

    def to_json(self) -> list[float]:
        """Return plain values."""
        return [round(self.cosine, 5), round(self.agreement, 4), round(self.seconds, 6)]

    @classmethod
    def from_json(cls, found: Any) -> Measured | None:
        """Return what was kept, None for anything else."""
        return cls(*found) if isinstance(found, list) and len(found) == 3 else None


def agreement(ours: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Return the share of rows with the same best column, float32 (n, classes) each.

    A reference that is itself undecided between the two, by less than NEAR, counts as agreeing.
    """
    rows = np.arange(len(reference))
    mine, theirs = ours.argmax(axis=1), reference.argmax(axis=1)
    lost = reference[rows, theirs] - reference[rows, mine]
    return float(np.mean(lost < NEAR))


def _measure(
    weights: Weights, opened: Mapping[Concrete, Session], pictures: NDArray[np.float32], trial: Trial | None
) -> dict[Concrete, Measured]:
    def labels(session: Session) -> NDArray[np.float32] | None:
        return trial.decide(weights.read(session, pictures, trial.output)) if trial and trial.decide else None

    reference, labelled = weights.read(opened["fp32"], pictures, "embedding"), labels(opened["fp32"])
    found: dict[Concrete, Measured] = {}
    for precision, session in opened.items():
        if precision == "fp32":
            continue
        outputs, ours = weights.read(session, pictures, "embedding"), labels(session)
        agree = 1.0 if ours is None or labelled is None else agreement(ours, labelled)
        seconds = _seconds(weights, session, pictures)
        found[precision] = Measured(centred_cosine(outputs, reference), agree, seconds / len(pictures))
    return found


def _seconds(weights: Weights, session: Session, pictures: NDArray[np.float32]) -> float:
    """Return the time of one warm pass: the best of a few, since other work on the machine only ever adds."""
    times = []
    for _ in range(TIMES):
        began = time.perf_counter()
        weights.read(session, pictures, "embedding")
        times.append(time.perf_counter() - began)
    return min(times)


def _images(weights: Weights, trial: Trial | None) -> Images:
    def images(n: int) -> NDArray[np.float32]:
        found = trial.images(n) if trial else None
        return found if found is not None and len(found) >= min(n, SAMPLE) // 2 else weights.sample(n)

    return images


def _fast() -> list[Concrete]:
    """Return the precisions below fp32 that this machine has."""
    able: list[Concrete] = ["bf16"] if engine.has_bf16() else []
    return [*able, "int8"] if engine.engine_name() == "openvino" else able


def _refuse_missing(wanted: Concrete) -> None:
    if wanted == "fp32" or wanted in _fast():
        return
    raise ModelError(
        f"This machine cannot run {wanted}.",
        expected={
            "bf16": "OpenVINO on a processor with AVX-512 BF16 or AMX",
            "int8": "OpenVINO, on an x86 processor",
        }[wanted],
        got=engine.describe(),
        hint="--precision auto picks what the machine has",
    )


def _worth_int8(weights: Weights, trial: Trial | None) -> bool:
    """Tell whether int8 is worth a try: it is made already, or is made for a transformer that has much to see.

    Small CNNs lose more by it than they win: bf16 is both faster and more faithful there.
    """
    from lucida.models.quantise import can_quantise, is_quantised, is_transformer

    if is_quantised(weights):
        return True
    return trial is not None and trial.count >= MANY and can_quantise() and is_transformer(weights.path)


def cache_file() -> Path:
    """Return where choices are kept."""
    return cache_folder() / "precision.json"


def recall() -> dict[str, Any]:
    """Return what was measured on this machine, by what it was measured of."""
    try:
        known = json.loads(cache_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def remember(found: dict[str, Any]) -> None:
    """Keep what was measured; where that cannot be written, it is measured again the next time."""
    file = cache_file()
    text = json.dumps({**recall(), **found}, indent=1)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, text, shared=True)
    except OSError:
        # A home that cannot be written to costs one measurement a start, nothing else.
        return
