"""The verb `clean`."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lucida.catalog import Catalog
    from lucida.clean.deciding import Decided
    from lucida.clean.finding import Finding
    from lucida.data import Samples


Names = Annotated[list[str] | None, Parameter(consume_multiple=True)]


@dataclass(frozen=True)
class CleanResult:
    """What was found.

    Attributes:
        origin: Where the images come from.
        images: How many were looked at.
        findings: What was found, the worst first.
        seconds: How long it took.
        sent: Question of the review to how many images it asks about; empty for `data`.
        taken: Answers to doubtful labels that were taken over into the question now.
        files: The report, if one was asked for.
        notes: What a person should know, a sentence each.
    """

    origin: str
    images: int
    findings: tuple[Finding, ...]
    seconds: float
    sent: dict[str, int]
    taken: int = 0
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        findings = [one.to_json() for one in self.findings]
        lists = {"findings": findings, "files": list(self.files), "notes": list(self.notes)}
        return {**self.__dict__, **lists, "counts": self.counts}

    @property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each kind."""
        return dict(Counter(str(one.kind) for one in self.findings).most_common())

    def __str__(self) -> str:
        lines = [f"{self.images:,} images of {self.origin} looked at in {self.seconds:.0f} s: "]
        lines[0] += f"{len(self.findings):,} findings. Nothing was deleted." if self.findings else "nothing was found."
        for kind, count in self.counts.items():
            first = next(one for one in self.findings if one.kind == kind)
            lines.append(f"  {kind}: {count:,}   {first.path}: {first.reason}")
        if self.taken:
            lines.append(f"{self.taken:,} answers to doubtful labels were taken over.")
        lines += self.notes
        lines += [f"See {name}" for name in self.files[-1:]]
        lines += [f"Next: lucida review --question {name} --teach {count}" for name, count in self.sent.items()]
        if self.findings and not self.sent and not self.files:
            lines.append("--out FOLDER writes a page that shows them; --json lists them all.")
        return "\n".join(lines)


def clean(
    *,
    data: Path | None = None,
    task: Literal["classify", "tag", "detect", "segment", "anomaly"] | None = None,
    question: str | None = None,
    proposed: bool = False,
    mislabels: Literal["auto", "yes", "no"] = "auto",
    out: Path | None = None,
    same: Names = None,
    different: Names = None,
    forget: Names = None,
    catalog: Path | None = None,
) -> CleanResult | Decided:
    """Find images that are doubled, poor or probably wrongly labelled, each with its reason; nothing is deleted.

    Findings in the catalog go to review: `lucida review --question clean` asks whether an image is blurred, doubled or
    fine, and `lucida review --question clean:QUESTION` asks again for labels that are in doubt. What is answered there
    becomes the answer to the question itself with the next `lucida clean`. Whether two images are the same picture is
    asked once; what was said counts in cleaning, in the splits of training and export, and in search.

    Args:
        data: Labelled images in a folder or file instead of the catalog: a folder a class, COCO, YOLO, VOC, Parquet.
        task: With `data`: what its labels are; by default the first of classify, detect, segment, tag that it holds.
        question: The question whose answers are looked at for wrong labels; the latest by default.
        proposed: Look at the labels that models proposed and nobody confirmed, as well.
        mislabels: Look for wrong labels; "auto" does where cleanlab is installed.
        out: Also write findings.csv and a page, findings.html, that shows the images, into this folder.
        same: Only remember that these images of the catalog are the same picture: --same a.jpg b.jpg.
        different: Only remember that these images are different pictures, however alike.
        forget: Only take back what was said of these images.
        catalog: Folder of the catalog; LUCIDA_CATALOG or ./lucida-catalog by default.

    Raises:
        InputError: There are no images, or none of this name.
        MissingExtra: Wrong labels are to be looked for, and cleanlab is not installed.
    """
    from lucida.catalog import Catalog

    if data is not None:
        return _of_data(Path(data), task, mislabels, out)
    with Catalog.open(catalog) as opened:
        for names, said in ((same, True), (different, False), (forget, None)):
            if names is not None:
                from lucida.clean.deciding import decide_all

                return decide_all(opened, names, said)
        return _of_catalog(opened, question, proposed, mislabels, out)


