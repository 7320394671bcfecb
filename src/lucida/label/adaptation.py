"""`label --adapt`: tune the encoder on the catalog's own images, and keep it only where that is measured to help."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import ImageError, InputError, MissingExtra
from lucida.images import decode
from lucida.label.examples import Taught
from lucida.label.head import Head
from lucida.label.vectors import VectorLabeller
from lucida.progress import track
from lucida.runs.vectors import compute, vector_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.label.labeller import Labeller
    from lucida.label.sources import Source
    from lucida.models.spec import Precision, Spec

SIDE = 112  # px at which images are kept while tuning: crops of them still have the detail of the encoder's input
MOST = 4000  # images tuned on, drawn at random where there are more
FEWEST = 200  # below, there is too little to tell apart


@dataclass(frozen=True)
class Adapted:
    """What adapting gave.

    Attributes:
        spec: The model to label with: the tuned one where it helped, else the one that was given.
        before: Share of the examples named rightly when held out, by the model that was given; None where it was
            not measured.
        after: The same by the tuned one.
        note: A sentence for people.
    """

    spec: Spec
    before: float | None
    after: float | None
    note: str

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"kept": self.spec.name != "embedded", "before": self.before, "after": self.after}


def adapt_labeller(catalog: Catalog, labeller: Labeller) -> tuple[VectorLabeller, Adapted]:
    """Return a labeller with the encoder that is better on the examples, and what adapting gave.

    Raises:
        InputError: The model is not the embedded one, or labels do not come from examples.
        MissingExtra: PyTorch is not installed.
    """
    if not isinstance(labeller, VectorLabeller) or labeller.spec.name != "embedded":
        raise InputError(
            "Only the embedded encoder can be adapted.",
            expected="--model embedded",
            got=f"--model {labeller.model}",
            hint="leave --adapt out",
        )
    adapted = adapt_to(catalog, labeller.spec, labeller.source, labeller.precision)
    return VectorLabeller(adapted.spec, labeller.source, labeller.precision), adapted


def adapt_to(catalog: Catalog, spec: Spec, source: Source, precision: Precision) -> Adapted:
    """Tune the embedded encoder on the catalog's images and measure what it gives on the examples.

    No label is looked at while tuning, so that examples held out afterwards are a fair test. The same call again goes
    on where it was stopped, and once done does not tune again.

    Raises:
        InputError: Labels do not come from examples.
        MissingExtra: PyTorch is not installed.
    """
    if not isinstance(source, Taught):
        raise InputError(
            "Adapting needs examples: whether it helps is measured on them.",
            expected="--examples FOLDER, or answers in the catalog",
            got="labels by words",
            hint="leave --adapt out, or label by --examples",
        )
    _need_torch()
    ids = _drawn(catalog)
    if len(ids) < FEWEST:
        return Adapted(
            spec, None, None, f"Not adapted: {len(ids)} images are too few to tune on ({FEWEST} at the least)."
        )
    folder = _folder(catalog, spec, ids)
    if not (folder / "encoder.toml").exists():
        _tune(catalog, spec, ids, folder)
    from lucida.models.registry import find

    tuned = find(f"embedded:{folder.name}", catalog.models)
    old, new = (_held_out(catalog, each, source, precision) for each in (spec, tuned))
    if old.accuracy is None or new.accuracy is None:
        return Adapted(spec, None, None, "Not adapted: with one example a class, whether it helps cannot be measured.")
    before, after = old.accuracy.value, new.accuracy.value
    helped = after >= before and surely_less(new.losses, old.losses)
    note = f"Adapted to your {catalog.images.count():,} images" if helped else "Adapting was tried and did not help"
    gain = f"{before:.0%} of the examples were named rightly when held out before, {after:.0%} after"
    stays = "" if helped else "; the encoder stays as it came"
    return Adapted(tuned if helped else spec, before, after, f"{note}: {gain}{stays}.")


def surely_less(new: NDArray[Any] | None, old: NDArray[Any] | None) -> bool:
    """Tell whether losses of the same examples fell by more than the standard error of their differences."""
    if new is None or old is None:
        return False
    fell = (old - new)[np.isfinite(old - new)]
    return len(fell) > 1 and bool(fell.mean() > fell.std(ddof=1) / np.sqrt(len(fell)))


def _need_torch() -> None:
    for package in ("torch", "safetensors", "onnx"):
        try:
            __import__(package)
        except ImportError as error:
            raise MissingExtra(package, "torch", "Adapting the encoder") from error


def _drawn(catalog: Catalog) -> list[str]:
    ids = sorted(catalog.images.ids())
    if len(ids) <= MOST:
        return ids
    return [ids[i] for i in np.sort(np.random.default_rng(0).permutation(len(ids))[:MOST])]


def _folder(catalog: Catalog, spec: Spec, ids: list[str]) -> Path:
    from lucida.tuning.tune import Tuning

    about = json.dumps([spec.revision, str(Tuning()), SIDE, ids])
    return catalog.models / f"adapted-{hashlib.sha256(about.encode()).hexdigest()[:12]}"


def _tune(catalog: Catalog, spec: Spec, ids: list[str], folder: Path) -> None:
    from lucida.models.embedded.family import weights
    from lucida.models.embedded.tuned import load_network, write_tuned
    from lucida.tuning.tune import Tuning, tune

    tuning = Tuning(size=spec.needs.size, mean=spec.needs.mean, std=spec.needs.std)
    images = _pixels(catalog, spec, ids)
    network = load_network(weights())
    folder.mkdir(parents=True, exist_ok=True)
    saved = folder / "checkpoint.safetensors"
    with track("Adapting", tuning.steps, unit="steps") as step:
        tune(network, images, tuning, saved, step)
    write_tuned(weights(), network, folder)
    saved.unlink(missing_ok=True)


def _pixels(catalog: Catalog, spec: Spec, ids: list[str]) -> NDArray[np.uint8]:
    """Read images as uint8 (n, SIDE, SIDE, 3), fitted as the encoder sees them; unreadable ones fall out."""
    needs, read = replace(spec.needs, size=SIDE), catalog.images.reader(ids)
    found: list[NDArray[np.uint8]] = []
    with track("Reading images", len(ids)) as step:
        for image in ids:
            try:
                found.append(needs.fit(decode(read(image), cover=needs.cover)))
            except ImageError:
                continue
            finally:
                step(1)
    return np.stack(found)


def _held_out(catalog: Catalog, spec: Spec, source: Taught, precision: Precision) -> Head:
    """Fit the head to the examples as a model sees them; its leave-one-out figures are what is compared."""
    # Answers are about images of the catalog, which a tuned encoder has not seen yet.
    compute(catalog, spec, list(source.taught(catalog)), precision=precision)
    ids = list(source.labels)
    vectors = source.vectors(catalog, spec, precision, ids, vector_key(spec, "embedding", precision))
    labels = [source.labels[image] for image in ids]
    return Head.fit(vectors, labels, parts=spec.gives.parts, classes=source.classes)