def _of_data(data: Path, task: str | None, mislabels: Literal["auto", "yes", "no"], out: Path | None) -> CleanResult:
    from lucida.clean.job import find
    from lucida.clean.vectors import see_vectors

    began = time.time()
    samples = _read(data, task)
    found, notes = find(samples, lambda: see_vectors([sample.read for sample in samples]), mislabels=mislabels)
    files = _write(out, found, samples)
    return CleanResult(
        samples.origin, len(samples), tuple(found), time.time() - began, {}, 0, files, (*samples.notes, *notes)
    )


def _read(data: Path, task: str | None) -> Samples:
    from lucida.data import read_data
    from lucida.errors import InputError

    tried: list[InputError] = []
    for one in ("classify", "detect", "segment", "tag") if task is None else (task,):
        try:
            return read_data(data, one)
        except InputError as error:
            tried.append(error)
    raise tried[0]


def _of_catalog(
    catalog: Catalog, question: str | None, proposed: bool, mislabels: Literal["auto", "yes", "no"], out: Path | None
) -> CleanResult:
    from lucida.clean.job import find
    from lucida.clean.sending import send, take_over

    began = time.time()
    asked = _question(catalog, question)
    taken = take_over(catalog, asked) if asked is not None else 0
    samples, ids = _samples(catalog, asked, proposed)
    found, notes = find(samples, lambda: _vectors(catalog, ids), mislabels=mislabels)
    # The catalog's own id also stands for an image whose file is gone.
    found = [replace(one, image=ids[one.row]) for one in found]
    sent = send(catalog, found, asked, samples.decided)
    files = _write(out, found, samples)
    return CleanResult("the catalog", len(samples), tuple(found), time.time() - began, sent, taken, files, tuple(notes))


def _question(catalog: Catalog, question: str | None) -> str | None:
    """Return the question whose labels are looked at; None where nothing was asked yet."""
    from lucida.errors import UnknownName

    runs = [run for run in catalog.runs.all() if run.verb == "label" and run.parameters.get("mode") != "clean"]
    known = [run.question for run in runs]
    if question is not None and question not in known:
        raise UnknownName("question", question, list(dict.fromkeys(reversed(known))))
    return question or (known[-1] if known else None)


def _samples(catalog: Catalog, question: str | None, proposed: bool) -> tuple[Samples, list[str]]:
    """Return every image of the catalog, with its answer where it has one, and their ids."""
    from functools import partial

    from lucida.data import Sample, Samples
    from lucida.data.decisions import decisions
    from lucida.errors import InputError

    ids = catalog.images.ids()
    if not ids:
        raise InputError(
            "The catalog holds no images.",
            expected="images to look at",
            got="an empty catalog",
            hint="lucida add photos/",
        )
    labels: dict[str, str] = {}
    if question is not None:
        states = ("reviewed", "accepted", "proposed") if proposed else ("reviewed", "accepted")
        today = catalog.annotations.current(question, state=states)  # type: ignore[arg-type]
        labels = {one.image: one.label for one in today if one.label}
    names, read = catalog.images.names(ids), catalog.images.reader(ids)
    items = tuple(Sample(names[image], partial(read, image), labels.get(image)) for image in ids)
    classes = tuple(sorted(set(labels.values())))
    return Samples("classify", classes, items, "the catalog", decided=decisions(catalog)), ids


def _vectors(catalog: Catalog, ids: Sequence[str]) -> NDArray[np.float32]:
    """Return the embedded encoder's vectors, zeros for images that cannot be read any more."""
    import numpy as np

    from lucida.clean.vectors import ENCODER
    from lucida.runs.vectors import compute

    computed = compute(catalog, ENCODER, ids)
    there = [row for row, image in enumerate(ids) if image not in computed.skipped]
    if not there:
        return np.zeros((len(ids), 1), np.float32)
    found = catalog.vectors.get(computed.key, [ids[row] for row in there])
    vectors = np.zeros((len(ids), found.shape[1]), np.float32)
    vectors[there] = found
    return vectors


def _write(out: Path | None, found: Sequence[Finding], samples: Samples) -> tuple[str, ...]:
    if out is None:
        return ()
    from lucida.clean.report import write_report

    files = write_report(Path(out), found, lambda one: samples[one.row].read(), samples.origin)
    return tuple(str(path) for path in files)
